"""Events to write."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """An event to write."""

    warning: bool
    reason: str
    message: str
