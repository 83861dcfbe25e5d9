"""Names and wildcards as Elasticsearch's security settings have them."""

from functools import lru_cache
from typing import Final

SPECIAL: Final = frozenset("*?\\")
"""Characters of a wildcard that do not represent themselves."""
_KEPT: Final = 1 << 12
"""Patterns."""


def is_name(pattern: str) -> bool:
    """Return whether a pattern is a name: neither a wildcard nor a ``/regular expression/``."""
    return not pattern.startswith("/") and SPECIAL.isdisjoint(pattern)


def is_prefix(pattern: str) -> bool:
    """Return whether a pattern is a literal prefix and a star: it matches whatever begins with the prefix."""
    return pattern.endswith("*") and is_name(pattern[:-1])


def without_runs(pattern: str) -> str:
    """Return a pattern with one star for several in a row: it matches the same names.

    Elasticsearch reads ``**`` as nothing, if an entry of a role has other wildcards too (docs/adr/0048).
    """
    if pattern.startswith("/") or "\\" in pattern:
        return pattern
    while "**" in pattern:
        pattern = pattern.replace("**", "*")
    return pattern


def is_starred(pattern: str) -> bool:
    """Return whether a pattern has no other operator than stars, and nobody reads it differently."""
    return pattern.isascii() and not (pattern.startswith("/") or "?" in pattern or "\\" in pattern)


def matches(pattern: str, text: str) -> bool:
    """Return whether a wildcard matches a whole text, in linear time.

    Args:
        pattern: of Lucene, with ``*``, ``?``, and a backslash before a literal character.
        text: what it may match.
    """
    pieces = _between_stars(pattern)
    if pieces is None:
        return _walked(pattern, text)
    if len(pieces) == 1:
        return text == pattern
    first, *middle, last = pieces
    at, end = len(first), len(text) - len(last)
    if at > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for piece in middle:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


@lru_cache(_KEPT)
def _between_stars(pattern: str) -> tuple[str, ...] | None:
    """Return the texts between the stars of a pattern; None: it has other operators."""
    return None if "?" in pattern or "\\" in pattern else tuple(pattern.split("*"))


def _walked(pattern: str, text: str) -> bool:
    tokens = _tokens(pattern)
    at = place = 0
    star, mark = -1, 0
    while place < len(text):
        if at < len(tokens) and tokens[at] in {"?", f"={text[place]}"}:
            at, place = at + 1, place + 1
        elif at < len(tokens) and tokens[at] == "*":
            star, mark, at = at, place, at + 1
        elif star >= 0:
            mark += 1
            at, place = star + 1, mark
        else:
            return False
    return all(part == "*" for part in tokens[at:])


def _tokens(pattern: str) -> list[str]:
    tokens, escaped = [], False
    for character in pattern:
        if escaped or character not in SPECIAL:
            tokens.append(f"={character}")
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            tokens.append(character)
    return tokens
