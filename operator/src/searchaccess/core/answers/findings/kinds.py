"""Kinds of findings: what each means, how bad it is, and what to do. A name is never given to another kind."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from searchaccess.api.conditions.docs import REASON_DOCS
from searchaccess.api.conditions.reasons import Reason


class Severity(StrEnum):
    """How bad a finding is, the worst first."""

    CRITICAL = "critical"
    """Anybody may get in."""
    HIGH = "high"
    """Somebody has rights that nobody declared, or what is declared is not in force."""
    MEDIUM = "medium"
    """It may be so, and cannot be seen; or it will be refused."""
    LOW = "low"
    """Something that should be tidied up."""


class Source(StrEnum):
    """Where findings of a kind come from."""

    STATUS = "status"
    AUDIT = "audit"


class Kind(StrEnum):
    """What is wrong."""

    DRIFT = "drift"
    MORE_DRIFT = "more-drift"
    NOT_APPLIED = "not-applied"
    SHADOWED = "shadowed"
    BROADER = "broader-than-declared"
    TO_OTHERS = "role-given-to-others"
    WIDENED = "widened-by"
    UNSEEN = "cannot-be-seen"
    MORE_SOURCES = "more-sources"
    POLICY_VIOLATION = "policy-violation"
    POLICY_WOULD_DENY = "policy-would-deny"
    APPROVAL_MISSING = "approval-missing"
    BREAK_GLASS = "break-glass"
    EXPIRED = "expired"
    EXPIRED_IN_FORCE = "expired-in-force"
    NOT_PROTECTED = "not-protected"
    STALLED = "stalled"
    NOT_REPORTED = "not-reported"
    SUSPENDED = "suspended"
    ONLY_OBSERVED = "only-observed"
    HELD = "held"
    BYPASSABLE = "bypassable"
    EXPOSED = "exposed"
    ACCEPTS_OTHERS = "accepts-others"
    OTHERS_UNSEEN = "others-unseen"
    DELEGATION_OPEN = "delegation-open"
    RELEASED = "released-rights"
    UNUSED = "unused"
    UNEXPLAINED = "unexplained"
    BEYOND = "beyond-declared"

    @property
    def doc(self) -> "KindDoc":
        """What it means, and what to do."""
        return KINDS[self]


@dataclass(frozen=True, slots=True)
class KindDoc:
    """The documentation of a kind.

    Args:
        severity: how bad it is.
        meaning: a sentence.
        next_step: what to do about it.
        page: of the documentation that has more.
        source: where it comes from.
    """

    severity: Severity
    meaning: str
    next_step: str
    page: str
    source: Source = Source.STATUS


def _next(reason: Reason) -> str:
    return REASON_DOCS[reason].next_step


_CRITICAL, _HIGH, _MEDIUM, _LOW = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW
KINDS: Final[dict[Kind, KindDoc]] = {
    Kind.DRIFT: KindDoc(
        _HIGH, "Somebody changed rights in Elasticsearch, and they are still changed.", _next(Reason.DRIFT_DETECTED),
        "troubleshooting.md",
    ),
    Kind.MORE_DRIFT: KindDoc(
        _HIGH, "There are more differences than the status lists.", "Correct those that are listed, and run it again.",
        "troubleshooting.md",
    ),
    Kind.NOT_APPLIED: KindDoc(
        _LOW, "`mode: Observe`: what is declared is not applied.", _next(Reason.CHANGES_PENDING), "gitops.md"
    ),
    Kind.SHADOWED: KindDoc(
        _HIGH, "A role in a file of a node is in force instead of the caller's role.", _next(Reason.SHADOWED),
        "exclusive.md",
    ),
    Kind.BROADER: KindDoc(
        _HIGH, "Somebody else in Elasticsearch gives the caller more than is declared.",
        _next(Reason.BROADER_THAN_DECLARED), "exclusive.md",
    ),
    Kind.TO_OTHERS: KindDoc(
        _HIGH, "Somebody in Elasticsearch gives the caller's role to others.", _next(Reason.ROLE_GIVEN_TO_OTHERS),
        "exclusive.md",
    ),
    Kind.WIDENED: KindDoc(
        _MEDIUM, "A SearchAccess of another namespace shows what this one hides, or the other way round.",
        _next(Reason.WIDENED_BY), "exclusive.md",
    ),
    Kind.UNSEEN: KindDoc(
        _MEDIUM, "Others may give the caller more, and the operator cannot see it.", _next(Reason.CANNOT_BE_SEEN),
        "exclusive.md",
    ),
    Kind.MORE_SOURCES: KindDoc(
        _HIGH, "More give the caller rights than the status lists.",
        "Have those that are listed removed, and run it again.", "exclusive.md",
    ),
    Kind.POLICY_VIOLATION: KindDoc(
        _HIGH, "A SearchAccessPolicy refuses the SearchAccess.", _next(Reason.POLICY_VIOLATION), "policies.md"
    ),
    Kind.POLICY_WOULD_DENY: KindDoc(
        _MEDIUM, "A SearchAccessPolicy with `mode: Audit` would refuse the SearchAccess.",
        _next(Reason.POLICY_WOULD_DENY), "policies.md",
    ),
    Kind.APPROVAL_MISSING: KindDoc(
        _LOW, "The SearchAccess has no rights, because an approval is missing.", _next(Reason.PENDING_APPROVAL),
        "approvals.md",
    ),
    Kind.BREAK_GLASS: KindDoc(
        _HIGH, "The SearchAccess has its rights without a required approval.", _next(Reason.BREAK_GLASS), "approvals.md"
    ),
    Kind.EXPIRED: KindDoc(
        _LOW, "The rights have ended, and the SearchAccess is still there.", _next(Reason.EXPIRED), "time-boxes.md"
    ),
    Kind.EXPIRED_IN_FORCE: KindDoc(
        _HIGH, "The rights have ended, and it is not confirmed that they are revoked.",
        "Read the message of the condition Ready: it says what prevents the revocation.", "time-boxes.md",
    ),
    Kind.NOT_PROTECTED: KindDoc(
        _HIGH, "What is in force is not what is declared, and the operator cannot correct it.",
        "Read the message of the condition Ready, and the next step of its reason.", "reasons.md",
    ),
    Kind.STALLED: KindDoc(
        _MEDIUM, "The object has no rights, or not all of it is in force, until a person acts.",
        "Read the message of the condition Ready, and the next step of its reason.", "reasons.md",
    ),
    Kind.NOT_REPORTED: KindDoc(
        _MEDIUM, "The operator has not reported on the object.",
        "See that the operator runs and watches its namespace. Manifests in files have no status: read the API server.",
        "troubleshooting.md",
    ),
    Kind.SUSPENDED: KindDoc(
        _MEDIUM, "`suspend: true`: the operator neither observes nor corrects the rights.", _next(Reason.SUSPENDED),
        "gitops.md",
    ),
    Kind.ONLY_OBSERVED: KindDoc(
        _LOW, "`mode: Observe`: the operator reports differences, and neither grants, revokes nor corrects.",
        "Set `mode: Enforce` if what is declared is meant to be in force.", "gitops.md",
    ),
    Kind.HELD: KindDoc(
        _MEDIUM, "Previous rights stay in force, because the declared ones are not.",
        "Read the message of the condition Held.", "reasons.md",
    ),
    Kind.BYPASSABLE: KindDoc(
        _MEDIUM, "The caller can read more than is declared, in a way that Elasticsearch does not prevent.",
        "Read the message of the condition Bypassable: it names the rights to remove.", "actions.md",
    ),
    Kind.EXPOSED: KindDoc(
        _MEDIUM, "The connection to Elasticsearch is not private.", _next(Reason.NOT_PRIVATE), "clusters.md"
    ),
    Kind.ACCEPTS_OTHERS: KindDoc(
        _CRITICAL, "Elasticsearch or the gateway accepts callers whom it must refuse.",
        "Read the message of the condition, and the next step of its reason, now.", "reasons.md",
    ),
    Kind.OTHERS_UNSEEN: KindDoc(
        _MEDIUM, "The operator cannot see all that others have in Elasticsearch.", _next(Reason.CANNOT_BE_SEEN),
        "exclusive.md",
    ),
    Kind.DELEGATION_OPEN: KindDoc(
        _MEDIUM, "The rights that are delegated to the operator's login include Elasticsearch's own indices.",
        _next(Reason.RESTRICTED_INDICES_DELEGATED), "clusters.md",
    ),
    Kind.RELEASED: KindDoc(
        _LOW, "Rights stayed in force when their SearchAccess was deleted.",
        "Declare them, or revoke them with `spec.orphans.revoke` of the SearchCluster.", "clusters.md",
    ),
    Kind.UNUSED: KindDoc(
        _LOW, "No request in the logs needed this.",
        "Remove it if the logs cover enough time: what is used once a year does not show in a month.",
        "audit.md", Source.AUDIT,
    ),
    Kind.UNEXPLAINED: KindDoc(
        _HIGH, "No SearchAccess names a caller that the logs have.",
        "Declare its access, or revoke it in Elasticsearch.", "audit.md", Source.AUDIT,
    ),
    Kind.BEYOND: KindDoc(
        _HIGH, "A caller was allowed on an index that no grant names.",
        "Look for another role mapping, or for a grant that was removed meanwhile.", "audit.md", Source.AUDIT,
    ),
}  # fmt: skip
"""In the order of the documentation."""
