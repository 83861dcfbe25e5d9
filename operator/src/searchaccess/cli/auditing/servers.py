"""Reads events from an index and from Cloud Logging; the servers filter them."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from searchaccess.cli.auditing.logs import LogOptions, declared, shown_progress
from searchaccess.cli.options.common import answer

if TYPE_CHECKING:
    from pathlib import Path

    from searchaccess.cli.options.connecting import Reaching
    from searchaccess.core.answers.audit.known import KnownAccess
    from searchaccess.core.answers.audit.report import Wanted
    from searchaccess.core.answers.audit.tally import Tally
    from searchaccess.core.answers.audit.wanted import EventsWanted
    from searchaccess.operator.answers.reading import Live


def count_all(
    reaching: "Reaching", logs: LogOptions, tally: "Tally", files: "list[Path]", rows: "Wanted | None" = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read what is declared, and count all events that are asked for.

    Args:
        reaching: how to reach the API server and Elasticsearch.
        logs: which logs.
        tally: counts the events.
        files: manifests to read in place of the API server; empty: none.
        rows: which rows are shown, so that servers leave out others; None: all events count.

    Returns:
        The SearchAccesses and the SearchClusters.

    Raises:
        typer.Exit: something cannot be read; the error was printed.
    """
    from searchaccess.cli.printing import warn
    from searchaccess.core.model.intake.metadata import part

    async def work() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        async with AsyncExitStack() as stack:
            # Files alone need no API server.
            needed = logs.from_index or not files
            live = await stack.enter_async_context(reaching.open()) if needed else None
            accesses, clusters = await declared(live, files, reaching.namespace)
            if reaching.cluster:
                # Those of others explain nothing in its log.
                accesses = [raw for raw in accesses if part(raw, "spec").get("cluster") == reaching.cluster]
            wanted = _wanted(logs, tally, accesses, rows)
            with shown_progress() as shown:
                if live is not None and logs.from_index:
                    await _count_index(live, reaching.cluster, clusters, wanted, tally, shown("index"))
                if logs.from_cloud_logging:
                    await _count_cloud_logging(logs, wanted, tally, shown("Cloud Logging"))
            return accesses, clusters

    found = answer(work)
    if not found[0]:
        warn(nothing_declared(reaching.cluster, in_files=bool(files)))
    logs.count(tally)
    return found


def nothing_declared(cluster: str, *, in_files: bool) -> str:
    """Return what to say if no request can be explained, with the next step.

    Args:
        cluster: the SearchCluster that was chosen; empty: none.
        in_files: whether files were read, such as standard input without content, in place of the API server.
    """
    of_cluster = f" of SearchCluster {cluster}" if cluster else ""
    checks = [name for name, given in (("-f", in_files), ("--cluster", cluster)) if given]
    step = f"; check {' and '.join(checks)}" if checks else ""
    return f"there is no SearchAccess{of_cluster}{' in the files' if in_files else ''} to explain a request{step}"


def _wanted(logs: LogOptions, tally: "Tally", accesses: list[dict[str, Any]], rows: "Wanted | None") -> "EventsWanted":
    from searchaccess.core.answers.audit.known import known_access
    from searchaccess.core.answers.audit.tally import ALWAYS
    from searchaccess.core.answers.audit.wanted import EventsWanted, callers_of, wildcard_of

    since = None if tally.since == ALWAYS else tally.since.timestamp()
    until = tally.until.timestamp() if tally.until else None
    if rows is None:
        return EventsWanted(logs.from_index, since, until)
    known: list[KnownAccess] = [known_access(raw) for raw in accesses] if rows.service else []
    return EventsWanted(
        logs.from_index,
        since,
        until,
        wildcard_of(rows.index),
        # By its trace, a request may be of a workload that it does not name.
        None if logs.request_log else callers_of(rows.service, known),
        denied=rows.denied,
    )


async def _count_index(
    live: "Live", cluster: str, clusters: list[dict[str, Any]], wanted: "EventsWanted", tally: "Tally", shown: Any
) -> None:
    from searchaccess.core.model.intake.metadata import metadata_of
    from searchaccess.ports.errors import NoSuchCluster

    names = sorted({metadata_of(raw).name for raw in clusters})
    if not cluster and live.kubernetes is not None and len(names) != 1:
        there = ", ".join(names[:5]) or "none"
        raise NoSuchCluster(f"name the SearchCluster whose Elasticsearch has the index with --cluster; there: {there}")
    port = await live.elasticsearch(cluster or (names[0] if names else "elasticsearch"))
    done = 0
    async for events, total in port.audit_events(wanted):
        for event in events:
            tally.add(event)
        done += len(events)
        shown(done, total)


async def _count_cloud_logging(logs: LogOptions, wanted: "EventsWanted", tally: "Tally", shown: Any) -> None:
    from searchaccess.adapters.googlecloud.logentries import LogEntries
    from searchaccess.core.answers.audit.loggingfilter import filter_of

    entries = LogEntries(logs.from_cloud_logging, logs.logging_endpoint)
    done = 0
    try:
        async for events in entries.events(filter_of(logs.from_cloud_logging, wanted, logs.log_name)):
            for event in events:
                tally.add(event)
            done += len(events)
            shown(done, None)
    finally:
        await entries.close()
