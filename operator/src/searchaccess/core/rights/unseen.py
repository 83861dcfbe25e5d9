"""Owners of rights whose SearchAccess may exist where it cannot be seen: they are held (docs/adr/0045)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from searchaccess.api.searchaccess import DeletionPolicy, Mode
from searchaccess.core.model.access import Access, Share
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.rights.attribution import split
from searchaccess.core.rights.compose import Member
from searchaccess.core.rights.ownership import Operator, Record, Role, metadata_from_json

IsUnseen: TypeAlias = Callable[[str, str], bool]
"""Takes namespace and uid; returns whether such a SearchAccess may exist although it is not known."""

UNSEEN: Final = AccessDecision(Do.HOLD, unseen=True)


def unseen_records(metadata: Mapping[str, Any], is_unseen: IsUnseen) -> Iterator[Record]:
    """Yield the owners in a role's metadata that cannot be seen.

    Args:
        metadata: of a role of ours, or of another instance.
        is_unseen: whether a SearchAccess may exist although it is not known.
    """
    records = metadata_from_json(metadata).records
    return (record for record in records if is_unseen(record.namespace, record.uid))


def unseen_members(operator: Operator, principal: str, observed: Role | None, is_unseen: IsUnseen) -> list[Member]:
    """Return the owners of a role that cannot be seen, each with what it has, and held.

    Args:
        operator: this operator.
        principal: whose role it is.
        observed: the role; None: there is none.
        is_unseen: whether a SearchAccess may exist although it is not known.
    """
    if observed is None or not operator.owns(observed.metadata):
        return []
    records = list(unseen_records(observed.metadata, is_unseen))
    if not records:
        return []
    shares = split(observed.body, metadata_from_json(observed.metadata)).by_uid
    return [Member(_outline(record, principal, shares.get(record.uid, Share())), UNSEEN) for record in records]


def _outline(record: Record, principal: str, share: Share) -> Access:
    """Return what a role says about a SearchAccess. It is on no SearchCluster, so that nothing is reported on it."""
    return Access(
        uid=record.uid,
        namespace=record.namespace,
        name=record.name,
        generation=record.generation,
        resource_version="",
        cluster="",
        subject=None,
        principals=(principal,),
        share=share,
        summary="",
        mode=Mode.ENFORCE,
        suspend=False,
        deletion_policy=DeletionPolicy.DELETE,
        deleted_at="",
        finalizers=(),
        adopt="",
        reconcile_requested="",
        invalid="",
    )
