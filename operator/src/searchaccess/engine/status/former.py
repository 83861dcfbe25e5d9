"""Describes what a SearchAccess still has where it no longer declares it (docs/adr/0031)."""

from searchaccess.core.model.access import Access
from searchaccess.core.model.admission import Admission
from searchaccess.core.status.aspects.identity import is_own_account
from searchaccess.engine.inventory.former import KEYS, FormerPlace
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.state import Context


def what_stays(context: Context, record: AccessRecord, access: Access) -> str:
    """Describe earlier rights that stay until the declared ones are in place; empty: none, or it is being deleted."""
    if access.deleted_at:
        return ""
    places = sorted(context.inventory.former.places(access.uid)) or _recalled(context, record)
    return "; ".join(_described(context, place) for place in places)


def what_is_left(context: Context, record: AccessRecord) -> str:
    """Describe rights that a deleted SearchAccess may still have elsewhere; empty: none."""
    inventory, access = context.inventory, record.access
    if places := sorted(inventory.former.places(access.uid)):
        return "; ".join(f"{_shown(context, place)} is not confirmed gone yet" for place in places)
    for place in _recalled(context, record):
        if inventory.former.awaits_full_read(place.cluster, access.uid):
            return f"what it had on SearchCluster {place.cluster} is not confirmed gone yet"
    return ""


def _recalled(context: Context, record: AccessRecord) -> list[FormerPlace]:
    """Return where a SearchAccess had its rights according to its status, if it declares them elsewhere now.

    That is known before anything is read, and also for SearchClusters of other replicas.
    """
    inventory, access, had = context.inventory, record.access, record.status_summary.placed
    if had is None or not had.cluster_uuid:
        return []
    principal = had.role.removeprefix(context.operator.role_name("")) or KEYS
    own = inventory.clusters.get(access.cluster)
    if own is not None and own.pinned == had.cluster_uuid:
        return [FormerPlace(access.cluster, principal)] if _was_of_another(record, principal) else []
    name = inventory.pinned_to(had.cluster_uuid)
    if (
        not name
        or name == access.cluster
        or inventory.namespaces.admission(name, access.namespace) is Admission.REFUSED
    ):
        return []
    return [FormerPlace(name, principal)]


def _was_of_another(record: AccessRecord, principal: str) -> bool:
    """Return whether rights belong to an earlier subject, as the present one certainly has none."""
    access = record.access
    return access.has_nobody and not is_own_account(record.status, access.subject, principal)


def _described(context: Context, place: FormerPlace) -> str:
    if place.principal == KEYS:
        return f"former API keys or users keep working on SearchCluster {place.cluster}"
    return f"{place.principal} keeps the rights of {_shown(context, place)} as they are"


def _shown(context: Context, place: FormerPlace) -> str:
    what = "the API keys or users" if place.principal == KEYS else f"role {context.operator.role_name(place.principal)}"
    return f"{what} on SearchCluster {place.cluster}"
