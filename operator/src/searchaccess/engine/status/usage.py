"""Writes the last use into the statuses of SearchAccesses. Nothing else of a status changes."""

from searchaccess.api.accesses.usagestatus import UsageStatus
from searchaccess.core.model.canonical import stable_json
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.state import Context
from searchaccess.engine.status.announce import queue_status
from searchaccess.engine.status.publish import ref_of


def publish_usage(context: Context, record: AccessRecord, usage: UsageStatus | None) -> None:
    """Queue a status with another last use. One that has no status yet, or is being deleted, gets none for that.

    Args:
        context: what all reconcilers share.
        record: the SearchAccess.
        usage: what its status is to say; None: nothing.
    """
    summary, access = record.status_summary, record.access
    if summary.generation is None or summary.usage == usage or access.deleted_at:
        return
    if not context.may_publish(access.cluster):
        return
    status = record.status.model_copy(update={"usage": usage})
    queue_status(context, record, ref_of(access), stable_json(status.to_json()), [])
