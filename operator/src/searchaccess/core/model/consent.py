"""Whether a SearchAccess has the approvals that policies require."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ConsentState(StrEnum):
    """Whether rights may be granted."""

    NOT_NEEDED = "NotNeeded"
    APPROVED = "Approved"
    BREAK_GLASS = "BreakGlass"
    """An approval is missing, and a policy lets it be bypassed."""
    MISSING = "Missing"
    UNKNOWN = "Unknown"
    """It cannot be decided yet."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What all policies together say of approvals.

    Args:
        state: whether rights may be granted.
        ends: when they end, in seconds since the epoch; None: they do not end, or are not granted.
        message: why they are not granted, or who has bypassed the approval and why.
        premature: uids of approvals of a generation that did not exist when they were seen: they never count.
    """

    state: ConsentState
    ends: int | None = None
    message: str = ""
    premature: tuple[str, ...] = ()


NOT_NEEDED: Final = Consent(ConsentState.NOT_NEEDED)
