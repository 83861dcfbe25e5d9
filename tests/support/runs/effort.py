"""How many examples a run tries: all of them, or a part while somebody works on a change."""

from collections.abc import Sequence
from typing import Final, TypeVar

from hypothesis import settings

ALL: Final = 100
"""What a test tries that says nothing; CI tries that many, and all that tests ask for."""
QUICK: Final = 5
"""The same in a quick run."""
FEWEST: Final = 3
EACH: Final = 5
"""Of places and cases, a quick run tries each fifth."""

Case = TypeVar("Case")


def examples(number: int) -> int:
    """Return how many examples a test tries in this run.

    Args:
        number: in a thorough run; a quick one tries the same share of them as of those of all other tests.
    """
    return max(min(number, FEWEST), number * settings().max_examples // ALL)


def places(number: int) -> range:
    """Return at which of so many places something is tried: at all of them, in a quick run at some."""
    return range(0, number, _step())


def some(cases: Sequence[Case]) -> Sequence[Case]:
    """Return which of many cases of one kind are tried: all of them, in a quick run some."""
    return cases[:: _step()]


def many(number: int) -> int:
    """Return how many objects there are in a test of large numbers: all of them, in a quick run a share."""
    return number // _step()


def _step() -> int:
    return 1 if settings().max_examples >= ALL else EACH
