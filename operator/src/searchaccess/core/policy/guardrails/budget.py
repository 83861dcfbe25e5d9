"""How much may be compared for one SearchAccess: nobody's patterns delay others."""

from typing import Final

STEPS: Final = 100_000
"""Of all comparisons of a kind with one policy, each a microsecond or less."""
ALL_STEPS: Final = 300_000
"""Of all comparisons with all policies. Two actions on 400 patterns, and 100 policies of 20 patterns that are asked
alone, need a third."""
JOINT_STEPS: Final = 20_000
"""Of comparisons that find out at once what many policies say. Who needs more has them asked one after the other."""

JOINT_TEXTS: Final = 500_000
"""Of wildcards, compared at once with the patterns of one SearchAccess: two tenths of a second. The same holds."""


class OutOfStepsError(Exception):
    """The comparisons took too long."""


class Budget:
    """The steps that are left.

    Args:
        whole: the budget that this one is a part of; None: it is itself the budget for all policies.
        joint: whether it is the smaller one of what is asked at once.
    """

    def __init__(self, whole: "Budget | None" = None, *, joint: bool = False) -> None:
        self._whole = whole
        self._left = STEPS if whole else JOINT_STEPS if joint else ALL_STEPS
        self.spent = 0
        """Steps that were taken."""

    @property
    def is_over(self) -> bool:
        """Whether more steps were taken than there are."""
        return self._left < 0

    def has(self, steps: int) -> bool:
        """Return whether so many steps are left."""
        return steps <= self._left

    def spend(self, steps: int) -> None:
        """Take so many steps.

        Raises:
            OutOfStepsError: so many are not left.
        """
        self._left -= steps
        self.spent += steps
        if self._whole is not None:
            self._whole.spend(steps)
        if self._left < 0:
            raise OutOfStepsError

    def require(self) -> None:
        """Do not begin what cannot be paid any more: each policy would begin one more comparison.

        Raises:
            OutOfStepsError: more steps were taken than there are.
        """
        if self.is_over or (self._whole is not None and self._whole.is_over):
            raise OutOfStepsError
