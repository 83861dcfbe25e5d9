"""What is known of policies and of what they said, while some of them change."""

from collections.abc import Iterable, MutableMapping
from typing import Final, TypeAlias

from searchaccess.core.policy.guardrails.aliases import Aliases
from searchaccess.core.policy.guardrails.asked import Asked
from searchaccess.core.policy.guardrails.budget import Budget
from searchaccess.core.policy.guardrails.joint.panel import Panel
from searchaccess.core.policy.guardrails.joint.remembered import weight_of
from searchaccess.core.policy.guardrails.policy import Policy
from searchaccess.core.policy.guardrails.ruling import Ruling, Said
from searchaccess.core.work import Work

_PANELS_KEPT: Final = 2_000
_SAID_KEPT: Final = 100_000
"""Whoever asks the admission webhook may name anything."""
_STEPS_OF_ASKING: Final = 20
"""Of all that is not counted when a single policy is asked."""


KnownSaid: TypeAlias = MutableMapping[tuple[Ruling, bool, bool], Said]
"""What single policies said, with whether it was known where aliases lead, and whether they were to say why."""


class Memory:
    """What is known of policies."""

    def __init__(self) -> None:
        self._rulings: dict[str, Ruling] = {}
        """By uid."""
        self._panels: dict[tuple[Ruling, ...], Panel] = {}
        self._making: dict[tuple[Ruling, ...], Work[Panel]] = {}
        """Those that are not finished."""
        self._said: dict[Asked, KnownSaid] = {}
        """What single policies said."""
        self._pairs = 0
        """How many entries these are; each SearchAccess counts as one more, a large one as many."""
        self.asked = 0
        """How often a single policy was asked about a SearchAccess."""
        self.effort = 0
        """Steps that this took."""

    @property
    def remembered(self) -> int:
        """Of how many SearchAccesses it is known what single policies said."""
        return len(self._said)

    def rulings_of(self, policies: Iterable[Policy]) -> tuple[Ruling, ...]:
        """Return all policies in their order; what was known of others is forgotten."""
        found = tuple(self._ruling_of(policy) for policy in policies)
        self._rulings = {each.policy.uid: each for each in found}
        current = set(found)
        self._panels = {rulings: panel for rulings, panel in self._panels.items() if current.issuperset(rulings)}
        self._making = {rulings: work for rulings, work in self._making.items() if current.issuperset(rulings)}
        return found

    def _ruling_of(self, policy: Policy) -> Ruling:
        known = self._rulings.get(policy.uid)
        same = known and (known.policy.name, known.policy.invalid) == (policy.name, policy.invalid)
        return known if known and same and known.policy.spec == policy.spec else Ruling(policy)

    def panel_of(self, rulings: tuple[Ruling, ...]) -> Work[Panel]:
        """Make some policies ready to be asked at once; all who need the same continue the same work."""
        while (panel := self._panels.get(rulings)) is None:
            work = self._making.get(rulings)
            if work is None:
                if len(self._making) >= _PANELS_KEPT:
                    self._making.clear()
                work = self._making[rulings] = Panel.of(rulings)
            try:
                steps = next(work)
            except StopIteration as end:
                if len(self._panels) >= _PANELS_KEPT:
                    self._panels.clear()
                self._panels[rulings] = end.value
                self._making.pop(rulings, None)
                continue
            except BaseException:  # raised again: nobody continues work that failed or was given up
                self._making.pop(rulings, None)
                raise
            # Not above: whoever gives up here leaves what was made to the others.
            yield steps
        return panel

    def said_of(self, asked: Asked, aliases: Aliases | None) -> Work[KnownSaid | None]:
        """Find out what single policies said of a SearchAccess; None: it also depends on where aliases lead."""
        for pattern in (pattern for claim in asked.claims for pattern in claim.indices) if aliases else ():
            if aliases and aliases.leads(pattern):
                return None
            yield 1
        if self._pairs >= _SAID_KEPT:
            self._said.clear()
            self._pairs = 0
        if asked not in self._said:
            self._said[asked] = {}
            named = [(claim.indices, claim.privileges) for claim in asked.claims]
            self._pairs += weight_of((*named, asked.terms, asked.extent))
        return self._said[asked]

    def ask(
        self, ruling: Ruling, asked: Asked, aliases: Aliases | None, budget: Budget, *, told: bool = True
    ) -> Work[Said]:
        """Find out what a single policy says, see ``Ruling.said``."""
        said = yield from ruling.said(asked, budget, aliases, told=told)
        yield _STEPS_OF_ASKING
        self.asked += 1
        self.effort += _STEPS_OF_ASKING + said.steps
        return said

    def ask_once(
        self,
        ruling: Ruling,
        asked: Asked,
        aliases: Aliases | None,
        budget: Budget,
        known: KnownSaid | None,
        *,
        told: bool = True,
    ) -> Work[Said]:
        """Find out the same as ``ask``, or what it said before.

        Args:
            ruling: the policy.
            asked: what is asked for.
            aliases: where the aliases of the cluster lead; None: not known, names alone are compared.
            budget: how much may be compared.
            known: what ``said_of`` gave.
            told: whether it says why it refuses it.
        """
        key = ruling, aliases is None, told
        if known is not None and key in known:
            return known[key]
        said = yield from self.ask(ruling, asked, aliases, budget, told=told)
        if known is not None and not budget.is_over:
            known[key] = said
            self._pairs += 1
        return said
