"""What one SearchAccessPolicy says of a SearchAccess that it applies to."""

from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple

from searchaccess.api.searchaccesspolicy import PolicyException, SearchAccessPolicySpec
from searchaccess.core.model.access import Access
from searchaccess.core.model.verdict import Explanation, Outcome, PolicyOutcome
from searchaccess.core.patterns.wildcards import is_name, is_prefix
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
from searchaccess.core.work import Work, completed

MOST_REASONS: Final = 5
"""Of one policy: more would not be read."""
EXPLAINED: Final = 3
"""Policies that refuse a SearchAccess, and whose reasons are looked for: those of a hundred would not be read."""
UNEXPLAINED: Final = "it refuses it, too: the reasons are shown once the policies before it accept it"
_NAMESPACES_KEPT: Final = 1_000
"""Whoever asks the admission webhook may name any number of them."""
_NAMES_KEPT: Final = 1 << 10
_STEPS_AT_ONCE: Final = 100
"""Others need not run in between."""
_FEW_ALLOWED: Final = 100
"""Names and beginnings."""
_SUBJECT: Final = "subject: this workload or service account may not be named in this namespace"


class Evaluation(NamedTuple):
    """What one policy decides about a SearchAccess.

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
        self.unexplained: Final = PolicyOutcome(policy.name, refuses, (UNEXPLAINED,), policy.keeps, of_subject=True)
        """That it refuses a SearchAccess, without the reasons."""
        self.is_plain: Final = policy.spec is not None and _is_plain(policy.spec)
        """Whether it takes little to find out why it refuses a SearchAccess that names few indices plainly."""
        self._exceptions = exceptions(policy)
        self._bounds = Remembered[str, Bounds](self._bounds_in, _NAMESPACES_KEPT)

    def exception(self, access: Access, now: datetime) -> PolicyException | None:
        """Return the exception that a SearchAccess has from the policy; None: it has none."""
        named = (each for each in self._exceptions if (each.namespace, each.name) == (access.namespace, access.name))
        return next((each for each in named if (end := end_of(each)) is not None and now < end), None)

    def refuses(self, asked: Asked) -> PolicyOutcome:
        """Return that it refuses a SearchAccess, which is known, with the reasons, which are found when they are read.

        Args:
            asked: what it asks for; it names few indices plainly, and the policy is plain, too.
        """
        of_subject, reasons = self._refuses_subject(asked.who), Explanation((self, asked), _explained)
        return PolicyOutcome(self.policy.name, self.unexplained.outcome, reasons, self.policy.keeps, of_subject)

    def _refuses_subject(self, who: Who) -> bool:
        spec = self.policy.spec
        return spec is not None and _is_other(spec, who) and not _waits_for_account(spec, who)

    def evaluate(
        self, asked: Asked, whole: Budget, aliases: Aliases | None, *, explain: bool = True
    ) -> Work[Evaluation]:
        """Evaluate the policy for a SearchAccess that has no exception.

        Args:
            asked: what it asks for.
            whole: how much may be compared with all policies.
            aliases: where the aliases of its cluster lead; None: not known, names alone are compared.
            explain: whether the outcome has the reasons of a refusal.
        """
        policy, before = self.policy, whole.spent
        if policy.spec is None and not explain:
            return Evaluation(self.unexplained, waits=False, steps=0)
        if policy.spec is None:
            reason = f"the policy cannot be read ({policy.invalid})"
            denied = PolicyOutcome(policy.name, Outcome.DENIED, (reason,), policy.keeps, of_subject=True)
            return Evaluation(denied, waits=False, steps=0)
        waits, refuses_subject = _waits_for_account(policy.spec, asked.who), self._refuses_subject(asked.who)
        # No more are looked for than are shown: each may take long to find.
        found, taken = list[str](), 0
        violations = self._violations(policy.spec, asked, whole, aliases)
        for each in chain((_SUBJECT,), violations) if refuses_subject else violations:
            if isinstance(each, int):
                if (taken := taken + each) >= _STEPS_AT_ONCE:
                    yield taken
                    taken = 0
                continue
            found.append(each)
            if not explain:
                return Evaluation(self.unexplained, waits, whole.spent - before)
            if len(found) > MOST_REASONS:
                break
        if taken:
            yield taken
        steps = whole.spent - before
        if not found:
            return Evaluation(accepted_by(policy.name), waits, steps)
        outcome = Outcome.WOULD_DENY if policy.audits else Outcome.DENIED
        reasons = (*found[:MOST_REASONS], *(["and more"] if len(found) > MOST_REASONS else []))
        return Evaluation(PolicyOutcome(policy.name, outcome, reasons, policy.keeps, refuses_subject), waits, steps)

    def _violations(
        self, spec: SearchAccessPolicySpec, asked: Asked, whole: Budget, aliases: Aliases | None
    ) -> Reasons:
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


def exempted(policy: Policy, exception: PolicyException) -> PolicyOutcome:
    """Return that a SearchAccess has an exception."""
    return PolicyOutcome(policy.name, Outcome.EXEMPT, (f"until {exception.until}: {exception.reason}",))


def exceptions(policy: Policy) -> tuple[PolicyException, ...]:
    """Return the exceptions of a policy, ended or not."""
    return tuple((policy.spec.exceptions if policy.spec else None) or ())


def _explained(source: tuple[Ruling, Asked]) -> tuple[str, ...]:
    ruling, asked = source
    return tuple(completed(ruling.evaluate(asked, Budget(), None)).outcome.reasons)


def _is_plain(spec: SearchAccessPolicySpec) -> bool:
    """Return whether a policy allows few names and beginnings, and compares nothing else."""
    allowed = [pattern for rule in spec.allow or () for pattern in rule.indices]
    return (
        spec.deny is None
        and (spec.require is None or not (spec.require.fields or spec.require.hidden_fields))
        and len(allowed) <= _FEW_ALLOWED
        and all(is_name(pattern) or is_prefix(pattern) for pattern in allowed)
    )


def _is_other(spec: SearchAccessPolicySpec, who: Who) -> bool:
    """Return whether a policy names subjects, and this one not for certain."""
    return spec.subjects is not None and not matches_any(spec.subjects, who, unknown=False)


def _waits_for_account(spec: SearchAccessPolicySpec, who: Who) -> bool:
    """Return whether it depends on an account that will be known: nothing is revoked until then."""
    if spec.subjects is None or who.has_credential:
        return False
    return _is_other(spec, who) and matches_any(spec.subjects, who, unknown=True)
