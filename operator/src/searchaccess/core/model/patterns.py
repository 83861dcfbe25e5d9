"""Checks index patterns that Elasticsearch would accept although they are wrong.

A role with a broken regular expression is stored without complaint and then breaks its user's other requests (400).
Of Lucene's syntax (https://www.elastic.co/guide/en/elasticsearch/reference/8.19/regexp-syntax.html) we accept what
people know from elsewhere: literals, ``.``, classes, groups, ``|``, ``*``, ``+``, ``?``, ``{n,m}`` and
escapes. Lucene's own operators (``~ & @ # < > "``) are refused unless escaped: they match more than was meant.
"""

from typing import Final

MAX_REPEAT: Final = 100
MAX_DEPTH: Final = 20
MAX_SIZE: Final = 10_000
"""Longest expression when its repetitions are written out; Elasticsearch gives up on much longer ones."""
_OPERATORS: Final = frozenset('~&@#<>"')
_ANCHORS: Final = frozenset("^$")
_CLASSES: Final = frozenset("dDsSwW")
"""``\\d`` and the like, as Lucene 9 has them."""
_FORBIDDEN_IN_NAMES: Final = frozenset('\\/"<>|:# ,')


class PatternError(ValueError):
    """An index pattern that cannot work, with what to write instead."""


class _Regex:
    """A recursive-descent reader of one regular expression; it only checks."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def check(self) -> None:
        if self._alternatives(0) > MAX_SIZE:
            raise PatternError(f"its repetitions multiply to more than {MAX_SIZE} characters")
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

    def _alternatives(self, depth: int) -> int:
        """Read alternatives; give their size when repetitions are written out, as all the readers below."""
        if depth > MAX_DEPTH:
            raise PatternError(f"groups are nested more than {MAX_DEPTH} deep")
        size = self._sequence(depth)
        while self._peek() == "|":
            self._take()
            size += self._sequence(depth)
        return size

    def _sequence(self, depth: int) -> int:
        size, parts = 0, 0
        while self._peek() and self._peek() not in "|)":
            size += self._atom(depth) * self._repeat()
            parts += 1
        if not parts:
            raise PatternError("there is an empty alternative or group")
        return size

    def _atom(self, depth: int) -> int:
        char = self._take()
        if char == "(":
            size = self._alternatives(depth + 1)
            if self._peek() != ")":
                raise PatternError("a group is not closed with )")
            self._take()
            return size
        if char == "[":
            self._char_class()
        elif char == "\\":
            self._escaped()
        elif char in _ANCHORS:
            raise PatternError(f"{char} is no anchor here: an expression matches the whole name, leave it out")
        elif char in _OPERATORS or char in "*+?{}]/":
            raise PatternError(f"{char!r} at position {self._at - 1} has no meaning here: escape it with \\")
        return 1

    def _escaped(self) -> str:
        """Read what follows a backslash; give the character that it stands for, or nothing when it is a class."""
        char = self._take()
        if char in _CLASSES:
            return ""
        if char.isalnum():
            raise PatternError(f"\\{char} has no meaning here: leave the backslash out")
        return char

    def _char_class(self) -> None:
        if self._peek() == "^":
            self._take()
        members = 0
        while self._peek() != "]":
            first = self._class_char()
            if self._peek() == "-":
                self._take()
                if self._peek() == "]":
                    raise PatternError("a dash at the end of a character class must be escaped with \\")
                last = self._class_char()
                if not first or not last or last < first:
                    raise PatternError(f"the range {first}-{last} does not run from a character to a later one")
            members += 1
        self._take()
        if not members:
            raise PatternError("a character class is empty")

    def _class_char(self) -> str:
        char = self._take()
        if char == "[":
            raise PatternError("[ within a character class must be escaped with \\")
        return self._escaped() if char == "\\" else char

    def _repeat(self) -> int:
        """Read a repetition, if there is one; give how often it repeats what stands before."""
        if not self._peek() or self._peek() not in "*+?{":
            return 1
        times = self._times() if self._take() == "{" else 1
        if self._peek() and self._peek() in "*+?{":
            raise PatternError("two repetitions follow each other: keep one, or put a group around the first")
        return times

    def _times(self) -> int:
        body = ""
        while self._peek() != "}":
            body += self._take()
        self._take()
        low, comma, high = body.partition(",")
        if not body.isascii() or not low.isdecimal() or (high and not high.isdecimal()):
            raise PatternError(f"write a repetition as {{2}}, {{2,}} or {{2,5}}, not {{{body}}}")
        if max(int(low), int(high or low)) > MAX_REPEAT or (comma and high and int(high) < int(low)):
            raise PatternError(f"the repetition {{{body}}} is out of range (0 to {MAX_REPEAT}, ascending)")
        return int(high or low)


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
    if not pattern or pattern.strip() != pattern or any(char.isspace() or not char.isprintable() for char in pattern):
        raise PatternError("an index name cannot be empty or contain white space")
    if pattern != pattern.lower():
        raise PatternError("index names are lower case")
    if pattern[0] in "-_+":
        raise PatternError("an index name cannot start with - _ or +")
    if pattern in {".", ".."}:
        raise PatternError("an index cannot be named . or ..")
