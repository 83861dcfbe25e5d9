"""Policies that may apply in one place, and which of them accept a SearchAccess for certain.

Of 10,000 SearchAccesses and 100 policies almost all pairs are accepted, for reasons that many pairs share. So all
policies are asked at once, about each part of a SearchAccess, and what they say of it is remembered. Only what cannot
be accepted in this way is decided pair by pair. A set of policies is a number with a bit for each, in the order of
names.
"""

from collections.abc import Callable, Iterable
from typing import Final, Generic, NamedTuple, TypeVar

from searchaccess.api.base import ApiModel
from searchaccess.api.policies.match import NAMESPACE, SubjectPattern
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.verdict import PolicyOutcome
from searchaccess.core.policy.guardrails.aliases import Aliases
from searchaccess.core.policy.guardrails.applies import Looks, Situation, applies
from searchaccess.core.policy.guardrails.asked import Asked, Extent, Size, Terms, size_of
from searchaccess.core.policy.guardrails.budget import Budget
from searchaccess.core.policy.guardrails.ends import too_late
from searchaccess.core.policy.guardrails.joint.bounds import JointBounds, Refusing
from searchaccess.core.policy.guardrails.joint.remembered import Remembered, RememberedWork
from searchaccess.core.policy.guardrails.joint.sets import each_of
from searchaccess.core.policy.guardrails.policy import Policy
from searchaccess.core.policy.guardrails.reasons import any_in
from searchaccess.core.policy.guardrails.rules.demands import exceeded_extent, fits, unmet_terms
from searchaccess.core.policy.guardrails.rules.grants import Bounds, bounds_of
from searchaccess.core.policy.guardrails.ruling import Ruling, accepted_by
from searchaccess.core.policy.guardrails.subjects import Who, matches_any
from searchaccess.core.work import Work

_KEPT_EACH: Final = 100
"""Answers of each kind, times the number of policies: whoever may ask the admission webhook may name anything."""
_STEPS_OF_A_POLICY: Final = 15
"""Steps that take as long as to read what one policy says."""
_TIMES: Final = {"approval", "valid_until"}
"""What ``require`` says beside ``Terms``."""
Part = TypeVar("Part", bound=ApiModel)


class Applying(NamedTuple):
    """Which policies apply for certain, and of which it is not known, as labels of the namespace are not."""

    certain: int
    unknown: int


class Certain(NamedTuple):
    """Which policies accept for certain, and a number of steps that all their comparisons do not exceed."""

    policies: int
    steps: int


class _Group(NamedTuple, Generic[Part]):
    """Policies that say the same: it, and which they are."""

    said: Part
    policies: int


class _Subjects(NamedTuple):
    """Policies with the same subjects."""

    patterns: tuple[SubjectPattern, ...]
    policies: int


