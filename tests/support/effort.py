"""How many examples a run tries: all of them, or a part while somebody works on a change."""

from typing import Final

from hypothesis import settings

ALL: Final = 100
"""What a test tries that says nothing; CI tries that many, and all that tests ask for."""
QUICK: Final = 10
"""The same in a quick run."""
FEWEST: Final = 3


def examples(number: int) -> int:
    """Return how many examples a test tries in this run.

    Args:
        number: in a thorough run; a quick one tries the same share of them as of those of all other tests.
    """
    return max(min(number, FEWEST), number * settings().max_examples // ALL)
