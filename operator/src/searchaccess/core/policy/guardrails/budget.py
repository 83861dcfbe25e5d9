"""How much may be compared for one SearchAccess: nobody's patterns delay others."""

from typing import Final

STEPS: Final = 60_000
"""Of all comparisons of a kind with one policy, each a few microseconds."""


class OutOfStepsError(Exception):
    """The comparisons took too long."""


class Budget:
    """The steps that are left."""

    def __init__(self) -> None:
        self._left = STEPS

    def spend(self, steps: int) -> None:
        """Take so many steps.

        Raises:
            OutOfStepsError: so many are not left.
        """
        self._left -= steps
        if self._left < 0:
            raise OutOfStepsError
