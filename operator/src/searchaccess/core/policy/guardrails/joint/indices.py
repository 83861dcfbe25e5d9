"""Patterns of many policies, by what they begin with: each set of policies is a number with a bit for each of them."""

from bisect import bisect_right, insort
from collections import defaultdict
from typing import Final

from searchaccess.api.vocabulary.actions import Action
from searchaccess.core.patterns.containment import COVERS_IN_A_STEP, covers
from searchaccess.core.patterns.marks import is_mark
from searchaccess.core.patterns.meeting import Prefixes, can_meet, expression_of, plain_prefix_of, prefix_of
from searchaccess.core.patterns.wildcards import is_prefix, is_starred
from searchaccess.core.policy.guardrails.aliases import Aliases
from searchaccess.core.policy.guardrails.rules.grants import INCLUDES, raw
from searchaccess.core.work import Work

_STEPS: Final = 2_000
"""Of one pattern with all that is denied."""
_TEXTS: Final = 20_000
"""Of wildcards, compared with one pattern: some ten milliseconds. Policies that have more are asked alone."""
_AT_ONCE: Final = 300
"""Texts of wildcards that are compared with a pattern before others may run."""

Actions = frozenset[Action] | None
"""Actions that are denied; None: all."""


class Asking:
    """What a grant asks for on its indices.

    Args:
        actions: the declared actions.
        privileges: Elasticsearch's own names.
    """

    def __init__(self, actions: tuple[Action, ...], privileges: tuple[str, ...]) -> None:
        self.names = (*map(str, actions), *map(raw, privileges))
        """As ``Bounds`` has them."""
        self._privileges = bool(privileges)
        self._actions = frozenset(each for action in actions for each in (action, *INCLUDES.get(action, ())))

    def is_denied(self, actions: Actions) -> bool:
        """Return whether any of it is denied where these actions are."""
        return self._privileges or (bool(self._actions) if actions is None else not actions.isdisjoint(self._actions))


