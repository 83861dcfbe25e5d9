"""Restricts the plan: what the operator may do about each SearchAccess right now."""

from dataclasses import dataclass
from enum import Enum, auto

from searchaccess.api.reasons import Reason
from searchaccess.api.searchaccess import DeletionPolicy, Mode
from searchaccess.core.model.access import Access
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.identity import State


class Do(Enum):
    """What is done about one SearchAccess in a pass."""

    ENFORCE = auto()
    """Make its rights as declared."""
    HOLD = auto()
    """Leave its rights in Elasticsearch as they are."""
    REMOVE = auto()
    """Take its rights away."""
    RELEASE = auto()
    """Leave its rights and give up owning them."""
    DISABLE = auto()
    """Take its rights away, and keep the role with a note if it is then empty."""


@dataclass(frozen=True, slots=True)
class AccessDecision:
    """What is done about one SearchAccess, and why not more."""

    do: Do
    reason: Reason | None = None
    """Why it is held; None when nothing is wrong (enforced, observed, being deleted)."""
    message: str = ""

    @property
    def reports(self) -> bool:
        """Whether differences are looked for: not when suspended or when the spec cannot be applied, or read."""
        return self.reason not in {Reason.SUSPENDED, Reason.INVALID_SPEC, Reason.INTERNAL_ERROR}


@dataclass(frozen=True, slots=True)
class Gate:
    """What the state of a cluster allows."""

    grants: bool = True
    """False: no new rights; deletions still take effect."""
    reason: Reason | None = None
    message: str = ""
    field_security: bool = True
    """Whether the licence has document- and field-level security."""
    license: str = ""


OPEN = Gate()

_AT_DELETION = {
    DeletionPolicy.DELETE: Do.REMOVE,
    DeletionPolicy.ORPHAN: Do.RELEASE,
    DeletionPolicy.DISABLE: Do.DISABLE,
}


_NOT_YET = "Google was not asked yet which service account is behind the subject"


def unresolved(access: Access) -> "AccessDecision":
    """Hold a SearchAccess of whose subject no account is known."""
    state = access.identity.state if access.identity else State.RESOLVED
    if state is State.MISSING:
        return AccessDecision(Do.HOLD, Reason.SERVICE_NOT_FOUND, "there is no such workload, so nobody has the rights")
    if state is State.RECALLED:
        return AccessDecision(Do.HOLD, Reason.PENDING, _NOT_YET)
    why = access.identity.message if access.identity else ""
    return AccessDecision(Do.HOLD, Reason.IDENTITY_UNKNOWN, why)


def refused(access: Access) -> AccessDecision:
    """Take the rights of a SearchAccess away whose namespace is not allowed, whatever it says itself."""
    if access.deleted_at:
        return AccessDecision(Do.REMOVE)
    message = f"SearchCluster {access.cluster} does not allow the namespace {access.namespace}"
    return AccessDecision(Do.REMOVE, Reason.NAMESPACE_NOT_ALLOWED, message)


def _at_deletion(access: Access) -> Do:
    if access.has_credential:
        # A key that nobody rotates or revokes must not stay, whatever it says itself.
        return Do.REMOVE
    # Observe changes nothing, at the end neither: the rights stay, as with Orphan (docs/adr/0005).
    return Do.RELEASE if access.mode is Mode.OBSERVE else _AT_DELETION[access.deletion_policy]


def decide(access: Access, gate: Gate, rejection: str = "") -> AccessDecision:  # noqa: C901, PLR0911 - reads as a table
    """Decide what may be done about a SearchAccess.

    Args:
        access: the SearchAccess.
        gate: what the state of its cluster allows.
        rejection: why Elasticsearch refused this very generation; empty: it did not.
    """
    if access.admission is Admission.REFUSED:
        return refused(access)
    if access.deleted_at:
        return AccessDecision(_at_deletion(access))
    if access.admission is Admission.UNKNOWN:
        return AccessDecision(Do.HOLD, Reason.PENDING, f"the labels of the namespace {access.namespace} are not known")
    if access.fault:
        return AccessDecision(Do.HOLD, Reason.INTERNAL_ERROR, access.fault)
    if access.invalid:
        return AccessDecision(Do.HOLD, Reason.INVALID_SPEC, access.invalid)
    if access.suspend:
        return AccessDecision(
            Do.HOLD, Reason.SUSPENDED, "spec.suspend is true: rights in Elasticsearch stay as they are"
        )
    if not access.principals and not access.has_credential:
        return unresolved(access)
    if access.restricts_documents and not gate.field_security:
        message = f"where and fields need a Platinum, Enterprise or trial licence; this cluster has {gate.license}"
        return AccessDecision(Do.HOLD, Reason.LICENSE_INSUFFICIENT, message)
    if not (gate.grants or access.has_credential):
        return AccessDecision(Do.HOLD, gate.reason, gate.message)
    if rejection:
        return AccessDecision(Do.HOLD, Reason.REJECTED, rejection)
    if access.mode is Mode.OBSERVE:
        return AccessDecision(Do.HOLD)
    return AccessDecision(Do.ENFORCE)