class Panel:
    """Policies that may apply in one namespace and SearchCluster: ``of`` makes it.

    Args:
        rulings: the policies.
        bounds: what they allow and deny.
    """

    @classmethod
    def of(cls, rulings: tuple[Ruling, ...]) -> Work["Panel"]:
        """Make it, in parts: there may be many policies."""
        bounds = list[tuple[int, Bounds]]()
        for at, ruling in enumerate(rulings):
            if ruling.policy.spec is not None:
                bounds.append((1 << at, bounds_of(ruling.policy.spec, NAMESPACE)))
                yield _STEPS_OF_A_POLICY + len(bounds[-1][1].denied)
        made = yield from JointBounds.of(bounds, _KEPT_EACH * max(1, len(rulings)))
        panel = cls(rulings, made)
        yield _STEPS_OF_A_POLICY * len(rulings)
        return panel

    def __init__(self, rulings: tuple[Ruling, ...], bounds: JointBounds) -> None:
        self.rulings: Final = rulings
        policies = tuple(each.policy for each in rulings)
        self.policies: Final = policies
        self.auditing: Final = _those(policies, lambda policy: policy.audits)
        self.denying: Final = _those(policies, lambda policy: bool(policy.spec and policy.spec.deny))
        kept = _KEPT_EACH * max(1, len(policies))
        read = [(1 << at, policy.spec) for at, policy in enumerate(policies) if policy.spec is not None]
        self._readable = sum(bit for bit, _ in read)
        self.situation: Final = Looks(policies).situation
        self._applying = Remembered[tuple[str, Situation], Applying](self._find_applying, kept)
        self._accepted = Remembered[int, tuple[PolicyOutcome, ...]](self._all_accept, kept)
        self._said = Remembered[tuple[int, int], tuple[PolicyOutcome, ...]](self._all_say, kept)
        self._excepted: dict[tuple[str, str], int] = {}
        for bit, spec in read:
            for each in spec.exceptions or ():
                key = each.namespace, each.name
                self._excepted[key] = self._excepted.get(key, 0) | bit
        self._bounds = bounds
        required = [(bit, spec.require) for bit, spec in read if spec.require]
        limited = [(bit, spec.limits) for bit, spec in read if spec.limits]
        self._terms, self._limits = _grouped(required, _TIMES), _grouped(limited)
        self._subjects = _same_subjects(
            [(bit, tuple(spec.subjects)) for bit, spec in read if spec.subjects is not None]
        )
        self._ends: dict[str, int] = {}
        for bit, require in required:
            if require.valid_until is not None:
                self._ends[require.valid_until] = self._ends.get(require.valid_until, 0) | bit
        self._names_accounts = any(each.service_accounts for group in self._subjects for each in group.patterns)
        self._names_annotations = any(group.said.annotations for group in self._terms)
        self._names_secrets = any(group.said.secret_names for group in self._limits)
        self._by_who = Remembered[Who, int](self._of_subject, kept)
        self._by_terms = RememberedWork[Terms, Certain](self._of_terms, kept)
        self._by_size = Remembered[Size, int](self._of_size, kept)
        self._by_extent = Remembered[Extent, int](self._of_extent, kept)

    def is_prepared(self, namespace: str) -> bool:
        """Return whether it is ready what policies say by the name of a namespace."""
        return self._bounds.is_prepared(namespace)

    def preparing(self, namespace: str) -> Work[None]:
        """Make that ready, in parts."""
        return self._bounds.preparing(namespace)

    def applying(self, namespace: str, situation: Situation) -> Applying:
        """Return which policies apply."""
        return self._applying[namespace, situation]

    def accepting(self, asked: Asked, name: str, aliases: Aliases | None) -> Work[Certain]:
        """Find out which policies accept a SearchAccess for certain, if they apply.

        Args:
            asked: what it asks for.
            name: its name.
            aliases: where the aliases of its cluster lead; None: not known, names alone are compared.
        """
        extent = asked.extent
        found, steps, prefix = yield from self._bounds.accepting(extent.namespace, asked.claims, aliases)
        found &= self._readable & ~self._excepted.get((extent.namespace, name), 0)
        if self._subjects:
            found &= self._by_who[asked.who if self._names_accounts else asked.who.without_accounts]
        if self._terms:
            terms = asked.terms if self._names_annotations else asked.terms.without_annotations
            policies, taken = self._by_terms.get(terms) or (yield from self._by_terms.find(terms))
            found, steps = found & policies, steps + taken
        for longest, policies in self._ends.items():
            if any(too_late(longest, asked.times)):
                found &= ~policies
        if self._limits:
            found &= self._by_size[size_of(asked.claims, prefix)]
            found &= self._by_extent[extent if self._names_secrets else extent.without_secret]
        return Certain(found, steps)

    def refusing(self, asked: Asked, name: str) -> Work[Refusing]:
        """Find out which policies refuse a SearchAccess for certain, if they apply, at the first that they look at."""
        extent = asked.extent
        policies, steps = yield from self._bounds.refusing(extent.namespace, asked.claims)
        return Refusing(policies & ~self._excepted.get((extent.namespace, name), 0), steps)

    def said(self, accepting: int, refusing: int) -> tuple[PolicyOutcome, ...]:
        """Return that some policies accept, and others refuse without the reasons."""
        return self._said[accepting, refusing] if refusing else self._accepted[accepting]

    def accepted(self, policies: int) -> tuple[PolicyOutcome, ...]:
        """Return that some policies accept."""
        return self._accepted[policies]

    def _all_accept(self, policies: int) -> tuple[PolicyOutcome, ...]:
        return tuple(accepted_by(self.policies[at].name) for at in each_of(policies))

    def _all_say(self, key: tuple[int, int]) -> tuple[PolicyOutcome, ...]:
        accepting, refusing = key
        found = ((at, self.rulings[at]) for at in each_of(accepting | refusing))
        return tuple(each.untold if refusing >> at & 1 else accepted_by(each.policy.name) for at, each in found)

    def _find_applying(self, key: tuple[str, Situation]) -> Applying:
        certain = unknown = 0
        for at, policy in enumerate(self.policies):
            admission = applies(policy, *key)
            certain |= (admission is Admission.ALLOWED) << at
            unknown |= (admission is Admission.UNKNOWN) << at
        return Applying(certain, unknown)

    def _of_subject(self, who: Who) -> int:
        return self._readable & ~sum(
            group.policies for group in self._subjects if not matches_any(group.patterns, who, unknown=False)
        )

    def _of_terms(self, terms: Terms) -> Work[Certain]:
        found, steps, whole = self._readable, 0, Budget(joint=True)
        for require, policies in self._terms:
            before = whole.spent
            if whole.is_over or (yield from any_in(unmet_terms(require, terms, whole))) or whole.is_over:
                found &= ~policies
            steps += (whole.spent - before) * policies.bit_count()
        return Certain(found, steps)

    def _of_size(self, size: Size) -> int:
        return self._readable & ~sum(policies for limits, policies in self._limits if not fits(limits, size))

    def _of_extent(self, extent: Extent) -> int:
        exceeded = (policies for limits, policies in self._limits if any(exceeded_extent(limits, extent)))
        return self._readable & ~sum(exceeded)


def _those(policies: Iterable[Policy], are: Callable[[Policy], bool]) -> int:
    return sum(1 << at for at, policy in enumerate(policies) if are(policy))


def _grouped(parts: Iterable[tuple[int, Part]], leaving: set[str] | None = None) -> tuple[_Group[Part], ...]:
    """Return policies that say the same in a part of their specs, without some fields of it."""
    found = dict[str, _Group[Part]]()
    for bit, part in parts:
        key = part.model_dump_json(exclude=leaving, exclude_none=True)
        if key != "{}":
            found[key] = _Group(part, bit | (found[key].policies if key in found else 0))
    return tuple(found.values())


def _same_subjects(parts: Iterable[tuple[int, tuple[SubjectPattern, ...]]]) -> tuple[_Subjects, ...]:
    found = dict[str, _Subjects]()
    for bit, patterns in parts:
        key = "\n".join(each.model_dump_json() for each in patterns)
        found[key] = _Subjects(patterns, bit | (found[key].policies if key in found else 0))
    return tuple(found.values())
