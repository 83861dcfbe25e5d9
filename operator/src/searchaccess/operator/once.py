"""Runs that come to an end: once over everything, or for a while."""

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, Final

from searchaccess.core.answers.summary import Summary, line_of, sorted_lines
from searchaccess.engine.backoff import Spreading
from searchaccess.operator.app import Options, Wired, watch_and_run, wired
from searchaccess.operator.starting import in_full
from searchaccess.ports.errors import NoSuchCluster, NotStarted, WaitingError

QUIET: Final = 0.5
"""Seconds without anything to do after which a run has come to its end."""
_LOOK: Final = 0.05


async def reconcile_once(
    options: Options, stop: asyncio.Event, *, only: Collection[str] = (), patience: float
) -> Summary:
    """Look at everything once, put it right, and say how it is.

    Args:
        options: how to run.
        stop: set to end it before that.
        only: the SearchClusters to look after; none: all.
        patience: seconds after which it ends, whether all was looked at or not.

    Raises:
        NoSuchCluster: one of them does not exist.
        ExternalError: it cannot run.
    """
    end = asyncio.get_running_loop().time() + patience
    async with wired(options, stop, only, patience) as one:
        summary = await _reconcile(one, one.run(stop), _settled(one, only, patience, end), stop, only)
    proposed = {raw["metadata"]["name"] for raw in options.manifests if raw["kind"] == "SearchCluster"}
    return summary.of_namespace(options.namespace, proposed) if options.namespace else summary


async def reconcile_for(options: Options, stop: asyncio.Event, seconds: float) -> Summary:
    """Look after what is declared for a while, and say how it is then.

    Args:
        options: how to run.
        stop: set to end it before that.
        seconds: how long.

    Raises:
        ExternalError: it cannot run.
    """
    end = asyncio.get_running_loop().time() + seconds
    async with wired(options, stop, within=seconds) as one:
        return await _reconcile(one, watch_and_run(one, stop), _at(one, end), stop)


async def _reconcile(
    one: Wired,
    work: Coroutine[Any, Any, None],
    end: Coroutine[Any, Any, str],
    stop: asyncio.Event,
    only: Collection[str] = (),
) -> Summary:
    began = one.context.clock.now()
    working, ending, stopped = asyncio.create_task(work), asyncio.create_task(end), asyncio.create_task(_told(stop))
    refused = asyncio.create_task(_refused(one))
    try:
        await asyncio.wait({working, ending, stopped, refused}, return_when=asyncio.FIRST_COMPLETED)
        if refused.done() and not working.done():
            refused.result()
        unfinished = "" if working.done() else (ending if ending.done() else stopped).result()
        # Before what is ours is given away.
        ours = set(only) or _ours(one, only)
    finally:
        ending.cancel()
        stopped.cancel()
        refused.cancel()
        stop.set()
        await _until_over(working)
    return summarize(one, began, ours, only, unfinished)


async def _until_over(working: asyncio.Task[None]) -> None:
    try:
        await working
    except WaitingError as error:
        raise NotStarted(in_full(error)) from None


async def _refused(one: Wired) -> None:
    """Wait until it shows that the process may not keep Leases, and that this does not pass; for ever, if it may.

    Raises:
        NotStarted: it may not.
    """
    now = asyncio.get_running_loop().time
    spreading = Spreading(now)
    while True:
        refused = one.leases.refused if one.leases else None
        if refused is None:
            spreading = Spreading(now)
        elif not spreading.may_pass(refused):
            raise NotStarted(in_full(refused))
        await asyncio.sleep(_LOOK)


async def _told(stop: asyncio.Event) -> str:
    await stop.wait()
    return "it was told to stop"


async def _at(one: Wired, end: float) -> str:
    await asyncio.sleep(end - asyncio.get_running_loop().time())
    return "" if one.host.listed.is_set() else "the API server could not be listed"


async def _settled(one: Wired, only: Collection[str], patience: float, end: float) -> str:
    """Wait until there is nothing more to do; say why that did not come."""
    loop = asyncio.get_running_loop()
    quiet_since = end
    while loop.time() < end:
        if not one.host.listed.is_set() or one.host.is_busy() or not _is_shared_out(one):
            quiet_since = loop.time()
        elif loop.time() - quiet_since >= QUIET:
            return ""
        elif unknown := sorted(set(only) - one.context.inventory.clusters.keys()):
            raise NoSuchCluster(f"there is no SearchCluster named {unknown[0]!r}")
        await asyncio.sleep(_LOOK)
    return f"not all was looked at within {patience:.0f} s"


def _is_shared_out(one: Wired) -> bool:
    return one.leases is None or one.leases.is_shared_out


def _ours(one: Wired, only: Collection[str]) -> set[str]:
    names = set(one.context.inventory.clusters)
    held = one.context.ownership.held(names)
    return held & set(only) if only else held


def summarize(one: Wired, began: str, ours: Collection[str], only: Collection[str], unfinished: str) -> Summary:
    """Sum up what is known of what is this process's.

    Args:
        one: the operator.
        began: when the run began (RFC 3339, UTC).
        ours: the SearchClusters that were this process's.
        only: the SearchClusters that were asked for; none: all.
        unfinished: why it ended before all was looked at.
    """
    inventory = one.context.inventory
    unwritten = {ref.uid: failure for ref, failure in one.context.outbox.unwritten()}
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
        for uid, record in inventory.accesses.items()
        # Who was deleted and has nothing left is gone, though nobody told us, unless its finalizer is still there.
        if (not record.confirmed or uid in unwritten)
        and (record.access.cluster in ours or (not only and record.access.cluster not in inventory.clusters))
    ]
    elsewhere = 0 if only else len(inventory.clusters) - len(ours)
    dry_run = one.context.dry_run
    changes = dry_run.changes if dry_run else None
    return Summary(sorted_lines(lines), elsewhere, unfinished, changes, one.context.meter.internal_errors)
