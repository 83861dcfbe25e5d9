"""What all SearchAccessPolicies say of a SearchAccess: each that applies must accept it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from searchaccess.api.policies.approval import ApprovalRule
from searchaccess.core.model.access import Access
from searchaccess.core.model.verdict import ACCEPTED, Outcome, PolicyOutcome, PolicyVerdict
from searchaccess.core.policy.consent.decision import Demand
from searchaccess.core.policy.guardrails.aliases import Aliases
from searchaccess.core.policy.guardrails.applies import may_apply_in
from searchaccess.core.policy.guardrails.asked import Asked, asked_of
from searchaccess.core.policy.guardrails.budget import Budget, are_enough
from searchaccess.core.policy.guardrails.ends import end_of
from searchaccess.core.policy.guardrails.joint.panel import Panel
from searchaccess.core.policy.guardrails.joint.remembered import Remembered
from searchaccess.core.policy.guardrails.joint.sets import each_of
from searchaccess.core.policy.guardrails.policy import Policy
from searchaccess.core.policy.guardrails.ruling import Ruling, Said, exceptions, exempted
from searchaccess.core.policy.guardrails.subjects import who_of

_PLACES_KEPT: Final = 10_000
_PANELS_KEPT: Final = 2_000
_SAID_KEPT: Final = 100_000
"""Whoever asks the admission webhook may name anything."""
_INVALID: Final = "the spec is invalid: no policy can accept it"
_UNREAD: Final = "the SearchAccessPolicies were not read yet"
_STEPS_OF_ASKING: Final = 20
"""Of all that is not counted when a single policy is asked."""
_Known = dict[tuple[Ruling, bool], Said]
"""What single policies said, with whether aliases were not known."""


class _Found(NamedTuple):
    """What policies that apply say.

    Args:
        outcomes: in the order of the policies.
        waiting: which of them would accept it if they knew the account behind the subject.
    """

    outcomes: tuple[PolicyOutcome, ...]
    waiting: int = 0


class Guardrails:
    """All SearchAccessPolicies.

    Args:
        policies: the policies; None: they were not read yet, and nothing can be decided.
        before: those of before: what policies that did not change said is not computed again.
    """

    def __init__(self, policies: Iterable[Policy] | None, before: "Guardrails | None" = None) -> None:
        self._known = policies is not None
        self._policies = tuple(sorted(policies or (), key=lambda policy: policy.name))
        self._rulings = tuple(_kept(policy, before) for policy in self._policies)
        self._by_uid = {each.policy.uid: each for each in self._rulings}
        self._said: dict[Asked, _Known] = before._said if before else {}
        """What one policy said of one SearchAccess, where it did not follow from what all say."""
        self._pairs = before._pairs if before else 0
        current = set(self._rulings)
        panels = before._panels.items() if before else ()
        self._panels = {key: panel for key, panel in panels if current.issuperset(key)}
        self._possible = Remembered[tuple[str, str], Panel](self._panel_in, _PLACES_KEPT)
        """By namespace and cluster, the policies that may apply there."""
        self.asked = before.asked if before else 0
        """How often a single policy was asked about a SearchAccess."""
        self.effort = before.effort if before else 0
        """Steps that this took."""
        self.needs_approvals = any(_approval(policy) for policy in self._policies)
        """Whether any policy requires an approval."""
        self.needs_labels = any(policy.namespaces and policy.namespaces.selector for policy in self._policies)
        """Whether labels of namespaces must be known."""
        self.deny = any(policy.spec and policy.spec.deny for policy in self._policies)
        """Whether any policy denies indices."""

    def next_end(self, now: datetime) -> datetime | None:
        """Return when an exception ends next; None: none does."""
        ends = (end_of(exception) for policy in self._policies for exception in exceptions(policy))
        return min((end for end in ends if end and end > now), default=None)

    def judge(
        self,
        access: Access,
        labels: Mapping[str, str] | None,
        now: datetime,
        *,
        aliases: Aliases | None = None,
        wanted: bool = False,
        plainly: bool = False,
    ) -> PolicyVerdict:
        """Decide about a SearchAccess.

        Args:
            access: the SearchAccess; one whose spec cannot be read is not judged by what it says.
            labels: labels of its namespace; None: not known.
            now: the time.
            aliases: where the aliases of its cluster lead; None: not read yet, names alone are compared.
            wanted: whether its SearchCluster refuses what no policy applies to.
            plainly: ask one policy after the other; the answer is the same.
        """
        if not self._known:
            return PolicyVerdict(unknown=_UNREAD)
        panel, asked = self._possible[access.namespace, access.cluster], asked_of(access)
        applying = panel.applying(access.namespace, panel.situation(asked.who, access.labels, labels))
        unlabelled = applying.unknown if wanted else applying.unknown & ~panel.auditing
        if access.is_unreadable and applying.certain:
            return PolicyVerdict(unknown=_INVALID if access.invalid else access.fault)
        decide = self._plainly if plainly else self._jointly
        outcomes, waiting = decide(panel, applying.certain, access, asked, now, aliases)
        unknown = ""
        if unlabelled > waiting:
            unknown = f"the labels of the namespace {access.namespace} are not known"
        elif waiting:
            unknown = "the service account behind the subject is not known"
        # What one policy refuses for certain is refused, whatever others will say.
        if unknown and not any(each.outcome is Outcome.DENIED for each in outcomes):
            return PolicyVerdict(unknown=unknown)
        if not outcomes and not wanted:
            return ACCEPTED
        denies = bool(applying.certain & panel.denying)
        return PolicyVerdict(
            outcomes, unmatched=wanted and not outcomes, by_name=_by_name(access, aliases) if denies else ()
        )

    def demands(self, access: Access, labels: Mapping[str, str] | None, now: datetime) -> tuple[Demand, ...]:
        """Return which policies that apply for certain to a SearchAccess require an approval; what, see ``judge``."""
        if not self.needs_approvals:
            return ()
        panel = self._possible[access.namespace, access.cluster]
        applying = panel.applying(access.namespace, panel.situation(who_of(access), access.labels, labels))
        return tuple(
            Demand(policy.name, rule, policy.audits)
            for policy in (panel.policies[at] for at in each_of(applying.certain))
            if (rule := _approval(policy)) and not self._by_uid[policy.uid].exception(access, now)
        )

    def _jointly(
        self, panel: Panel, applying: int, access: Access, asked: Asked, now: datetime, aliases: Aliases | None
    ) -> _Found:
        """Ask all policies at once, and those that do not accept for certain one by one."""
        certain, steps = panel.accepting(asked, access.name, aliases)
        accepted = panel.accepted(applying)
        left = applying & ~certain
        if not left and are_enough(0, steps):
            return _Found(accepted)
        outcomes, waiting, budget = list(accepted), 0, Budget(joint=True)
        known = self._known_of(asked, aliases)
        for at in each_of(left):
            said = self._said_by(panel.rulings[at], access, asked, now, aliases, budget, known)
            outcomes[(applying & ((1 << at) - 1)).bit_count()] = said.outcome
            waiting |= _is_waiting(said, panel.policies[at]) << at
            steps += said.steps
            if budget.is_over or not are_enough(0, steps):
                # Together they may take more steps than there are: then it matters which comes first.
                return self._plainly(panel, applying, access, asked, now, aliases)
        return _Found(tuple(outcomes), waiting)

    def _said_by(
        self,
        ruling: Ruling,
        access: Access,
        asked: Asked,
        now: datetime,
        aliases: Aliases | None,
        budget: Budget,
        known: _Known | None,
    ) -> Said:
        """Return what a policy says, as if it were the only one."""
        if exempt := ruling.exception(access, now):
            return exempted(ruling.policy, exempt)
        key = ruling, aliases is None
        if known is not None and key in known:
            return known[key]
        said = self._ask(ruling, asked, aliases, budget)
        if known is not None and not budget.is_over:
            known[key] = said
            self._pairs += 1
        return said

    def _ask(self, ruling: Ruling, asked: Asked, aliases: Aliases | None, budget: Budget) -> Said:
        said = ruling.said(asked, budget, aliases)
        self.asked += 1
        self.effort += _STEPS_OF_ASKING + said.steps
        return said

    def _known_of(self, asked: Asked, aliases: Aliases | None) -> _Known | None:
        """Return what is known to be said of it; None: nothing can be remembered, as aliases may lead elsewhere."""
        if aliases and any(aliases.leads(pattern) for claim in asked.claims for pattern in claim.indices):
            return None
        if self._pairs > _SAID_KEPT:
            self._said.clear()
            self._pairs = 0
        return self._said.setdefault(asked, {})

    def _plainly(
        self, panel: Panel, applying: int, access: Access, asked: Asked, now: datetime, aliases: Aliases | None
    ) -> _Found:
        """Ask one policy after the other: all comparisons together have a number of steps."""
        outcomes, waiting = list[PolicyOutcome](), 0
        # What only reports takes nothing from what decides.
        enforced, audited = Budget(), Budget()
        for at in each_of(applying):
            ruling = panel.rulings[at]
            policy = ruling.policy
            if exempt := ruling.exception(access, now):
                outcomes.append(exempted(policy, exempt).outcome)
                continue
            said = self._ask(ruling, asked, aliases, audited if policy.audits else enforced)
            waiting |= _is_waiting(said, policy) << at
            outcomes.append(said.outcome)
        return _Found(tuple(outcomes), waiting)

    def _panel_in(self, place: tuple[str, str]) -> Panel:
        """Return the policies that may apply in a namespace and cluster: most do not."""
        rulings = tuple(each for each in self._rulings if may_apply_in(each.policy, *place))
        if rulings not in self._panels:
            if len(self._panels) >= _PANELS_KEPT:
                self._panels.clear()
            self._panels[rulings] = Panel(rulings)
        return self._panels[rulings]


def _kept(policy: Policy, before: Guardrails | None) -> Ruling:
    known = before._by_uid.get(policy.uid) if before else None
    if known and (known.policy.name, known.policy.invalid, known.policy.spec) == (policy.name, policy.invalid, policy.spec):
        return known
    return Ruling(policy)


def _is_waiting(said: Said, policy: Policy) -> bool:
    return said.waits and said.outcome.outcome is Outcome.ACCEPTED and not policy.audits


def _by_name(access: Access, aliases: Aliases | None) -> tuple[str, ...]:
    """Return the patterns of which it cannot be read where aliases lead; none if nobody tried yet."""
    if aliases is None:
        return ()
    local = (pattern for claim in access.claims if not claim.clusters for pattern in claim.indices)
    return tuple(dict.fromkeys(pattern for pattern in local if aliases.is_hidden(pattern)))


def _approval(policy: Policy) -> ApprovalRule | None:
    require = policy.spec.require if policy.spec else None
    return require.approval if require else None
