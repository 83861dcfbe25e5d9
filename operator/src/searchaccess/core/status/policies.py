"""Computes a SearchAccessPolicy's status: whether it can be read, and what it says of how many SearchAccesses."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.policies.status import PolicyCounts
from searchaccess.api.status import SearchAccessPolicyStatus
from searchaccess.core.model.verdict import Outcome, PolicyOutcome
from searchaccess.core.policy.guardrails.policy import Policy
from searchaccess.core.status.conditions import FALSE, TRUE, Conditions

_ENFORCED: Final = "what it refuses gets no rights"
_AUDITED: Final = "it reports and refuses nothing (mode: Audit)"


class Tally:
    """Counts what each policy says."""

    def __init__(self) -> None:
        self._found: defaultdict[str, Counter[Outcome]] = defaultdict(Counter)

    def add(self, outcomes: Iterable[PolicyOutcome]) -> None:
        """Count the outcomes for one SearchAccess."""
        for each in outcomes:
            self._found[each.policy][each.outcome] += 1

    def counts(self) -> Mapping[str, PolicyCounts]:
        """Return the numbers by name of the policy; one that says nothing of any SearchAccess is absent."""
        return {
            name: PolicyCounts(
                accesses=found.total(),
                accepted=found[Outcome.ACCEPTED],
                denied=found[Outcome.DENIED],
                pending_approval=found[Outcome.PENDING_APPROVAL],
                would_deny=found[Outcome.WOULD_DENY],
                exempt=found[Outcome.EXEMPT],
            )
            for name, found in self._found.items()
        }


def build_policy_status(
    policy: Policy, counts: PolicyCounts, previous: SearchAccessPolicyStatus, now: str
) -> SearchAccessPolicyStatus:
    """Return the status of a SearchAccessPolicy.

    Args:
        policy: the policy.
        counts: what it says of how many SearchAccesses.
        previous: the status as it is in Kubernetes.
        now: RFC 3339, UTC, whole seconds.
    """
    conditions = Conditions(previous, policy.generation, now)
    if policy.spec is None:
        conditions.progress(ready=FALSE, reason=Reason.POLICY_INVALID, message=policy.invalid)
    else:
        message = _AUDITED if policy.audits else _ENFORCED
        conditions.progress(ready=TRUE, reason=Reason.POLICY_READ, message=message)
    return SearchAccessPolicyStatus(
        observed_generation=policy.generation,
        conditions=conditions.build(),
        reason=conditions.ready_reason,
        counts=counts if policy.spec is not None else None,
    )
