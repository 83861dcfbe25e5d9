"""The documentation of a reason of a condition."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Who(StrEnum):
    """Who has to act on a reason."""

    NOBODY = "nobody"
    TEAM = "the team that owns the SearchAccess"
    PLATFORM = "the platform team"
    SECURITY = "the security team"


@dataclass(frozen=True, slots=True)
class ReasonDoc:
    """What a reason means, what to do next and who acts."""

    meaning: str
    next_step: str
    who: Who
    terminal: bool = False
    """True: retrying does not help, a person must act (shown as ``Stalled``)."""
    intended: bool = False
    """True: it is declared so, and nothing is in progress (neither ``Stalled`` nor ``Reconciling``)."""


NOTHING: Final = "Nothing to do."
"""The next step where nobody has to act."""
