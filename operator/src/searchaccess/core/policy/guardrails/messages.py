"""Messages about a SearchAccess that policies refuse."""

from searchaccess.core.model.access import Access
from searchaccess.core.model.intake.metadata import bounded_text
from searchaccess.core.model.verdict import PolicyOutcome

_LIMIT = 1_000
"""Characters of a message."""


def refusal_message(access: Access) -> str:
    """Return which policies refuse a SearchAccess and why, and what becomes of rights that it had."""
    verdict = access.verdict
    if not verdict.denied_by:
        return (
            f"no SearchAccessPolicy applies to it, and SearchCluster {access.cluster} refuses what none applies to "
            "(spec.policies.unmatched: Deny)"
        )
    stays = "" if verdict.revokes else "; rights that it has stay as they are"
    return bounded_text("; ".join(map(described, verdict.denied_by)), _LIMIT) + stays


def described(outcome: PolicyOutcome) -> str:
    """Return what one policy says, for people."""
    return f"SearchAccessPolicy {outcome.policy}: {'; '.join(outcome.reasons)}"
