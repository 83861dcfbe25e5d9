"""Checks the depth, size and length of values that others wrote, without recursion, before anything else reads them.

Python's JSON, hashing and comparing are recursive. They raise ``RecursionError`` at a depth that depends on the caller.
Numbers of more than 4,300 digits raise ``ValueError`` when they become text. A value that passes here does neither.
"""

from collections.abc import Iterable, Mapping
from itertools import chain
from math import isfinite
from typing import Any, Final

DIGITS: Final = 40
"""Digits of a whole number: more than any counter, version or time has."""
MOST_TEXT: Final = 3_000_000
"""Characters of all texts: the API server accepts no request of more than 3 MB."""
NESTED: Final = "nested more than"
"""Prefix of the message about too many levels."""


def excess(
    value: Any, *, depth: int, nodes: int, digits: int = DIGITS, text: int = MOST_TEXT, lists: bool = True
) -> str:
    """Return how a JSON value exceeds the bounds; empty: it does not.

    Args:
        value: what ``json.loads`` or a YAML reader gives.
        depth: levels of nested objects and lists.
        nodes: values of any kind, keys of objects too.
        digits: of a whole number.
        text: characters of all texts and keys together.
        lists: whether lists count as levels.
    """
    seen, length = 0, 0
    todo: list[tuple[Any, int]] = [(value, 1)]
    while todo:
        item, level = todo.pop()
        seen += 1
        if type(item) is str and item.isascii():
            # Most values are.
            length += len(item)
            if length > text:
                return f"texts of more than {text} characters"
            continue
        inner = _inner(item)
        if inner is None:
            if wrong := _wrong(item, digits):
                return wrong
            length += len(item) if isinstance(item, str) else 0
        elif level > depth and (lists or isinstance(item, Mapping)):
            return f"{NESTED} {depth} levels deep"
        else:
            below = level + (lists or isinstance(item, Mapping))
            todo.extend((one, below) for one in inner)
        if seen + len(todo) > nodes:
            return f"more than {nodes} values"
        if length > text:
            return f"texts of more than {text} characters"
    return ""


def _inner(item: Any) -> Iterable[Any] | None:
    """Return what is in an object (its keys too) or a list; None: it is neither."""
    if type(item) is dict or isinstance(item, Mapping):
        return chain(item, item.values())
    return item if isinstance(item, list | tuple) else None


def _wrong(leaf: Any, digits: int) -> str:
    if isinstance(leaf, str):
        return "" if _is_text(leaf) else "a text with half a character (a lone surrogate)"
    if isinstance(leaf, int):
        return "" if abs(leaf) < 10**digits else f"a number of more than {digits} digits"
    if isinstance(leaf, float):
        return "" if isfinite(leaf) else "a number that is not finite"
    return "" if leaf is None else f"a value that JSON does not have ({type(leaf).__name__})"


def _is_text(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
