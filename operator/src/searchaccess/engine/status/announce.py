"""Reports that an object's state changed: in its status, in events, and in the log."""

from collections.abc import Sequence

import structlog

from searchaccess.api.status import Status
from searchaccess.core.status.events import Note
from searchaccess.core.status.lines import lines_of
from searchaccess.engine.inventory.records import AccessRecord, ClusterRecord
from searchaccess.engine.state import Context
from searchaccess.ports.kubernetes import ObjectRef, Plural

log = structlog.get_logger(__name__)


def announce(context: Context, cluster: str, ref: ObjectRef, notes: Sequence[Note]) -> list[Note]:
    """Count events about an object, and drop those above its limit.

    Args:
        context: what all reconcilers share.
        cluster: name of the SearchCluster.
        ref: the object.
        notes: the events.

    Returns:
        The events to write.
    """
    allowed = context.events.take(ref.uid, len(notes), context.clock.monotonic())
    if allowed < len(notes):
        context.meter.events_dropped(len(notes) - allowed)
    for note in notes[:allowed]:
        context.meter.event_emitted(cluster, note.reason)
    return list(notes[:allowed])


def queue_status(
    context: Context, record: AccessRecord | ClusterRecord, ref: ObjectRef, text: str, notes: list[Note]
) -> None:
    """Queue a status; with a delay if somebody else keeps changing it after our writes.

    Args:
        context: what all reconcilers share.
        record: the object.
        ref: its reference.
        text: the status, as JSON.
        notes: the events about it.
    """
    is_ours = record.wrote in {0, hash(record.status_json)}
    if is_ours or context.restored.take(ref.uid, 1, context.clock.monotonic()):
        context.outbox.put_status(ref, text, notes)
    else:
        context.outbox.put_status(ref, text, notes, after=context.restored.refill)
    # Only a queued status counts as published.
    record.status_json, record.wrote = text, hash(text)


def log_transition(
    context: Context, cluster: str, ref: ObjectRef, previous: Status, status: Status, notes: Sequence[Note]
) -> None:
    """Log what is wrong with an object, and what drifted. A dry run reports it elsewhere.

    Args:
        context: what all reconcilers share.
        cluster: name of the SearchCluster.
        ref: the object.
        previous: its status as it is in Kubernetes.
        status: the new one.
        notes: the events about it.
    """
    if context.dry_run is not None:
        return
    whose = {"access": f"{ref.namespace}/{ref.name}"} if ref.plural is Plural.ACCESSES else {}
    for line in lines_of(previous, status, notes):
        log.warning(line.event, cluster=cluster, **whose, **line.fields)
