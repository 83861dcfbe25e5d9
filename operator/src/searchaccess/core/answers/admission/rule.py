"""One rule of a SearchAccessPolicy in CEL."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Args:
        holds: returns the expression, given the variable that has the SearchAccess.
        message: what to write instead.
    """

    holds: Callable[[str], str]
    message: str
