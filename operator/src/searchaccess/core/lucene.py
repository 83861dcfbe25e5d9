"""Checks index patterns that Elasticsearch would accept although they are wrong.

A role with a broken regular expression is stored without complaint and then breaks its user's other requests (400).
Of Lucene's syntax (https://www.elastic.co/guide/en/elasticsearch/reference/8.19/regexp-syntax.html) we accept what
people know from elsewhere: literals, ``.``, classes, groups, ``|``, ``*``, ``+``, ``?``, ``{n,m}`` and
escapes. Lucene's own operators (``~ & @ # < > "``) are refused unless escaped: by mistake they match more than was meant.
"""

from typing import Final

MAX_REPEAT: Final = 100
MAX_DEPTH: Final = 20
_OPERATORS: Final = frozenset('~&@#<>"')
_FORBIDDEN_IN_NAMES: Final = frozenset('\\/"<>|:# ,')


class PatternError(ValueError):
    """An index pattern that cannot work, with what to write instead."""


class _Regex:
    """A recursive-descent reader of one regular expression; it only checks."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def check(self) -> None:
        self._alternatives(0)
        if self._at < len(self._text):
            raise PatternError(f"unexpected {self._text[self._at]!r} at position {self._at}: escape it with \\")

    def _peek(self) -> str:
        return self._text[self._at] if self._at < len(self._text) else ""

    def _take(self) -> str:
        char = self._peek()
        if not char:
            raise PatternError("it ends too early")
        self._at += 1
        return char

    def _alternatives(self, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise PatternError(f"groups are nested more than {MAX_DEPTH} deep")
        self._sequence(depth)
        while self._peek() == "|":
            self._take()
            self._sequence(depth)

    def _sequence(self, depth: int) -> None:
        parts = 0
        while self._peek() and self._peek() not in "|)":
            self._atom(depth)
            while self._peek() and self._peek() in "*+?{":
                self._repeat()
            parts += 1
        if not parts:
            raise PatternError("there is an empty alternative or group")

    def _atom(self, depth: int) -> None:
        char = self._take()
        if char == "(":
            self._alternatives(depth + 1)
            if self._peek() != ")":
                raise PatternError("a group is not closed with )")
            self._take()
        elif char == "[":
            self._char_class()
        elif char == "\\":
            self._take()
        elif char in _OPERATORS or char in "*+?{}]/":
            raise PatternError(f"{char!r} at position {self._at - 1} has no meaning here: escape it with \\")

    def _char_class(self) -> None:
        if self._peek() == "^":
            self._take()
        members = 0
        while self._peek() != "]":
            first = self._class_char()
            if self._peek() == "-":
                self._take()
                last = self._class_char()
                if last < first:
                    raise PatternError(f"the range {first}-{last} runs backwards")
            members += 1
        self._take()
        if not members:
            raise PatternError("a character class is empty")

    def _class_char(self) -> str:
        char = self._take()
        if char == "[":
            raise PatternError("[ within a character class must be escaped with \\")
        return self._take() if char == "\\" else char

    def _repeat(self) -> None:
        if self._take() != "{":
            return
        body = ""
        while self._peek() != "}":
            body += self._take()
        self._take()
        low, comma, high = body.partition(",")
        if not low.isdecimal() or (high and not high.isdecimal()):
            raise PatternError(f"write a repetition as {{2}}, {{2,}} or {{2,5}}, not {{{body}}}")
        if int(high or low) > MAX_REPEAT or (comma and high and int(high) < int(low)):
            raise PatternError(f"the repetition {{{body}}} is out of range (0 to {MAX_REPEAT}, ascending)")


def check_index_pattern(pattern: str) -> None:
    """Check an index name, wildcard or ``/regular expression/``.

    Raises:
        PatternError: it cannot match any index, or would be understood in another way than it was meant.
    """
    if pattern.startswith("/"):
        if len(pattern) < 3 or not pattern.endswith("/"):  # noqa: PLR2004 - two slashes and something between
            raise PatternError("a regular expression stands between two slashes, such as /orders-[0-9]+/")
        _Regex(pattern[1:-1]).check()
        return
    bad = sorted(_FORBIDDEN_IN_NAMES.intersection(pattern))
    if bad:
        raise PatternError(f"an index name cannot contain {' '.join(map(repr, bad))}")
    if not pattern or pattern.strip() != pattern or any(ord(char) < ord(" ") for char in pattern):
        raise PatternError("an index name cannot be empty or contain white space")
    if pattern != pattern.lower():
        raise PatternError("index names are lower case")
    if pattern[0] in "-_+":
        raise PatternError("an index name cannot start with - _ or +")
    if pattern in {".", ".."}:
        raise PatternError("an index cannot be named . or ..")
