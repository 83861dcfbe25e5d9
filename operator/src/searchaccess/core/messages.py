"""Parts of messages for people."""

from collections.abc import Sequence
from typing import Final

_SHOWN: Final = 3


def some_of(names: Sequence[str], most: int = _SHOWN) -> str:
    """Return a list of names for a message, of which there may be thousands.

    Args:
        names: all of them.
        most: how many are named; the rest is only counted.
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
