"""Whether an object in an event or a list has changed."""

from collections.abc import Container, Mapping

from searchaccess.api.constants import (
    ANNOTATION_ADOPT,
    ANNOTATION_BREAK_GLASS,
    ANNOTATION_RECONCILE,
    ANNOTATION_REQUESTED_BY,
    ANNOTATION_ROTATE,
)
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.model.access import Access
from searchaccess.core.model.identities.identity import State
from searchaccess.core.model.intake.metadata import NAME_LIMIT, Metadata, version_of
from searchaccess.core.model.intake.validation import has_null
from searchaccess.core.model.labels import is_agent
from searchaccess.engine.inventory.former import KEYS


def reconcile_key(access: Access) -> tuple[object, ...]:
    """Return a value that differs if a SearchAccess must be reconciled again. Finalizers are compared separately."""
    return (
        access.generation,
        access.deleted_at,
        access.adopt,
        access.reconcile_requested,
        access.rotate_requested,
        access.fault,
        access.verdict,
        access.validity,
        access.consent,
        is_agent(access),
    )


def is_stale(meta: Metadata, known: Access | Cluster) -> bool:
    """Return whether a version is known already. A version with an internal error is retried."""
    seen, before = version_of(meta.resource_version), version_of(known.resource_version)
    return seen < before or (seen == before and not known.fault)


def is_recalled(access: Access) -> bool:
    """Return whether a SearchAccess's account is known only from its status."""
    return access.identity is not None and access.identity.state is State.RECALLED


def left_by(before: Access, after: Access) -> set[str]:
    """Return the principals, or ``KEYS``, that a SearchAccess no longer declares where it did."""
    now = after if after.cluster == before.cluster else None
    if before.has_credential:
        return {KEYS} if now is None or not now.has_credential else set()
    return set(before.principals) - set(now.principals if now else ())


def may_differ(meta: Metadata, access: Access, writing: Container[str], written: Mapping[str, int]) -> bool:
    """Return whether a SearchAccess in an event may differ from the known one.

    Args:
        meta: the metadata in the event.
        access: the known SearchAccess.
        writing: uids whose status is being written: an event in which only the status differs is outdated.
        written: by uid, the resource version of our last write: earlier events are outdated too.
    """
    version = version_of(meta.resource_version)
    if version <= version_of(access.resource_version):
        return False
    return not (access.uid in writing or version <= written.get(access.uid, 0)) or not is_declared_alike(meta, access)


def is_declared_alike(meta: Metadata, access: Access) -> bool:
    """Return whether a version certainly declares what the known one does: only its status may differ.

    The API server increases the generation with every change of the spec. A null in what was applied is no part of the
    spec, but may be why one is refused.
    """
    return not (
        access.invalid
        or not meta.generation
        or meta.generation != access.generation
        or bool(meta.deleted_at) != bool(access.deleted_at)
        or meta.finalizers != access.finalizers
        or meta.annotation(ANNOTATION_ADOPT, NAME_LIMIT) != access.adopt
        or meta.annotation(ANNOTATION_RECONCILE) != access.reconcile_requested
        or meta.annotation(ANNOTATION_ROTATE) != access.rotate_requested
        or meta.annotation(ANNOTATION_REQUESTED_BY, NAME_LIMIT) != access.requested_by
        or meta.annotation(ANNOTATION_BREAK_GLASS, NAME_LIMIT).strip() != access.break_glass
        or (meta.labels, meta.annotated) != (access.labels, access.annotated)
        or has_null(meta.last_applied)
    )
