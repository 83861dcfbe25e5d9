"""What is declared, as the loop would decide about it, as far as only declarations matter."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, Final

from searchaccess.api.base import ApiModel
from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.answers.plan.roles import Caller
from searchaccess.core.model.access import Access, Share
from searchaccess.core.model.consent import NOT_NEEDED
from searchaccess.core.model.identities.workload import Workload
from searchaccess.core.model.intake.validation import validated
from searchaccess.core.model.timeboxes.timebox import ALWAYS, Term
from searchaccess.core.policy.decision import OPEN, AccessDecision, Do, Gate, decide
from searchaccess.core.policy.guardrails.policy import Policy

REFUSED: Final = frozenset(
    {
        Reason.INTERNAL_ERROR,
        Reason.INVALID_SPEC,
        Reason.LIMITS_NOT_SUPPORTED,
        Reason.NAMESPACE_NOT_ALLOWED,
        Reason.ORPHAN_NOT_ALLOWED,
        Reason.POLICY_VIOLATION,
        Reason.RESTRICTIONS_WOULD_WIDEN,
    }
)
"""Why a SearchAccess gets no rights until somebody changes what is declared."""
_LATER: Final = "2000-01-01T00:00:00Z"
"""Any time: only that it is deleted matters."""


class Effect(Enum):
    """What becomes of the rights that a SearchAccess declares."""

    GRANTED = auto()
    """They are in force, or will be: also where only something is not known yet."""
    HELD = auto()
    """What it has in Elasticsearch stays as it is."""
    NONE = auto()
    """It has none."""


def with_defaults(model: type[ApiModel], spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a spec with all defaults, as the API server stores it, so that two of them can be compared.

    Args:
        model: of the spec.
        spec: as it is written; one that is invalid stays so.
    """
    valid, _ = validated(model, spec)
    return spec if valid is None else valid.model_dump(mode="json", by_alias=True, exclude_none=True)


@dataclass(frozen=True, slots=True)
class Stated:
    """A SearchAccess in the files.

    Args:
        access: with what namespaces and policies say of it.
        gate: what the spec of its SearchCluster allows.
        spec: its spec with defaults; as it is written if it is invalid.
    """

    access: Access
    gate: Gate = OPEN
    spec: Mapping[str, Any] = field(default_factory=dict)

    @property
    def caller(self) -> Caller:
        """Who has its rights."""
        access = self.access
        if access.has_credential:
            return Caller(access.cluster, f"credential {access.ref}")
        subject = access.subject
        name = subject.path if isinstance(subject, Workload) else subject or ""
        return Caller(access.cluster, access.principal or name or access.ref)

    @property
    def decision(self) -> AccessDecision:
        """What the loop would decide. Its time, its approval and its account come without another change."""
        return self._decided(self._as_known)

    @property
    def at_deletion(self) -> AccessDecision:
        """What the loop would decide if it were deleted."""
        return self._decided(replace(self._as_known, deleted_at=_LATER, consent=self.access.consent))

    def _decided(self, access: Access) -> AccessDecision:
        return decide(access, self.gate)

    @property
    def _as_known(self) -> Access:
        access = replace(self.access, consent=NOT_NEEDED)
        if not access.principals and not access.has_credential:
            access = replace(access, principals=(self.caller.name,))
        waits = access.validity.term in {Term.NOT_YET, Term.OUTSIDE}
        return replace(access, validity=ALWAYS) if waits else access

    @property
    def effect(self) -> Effect:
        """What becomes of its rights."""
        decision = self.decision
        if decision.do is Do.ENFORCE or (decision.do is Do.HOLD and decision.reason is Reason.PENDING):
            return Effect.GRANTED
        return Effect.HELD if decision.do is Do.HOLD else Effect.NONE

    @property
    def share(self) -> Share:
        """The rights that it declares."""
        return self.access.share


@dataclass(frozen=True, slots=True)
class Declared:
    """All that files, or the API server, declare.

    Args:
        accesses: by ``namespace/name``.
        policies: by name.
        clusters: specs of SearchClusters by name, with defaults; as they are written if they are invalid.
        approvals: specs of SearchAccessApprovals by ``namespace/name``.
        invalid_clusters: by name, why a SearchCluster cannot be read.
        others: SearchClusters that are known although they are not in the files.
    """

    accesses: Mapping[str, Stated] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    clusters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    approvals: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    invalid_clusters: Mapping[str, str] = field(default_factory=dict)
    others: frozenset[str] = frozenset()
