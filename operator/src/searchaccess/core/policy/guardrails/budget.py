"""How much may be compared for one SearchAccess: nobody's patterns delay others."""

from typing import Final

STEPS: Final = 30_000
"""Of all comparisons of a kind with one policy, each a microsecond or less."""
ALL_STEPS: Final = 100_000
"""Of all comparisons with all policies: fifty patterns, compared with a hundred policies of twenty, need two thirds."""


class OutOfStepsError(Exception):
    """The comparisons took too long."""


class Budget:
    """The steps that are left.

    Args:
        whole: the budget that this one is a part of; None: it is itself the budget for all policies.
    """

    def __init__(self, whole: "Budget | None" = None) -> None:
        self._whole = whole
        self._left = STEPS if whole else ALL_STEPS

    def spend(self, steps: int) -> None:
        """Take so many steps.

        Raises:
            OutOfStepsError: so many are not left.
        """
        self._left -= steps
        if self._whole is not None:
            self._whole.spend(steps)
        if self._left < 0:
            raise OutOfStepsError
