"""What all SearchAccessPolicies say of a SearchAccess: each that applies must accept it."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple

from searchaccess.api.policies.approval import ApprovalRule
from searchaccess.api.policies.match import SubjectPattern
from searchaccess.api.searchaccesspolicy import PolicyException, SearchAccessPolicySpec
from searchaccess.core.model.access import Access
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.verdict import ACCEPTED, Outcome, PolicyOutcome, PolicyVerdict
from searchaccess.core.policy.consent.decision import Demand
from searchaccess.core.policy.guardrails.aliases import Aliases
from searchaccess.core.policy.guardrails.budget import Budget
from searchaccess.core.policy.guardrails.demands import exceeded, unmet
from searchaccess.core.policy.guardrails.ends import end_of
from searchaccess.core.policy.guardrails.grants import Bounds, bounds_of, violations
from searchaccess.core.policy.guardrails.policy import Policy
from searchaccess.core.policy.guardrails.subjects import subject_matches
from searchaccess.core.policy.namespaces import admit, selects

MOST_REASONS: Final = 5
"""Of one policy: more would not be read."""
_PLACES_KEPT: Final = 10_000
_BOUNDS_KEPT: Final = 50_000
"""Whoever asks the admission webhook may name any number of namespaces and clusters."""
_INVALID: Final = "the spec is invalid: no policy can accept it"
_UNREAD: Final = "the SearchAccessPolicies were not read yet"


class Guardrails:
    """All SearchAccessPolicies.

    Args:
        policies: the policies; None: they were not read yet, and nothing can be decided.
    """

    def __init__(self, policies: Iterable[Policy] | None) -> None:
        self._known = policies is not None
        self._policies = tuple(sorted(policies or (), key=lambda policy: policy.name))
        self._bounds: dict[tuple[str, str], Bounds] = {}
        self._possible: dict[tuple[str, str], tuple[Policy, ...]] = {}
        """By namespace and cluster, the policies that may apply there."""
        self.needs_approvals = any(_approval(policy) for policy in self._policies)
        """Whether any policy requires an approval."""
        self.needs_labels = any(policy.namespaces and policy.namespaces.selector for policy in self._policies)
        """Whether labels of namespaces must be known."""
        self.deny = any(policy.spec and policy.spec.deny for policy in self._policies)
        """Whether any policy denies indices."""

    def next_end(self, now: datetime) -> datetime | None:
        """Return when an exception ends next; None: none does."""
        ends = (end_of(exception) for policy in self._policies for exception in _exceptions(policy))
        return min((end for end in ends if end and end > now), default=None)

    def judge(
        self,
        access: Access,
        labels: Mapping[str, str] | None,
        now: datetime,
        *,
        aliases: Aliases | None = None,
        wanted: bool = False,
    ) -> PolicyVerdict:
        """Decide about a SearchAccess.

        Args:
            access: the SearchAccess; one whose spec cannot be read is not judged by what it says.
            labels: labels of its namespace; None: not known.
            now: the time.
            aliases: where the aliases of its cluster lead; None: not read yet, names alone are compared.
            wanted: whether its SearchCluster refuses what no policy applies to.
        """
        if not self._known:
            return PolicyVerdict(unknown=_UNREAD)
        outcomes, unknown, denies = list[PolicyOutcome](), "", False
        # What only reports takes nothing from what decides.
        enforced, audited = Budget(), Budget()
        for policy in self._possible_for(access):
            applies = _applies(policy, access, labels)
            if applies is Admission.REFUSED or (applies is Admission.UNKNOWN and policy.audits and not wanted):
                continue
            if applies is Admission.UNKNOWN:
                unknown = f"the labels of the namespace {access.namespace} are not known"
                continue
            if access.is_unreadable:
                return PolicyVerdict(unknown=_INVALID if access.invalid else access.fault)
            waits = _waits_for_account(policy, access)
            budget = audited if policy.audits else enforced
            outcome = self._outcome(policy, access, now, _Means(budget, aliases), waits=waits)
            denies = denies or bool(policy.spec and policy.spec.deny)
            if waits and outcome.outcome is Outcome.ACCEPTED and not policy.audits:
                unknown = "the service account behind the subject is not known"
            outcomes.append(outcome)
        # What one policy refuses for certain is refused, whatever others will say.
        if unknown and not any(each.outcome is Outcome.DENIED for each in outcomes):
            return PolicyVerdict(unknown=unknown)
        if not outcomes and not wanted:
            return ACCEPTED
        return PolicyVerdict(
            tuple(outcomes), unmatched=wanted and not outcomes, by_name=_by_name(access, aliases) if denies else ()
        )

    def demands(self, access: Access, labels: Mapping[str, str] | None, now: datetime) -> tuple[Demand, ...]:
        """Return which policies that apply for certain to a SearchAccess require an approval; what, see ``judge``."""
        return tuple(
            Demand(policy.name, rule, policy.audits)
            for policy in self._possible_for(access)
            if (rule := _approval(policy))
            and _applies(policy, access, labels) is Admission.ALLOWED
            and not any(_exempts(each, access, now) for each in _exceptions(policy))
        )

    def _possible_for(self, access: Access) -> tuple[Policy, ...]:
        """Return the policies that may apply to a SearchAccess of this namespace and cluster: most do not."""
        key = access.namespace, access.cluster
        if key not in self._possible:
            if len(self._possible) >= _PLACES_KEPT:
                self._possible.clear()
            self._possible[key] = tuple(policy for policy in self._policies if may_apply_in(policy, *key))
        return self._possible[key]

    def _outcome(self, policy: Policy, access: Access, now: datetime, means: "_Means", *, waits: bool) -> PolicyOutcome:
        spec = policy.spec
        if spec is None:
            reason = f"the policy cannot be read ({policy.invalid})"
            return PolicyOutcome(policy.name, Outcome.DENIED, (reason,), keeps=policy.keeps)
        exempt = next((each for each in _exceptions(policy) if _exempts(each, access, now)), None)
        if exempt:
            return PolicyOutcome(policy.name, Outcome.EXEMPT, (f"until {exempt.until}: {exempt.reason}",))
        # No more are looked for than are shown: each may take long to find.
        found = list(islice(self._violations(spec, policy, access, means, waits=waits), MOST_REASONS + 1))
        if not found:
            return PolicyOutcome(policy.name, Outcome.ACCEPTED)
        outcome = Outcome.WOULD_DENY if policy.audits else Outcome.DENIED
        reasons = [*found[:MOST_REASONS], *(["and more"] if len(found) > MOST_REASONS else [])]
        return PolicyOutcome(policy.name, outcome, tuple(reasons), keeps=policy.keeps)

    def _violations(
        self, spec: SearchAccessPolicySpec, policy: Policy, access: Access, means: "_Means", *, waits: bool
    ) -> Iterator[str]:
        if spec.subjects is not None and not waits and not _matches_any(spec.subjects, access, unknown=False):
            yield _SUBJECT
        key = policy.uid, access.namespace
        if key not in self._bounds:
            if len(self._bounds) >= _BOUNDS_KEPT:
                self._bounds.clear()
            self._bounds[key] = bounds_of(spec, access.namespace)
        yield from violations(access.claims, self._bounds[key], means.budget, means.aliases)
        if spec.require is not None:
            yield from unmet(spec.require, access, means.budget)
        if spec.limits is not None:
            yield from exceeded(spec.limits, access)


class _Means(NamedTuple):
    """With what one SearchAccess is judged."""

    budget: Budget
    aliases: Aliases | None


def _by_name(access: Access, aliases: Aliases | None) -> tuple[str, ...]:
    """Return the patterns of which it cannot be read where aliases lead; none if nobody tried yet."""
    if aliases is None:
        return ()
    local = (pattern for claim in access.claims if not claim.clusters for pattern in claim.indices)
    return tuple(dict.fromkeys(pattern for pattern in local if aliases.is_hidden(pattern)))


def _matches_any(patterns: Iterable[SubjectPattern], access: Access, *, unknown: bool) -> bool:
    return any(subject_matches(pattern, access, unknown=unknown) for pattern in patterns)


def _waits_for_account(policy: Policy, access: Access) -> bool:
    """Return whether it depends on an account that will be known: nothing is revoked until then."""
    subjects = policy.spec.subjects if policy.spec else None
    if subjects is None or access.has_credential:
        return False
    return not _matches_any(subjects, access, unknown=False) and _matches_any(subjects, access, unknown=True)


def _approval(policy: Policy) -> ApprovalRule | None:
    require = policy.spec.require if policy.spec else None
    return require.approval if require else None


def _exceptions(policy: Policy) -> Iterable[PolicyException]:
    return (policy.spec.exceptions if policy.spec else None) or ()


def _exempts(exception: PolicyException, access: Access, now: datetime) -> bool:
    end = end_of(exception)
    return (exception.namespace, exception.name) == (access.namespace, access.name) and end is not None and now < end


_SUBJECT: Final = "subject: this workload or service account may not be named in this namespace"


def may_apply_in(policy: Policy, namespace: str, cluster: str) -> bool:
    """Return whether a policy may apply to SearchAccesses of a namespace that name a SearchCluster."""
    match = policy.spec.match if policy.spec else None
    if match is None:
        return True
    if match.clusters is not None and cluster not in match.clusters:
        return False
    return admit(match.namespaces, namespace, None) is not Admission.REFUSED


def _applies(policy: Policy, access: Access, labels: Mapping[str, str] | None) -> Admission:
    """Return whether a policy that may apply in its namespace and cluster applies to a SearchAccess."""
    match = policy.spec.match if policy.spec else None
    if match is None:
        return Admission.ALLOWED
    if match.labels is not None and not selects(match.labels, dict(access.labels)):
        return Admission.REFUSED
    if match.subjects is not None and not _matches_any(match.subjects, access, unknown=True):
        return Admission.REFUSED
    return admit(match.namespaces, access.namespace, labels)
