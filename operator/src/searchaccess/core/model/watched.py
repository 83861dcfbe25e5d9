"""Which namespaces are watched: of all others, it is not known what SearchAccesses there are (docs/adr/0045)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Watched:
    """The namespaces whose SearchAccesses are known."""

    namespaces: frozenset[str] | None = None
    """None: all."""
    unreadable: frozenset[str] = frozenset()
    """Of these, those that could not be listed."""

    def sees(self, namespace: str) -> bool:
        """Return whether a SearchAccess of a namespace that is not known does not exist."""
        if namespace in self.unreadable:
            return False
        return self.namespaces is None or namespace in self.namespaces

    @property
    def readable(self) -> list[str] | None:
        """The namespaces that could be listed; None: all."""
        return None if self.namespaces is None else sorted(self.namespaces - self.unreadable)

    def without(self, unreadable: Iterable[str]) -> "Watched":
        """Return the same with other namespaces that could not be listed."""
        return replace(self, unreadable=frozenset(unreadable))


EVERYWHERE: Final = Watched()
