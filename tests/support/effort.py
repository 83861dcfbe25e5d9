"""How many examples a run tries: all of them, or a part while somebody works on a change."""

from typing import Final

from hypothesis import settings

ALL: Final = 100
"""What a test tries that says nothing; CI tries that many, and all that tests ask for."""
QUICK: Final = 10
"""The same in a quick run."""
FEWEST: Final = 3
EACH: Final = 3
"""Of places, a quick run tries each third."""


def examples(number: int) -> int:
    """Return how many examples a test tries in this run.

    Args:
        number: in a thorough run; a quick one tries the same share of them as of those of all other tests.
    """
    return max(min(number, FEWEST), number * settings().max_examples // ALL)


def places(number: int) -> range:
    """Return at which of so many places something is tried: at all of them, in a quick run at some."""
    return range(0, number, 1 if settings().max_examples >= ALL else EACH)
