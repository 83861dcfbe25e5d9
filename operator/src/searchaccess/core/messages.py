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


def number_of(number: int, noun: str) -> str:
    """Return a number with a noun in the singular or plural, such as ``1 row`` or ``2,000 rows``.

    Args:
        number: of what there is.
        noun: in the singular; an ``s`` or ``es`` makes it a plural.
    """
    ending = "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{'' if number == 1 else ending}"
