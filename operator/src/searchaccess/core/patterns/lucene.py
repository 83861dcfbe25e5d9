r"""Reads the regular expressions that Elasticsearch accepts for index names: Lucene's, with all its operators.

The grammar is that of ``org.apache.lucene.util.automaton.RegExp`` with the flags ``ALL | DEPRECATED_COMPLEMENT``, as
Lucene 9.12 (Elasticsearch 8.19) and Lucene 10 (Elasticsearch 9.1) have it, from what binds least to what binds most::

    alternatives   a|b
    intersection   a&b                       what both match
    sequence       ab
    repetition     a? a* a+ a{2} a{2,} a{2,5}
    complement     ~a                        every other name
    class          [a-z_] [^a-z_]
    simple         . @ # "text" (a) () <1-12> \d \D \s \S \w \W \c c

``@`` is any string, ``#`` matches nothing, ``<1-12>`` are numbers. There are no anchors: an expression matches whole
names. What Lucene cannot read, or reads in another way from one release to the other, is an error. What it reads in
another way than people mean who know regular expressions from elsewhere is read as Lucene does, with a caveat.
"""

from typing import Final, TypeAlias

from searchaccess.core.patterns.expressions import (
    ANY_CHAR,
    ANY_STRING,
    EMPTY,
    NOTHING,
    Chars,
    Expression,
    char,
    chars,
    decimals,
    literal,
    negated,
)
from searchaccess.core.patterns.written import (
    Written,
    alternatives,
    complement,
    intersection,
    repetition,
    sequence,
    size,
)

MAX_REPEAT: Final = 100
MAX_DEPTH: Final = 20
MAX_SIZE: Final = 1_000
"""Longest expression when its repetitions are written out; Elasticsearch gives up on some of twice the length."""
_MAX_NUMBER: Final = 2**31 - 1
_DIGITS: Final = frozenset("0123456789")


class PatternError(ValueError):
    """An index pattern that cannot work, with what to write instead."""


_Classes: TypeAlias = dict[str, Chars]


def _classes() -> _Classes:
    r"""Return the characters of ``\d`` and the like."""
    known = {
        "d": chars([(ord("0"), ord("9"))]),
        "s": chars((ord(space), ord(space)) for space in " \t\n\r"),
        "w": chars([(ord("a"), ord("z")), (ord("A"), ord("Z")), (ord("_"), ord("_")), (ord("0"), ord("9"))]),
    }
    return known | {name.upper(): negated(those) for name, those in known.items()}


_CLASSES: Final = _classes()


def parse_expression(text: str) -> tuple[Written, str]:
    """Read one regular expression, without the slashes around it.

    Returns:
        The expression, and in which way it differs from what it may seem to mean; empty: in none.

    Raises:
        PatternError: Lucene cannot read it, reads it in two ways, or it is beyond the limits above.
    """
    if not text:
        return EMPTY, ""
    reader = _Reader(text)
    return reader.read(), reader.caveat