class Pattern:
    """A pattern of a grant.

    Args:
        text: as it is written.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        plain = plain_prefix_of(text)
        is_readable = plain is not None or expression_of(text) is not None
        self.begin = plain if plain is not None else (prefix_of(text) if is_readable else None)
        """What all its names begin with; None: it cannot be read."""


class Allowed:
    """Patterns on which policies allow something."""

    def __init__(self) -> None:
        self._same: defaultdict[str, int] = defaultdict(int)
        self._begins: defaultdict[str, int] = defaultdict(int)
        self._starred: defaultdict[str, dict[str, int]] = defaultdict(dict)
        """By what they begin with."""
        self._lengths: tuple[int, ...] = ()
        """Of all beginnings."""
        self._by_prefix = dict[str, int]()
        self._prefixes: list[str] = []
        """Of the names of all patterns, sorted."""

    def add(self, pattern: str, policies: int) -> None:
        """Add what policies allow."""
        begin = pattern.partition("*")[0]
        self._same[pattern] |= policies
        if (prefix := prefix_of(pattern)) not in self._by_prefix:
            insort(self._prefixes, prefix)
        self._by_prefix[prefix] = self._by_prefix.get(prefix, 0) | policies
        if is_prefix(pattern):
            self._begins[begin] |= policies
        elif "*" in pattern and is_starred(pattern):
            self._starred[begin][pattern] = self._starred[begin].get(pattern, 0) | policies
        else:
            return
        if len(begin) not in self._lengths:
            self._lengths = tuple(sorted({*self._lengths, len(begin)}))

    def near(self, begin: str) -> int:
        """Return which policies allow any name that begins as some do: those of others begin differently."""
        found, prefixes = 0, self._by_prefix
        for end in range(len(begin) + 1):
            if (prefix := begin[:end]) in prefixes:
                found |= prefixes[prefix]
        for at in range(bisect_right(self._prefixes, begin), len(self._prefixes)):
            prefix = self._prefixes[at]
            if not prefix.startswith(begin):
                break
            found |= self._by_prefix[prefix]
        return found

    def certain(self, pattern: Pattern) -> int:
        """Return which policies certainly allow all that a pattern matches, by its text or by its beginning.

        As ``measured`` finds out in one step.
        """
        found = self._same.get(pattern.text, 0) | self._same.get("*", 0)
        for begin in self._begins_of(pattern):
            found |= self._begins.get(begin, 0)
        return found

    def covering(self, pattern: Pattern, policies: int) -> Work[tuple[int, int]]:
        """Find out which of some policies certainly allow all that a pattern matches, by the text of a wildcard.

        As ``measured`` finds out in one step.

        Returns:
            The policies, and how many texts were compared: of too many, the others are left out.
        """
        found = compared = 0
        for begin in self._begins_of(pattern) if policies else ():
            for wide, allowing in self._starred.get(begin, {}).items():
                if not allowing & policies & ~found:
                    continue
                if compared >= _TEXTS:
                    return found, compared
                compared += 1
                if compared % _AT_ONCE == 0:
                    yield _AT_ONCE // COVERS_IN_A_STEP
                if covers(wide, pattern.text):
                    found |= allowing
                    if not policies & ~found:
                        return found, compared
        return found, compared

    def _begins_of(self, pattern: Pattern) -> list[str]:
        begin = pattern.begin
        return [begin[:length] for length in self._lengths if length <= len(begin)] if begin is not None else []


class Denied:
    """Patterns on which policies deny something."""

    def __init__(self) -> None:
        self._prefixes = Prefixes()
        self._known: dict[str, dict[Actions, int]] = {}

    @property
    def number(self) -> int:
        """How many patterns there are."""
        return len(self._known)

    def add(self, pattern: str, actions: Actions, policies: int) -> None:
        """Add what policies deny."""
        if pattern not in self._known:
            self._known[pattern] = {}
            if not is_mark(pattern):
                self._prefixes.add(pattern)
        known = self._known[pattern]
        known[actions] = known.get(actions, 0) | policies

    def met(self, pattern: str, asked: Asking, policies: int) -> tuple[int, int]:
        """Return which of some policies deny an index that a pattern may match, and in how many steps.

        Where it takes many, all that were not compared yet.
        """
        found = steps = 0
        for other in self._prefixes.near(pattern) if self._known else ():
            if concerned := self._concerned(other, asked) & policies & ~found:
                if steps > _STEPS:
                    found |= concerned
                    continue
                answer = can_meet(pattern, other)
                steps += answer.steps
                found |= concerned if answer.yes else 0
        return found, steps

    def led_into(self, pattern: str, asked: Asking, policies: int, aliases: Aliases) -> int:
        """Return which of some policies deny an index that an alias leads to which a pattern matches."""
        found = 0
        for other in self._known:
            concerned = self._concerned(other, asked) & policies & ~found
            if concerned and aliases.led_into(pattern, other):
                found |= concerned
        return found

    def _concerned(self, pattern: str, asked: Asking) -> int:
        found = 0
        for actions, policies in self._known[pattern].items():
            if asked.is_denied(actions):
                found |= policies
        return found


class Indices:
    """What policies allow and deny, of one namespace or of each."""

    def __init__(self) -> None:
        self.allowed: Final = defaultdict[str, Allowed](Allowed)
        """By action or raw privilege."""
        self.denied: Final = Denied()

    def allowing(self, name: str, pattern: Pattern, policies: int) -> Work[tuple[int, int]]:
        """Find out which of some policies certainly allow something on all that a pattern matches; see ``covering``."""
        if (allowed := self.allowed.get(name)) is None:
            return 0, 0
        found = allowed.certain(pattern)
        covering, compared = yield from allowed.covering(pattern, policies & ~found)
        return found | covering, compared

    def near(self, name: str, begin: str) -> int:
        """Return which policies may allow something on names that begin as some do."""
        return self.allowed[name].near(begin) if name in self.allowed else 0
