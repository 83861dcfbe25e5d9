"""Deletes SearchAccesses that expired long enough ago."""

from searchaccess.core.answers.changes import deletion_of
from searchaccess.core.model.access import Access
from searchaccess.core.status.aspects.expiry import deletion_note
from searchaccess.engine.deletions import Deletion
from searchaccess.engine.state import Context
from searchaccess.ports.kubernetes import ObjectRef


def delete_if_due(context: Context, access: Access, ref: ObjectRef, *, deletable: bool) -> None:
    """Queue the deletion of a SearchAccess, or withdraw it; a dry run only reports it.

    Args:
        context: what all reconcilers share.
        access: the SearchAccess.
        ref: its reference.
        deletable: whether it is due, and nothing of it is left.
    """
    if access.time_box.removed_at is None:
        # Of a deletion that is queued, the generation is not the present one any more.
        return
    if context.dry_run is not None:
        if deletable:
            change = deletion_of(access)
            context.dry_run.note(access.cluster, change.object, change)
        return
    due = deletable and context.outbox.deletions.may_try(ref)
    context.outbox.put_deletion(
        ref, Deletion(access.cluster, access.generation, deletion_note(access)) if due else None
    )
