"""Runs that end: after one full reconcile, or after some time."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Final, TypeVar

from searchaccess.core.answers.audits import audits_of
from searchaccess.core.answers.summary import Summary, line_of, sorted_lines
from searchaccess.engine.pacing.backoff import Spreading
from searchaccess.operator.app import Options, Wired, watch_and_run, wired
from searchaccess.operator.starting import in_full
from searchaccess.ports.errors import NoSuchCluster, NotStarted, WaitingError

QUIET: Final = 0.5
"""Seconds without work after which a run is complete."""
POLL_EVERY: Final = 0.05

T = TypeVar("T")


async def reconcile_once(
    options: Options, stop: asyncio.Event, *, only: Collection[str] = (), within: float
) -> Summary:
    """Reconcile everything once, and return a summary.

    Args:
        options: how to run.
        stop: set to end it early.
        only: the SearchClusters to reconcile; empty: all.
        within: seconds after which it ends, even if not everything was reconciled.

    Raises:
        NoSuchCluster: one of them does not exist.
        ExternalError: it cannot run.
    """
    summary, _ = await reconcile_and_look(options, stop, lambda _: None, only=only, within=within)
    return summary


async def reconcile_and_look(
    options: Options, stop: asyncio.Event, look: Callable[[Wired], T], *, only: Collection[str] = (), within: float
) -> tuple[Summary, T]:
    """Reconcile everything once as ``reconcile_once`` does, and return what somebody wants to know afterwards, too.

    Args:
        options: how to run.
        stop: set to end it early.
        look: reads what the operator knows at the end, before its connections are closed.
        only: the SearchClusters to reconcile; empty: all.
        within: seconds after which it ends, even if not everything was reconciled.

    Raises:
        NoSuchCluster: one of them does not exist.
        ExternalError: it cannot run.
    """
    end = asyncio.get_running_loop().time() + within
    async with wired(options, stop, only, within) as process:
        summary = await _reconcile(process, process.run(stop), _settled(process, only, within, end), stop, only)
        seen = look(process)
    proposed = {raw["metadata"]["name"] for raw in options.manifests if raw["kind"] == "SearchCluster"}
    return (summary.of_namespace(options.namespace, proposed) if options.namespace else summary), seen


async def reconcile_for(options: Options, stop: asyncio.Event, seconds: float) -> Summary:
    """Reconcile what is declared for some time, and return a summary.

    Args:
        options: how to run.
        stop: set to end it early.
        seconds: how long.

    Raises:
        ExternalError: it cannot run.
    """
    end = asyncio.get_running_loop().time() + seconds
    async with wired(options, stop, within=seconds) as process:
        return await _reconcile(process, watch_and_run(process, stop), _at(process, end), stop)


async def _reconcile(
    process: Wired,
    work: Coroutine[Any, Any, None],
    end: Coroutine[Any, Any, str],
    stop: asyncio.Event,
    only: Collection[str] = (),
) -> Summary:
    began = process.context.clock.now()
    working, ending, stopped = (
        asyncio.create_task(work),
        asyncio.create_task(end),
        asyncio.create_task(_until_stopped(stop)),
    )
    refused = asyncio.create_task(_refused(process))
    try:
        await asyncio.wait({working, ending, stopped, refused}, return_when=asyncio.FIRST_COMPLETED)
        if refused.done() and not working.done():
            refused.result()
        unfinished = "" if working.done() else (ending if ending.done() else stopped).result()
        # Before the Leases are released.
        ours = set(only) or _ours(process, only)
    finally:
        ending.cancel()
        stopped.cancel()
        refused.cancel()
        stop.set()
        await _until_over(working)
    return summarize(process, began, ours, only, unfinished)


async def _until_over(working: asyncio.Task[None]) -> None:
    try:
        await working
    except WaitingError as error:
        raise NotStarted(in_full(error)) from None


async def _refused(process: Wired) -> None:
    """Wait until the process turns out to lack the right to keep Leases, and that lasts; forever, if it has it.

    Raises:
        NotStarted: it lacks the right.
    """
    now = asyncio.get_running_loop().time
    spreading = Spreading(now)
    while True:
        refused = process.leases.refused if process.leases else None
        if refused is None:
            spreading = Spreading(now)
        elif not spreading.may_pass(refused):
            raise NotStarted(in_full(refused))
        await asyncio.sleep(POLL_EVERY)


async def _until_stopped(stop: asyncio.Event) -> str:
    await stop.wait()
    return "it was stopped"


async def _at(process: Wired, end: float) -> str:
    await asyncio.sleep(end - asyncio.get_running_loop().time())
    return "" if process.host.listed.is_set() else "the API server could not be listed"


async def _settled(process: Wired, only: Collection[str], within: float, end: float) -> str:
    """Wait until nothing remains to be done; return why that was not reached."""
    loop = asyncio.get_running_loop()
    quiet_since = end
    while loop.time() < end:
        if not process.host.listed.is_set() or process.host.is_busy() or not _is_shared_out(process):
            quiet_since = loop.time()
        elif loop.time() - quiet_since >= QUIET:
            return ""
        elif unknown := sorted(set(only) - process.context.inventory.clusters.keys()):
            raise NoSuchCluster(f"there is no SearchCluster named {unknown[0]!r}")
        await asyncio.sleep(POLL_EVERY)
    return f"not everything was reconciled within {within:.0f} s"


def _is_shared_out(process: Wired) -> bool:
    return process.leases is None or process.leases.is_shared_out


def _ours(process: Wired, only: Collection[str]) -> set[str]:
    names = set(process.context.inventory.clusters)
    held = process.context.ownership.held(names)
    return held & set(only) if only else held


def summarize(process: Wired, began: str, ours: Collection[str], only: Collection[str], unfinished: str) -> Summary:
    """Summarize the state of the objects of this process.

    Args:
        process: the operator.
        began: when the run began (RFC 3339, UTC).
        ours: the SearchClusters that this process owned.
        only: the requested SearchClusters; empty: all.
        unfinished: why it ended before everything was reconciled.
    """
    inventory = process.context.inventory
    unwritten = {ref.uid: failure for ref, failure in process.context.outbox.unwritten()}
    lines = [
        line_of(
            "SearchCluster",
            name,
            name,
            record.status,
            began,
            generation=record.cluster.generation,
            unwritten=unwritten.get(record.cluster.uid),
        )
        for name, record in inventory.clusters.items()
        if name in ours
    ]
    shown = {
        uid: record
        for uid, record in inventory.accesses.items()
        # A deleted one with nothing left counts as gone, even without an event, unless its finalizer is still there.
        if (not record.confirmed or uid in unwritten)
        and (record.access.cluster in ours or (not only and record.access.cluster not in inventory.clusters))
    }
    lines += [
        line_of(
            "SearchAccess",
            record.access.ref,
            record.access.cluster,
            record.status,
            began,
            generation=record.access.generation,
            unwritten=unwritten.get(uid),
        )
        for uid, record in shown.items()
    ]
    elsewhere = 0 if only else len(inventory.clusters) - len(ours)
    dry_run = process.context.dry_run
    changes = dry_run.changes if dry_run else None
    audits = tuple(sorted(each for record in shown.values() for each in audits_of(record.access))) if dry_run else ()
    return Summary(sorted_lines(lines), elsewhere, unfinished, changes, process.context.meter.internal_errors, audits)
