"""What all SearchAccessPolicies say of a SearchAccess: each that applies must accept it."""

from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from searchaccess.api.policies.approval import ApprovalRule
from searchaccess.core.model.access import Access
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.verdict import ACCEPTED, Outcome, PolicyOutcome, PolicyVerdict
from searchaccess.core.policy.consent.decision import Demand
from searchaccess.core.policy.guardrails.aliases import Aliases
from searchaccess.core.policy.guardrails.applies import MatchFields, applies, may_apply_in
from searchaccess.core.policy.guardrails.asked import Asked, asked_of, is_plain
from searchaccess.core.policy.guardrails.budget import Budget
from searchaccess.core.policy.guardrails.ends import end_of
from searchaccess.core.policy.guardrails.joint.panel import Panel
from searchaccess.core.policy.guardrails.joint.remembered import RememberedWork
from searchaccess.core.policy.guardrails.joint.sets import each_of
from searchaccess.core.policy.guardrails.memory import About, Memory
from searchaccess.core.policy.guardrails.policy import Policy
from searchaccess.core.policy.guardrails.ruling import EXPLAINED, Evaluation, Ruling, exceptions, exempted
from searchaccess.core.policy.guardrails.subjects import Who, who_of
from searchaccess.core.work import Work, completed

_PLACES_KEPT: Final = 10_000
_INVALID: Final = "the spec is invalid: no policy can accept it"
_UNMATCHED: Final = PolicyVerdict(unmatched=True)
_UNREAD: Final = "the SearchAccessPolicies were not read yet"


class _Found(NamedTuple):
    """What policies that apply say.

    Args:
        outcomes: in the order of the policies.
        waiting: which of them would accept it if they knew the account behind the subject.
    """

    outcomes: tuple[PolicyOutcome, ...]
    waiting: int = 0


class _Refusals:
    """How many policies refused: what only reports takes nothing from what decides."""

    def __init__(self) -> None:
        self._denied = self._audited = 0

    def note(self, outcome: PolicyOutcome) -> None:
        """Take in what a policy decided."""
        self._denied += outcome.outcome is Outcome.DENIED
        self._audited += outcome.outcome is Outcome.WOULD_DENY

    def are_explained(self, policy: Policy) -> bool:
        """Return whether so many policies of a kind refused that others of it do not say why."""
        return (self._audited if policy.audits else self._denied) >= EXPLAINED


class Question(NamedTuple):
    """What policies are asked.

    Args:
        access: the SearchAccess; one whose spec cannot be read is not judged by what it says.
        labels: labels of its namespace; None: not known.
        now: the time.
        aliases: where the aliases of its cluster lead; None: not read yet, names alone are compared.
        wanted: whether its SearchCluster refuses what no policy applies to.
    """

    access: Access
    labels: Mapping[str, str] | None
    now: datetime
    aliases: Aliases | None = None
    wanted: bool = False


class Basis(NamedTuple):
    """What an answer depends on.

    Args:
        all: everything: the answer is the same as long as this is.
        own: what the SearchAccess, and the labels of its namespace, say themselves, whatever policies look at.
    """

    all: Hashable
    own: Hashable


