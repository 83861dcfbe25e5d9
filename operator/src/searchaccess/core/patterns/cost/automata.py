"""Builds one automaton of several index patterns, as Elasticsearch does, within a limited effort.

The construction is that of ``Automatons.patterns`` of Elasticsearch and ``Operations.determinize`` of Lucene.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from searchaccess.core.patterns.expressions import NOTHING, borders, count, derivative, nullable
from searchaccess.core.patterns.marks import is_mark
from searchaccess.core.patterns.parsed import parse_index_pattern
from searchaccess.core.patterns.wildcards import is_name

MAX_EFFORT: Final = 10_000
"""Sum of the sizes of all sets of states, in one step of the construction. Elasticsearch gives up at 1,000,000; what is
near that takes it seconds, and its releases differ a little."""
_MAX_STEPS: Final = 20_000
"""How many expressions may be examined for one regular expression's automaton."""
_MINIMIZED: Final = 300
"""Larger automata are not minimized, which only overestimates the effort."""
_WORK: Final = 8
"""Look-ups for each unit of effort: more of them would hold up everybody else for more than tens of milliseconds."""

Codes = tuple[int, ...]
"""The characters at which a transition changes: each represents all characters up to the next one."""


class TooMuchEffortError(Exception):
    """Elasticsearch might give up."""


@dataclass(frozen=True, slots=True)
class State:
    """Where one state of an automaton leads."""

    moves: dict[int, tuple[int, ...]]
    """By character; what is not in it: ``others``."""
    others: tuple[int, ...]
    accepts: bool


@dataclass(frozen=True, slots=True)
class Automaton:
    """States by number, and those in which it starts."""

    states: list[State]
    start: tuple[int, ...]


_ANYTHING: Final = Automaton([State({}, (0,), accepts=True)], (0,))


def is_wildcard(text: str) -> bool:
    """Return whether a pattern is more than a name; a mark costs Elasticsearch no more than one."""
    return not (is_name(text) or is_mark(text))


def build_automaton(patterns: Sequence[str]) -> Automaton:
    """Return the automaton of an entry of a role.

    Args:
        patterns: what `searchaccess.core.patterns.parsed.check_index_pattern` lets pass.

    Raises:
        TooMuchEffortError: Elasticsearch might give up.
    """
    codes = codes_of(patterns)
    prefixes, suffixes, infixes, others = list[str](), list[str](), list[str](), list[str]()
    for text in patterns:
        if len(text) < 2 or text.startswith("/"):  # noqa: PLR2004 - as Elasticsearch does
            others.append(text)
        elif text.startswith("*"):
            (infixes if text.endswith("*") else suffixes).append(text[1:].removesuffix("*"))
        elif text.endswith("*") and "*" in text[:-1]:
            prefixes.append(text[:-1])
        else:
            others.append(text)
    parts = []
    if prefixes:
        parts.append(_joined([_group(prefixes, codes), _ANYTHING]))
    if suffixes:
        parts.append(_joined([_ANYTHING, _group(suffixes, codes)]))
    if infixes:
        parts.append(_joined([_ANYTHING, _group(infixes, codes), _ANYTHING]))
    if others:
        parts.append(_group(others, codes))
    return determinized(united(parts))


def _group(texts: Iterable[str], codes: Codes) -> Automaton:
    each = [of_regex(text, codes) if text.startswith("/") else determinized(of_wildcards([text])) for text in texts]
    return _minimized(determinized(united(each)))


def codes_of(patterns: Iterable[str]) -> Codes:
    """Return the characters at which something changes in any of these patterns."""
    expressions = (parse_index_pattern(text).expression for text in patterns)
    return tuple(sorted(frozenset(chain.from_iterable(map(borders, expressions)))))


def of_wildcards(texts: Iterable[str]) -> Automaton:
    """Return an automaton for several wildcards, with a state for each beginning that they share."""
    nodes: list[dict[str, int]] = [{}]
    signs, ends = [""], set[int]()
    for text in texts:
        at = 0
        for sign in text:
            if sign not in nodes[at]:
                nodes[at][sign] = len(nodes)
                nodes.append({})
                signs.append(sign)
            at = nodes[at][sign]
        ends.add(at)

    def enter(at: int) -> tuple[int, ...]:
        """A star may stand for nothing."""
        return (at, *enter(nodes[at]["*"])) if "*" in nodes[at] else (at,)

    states = []
    for at, onward in enumerate(nodes):
        if signs[at] == "*" and at in ends:
            states.append(State({}, (at,), accepts=True))
            continue
        others = (*(enter(at) if signs[at] == "*" else ()), *(enter(onward["?"]) if "?" in onward else ()))
        moves = {ord(sign): (*enter(to), *others) for sign, to in onward.items() if sign not in "*?"}
        states.append(State(moves, others, at in ends))
    return Automaton(states, enter(0))


