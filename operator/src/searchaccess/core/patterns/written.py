"""A regular expression as it is written.

`searchaccess.core.patterns.expressions` keeps a normal form, in which ``.*|a`` is ``.*``. Elasticsearch does not
simplify: what it takes to evaluate a pattern follows from what is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from searchaccess.core.patterns import expressions
from searchaccess.core.patterns.expressions import Expression


class Kind(Enum):
    """How the parts belong together."""

    SEQUENCE = auto()
    ALTERNATIVES = auto()
    INTERSECTION = auto()
    COMPLEMENT = auto()
    REPETITION = auto()


@dataclass(frozen=True, slots=True)
class Part:
    """Parts of an expression.

    Attributes:
        kind: how they belong together; a complement and a repetition have one.
        parts: in order.
        low: how often a repetition has its part at least.
        high: the same at most; None: any number of times.
        size: how many characters it has when its repetitions are written out.
    """

    kind: Kind
    parts: "tuple[Written, ...]"
    size: int
    low: int = 1
    high: int | None = 1


Written: TypeAlias = Expression | Part
"""What is not a `Part` is one character, or an expression that is written as a whole, such as an interval."""


def _together(kind: Kind, parts: "Sequence[Written]") -> Written:
    return parts[0] if len(parts) == 1 else Part(kind, tuple(parts), sum(map(size, parts)))


def sequence(parts: Sequence[Written]) -> Written:
    """Return one after the other."""
    return _together(Kind.SEQUENCE, parts)


def alternatives(parts: Sequence[Written]) -> Written:
    """Return any of them."""
    return _together(Kind.ALTERNATIVES, parts)


def intersection(parts: Sequence[Written]) -> Written:
    """Return what all of them match."""
    return _together(Kind.INTERSECTION, parts)


def complement(part: Written) -> Written:
    """Return what it does not match."""
    return Part(Kind.COMPLEMENT, (part,), size(part))


def repetition(part: Written, low: int, high: int | None) -> Written:
    """Return it so many times."""
    return Part(Kind.REPETITION, (part,), max(size(part), 1) * max(low if high is None else high, 1), low, high)


def size(written: Written) -> int:
    """Return how many characters it has when its repetitions are written out."""
    return written.size if isinstance(written, Part) else expressions.size(written)


def simplified(written: Written) -> Expression:
    """Return what it matches, in normal form."""
    if not isinstance(written, Part):
        return written
    parts = [simplified(part) for part in written.parts]
    match written.kind:
        case Kind.SEQUENCE:
            return expressions.concat(parts)
        case Kind.ALTERNATIVES:
            return expressions.union(parts)
        case Kind.INTERSECTION:
            return expressions.intersection(parts)
        case Kind.COMPLEMENT:
            return expressions.complement(parts[0])
        case Kind.REPETITION:
            return expressions.repeat(parts[0], written.low, written.high)
