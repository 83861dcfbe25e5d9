"""Policies that may apply in one place, and which of them accept a SearchAccess for certain.

Of 10,000 SearchAccesses and 100 policies almost all pairs are accepted, for reasons that many pairs share. So all
policies are asked at once, about each part of a SearchAccess, and what they say of it is remembered. Only what cannot
be accepted in this way is decided pair by pair. A set of policies is a number with a bit for each, in the order of
names.

What is compared at once is limited, for those that enforce and for those that only report by themselves: what only
reports takes nothing from what decides (docs/adr/0081).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from searchaccess.api.policies.match import NAMESPACE, SubjectPattern
from searchaccess.api.policies.rules import Requirements
from searchaccess.core.model.access import Access
from searchaccess.core.model.admission import Admission
from searchaccess.core.model.verdict import PolicyOutcome
from searchaccess.core.policy.guardrails.aliases import Aliases
from searchaccess.core.policy.guardrails.applies import MatchFields, Situation, applies
from searchaccess.core.policy.guardrails.asked import WHOLE_NAME, Asked, Extent, Size, size_of
from searchaccess.core.policy.guardrails.ends import too_late
from searchaccess.core.policy.guardrails.joint.bounds import JointBounds
from searchaccess.core.policy.guardrails.joint.groups import grouped
from searchaccess.core.policy.guardrails.joint.remembered import Remembered
from searchaccess.core.policy.guardrails.joint.sets import each_of
from searchaccess.core.policy.guardrails.joint.terms import JointTerms
from searchaccess.core.policy.guardrails.policy import Policy
from searchaccess.core.policy.guardrails.rules.demands import exceeded_extent, fits
from searchaccess.core.policy.guardrails.rules.grants import Bounds, bounds_of
from searchaccess.core.policy.guardrails.ruling import Ruling, accepted_by
from searchaccess.core.policy.guardrails.subjects import Who, matches_any
from searchaccess.core.work import Work

_KEPT_EACH: Final = 100
"""Answers of each kind, times the number of policies: whoever may ask the admission webhook may name anything."""
_STEPS_OF_A_POLICY: Final = 15
"""Steps that take as long as to read what one policy says."""


class Applying(NamedTuple):
    """Which policies apply for certain, and of which it is not known, as labels of the namespace are not."""

    certain: int
    unknown: int


class Compared(NamedTuple):
    """What is compared at once for all policies of a mode.

    Args:
        bounds: what they allow and deny.
        terms: what they require.
    """

    bounds: JointBounds
    terms: JointTerms


class _Subjects(NamedTuple):
    """Policies with the same subjects."""

    patterns: tuple[SubjectPattern, ...]
    policies: int


class Panel:
    """Policies that may apply in one namespace and SearchCluster: ``of`` makes it.

    Args:
        rulings: the policies.
        compared: what is compared for those of each mode.
    """

    @classmethod
    def of(cls, rulings: tuple[Ruling, ...]) -> Work["Panel"]:
        """Make it, in parts: there may be many policies."""
        compared, kept = list[Compared](), _KEPT_EACH * max(1, len(rulings))
        for audits in (False, True):
            bounds, required = list[tuple[int, Bounds]](), list[tuple[int, Requirements]]()
            for at, ruling in enumerate(rulings):
                spec = ruling.policy.spec
                if spec is None or ruling.policy.audits is not audits:
                    continue
                bounds.append((1 << at, bounds_of(spec, NAMESPACE)))
                if spec.require:
                    required.append((1 << at, spec.require))
                yield _STEPS_OF_A_POLICY + len(bounds[-1][1].denied)
            if bounds:
                compared.append(Compared((yield from JointBounds.of(bounds, kept)), JointTerms(required, kept)))
        panel = cls(rulings, compared)
        yield _STEPS_OF_A_POLICY * len(rulings)
        return panel

    def __init__(self, rulings: tuple[Ruling, ...], compared: Sequence[Compared]) -> None:
        self.rulings: Final = rulings
        policies = tuple(each.policy for each in rulings)
        self.policies: Final = policies
        self.auditing: Final = _those(policies, lambda policy: policy.audits)
        self.denying: Final = _those(policies, lambda policy: bool(policy.spec and policy.spec.deny))
        kept = _KEPT_EACH * max(1, len(policies))
        read = [(1 << at, policy.spec) for at, policy in enumerate(policies) if policy.spec is not None]
        self._readable = sum(bit for bit, _ in read)
        self.situation: Final = MatchFields(policies).situation
        self._applying = Remembered[tuple[str, Situation], Applying](self._find_applying, kept)
        self._accepted = Remembered[int, tuple[PolicyOutcome, ...]](self._all_accept, kept)
        self._outcomes = Remembered[tuple[int, int], tuple[PolicyOutcome, ...]](self._all_outcomes, kept)
        self._excepted: dict[tuple[str, str], int] = {}
        for bit, spec in read:
            for each in spec.exceptions or ():
                key = each.namespace, each.name
                self._excepted[key] = self._excepted.get(key, 0) | bit
        self._compared: Final = tuple(compared)
        self._limits = grouped((bit, spec.limits) for bit, spec in read if spec.limits)
        self._subjects = _same_subjects(
            [(bit, tuple(spec.subjects)) for bit, spec in read if spec.subjects is not None]
        )
        self._ends: dict[str, int] = {}
        for bit, spec in read:
            if spec.require and (longest := spec.require.valid_until) is not None:
                self._ends[longest] = self._ends.get(longest, 0) | bit
        self._names_accounts = any(each.service_accounts for group in self._subjects for each in group.patterns)
        self._names_secrets = any(group.part.secret_names for group in self._limits)
        self._by_who = Remembered[Who, int](self._of_subject, kept)
        self._by_size = Remembered[Size, int](self._of_size, kept)
        self._by_extent = Remembered[Extent, int](self._of_extent, kept)

    def is_prepared(self, namespace: str) -> bool:
        """Return whether it is ready what policies say by the name of a namespace."""
        return all(each.bounds.is_prepared(namespace) for each in self._compared)

    def preparing(self, namespace: str) -> Work[None]:
        """Make that ready, in parts."""
        for each in self._compared:
            yield from each.bounds.preparing(namespace)

    def applying(self, namespace: str, situation: Situation) -> Applying:
        """Return which policies apply."""
        return self._applying[namespace, situation]

    def exempt(self, access: Access, now: datetime) -> int:
        """Return which policies have an exception for a SearchAccess."""
        if not self._excepted:
            return 0
        found = 0
        for at in each_of(self._excepted.get((access.namespace, access.name), 0)):
            if self.rulings[at].exception(access, now):
                found |= 1 << at
        return found

    def accepting(self, asked: Asked, aliases: Aliases | None) -> Work[int]:
        """Find out which policies accept a SearchAccess for certain, if they apply.

        What it says of a policy does not depend on those of the other mode, nor on exceptions.

        Args:
            asked: what it asks for.
            aliases: where the aliases of its cluster lead; None: not known, names alone are compared.
        """
        extent, found, prefix = asked.extent, 0, WHOLE_NAME
        for bounds, terms in self._compared:
            accepted, shortest = yield from bounds.accepting(extent.namespace, asked.claims, aliases)
            if accepted:
                prefix = shortest
                found |= accepted & ~(yield from terms.unmet(asked.terms))
        if not found:
            return 0
        if self._subjects:
            found &= self._by_who[asked.who if self._names_accounts else asked.who.without_accounts]
        for longest, policies in self._ends.items():
            if any(too_late(longest, asked.times)):
                found &= ~policies
        if self._limits:
            found &= self._by_size[size_of(asked.claims, prefix)]
            found &= self._by_extent[extent if self._names_secrets else extent.without_secret]
        return found

    def refusing(self, asked: Asked) -> Work[int]:
        """Find out which policies refuse a SearchAccess for certain, if they apply, by the first that they compare."""
        found = 0
        for each in self._compared:
            found |= yield from each.bounds.refusing(asked.extent.namespace, asked.claims)
        return found

    def outcomes(self, accepting: int, refusing: int) -> tuple[PolicyOutcome, ...]:
        """Return that some policies accept, and others refuse without the reasons."""
        return self._outcomes[accepting, refusing] if refusing else self._accepted[accepting]

    def accepted(self, policies: int) -> tuple[PolicyOutcome, ...]:
        """Return that some policies accept."""
        return self._accepted[policies]

    def _all_accept(self, policies: int) -> tuple[PolicyOutcome, ...]:
        return tuple(accepted_by(self.policies[at].name) for at in each_of(policies))

    def _all_outcomes(self, key: tuple[int, int]) -> tuple[PolicyOutcome, ...]:
        accepting, refusing = key
        found = ((at, self.rulings[at]) for at in each_of(accepting | refusing))
        return tuple(each.unexplained if refusing >> at & 1 else accepted_by(each.policy.name) for at, each in found)

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

    def _of_size(self, size: Size) -> int:
        return self._readable & ~sum(policies for limits, policies in self._limits if not fits(limits, size))

    def _of_extent(self, extent: Extent) -> int:
        exceeded = (policies for limits, policies in self._limits if any(exceeded_extent(limits, extent)))
        return self._readable & ~sum(exceeded)


def _those(policies: Iterable[Policy], are: Callable[[Policy], bool]) -> int:
    return sum(1 << at for at, policy in enumerate(policies) if are(policy))


def _same_subjects(parts: Iterable[tuple[int, tuple[SubjectPattern, ...]]]) -> tuple[_Subjects, ...]:
    found = dict[str, _Subjects]()
    for bit, patterns in parts:
        key = "\n".join(each.model_dump_json() for each in patterns)
        found[key] = _Subjects(patterns, bit | (found[key].policies if key in found else 0))
    return tuple(found.values())