class _Reader:
    """A recursive-descent reader of one regular expression; it recurses at groups only."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.caveat = ""

    def read(self) -> Written:
        """Read all of it."""
        expression = self._alternatives(0)
        if self._at < len(self._text):
            raise self._error(f"{self._where(self._text[self._at], self._at)} closes no group: escape it with \\")
        return expression

    def _error(self, message: str) -> PatternError:
        """Return an error; an earlier warning explains it better."""
        return PatternError(self.caveat or message)

    def _warn(self, message: str) -> None:
        self.caveat = self.caveat or message

    @staticmethod
    def _where(what: str, at: int) -> str:
        """Name a character by its place in the pattern: the first is the slash."""
        return f"{what!r} (character {at + 2})"

    def _sees(self, these: str) -> bool:
        return self._at < len(self._text) and self._text[self._at] in these

    def _skip(self, one: str) -> bool:
        """Read this character if it is the next."""
        if self._sees(one):
            self._at += 1
            return True
        return False

    def _take(self) -> str:
        if self._at == len(self._text):
            raise self._error("it ends too early")
        self._at += 1
        return self._text[self._at - 1]

    def _until(self, end: str) -> str:
        """Read up to this character; return what is before it."""
        body, found, _ = self._text[self._at :].partition(end)
        if not found:
            raise self._error(f"it ends too early: there is no {end!r}")
        self._at += len(body) + 1
        return body

    def _alternatives(self, depth: int) -> Written:
        if depth > MAX_DEPTH:
            raise self._error(f"groups are nested more than {MAX_DEPTH} deep")
        options = [self._intersection(depth)]
        while self._skip("|"):
            options.append(self._intersection(depth))
        return alternatives(options)

    def _intersection(self, depth: int) -> Written:
        members = [self._sequence(depth)]
        while self._skip("&"):
            members.append(self._sequence(depth))
        return intersection(members)

    def _sequence(self, depth: int) -> Written:
        start, strings = self._at, 0
        if start == len(self._text):
            raise self._error("it ends with an empty alternative or group: write () for nothing")
        parts: list[Written] = []
        while not parts or (self._at < len(self._text) and not self._sees(")|&")):
            strings += self._sees("@")
            parts.append(self._repetition(depth))
        if strings and self._at - start > 1:
            self._warn("'@' is any string: write .* for that, or \\@ for the character")
        return sequence(parts)

    def _repetition(self, depth: int) -> Written:
        is_complement = self._sees("~")
        expression = self._complement(depth)
        repetitions = 0
        while self._sees("*+?{"):
            low, high = self._times()
            expression = repetition(expression, low, high)
            if size(expression) > MAX_SIZE:
                raise self._error(f"its repetitions multiply to more than {MAX_SIZE} characters")
            repetitions += 1
        if repetitions > 1:
            self._warn("two repetitions follow each other: keep one, or enclose the first in a group")
        if repetitions and is_complement:
            self._warn("'~' binds more than a repetition: enclose what is repeated in a group")
        return expression

    def _times(self) -> tuple[int, int | None]:
        sign = self._take()
        if sign != "{":
            return {"?": (0, 1), "*": (0, None), "+": (1, None)}[sign]
        body = self._until("}")
        low, comma, high = body.partition(",")
        if not low or not _DIGITS.issuperset(low + high):
            raise self._error(f"write a repetition as {{2}}, {{2,}} or {{2,5}}, not {{{body}}}")
        bound = high or low
        if max(len(low), len(bound)) > len(str(MAX_REPEAT)) or not int(low) <= int(bound) <= MAX_REPEAT:
            raise self._error(f"the repetition {{{body}}} is out of range (0 to {MAX_REPEAT}, ascending)")
        return int(low), int(bound) if high or not comma else None

    def _complement(self, depth: int) -> Written:
        inverse = False
        start = self._at
        while self._skip("~"):
            inverse = not inverse
        if self._at > start and not (self._at == start + 1 and self._sees("(")):
            self._warn("'~' is every name but those of what stands next to it: write ~(...), or \\~ for the character")
        inner = self._class() if self._skip("[") else self._simple(depth)
        return complement(inner) if inverse else inner

    def _simple(self, depth: int) -> Written:  # noqa: PLR0911 - reads as the grammar
        at = self._at
        match self._take():
            case ".":
                return ANY_CHAR
            case "@":
                return ANY_STRING
            case "#":
                self._warn("'#' matches nothing: no index has it in its name")
                return NOTHING
            case '"':
                return literal(self._until('"'))
            case "<":
                return self._interval()
            case "(":
                return self._group(depth)
            case "\\":
                return self._escaped()
            case one:
                self._plain(one, at)
                return char(one)

    def _plain(self, one: str, at: int) -> None:
        """Check a character that Lucene takes literally."""
        if one in "^$":
            self._warn(f"{one} is not an anchor here: an expression matches the whole name, leave it out")
        elif one in "|)&":
            self._warn(f"there is an empty alternative or group before {self._where(one, at)}: write () for nothing")
        elif one in "*+?{}]>/":
            self._warn(f"{self._where(one, at)} has no meaning here: escape it with \\")

    def _group(self, depth: int) -> Written:
        if self._skip(")"):
            return EMPTY
        inner = self._alternatives(depth + 1)
        if not self._skip(")"):
            raise self._error("a group is not closed with )")
        return inner

    def _interval(self) -> Expression:
        body = self._until(">")
        low, dash, high = body.partition("-")
        if not (low and high and dash and _DIGITS.issuperset(low + high)):
            raise self._error(f"write numbers as <1-12>, not <{body}>, or \\< for the character")
        digits = max(len(low), len(high))
        if digits > len(str(_MAX_NUMBER)) or max(int(low), int(high)) > _MAX_NUMBER:
            raise self._error(f"a number in <{body}> is above {_MAX_NUMBER}")
        first, last = sorted((int(low), int(high)))
        return decimals(first, last, digits if len(low) == len(high) else 0)

    def _escaped(self) -> Chars:
        """Read what follows a backslash."""
        one = self._take()
        if one in _CLASSES:
            return _CLASSES[one]
        if one.isascii() and one.isalpha():
            raise self._error(f"\\{one} has no meaning here: leave the backslash out")
        if one.isalnum():
            self._warn(f"\\{one} is not a back reference here, but the character: leave the backslash out")
        return char(one)

    def _class(self) -> Chars:
        is_negated = self._skip("^")
        if self._sees("]"):
            self._warn("a character class is empty")
        members = list(self._member())
        while not self._skip("]"):
            members.extend(self._member())
        return negated(chars(members)) if is_negated else chars(members)

    def _member(self) -> tuple[tuple[int, int], ...]:
        """Read a character, a range or an escape of a character class."""
        first = self._take()
        if first == "[":
            self._warn("[ within a character class must be escaped with \\")
        if first == "\\":
            escaped = self._escaped()
            if self._sees("-") and not self._text.startswith("-]", self._at):
                raise self._error("a range begins with an escape, which is read in several ways: escape the dash too")
            return escaped.ranges
        if not self._skip("-"):
            return ((ord(first), ord(first)),)
        if self._sees("]"):
            self._warn("a dash at the end of a character class must be escaped with \\")
        last = self._take()
        if last == "\\":
            last = self._take()
            if last.isalnum():
                self._warn(f"the range {first}-\\{last} ends with the character {last}: leave the backslash out")
        if last < first:
            raise self._error(f"the range {first}-{last} does not run from a character to a later one")
        return ((ord(first), ord(last)),)
