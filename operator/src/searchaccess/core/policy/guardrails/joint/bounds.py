"""What many policies allow and deny, and which of them accept the indices of grants for certain."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

from searchaccess.api.policies.match import NAMESPACE
from searchaccess.api.vocabulary.actions import Action
from searchaccess.core.model.claims import Claim
from searchaccess.core.patterns.marks import is_mark
from searchaccess.core.patterns.meeting import STEPS_OF_A_PATTERN, plain_prefix_of
from searchaccess.core.policy.guardrails.aliases import Aliases
from searchaccess.core.policy.guardrails.asked import WHOLE_NAME, literal_prefix
from searchaccess.core.policy.guardrails.budget import JOINT_STEPS, JOINT_TEXTS
from searchaccess.core.policy.guardrails.joint.indices import Actions, Asking, Indices, Pattern
from searchaccess.core.policy.guardrails.joint.remembered import Remembered, RememberedWork
from searchaccess.core.policy.guardrails.rules.grants import Bounds
from searchaccess.core.work import Work

_STEPS_OF_A_LOOK: Final = 5
"""Steps that take as long as to look up who allows a pattern."""


class Accepted(NamedTuple):
    """What policies demand of the indices of all grants.

    Args:
        policies: those that accept them for certain.
        prefix: characters before the first wildcard, where they are fewest, if there are any such policies.
    """

    policies: int
    prefix: int


_NOBODY: Final = Accepted(0, 0)


class _Answer(NamedTuple):
    """What policies demand of a pattern of a grant.

    Args:
        policies: those that accept it by its name.
        steps: for the comparison with what is denied.
        texts: of wildcards, that it was compared with.
        prefix: characters before its first wildcard.
    """

    policies: int
    steps: int
    texts: int
    prefix: int


class JointBounds:
    """What many policies allow and deny: ``of`` makes it.

    Args:
        bounds: of each policy, its bit, and what it allows and denies; patterns have ``{namespace}`` as it is written.
        kept: how many answers of each kind are remembered.
    """

    @classmethod
    def of(cls, bounds: Sequence[tuple[int, Bounds]], kept: int) -> Work["JointBounds"]:
        """Make it, in parts: policies may have thousands of patterns."""
        made = cls(bounds, kept)
        yield from made._fill(bounds)
        return made

    def __init__(self, bounds: Sequence[tuple[int, Bounds]], kept: int) -> None:
        self._all = sum(bit for bit, _ in bounds)
        self._unbounded = sum(bit for bit, each in bounds if each.allowed is None)
        self._denying = sum(bit for bit, each in bounds if each.denied)
        self._placed_allowed: dict[tuple[str, str], int] = {}
        self._placed_denied: dict[tuple[str, Actions], int] = {}
        self._everywhere = Indices()
        self._here = RememberedWork[str, Indices](self._placed, kept)
        self._near = Remembered[tuple[str, str], int](lambda key: self._everywhere.near(*key), kept)
        self._asking = Remembered[tuple[tuple[Action, ...], tuple[str, ...]], Asking](lambda key: Asking(*key), kept)
        self._answers = RememberedWork[tuple[str, str, Asking], _Answer](self._answer, kept)

    def _fill(self, bounds: Sequence[tuple[int, Bounds]]) -> Work[None]:
        allowed, denied = defaultdict[tuple[str, str], int](int), defaultdict[tuple[str, Actions], int](int)
        for bit, each in bounds:
            for name, patterns in (each.allowed or {}).items():
                for pattern in patterns:
                    allowed[name, pattern] |= bit
                yield len(patterns)
            for pattern, actions in each.denied:
                denied[pattern, actions] |= bit
            yield len(each.denied)
        for (name, pattern), found in allowed.items():
            if NAMESPACE in pattern:
                self._placed_allowed[name, pattern] = found
            else:
                self._everywhere.allowed[name].add(pattern, found)
            yield 1
        for (pattern, actions), found in denied.items():
            if NAMESPACE in pattern:
                self._placed_denied[pattern, actions] = found
            else:
                self._everywhere.denied.add(pattern, actions, found)
            yield STEPS_OF_A_PATTERN

    def is_prepared(self, namespace: str) -> bool:
        """Return whether it is ready what policies allow and deny by the name of a namespace."""
        return namespace in self._here

    def preparing(self, namespace: str) -> Work[None]:
        """Make that ready, in parts."""
        yield from self._here.find(namespace)

    def accepting(self, namespace: str, claims: Sequence[Claim], aliases: Aliases | None) -> Work[Accepted]:
        """Find out which policies accept all indices of some grants for certain.

        Those of which that takes more than some steps are not among them.

        Args:
            namespace: of the SearchAccess.
            claims: what each grant asks for.
            aliases: where the aliases of the cluster lead; None: not known, names alone are compared.
        """
        found, spent, looked, shortest = self._all, 0, 0, WHOLE_NAME
        answers, keys = self._answers, self._asking
        for claim in claims:
            asking = keys[claim.actions, claim.privileges]
            for pattern in claim.indices:
                key = namespace, pattern, asking
                policies, steps, texts, prefix = answers.get(key) or (yield from answers.find(key))
                found &= policies
                spent += steps
                looked += texts
                if not found or spent > JOINT_STEPS or looked > JOINT_TEXTS:
                    return _NOBODY
                shortest = min(shortest, prefix)
            if not claim.indices:
                return _NOBODY
            if aliases is not None and found & self._denying and not claim.clusters:
                led, steps = yield from self._led_into(namespace, claim, asking, aliases, found)
                found &= ~led
                spent += steps
                if not found or spent > JOINT_STEPS:
                    return _NOBODY
        return Accepted(found, shortest)

    def refusing(self, namespace: str, claims: Sequence[Claim]) -> Work[int]:
        """Find out which policies allow nothing that begins as the first name or pattern does; see ``accepting``.

        Names and beginnings alone are looked at: comparing these takes few steps.
        """
        first = next((claim for claim in claims if claim.indices), None)
        begin = plain_prefix_of(first.indices[0]) if first and first is claims[0] else None
        if not first or not begin or is_mark(first.indices[0]):
            return 0
        names = self._asking[first.actions, first.privileges].names
        if not names:
            return 0
        here = yield from self._here.find(namespace)
        near = self._near[names[0], begin] | here.near(names[0], begin)
        return self._all & ~self._unbounded & ~near

    def _answer(self, key: tuple[str, str, Asking]) -> Work[_Answer]:
        namespace, text, asking = key
        prefix = literal_prefix(text)
        if is_mark(text):
            return _Answer(0, 0, 0, prefix)
        here = yield from self._here.find(namespace)
        pattern, found, steps, texts = Pattern(text), self._all, 0, 0
        looking = STEPS_OF_A_PATTERN + _STEPS_OF_A_LOOK * len(asking.names)
        for name in asking.names:
            allowing = self._unbounded
            for indices in (here, self._everywhere):
                allowed, compared = yield from indices.allowing(name, pattern, found & ~allowing)
                allowing, texts = allowing | allowed, texts + compared
            found &= allowing
        for indices in (self._everywhere, here):
            if not found or not indices.denied.number:
                continue
            met, taken = indices.denied.met(text, asking, found)
            # Looking alone is too little for a part of its own.
            yield looking + taken
            found, steps, looking = found & ~met, steps + taken, 0
        if looking:
            yield looking
        return _Answer(found, steps, texts, prefix)

    def _led_into(
        self, namespace: str, claim: Claim, asking: Asking, aliases: Aliases, policies: int
    ) -> Work[tuple[int, int]]:
        """Find out which of some policies deny what aliases lead to that a grant names, and in how many steps.

        Where it takes many, all of them.
        """
        found, spent, here = 0, 0, (yield from self._here.find(namespace))
        for pattern in claim.indices:
            cost = aliases.cost(pattern)
            yield cost
            if not aliases.leads(pattern):
                continue
            for indices in (self._everywhere, here):
                spent += cost * indices.denied.number
                if spent > JOINT_STEPS:
                    return policies, spent
                found |= indices.denied.led_into(pattern, asking, policies & ~found, aliases)
                yield cost * indices.denied.number
        return found, spent

    def _placed(self, namespace: str) -> Work[Indices]:
        """Return what policies allow and deny by the name of a namespace."""
        indices = Indices()
        for (name, pattern), found in self._placed_allowed.items():
            indices.allowed[name].add(pattern.replace(NAMESPACE, namespace), found)
            yield 1
        for (pattern, actions), found in self._placed_denied.items():
            indices.denied.add(pattern.replace(NAMESPACE, namespace), actions, found)
            yield STEPS_OF_A_PATTERN
        return indices
