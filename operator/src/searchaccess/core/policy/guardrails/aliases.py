"""What is behind the aliases and data streams of a cluster: grants on their names reach it.

Data streams count with the indices that were added to them by hand; their own backing indices follow from their names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from searchaccess.core.patterns.meeting import BACKING, SUFFIX
from searchaccess.core.patterns.wildcards import without_runs
from searchaccess.core.policy.presence import matching

_PAIRS_KEPT: Final = 100_000
"""Patterns of grants with denied ones."""
_NAMES_OF_A_STEP: Final = 20
"""Names that are compared with a pattern without a literal beginning, in one step of a budget."""


@dataclass(frozen=True, slots=True)
class IndexNames:
    """The names of a cluster's indices, aliases and data streams that a login may see.

    Args:
        names: all of them, in order.
        behind: of aliases and data streams by name, the indices that they lead to.
    """

    names: tuple[str, ...] = ()
    behind: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Led:
    """A name that leads to an index."""

    name: str
    index: str


class Aliases:
    """What was found out about the aliases and data streams of one cluster.

    Args:
        found: the names; None: the login may not read them.
        seen: patterns of grants of which the login may see the indices; None: of all.
    """

    def __init__(self, found: IndexNames | None, seen: Iterable[str] | None = None) -> None:
        self._seen = frozenset(seen) if seen is not None else None
        self._readable = found is not None
        self._behind = dict(found.behind) if found else {}
        self._names = tuple(sorted(self._behind))
        self._targets: dict[str, Mapping[str, Led]] = {}
        self._sorted: dict[str, tuple[str, ...]] = {}
        self._denied: dict[tuple[str, str], Led | None] = {}

    def is_hidden(self, pattern: str) -> bool:
        """Return whether it cannot be told where aliases lead that a pattern of a grant matches."""
        return not self._readable or (self._seen is not None and without_runs(pattern) not in self._seen)

    def leads(self, pattern: str) -> bool:
        """Return whether an alias or data stream that a pattern matches leads to an index of another name."""
        return bool(self._led(pattern))

    def cost(self, pattern: str) -> int:
        """Return how many steps a comparison of what a pattern leads to takes."""
        return 1 + len(self._led(pattern)) // _NAMES_OF_A_STEP

    def says(self, patterns: Iterable[str]) -> list[tuple[bool, Mapping[str, Led]]]:
        """Return what is known about patterns of grants, to be compared with what was known before."""
        return [(self.is_hidden(pattern), self._led(pattern)) for pattern in patterns]

    def led_into(self, pattern: str, denied: str) -> Led | None:
        """Return by which name a pattern of a grant leads to an index that a denied one matches; None: by none."""
        key = pattern, denied
        if key not in self._denied:
            led = self._led(pattern)
            if len(self._denied) >= _PAIRS_KEPT:
                self._denied.clear()
            found = matching(denied, self._sorted[pattern]) if led else []
            self._denied[key] = led[found[0]] if found else None
        return self._denied[key]

    def _led(self, pattern: str) -> Mapping[str, Led]:
        """Return by name of an index, or of a data stream that has it, what leads to it."""
        if pattern not in self._targets:
            led = dict[str, Led]()
            for name in matching(pattern, self._names):
                for index in self._behind[name]:
                    for each in filter(None, (index, stream_of(index))):
                        if each != name:
                            led.setdefault(each, Led(name, index))
            self._targets[pattern], self._sorted[pattern] = led, tuple(sorted(led))
        return self._targets[pattern]


def stream_of(index: str) -> str:
    """Return the data stream that an index backs, by its name; empty: none."""
    found = next((index.removeprefix(prefix) for prefix in BACKING if index.startswith(prefix)), "")
    stream, suffix = found[: -len(SUFFIX)], found[-len(SUFFIX) :]
    shape = "".join("0" if each.isdecimal() else each for each in suffix)
    return stream if shape == SUFFIX else ""


def is_own(index: str, stream: str) -> bool:
    """Return whether an index is a backing index of a data stream, or was made of one, by its name."""
    return any(f"{prefix}{stream}-" in index for prefix in BACKING)
