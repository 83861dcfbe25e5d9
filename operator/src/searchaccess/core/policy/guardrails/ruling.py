"""What one SearchAccessPolicy says of a SearchAccess that it applies to."""

from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from searchaccess.api.searchaccesspolicy import PolicyException, SearchAccessPolicySpec
from searchaccess.core.model.access import Access
from searchaccess.core.model.verdict import Outcome, PolicyOutcome
from searchaccess.core.policy.guardrails.aliases import Aliases
from searchaccess.core.policy.guardrails.asked import Asked
from searchaccess.core.policy.guardrails.budget import Budget
from searchaccess.core.policy.guardrails.ends import end_of
from searchaccess.core.policy.guardrails.joint.remembered import Remembered
from searchaccess.core.policy.guardrails.policy import Policy
from searchaccess.core.policy.guardrails.reasons import Reasons
from searchaccess.core.policy.guardrails.rules.demands import exceeded, unmet
from searchaccess.core.policy.guardrails.rules.grants import Bounds, bounds_of, violations
from searchaccess.core.policy.guardrails.subjects import Who, matches_any
from searchaccess.core.work import Work

MOST_REASONS: Final = 5
"""Of one policy: more would not be read."""
TOLD: Final = 3
"""Policies that refuse a SearchAccess, and whose reasons are looked for: those of a hundred would not be read."""
UNTOLD: Final = "it refuses it, too: the reasons are shown once the policies before it accept it"
_NAMESPACES_KEPT: Final = 1_000
"""Whoever asks the admission webhook may name any number of them."""
_NAMES_KEPT: Final = 1 << 10
_SUBJECT: Final = "subject: this workload or service account may not be named in this namespace"


class Said(NamedTuple):
    """What a policy says.

    Args:
        outcome: whether it accepts the SearchAccess.
        waits: whether that depends on an account that is not known yet.
        steps: that the comparisons took.
    """

    outcome: PolicyOutcome
    waits: bool
    steps: int


class Ruling:
    """One policy, as it is asked about many SearchAccesses.

    Args:
        policy: the policy.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy: Final = policy
        refuses = Outcome.WOULD_DENY if policy.audits else Outcome.DENIED
        self.untold: Final = PolicyOutcome(policy.name, refuses, (UNTOLD,), policy.keeps, of_subject=True)
        """That it refuses a SearchAccess, without the reasons."""
        self._exceptions = exceptions(policy)
        self._bounds = Remembered[str, Bounds](self._bounds_in, _NAMESPACES_KEPT)

    def exception(self, access: Access, now: datetime) -> PolicyException | None:
        """Return the exception that a SearchAccess has from the policy; None: it has none."""
        named = (each for each in self._exceptions if (each.namespace, each.name) == (access.namespace, access.name))
        return next((each for each in named if (end := end_of(each)) is not None and now < end), None)

    def said(self, asked: Asked, whole: Budget, aliases: Aliases | None, *, told: bool = True) -> Work[Said]:
        """Find out what it says of a SearchAccess that has no exception.

        Args:
            asked: what it asks for.
            whole: how much may be compared with all policies.
            aliases: where the aliases of its cluster lead; None: not known, names alone are compared.
            told: whether it says why it refuses it.
        """
        policy, before = self.policy, whole.spent
        if policy.spec is None and not told:
            return Said(self.untold, waits=False, steps=0)
        if policy.spec is None:
            reason = f"the policy cannot be read ({policy.invalid})"
            denied = PolicyOutcome(policy.name, Outcome.DENIED, (reason,), policy.keeps, of_subject=True)
            return Said(denied, waits=False, steps=0)
        waits = _waits_for_account(policy.spec, asked.who)
        # No more are looked for than are shown: each may take long to find.
        found = list[str]()
        for each in self._violations(policy.spec, asked, whole, aliases, waits=waits):
            if isinstance(each, int):
                yield each
                continue
            found.append(each)
            if not told:
                return Said(self.untold, waits, whole.spent - before)
            if len(found) > MOST_REASONS:
                break
        steps = whole.spent - before
        if not found:
            return Said(accepted_by(policy.name), waits, steps)
        outcome = Outcome.WOULD_DENY if policy.audits else Outcome.DENIED
        reasons = (*found[:MOST_REASONS], *(["and more"] if len(found) > MOST_REASONS else []))
        of_subject = found[0] == _SUBJECT
        return Said(PolicyOutcome(policy.name, outcome, reasons, policy.keeps, of_subject), waits, steps)

    def _violations(
        self, spec: SearchAccessPolicySpec, asked: Asked, whole: Budget, aliases: Aliases | None, *, waits: bool
    ) -> Reasons:
        if spec.subjects is not None and not waits and not matches_any(spec.subjects, asked.who, unknown=False):
            yield _SUBJECT
        yield from violations(asked.claims, self._bounds[asked.who.namespace], whole, aliases)
        if spec.require is not None:
            yield from unmet(spec.require, asked, whole)
        if spec.limits is not None:
            yield from exceeded(spec.limits, asked)

    def _bounds_in(self, namespace: str) -> Bounds:
        return bounds_of(self.policy.spec, namespace) if self.policy.spec else Bounds(None, ())


@lru_cache(_NAMES_KEPT)
def accepted_by(name: str) -> PolicyOutcome:
    """Return that a policy accepts: one object for all, so that equal verdicts are compared quickly."""
    return PolicyOutcome(name, Outcome.ACCEPTED)


def exempted(policy: Policy, exception: PolicyException) -> Said:
    """Return that a SearchAccess has an exception."""
    reason = f"until {exception.until}: {exception.reason}"
    return Said(PolicyOutcome(policy.name, Outcome.EXEMPT, (reason,)), waits=False, steps=0)


def exceptions(policy: Policy) -> tuple[PolicyException, ...]:
    """Return the exceptions of a policy, ended or not."""
    return tuple((policy.spec.exceptions if policy.spec else None) or ())


def _waits_for_account(spec: SearchAccessPolicySpec, who: Who) -> bool:
    """Return whether it depends on an account that will be known: nothing is revoked until then."""
    if spec.subjects is None or who.has_credential:
        return False
    return not matches_any(spec.subjects, who, unknown=False) and matches_any(spec.subjects, who, unknown=True)
