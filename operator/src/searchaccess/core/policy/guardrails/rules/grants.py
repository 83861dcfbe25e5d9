"""Whether grants keep within what a policy allows and denies."""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

from searchaccess.api.policies.match import NAMESPACE
from searchaccess.api.searchaccesspolicy import SearchAccessPolicySpec
from searchaccess.api.vocabulary.actions import Action
from searchaccess.core.messages import some_of
from searchaccess.core.model.claims import Claim
from searchaccess.core.patterns.containment import measuring, steps_of_looking
from searchaccess.core.patterns.meeting import comparing, meeting_measured
from searchaccess.core.policy.guardrails.aliases import Aliases
from searchaccess.core.policy.guardrails.budget import Budget, OutOfStepsError
from searchaccess.core.policy.guardrails.reasons import Reasons

INCLUDES: Final[Mapping[Action, frozenset[Action]]] = {
    Action.WRITE: frozenset({Action.APPEND}),
    # Whoever may delete an index deletes its documents. https://www.elastic.co/docs/reference/elasticsearch/security-privileges
    Action.MANAGE: frozenset({Action.MONITOR, Action.CREATE, Action.DELETE}),
}
"""What other actions come to by an action."""

STEPS_OF_A_PAIR: Final = 20
"""Of a comparison with what is denied, which one step of the budget pays for."""
_READ_IN_A_STEP: Final = 200
"""Denied patterns that are read to find those that concern a grant."""
_READ_AT_ONCE: Final = 10
"""The same in the time of a step."""
_EXAMPLE_LIMIT: Final = 60


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a policy allows and denies in one namespace.

    Args:
        allowed: by action or raw privilege, the patterns on which it may be granted; None: all may.
        denied: patterns, each with the actions that are denied on it; None: all.
    """

    allowed: Mapping[str, tuple[str, ...]] | None
    denied: tuple[tuple[str, frozenset[Action] | None], ...]


def bounds_of(spec: SearchAccessPolicySpec, namespace: str) -> Bounds:
    """Return what a policy allows and denies for the SearchAccesses of a namespace."""
    denied = tuple(
        (pattern.replace(NAMESPACE, namespace), frozenset(rule.can) if rule.can is not None else None)
        for rule in spec.deny or ()
        for pattern in rule.indices
    )
    if spec.allow is None:
        return Bounds(None, denied)
    allowed = dict[str, dict[str, None]]()
    for rule in spec.allow:
        patterns = dict.fromkeys(pattern.replace(NAMESPACE, namespace) for pattern in rule.indices)
        for action in rule.can or ():
            for name in {action, *INCLUDES.get(action, ())}:
                allowed.setdefault(name, {}).update(patterns)
        for name in rule.privileges or ():
            allowed.setdefault(raw(name), {}).update(patterns)
    return Bounds({name: tuple(patterns) for name, patterns in allowed.items()}, denied)


def raw(privilege: str) -> str:
    """Return under which name a raw privilege is kept: some are named as actions are."""
    return f"privilege {privilege}"


def violations(claims: Iterable[Claim], bounds: Bounds, whole: Budget, aliases: Aliases | None = None) -> Reasons:
    """Yield why grants are refused, see ``Reasons``.

    Args:
        claims: what each of them asks for.
        bounds: what is allowed and denied.
        whole: how much may be compared with all policies.
        aliases: where the aliases of the cluster lead; None: not known, names alone are compared.
    """
    budget, place = Budget(whole), ""
    try:
        for position, claim in enumerate(claims):
            place, accepted = f"grants[{position}]", True
            for reason in chain(_beyond(claim, place, bounds, budget), _meeting(claim, place, bounds, budget)):
                accepted = accepted and not isinstance(reason, str)
                yield reason
            if accepted and aliases is not None and not claim.clusters:
                yield from _led_into(claim, place, bounds, aliases, budget)
    except OutOfStepsError:
        yield f"{place}: its patterns and those before it are {_TOO_COMPLICATED}"


def _meeting(claim: Claim, place: str, bounds: Bounds, budget: Budget) -> Reasons:
    """Yield which of the indices are denied."""
    denied = yield from _concerned(claim, bounds, budget)
    pairs = 1 + len(denied) * len(claim.indices)
    budget.spend(pairs)
    if not denied:
        return
    met, steps = yield from meeting_measured(claim.indices, tuple(dict.fromkeys(other for other, _ in denied)))
    if not met:
        budget.spend(max(0, steps // STEPS_OF_A_PAIR - pairs))
        return
    for pattern in claim.indices:
        for other, what in denied:
            answer = yield from comparing(pattern, other)
            budget.spend(answer.steps)
            if answer.yes:
                yield (
                    f"{place}: {what} on {pattern} is denied, as it can match what {other} matches: name indices of "
                    "which none is denied"
                )
                break


def _led_into(claim: Claim, place: str, bounds: Bounds, aliases: Aliases, budget: Budget) -> Reasons:
    """Yield which aliases lead to indices that are denied."""
    denied = yield from _concerned(claim, bounds, budget)
    for pattern in claim.indices if denied else ():
        cost = len(denied) * aliases.cost(pattern)
        budget.spend(cost)
        yield cost
        for other, what in denied:
            if led := aliases.led_into(pattern, other):
                by = f"{led.name} leads to {led.index}, which {other} matches"
                yield f"{place}: {what} on {pattern} is denied, as {by}: name indices of which none is denied"
                break


def _beyond(claim: Claim, place: str, bounds: Bounds, budget: Budget) -> Reasons:
    """Yield what is not allowed."""
    if bounds.allowed is None:
        return
    asked = [(str(action), str(action)) for action in claim.actions]
    for name, what in (*asked, *((raw(name), raw(name)) for name in claim.privileges)):
        allowed = bounds.allowed.get(name, ())
        if not allowed:
            yield f"{place}: {what} is not allowed on any index"
            continue
        for pattern in claim.indices:
            budget.require()
            budget.spend(steps_of_looking(pattern, allowed))
            verdict, steps = yield from measuring(pattern, allowed)
            budget.spend(steps)
            if verdict.undecided:
                yield f"{place}: {pattern} is {_TOO_COMPLICATED}"
            elif not verdict.contained:
                shown = verdict.example if _is_short(verdict.example, pattern) else ""
                example = f"; {pattern} also matches {shown}" if shown else ""
                yield f"{place}: {what} is allowed only on {some_of(allowed)}, not on {pattern}{example}"


_TOO_COMPLICATED: Final = "too complicated to compare with what is allowed: write names or wildcards"


def _is_short(example: str, pattern: str) -> bool:
    return example != pattern and len(example) <= _EXAMPLE_LIMIT and example.isprintable()


def _concerned(claim: Claim, bounds: Bounds, budget: Budget) -> Generator[str | int, None, list[tuple[str, str]]]:
    """Find out which patterns concern what a grant asks for, each with what of it is denied there."""
    budget.spend(len(bounds.denied) // _READ_IN_A_STEP)
    yield len(bounds.denied) // _READ_AT_ONCE
    found = {actions: _denied(claim, actions) for actions in {actions for _, actions in bounds.denied}}
    return [(other, what) for other, actions in bounds.denied if (what := found[actions])]


def _denied(claim: Claim, actions: frozenset[Action] | None) -> str:
    """Return what of a grant is denied; empty: nothing is."""
    if claim.privileges:
        return some_of([raw(name) for name in claim.privileges])
    if actions is None:
        return some_of(list(map(str, claim.actions)))
    return some_of([str(each) for each in claim.actions if not actions.isdisjoint({each, *INCLUDES.get(each, ())})])