def of_regex(text: str, codes: Codes) -> Automaton:
    """Return the deterministic automaton of a regular expression: its states are what may follow.

    Args:
        text: the pattern, with its slashes.
        codes: the characters at which something changes in any pattern.

    Raises:
        TooMuchEffortError: it has too many states, or too long ones.
    """
    first = parse_index_pattern(text).expression
    own = sorted(borders(first))
    alike = [[code for code in codes if bisect_right(own, code) == at] for at in range(1, len(own) + 1)]
    numbers, ahead, states, steps = {first: 0}, [first], list[State](), 0
    for here in ahead:
        steps += count(here) * len(own)
        if steps > _MAX_STEPS:
            raise TooMuchEffortError
        targets = list[tuple[int, ...]]()
        for code in own:
            after = derivative(here, code)
            if after != NOTHING and after not in numbers:
                numbers[after] = len(ahead)
                ahead.append(after)
            targets.append(() if after == NOTHING else (numbers[after],))
        moves = {code: to for to, those in zip(targets, alike, strict=True) if to != targets[0] for code in those}
        states.append(State(moves, targets[0], nullable(here)))
    return Automaton(states, (0,))


def _moved(automaton: Automaton, by: int) -> Iterator[State]:
    for state in automaton.states:
        moves = {code: tuple(to + by for to in targets) for code, targets in state.moves.items()}
        yield State(moves, tuple(to + by for to in state.others), state.accepts)


def united(parts: Iterable[Automaton]) -> Automaton:
    """Return an automaton for what any of these matches."""
    states, start = list[State](), list[int]()
    for part in parts:
        start += (one + len(states) for one in part.start)
        states += _moved(part, len(states))
    return Automaton(states, tuple(start))


def _joined(parts: Sequence[Automaton]) -> Automaton:
    """Return an automaton for what these match one after the other."""
    result = parts[-1]
    for part in reversed(parts[:-1]):
        result = _followed(part, result)
    return result


def _followed(part: Automaton, following: Automaton) -> Automaton:
    start = tuple(one + len(part.states) for one in following.start)
    ends = {number for number, state in enumerate(part.states) if state.accepts}
    may_be_empty = any(following.states[one].accepts for one in following.start)

    def onward(targets: tuple[int, ...]) -> tuple[int, ...]:
        return targets if ends.isdisjoint(targets) else (*targets, *start)

    states = [
        State(
            {code: onward(to) for code, to in state.moves.items()},
            onward(state.others),
            accepts=state.accepts and may_be_empty,
        )
        for state in part.states
    ]
    return Automaton([*states, *_moved(following, len(states))], onward(part.start))


def determinized(
    automaton: Automaton, limit: int = MAX_EFFORT, follows: Callable[[frozenset[int]], bool] = bool
) -> Automaton:
    """Return the deterministic automaton: its states are sets of the other's.

    Args:
        automaton: any.
        limit: the greatest effort. Our own work is limited with it: each character at which something changes is
            looked up in each state of each set.
        follows: says of a set of states whether it counts; an empty one never does.

    Raises:
        TooMuchEffortError: the sets are too many, or too large.
    """
    first = frozenset(automaton.start)
    numbers, ahead, states, effort, work = {first: 0}, [first], list[State](), 0, 0

    def number(targets: Iterable[int]) -> tuple[int, ...]:
        found = frozenset(targets)
        if not found or not follows(found):
            return ()
        if found not in numbers:
            numbers[found] = len(ahead)
            ahead.append(found)
        return (numbers[found],)

    for here in ahead:
        effort += len(here)
        if effort > limit:
            raise TooMuchEffortError
        members = [automaton.states[one] for one in here]
        others = number(chain.from_iterable(state.others for state in members))
        codes = {code for state in members for code in state.moves}
        work += len(here) * len(codes)
        if work > limit * _WORK:
            raise TooMuchEffortError
        moves = {
            code: number(chain.from_iterable(state.moves.get(code, state.others) for state in members))
            for code in codes
        }
        states.append(State(moves, others, any(state.accepts for state in members)))
    return Automaton(states, (0,))


def absorbing(automaton: Automaton) -> frozenset[int]:
    """Return the states that are never left, and accept."""
    states = enumerate(automaton.states)
    return frozenset(at for at, state in states if state.accepts and not state.moves and state.others == (at,))


def _minimized(automaton: Automaton) -> Automaton:
    """Return the smallest deterministic automaton for the same names (E. F. Moore, 1956)."""
    states = automaton.states
    if len(states) > _MINIMIZED:
        return automaton
    kinds = [int(state.accepts) for state in states]
    while True:
        signs = dict[object, int]()
        found = [
            signs.setdefault(_sign(state, kinds, kind), len(signs)) for state, kind in zip(states, kinds, strict=True)
        ]
        if len(signs) == len(set(kinds)):
            break
        kinds = found
    one_of_each = dict(zip(reversed(found), reversed(states), strict=True))
    merged = [
        State(
            {code: tuple(found[to] for to in targets) for code, targets in one_of_each[kind].moves.items()},
            tuple(found[to] for to in one_of_each[kind].others),
            one_of_each[kind].accepts,
        )
        for kind in range(len(one_of_each))
    ]
    return Automaton(merged, (found[0],))


def _sign(state: State, kinds: Sequence[int], kind: int) -> object:
    others = tuple(kinds[to] for to in state.others)
    moves = ((code, tuple(kinds[to] for to in targets)) for code, targets in state.moves.items())
    return kind, others, frozenset((code, to) for code, to in moves if to != others)
