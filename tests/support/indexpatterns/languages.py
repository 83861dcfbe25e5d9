"""What index patterns match, as automata of automata-lib: decided without the algorithms that are tested.

An automaton has the characters of `SIGNS` of `families`, and one for each group of others that no pattern
tells apart.
"""

from functools import lru_cache, reduce
from typing import Final

from automata.fa.dfa import DFA
from automata.fa.nfa import NFA

from searchaccess.core.patterns.expressions import Chars, Complement, Concat, Intersection, Repeat, Union
from searchaccess.core.patterns.parsed import parse_index_pattern
from searchaccess.core.patterns.written import Kind, Part, Written
from tests.support.indexpatterns.families import SIGNS

_ALIKE: Final = {"3": "3456789", "z": "abcegrtzAZ_", ",": ', /~^$:[]{}`\x00\x7fä€\U0010ffff"'}
_SYMBOLS: Final = frozenset(SIGNS) | _ALIKE.keys()
_NOTHING: Final = NFA(states={0}, input_symbols=_SYMBOLS, transitions={}, initial_state=0, final_states=set())
_EMPTY: Final = NFA(states={0}, input_symbols=_SYMBOLS, transitions={}, initial_state=0, final_states={0})
_BACKING: Final = "/[.][df]s-/", "/-[0-9]{4}[.][0-9]{2}[.][0-9]{2}-[0-9]{6}/"
_ANY_NAME: Final = DFA.of_length(_SYMBOLS, min_length=1)


@lru_cache(1 << 12)
def language(pattern: str) -> DFA:
    """Return the smallest automaton of a pattern."""
    return _deterministic(_read(pattern))


@lru_cache(1 << 12)
def names(pattern: str) -> DFA:
    """Return the same without the empty name."""
    return language(pattern).intersection(_ANY_NAME)


@lru_cache(1 << 12)
def backing(pattern: str) -> DFA:
    """Return the automaton of the backing indices of data streams that a pattern matches."""
    begin, end = map(_read, _BACKING)
    return _deterministic(begin.concatenate(_read(pattern)).concatenate(end))


def are_contained(pattern: str, others: tuple[str, ...]) -> bool:
    """Return whether every name that a pattern matches is one of some others."""
    rest = names(pattern)
    for other in others[:-1]:
        rest = rest.difference(language(other), minify=False)
    return rest.issubset(language(others[-1]))


def do_meet(one: str, another: str) -> bool:
    """Return whether two patterns match a common text, or one the backing index of what the other matches."""
    return not (
        language(one).isdisjoint(language(another))
        and backing(one).isdisjoint(language(another))
        and language(one).isdisjoint(backing(another))
    )


def _read(pattern: str) -> NFA:
    read = parse_index_pattern(pattern)
    return _automaton(read.written or read.expression)


def _deterministic(automaton: NFA) -> DFA:
    return DFA.from_nfa(automaton, minify=True).to_complete()


def _automaton(written: Written) -> NFA:
    match written:
        case Chars():
            return _one_of(written)
        case Concat(parts) | Part(Kind.SEQUENCE, parts):
            return reduce(NFA.concatenate, map(_automaton, parts), _EMPTY)
        case Union(parts) | Part(Kind.ALTERNATIVES, parts):
            return reduce(NFA.union, map(_automaton, parts), _NOTHING)
        case Intersection(parts) | Part(Kind.INTERSECTION, parts):
            return NFA.from_dfa(reduce(DFA.intersection, map(_deterministic, map(_automaton, parts))))
        case Complement(inner) | Part(Kind.COMPLEMENT, (inner,)):
            return NFA.from_dfa(_deterministic(_automaton(inner)).complement())
        case Repeat(inner, low, high) | Part(Kind.REPETITION, (inner,), _, low, high):
            return _repeated(_automaton(inner), low, high)
        case _:
            raise TypeError(written)


def _repeated(once: NFA, low: int, high: int | None) -> NFA:
    always = reduce(NFA.concatenate, [once] * low, _EMPTY)
    if high is None:
        return always.concatenate(once.kleene_star())
    return reduce(NFA.concatenate, [once.option()] * (high - low), always)


def _one_of(part: Chars) -> NFA:
    moves = {symbol: {1} for symbol in _SYMBOLS if _has(part, symbol)}
    return NFA(states={0, 1}, input_symbols=_SYMBOLS, transitions={0: moves}, initial_state=0, final_states={1})


def _has(part: Chars, symbol: str) -> bool:
    """Return whether a symbol is one of these characters; so are all for which it stands, or none."""
    (answer,) = {any(low <= ord(one) <= high for low, high in part.ranges) for one in _ALIKE.get(symbol, symbol)}
    return answer
