"""What is known of policies and of their earlier evaluations, while some of them change."""

from collections.abc import Iterable, MutableMapping
from typing import Final, NamedTuple, TypeAlias

from searchaccess.core.policy.guardrails.aliases import Aliases
from searchaccess.core.policy.guardrails.asked import Asked
from searchaccess.core.policy.guardrails.budget import Budget
from searchaccess.core.policy.guardrails.joint.panel import Panel
from searchaccess.core.policy.guardrails.joint.remembered import weight_of
from searchaccess.core.policy.guardrails.policy import Policy
from searchaccess.core.policy.guardrails.ruling import Evaluation, Ruling
from searchaccess.core.work import Work

_PANELS_KEPT: Final = 2_000
_SAID_KEPT: Final = 100_000
"""Whoever asks the admission webhook may name anything."""
_STEPS_OF_ASKING: Final = 20
"""Of all that is not counted when a single policy is asked."""


KnownEvaluations: TypeAlias = MutableMapping[tuple[Ruling, bool, bool], Evaluation]
"""Evaluations of single policies, by whether it was known where aliases lead, and whether reasons were requested."""


class About(NamedTuple):
    """What single policies are asked about.

    Args:
        asked: what is asked for.
        aliases: where the aliases of the cluster lead; None: not known, names alone are compared.
        known: their earlier evaluations; None: it also depends on where aliases lead.
    """

    asked: Asked
    aliases: Aliases | None
    known: KnownEvaluations | None = None


class Memory:
    """What is known of policies."""

    def __init__(self) -> None:
        self._rulings: dict[str, Ruling] = {}
        """By uid."""
        self._panels: dict[tuple[Ruling, ...], Panel] = {}
        self._making: dict[tuple[Ruling, ...], Work[Panel]] = {}
        """Those that are not finished."""
        self._evaluations: dict[Asked, KnownEvaluations] = {}
        """Evaluations of single policies."""
        self._pairs = 0
        """How many entries these are; each SearchAccess counts as one more, a large one as many."""
        self.asked = 0
        """How often a single policy was asked about a SearchAccess."""

    @property
    def remembered(self) -> int:
        """Of how many SearchAccesses evaluations of single policies are known."""
        return len(self._evaluations)

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

    def about(self, asked: Asked, aliases: Aliases | None) -> Work[About]:
        """Find the earlier evaluations of a SearchAccess by single policies."""
        for pattern in (pattern for claim in asked.claims for pattern in claim.indices) if aliases else ():
            if aliases and aliases.leads(pattern):
                return About(asked, aliases)
            yield 1
        if self._pairs >= _SAID_KEPT:
            self._evaluations.clear()
            self._pairs = 0
        if asked not in self._evaluations:
            self._evaluations[asked] = {}
            named = [(claim.indices, claim.privileges) for claim in asked.claims]
            self._pairs += weight_of((*named, asked.terms, asked.extent))
        return About(asked, aliases, self._evaluations[asked])

    def evaluate(self, ruling: Ruling, about: About, budget: Budget, *, explain: bool = True) -> Work[Evaluation]:
        """Evaluate a policy, see ``Ruling.evaluate``, or find the earlier evaluation: that takes as many steps.

        Args:
            ruling: the policy.
            about: what it is asked about.
            budget: how much may be compared with all policies.
            explain: whether it says why it refuses it.
        """
        key, known = (ruling, about.aliases is None, explain), about.known
        if known is not None and (before := known.get(key)) is not None and budget.has(before.steps):
            budget.spend(before.steps)
            return before
        evaluation = yield from ruling.evaluate(about.asked, budget, about.aliases, explain=explain)
        yield _STEPS_OF_ASKING
        self.asked += 1
        # What was cut short would say something else where more steps are left.
        if known is not None and not budget.is_over:
            known[key] = evaluation
            self._pairs += 1
        return evaluation