class Guardrails:
    """All SearchAccessPolicies.

    Args:
        policies: the policies; None: they were not read yet, and nothing can be decided.
        memory: what is known of them: policies that did not change are not evaluated again.
        alone: ask each policy alone, also what all of them say at once. The answer is the same, unless that takes more
            steps than there are: then some refuse, as too complicated, what they accept otherwise.
    """

    def __init__(self, policies: Iterable[Policy] | None, memory: Memory | None = None, *, alone: bool = False) -> None:
        self._alone = alone
        self._known = policies is not None
        self._policies = tuple(sorted(policies or (), key=lambda policy: policy.name))
        self._memory = memory or Memory()
        self._rulings = self._memory.rulings_of(self._policies)
        self._possible = RememberedWork[tuple[str, str], Panel](self._panel_in, _PLACES_KEPT)
        """By namespace and cluster, the policies that may apply there."""
        self._match_fields = MatchFields(self._policies)
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

    def judge(self, question: Question) -> PolicyVerdict:
        """Decide about a SearchAccess."""
        return completed(self.judging(question))

    def basis(self, question: Question) -> Basis:
        """Return all that an answer of ``judge`` depends on."""
        access, labels, now, aliases, wanted = question
        rulings = self._rulings_in(access)
        led = aliases.says(access.share.local_indices) if aliases is not None else None
        # Labels that no policy selects by change nothing: whoever edits them begins no judgment anew.
        situation = self._match_fields.situation(who_of(access), access.labels, labels)
        asked = asked_of(access), access.name, (access.invalid, access.fault) if access.is_unreadable else ()
        exempting = tuple(each.policy.name for each in rulings if each.exception(access, now))
        aliased = None if led is None else tuple((hidden, tuple(behind.items())) for hidden, behind in led)
        return Basis(
            (asked, situation.labels, situation.around, self._known, rulings, exempting, aliased, wanted),
            (asked, access.labels, None if labels is None else tuple(sorted(labels.items()))),
        )

    def may_revoke(self, access: Access, *, wanted: bool) -> bool:
        """Return whether what policies say may revoke rights: no ``Audit`` does, and no ``onViolation: Keep``.

        Args:
            access: the SearchAccess.
            wanted: whether its SearchCluster refuses what no policy applies to.
        """
        policies = (each.policy for each in self._rulings_in(access))
        return wanted or any(not policy.audits and not policy.keeps for policy in policies)

    def preparing(self, access: Access) -> Work[None] | None:
        """Make ready, in parts, what is the same for all SearchAccesses of its namespace and cluster; None: it is."""
        if not self._policies:
            return None
        panel = self._possible.get((access.namespace, access.cluster))
        return None if panel and panel.is_prepared(access.namespace) else self._preparing(access)

    def _preparing(self, access: Access) -> Work[None]:
        panel = yield from self._panel(access)
        yield from panel.preparing(access.namespace)

    def judging(self, question: Question) -> Work[PolicyVerdict]:
        """Decide about a SearchAccess, in parts, see ``judge``."""
        access, wanted = question.access, question.wanted
        if not self._known:
            return PolicyVerdict(unknown=_UNREAD)
        if not self._policies:
            return _UNMATCHED if wanted else ACCEPTED
        panel, asked = (yield from self._panel(access)), asked_of(access)
        applying = panel.applying(access.namespace, panel.situation(asked.who, access.labels, question.labels))
        # One that only reports matters if it may be the only one that applies.
        may_be_only_one = wanted and not applying.certain
        unlabelled = applying.unknown if may_be_only_one else applying.unknown & ~panel.auditing
        if access.is_unreadable and applying.certain:
            return PolicyVerdict(unknown=_INVALID if access.invalid else access.fault)
        outcomes, waiting = yield from self._ask(panel, applying.certain, question, asked)
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
        by_name = _by_name(access, question.aliases) if applying.certain & panel.denying else ()
        return PolicyVerdict(outcomes, unmatched=wanted and not outcomes, by_name=by_name)

    def demands(self, access: Access, labels: Mapping[str, str] | None, now: datetime) -> tuple[Demand, ...]:
        """Return which policies that apply for certain to a SearchAccess require an approval; what, see ``judge``."""
        if not self.needs_approvals:
            return ()
        place, who = (access.namespace, access.cluster), who_of(access)
        if panel := self._possible.get(place):
            certain = panel.applying(access.namespace, panel.situation(who, access.labels, labels)).certain
            requiring = (panel.rulings[at] for at in each_of(certain))
        else:
            # To make a panel would take long. Few policies require an approval.
            rulings = (each for each in self._rulings if _approval(each.policy))
            requiring = (each for each in rulings if _applies_alone(each.policy, access, who, labels))
        return tuple(
            Demand(ruling.policy.name, rule, ruling.policy.audits)
            for ruling in requiring
            if (rule := _approval(ruling.policy)) and not ruling.exception(access, now)
        )

    def _rulings_in(self, access: Access) -> tuple[Ruling, ...]:
        """Return those that may apply in the namespace and cluster of a SearchAccess."""
        place = access.namespace, access.cluster
        return tuple(each for each in self._rulings if may_apply_in(each.policy, *place))

    def _panel(self, access: Access) -> Work[Panel]:
        place = access.namespace, access.cluster
        return self._possible.get(place) or (yield from self._possible.find(place))

    def _ask(self, panel: Panel, applying: int, question: Question, asked: Asked) -> Work[_Found]:
        """Ask all policies at once, and those that neither accept nor refuse for certain one after the other.

        Only these take steps, and those that enforce have steps of their own. So neither a policy that only reports nor
        an exception leaves another policy too few (docs/adr/0081).
        """
        certain = 0 if self._alone else (yield from panel.accepting(asked, question.aliases))
        exempt = applying & panel.exempt(question.access, question.now)
        left = applying & ~certain | exempt
        if not left:
            return _Found(panel.accepted(applying))
        refusing = 0 if self._alone else (yield from panel.refusing(asked)) & ~exempt
        are_plain, about = is_plain(asked.claims), About(asked, question.aliases) if self._alone else None
        single, unexplained, waiting, refusals = dict[int, PolicyOutcome](), 0, 0, _Refusals()
        enforced, audited = Budget(), Budget()
        while left:
            at = (left & -left).bit_length() - 1
            left &= left - 1
            ruling, policy = panel.rulings[at], panel.policies[at]
            if exempt >> at & 1 and (exception := ruling.exception(question.access, question.now)):
                single[at] = exempted(policy, exception)
                continue
            if refusing >> at & 1 and are_plain and ruling.is_plain:
                single[at] = ruling.refuses(asked)
            else:
                about = about or (yield from self._memory.about(asked, question.aliases))
                budget, explain = audited if policy.audits else enforced, not refusals.are_explained(policy)
                evaluation = yield from self._memory.evaluate(ruling, about, budget, explain=explain)
                single[at] = evaluation.outcome
                waiting |= _is_waiting(evaluation, policy) << at
            refusals.note(single[at])
            if refusals.are_explained(policy):
                more = left & refusing & (panel.auditing if policy.audits else ~panel.auditing)
                unexplained, left = unexplained | more, left & ~more
        outcomes = list(panel.outcomes(applying & ~unexplained, unexplained))
        for at, outcome in single.items():
            outcomes[(applying & ((1 << at) - 1)).bit_count()] = outcome
        return _Found(tuple(outcomes), waiting)

    def _panel_in(self, place: tuple[str, str]) -> Work[Panel]:
        """Return the policies that may apply in a namespace and cluster: most do not."""
        return self._memory.panel_of(tuple(each for each in self._rulings if may_apply_in(each.policy, *place)))


def _applies_alone(policy: Policy, access: Access, who: Who, labels: Mapping[str, str] | None) -> bool:
    """Return whether a policy applies for certain, without those beside it."""
    if not may_apply_in(policy, access.namespace, access.cluster):
        return False
    situation = MatchFields((policy,)).situation(who, access.labels, labels)
    return applies(policy, access.namespace, situation) is Admission.ALLOWED


def _is_waiting(evaluation: Evaluation, policy: Policy) -> bool:
    return evaluation.waits and evaluation.outcome.outcome is Outcome.ACCEPTED and not policy.audits


def _by_name(access: Access, aliases: Aliases | None) -> tuple[str, ...]:
    """Return the patterns of which it cannot be read where aliases lead; none if nobody tried yet."""
    if aliases is None:
        return ()
    local = (pattern for claim in access.claims if not claim.clusters for pattern in claim.indices)
    return tuple(dict.fromkeys(pattern for pattern in local if aliases.is_hidden(pattern)))


def _approval(policy: Policy) -> ApprovalRule | None:
    require = policy.spec.require if policy.spec else None
    return require.approval if require else None
