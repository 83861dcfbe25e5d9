"""Which indices the operator's login may see, and which exist. Both are optional for it."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from searchaccess.core.policy.guardrails.aliases import IndexNames
from searchaccess.engine.state import Session
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import ExternalError, Rejected, Unexpected

CHECK_EVERY: Final = 600.0
"""Seconds after which the login's visibility is read again."""
NAMES_EVERY: Final = 60.0
"""Minimum of seconds between two reads of all names."""
_EVERYTHING: Final = "*"
_MOST: Final = 1_000
"""Patterns in one request."""


class Seen(NamedTuple):
    """What the login sees."""

    names: IndexNames | None
    """None: it may not read names."""
    patterns: frozenset[str] | None
    """Of which patterns it sees the indices; None: of all."""

    def leads_as(self, other: "Seen") -> bool:
        """Return whether aliases lead to the same as in another answer."""
        behind = [names.behind if names else None for names in (self.names, other.names)]
        return behind[0] == behind[1] and self.patterns == other.patterns


class Visibility:
    """Caches what was read.

    Args:
        clock: gives the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Forget everything: this is another cluster."""
        self._hidden: dict[str, bool] = {}
        self._all_visible = False
        self._checked_at = float("-inf")
        self._names: IndexNames | None = None
        self._trouble: ExternalError | None = None
        self._read_at = float("-inf")

    def hidden_of(self, patterns: Iterable[str]) -> list[str]:
        """Return the patterns that the login may not see; unknown ones count as hidden."""
        return [] if self._all_visible else [pattern for pattern in patterns if self._hidden.get(pattern, True)]

    def seen(self, patterns: Iterable[str]) -> "Seen | None":
        """Return what is known of the names behind patterns of grants; None: it was not read yet, or cannot be now."""
        visible = None
        if not self._all_visible:
            asked = frozenset(patterns)
            visible = asked.difference(self.hidden_of(asked))
            if not visible:
                return Seen(None, visible)
        if self._read_at == float("-inf") or self._trouble is not None:
            return None
        return Seen(self._names, visible)

    def is_stale(self) -> bool:
        """Return whether the login's visibility is to be read again."""
        return self._clock.monotonic() - self._checked_at >= CHECK_EVERY

    async def refresh(self, session: Session, patterns: Iterable[str], *, refresh_all: bool = False) -> None:
        """Read which of some patterns the login may see.

        Args:
            session: the connected cluster.
            patterns: as roles have them.
            refresh_all: also known ones, and forget all others.

        Raises:
            ExternalError: it could not be read.
        """
        now, whole = self._clock.monotonic(), refresh_all or not self._hidden
        wanted = sorted({pattern for pattern in patterns if refresh_all or pattern not in self._hidden} - {_EVERYTHING})
        found: dict[str, bool] = {}
        if refresh_all or _EVERYTHING not in self._hidden:
            # A login that may see all indices needs only this request.
            first = [_EVERYTHING, *wanted[: _MOST - 1]]
            found, wanted = await _ask(session, first), wanted[_MOST - 1 :]
            self._all_visible = not found[_EVERYTHING]
        if not self._all_visible:
            for start in range(0, len(wanted), _MOST):
                found |= await _ask(session, wanted[start : start + _MOST])
        self._hidden = found if refresh_all else self._hidden | found
        if whole:
            # All that is known was just read: with thousands of patterns, those are several requests.
            self._checked_at = now

    def may_read_names(self) -> bool:
        """Return whether all names may be read again."""
        return self._clock.monotonic() - self._read_at >= NAMES_EVERY

    async def names(self, session: Session, *, again: bool = False) -> IndexNames | None:
        """Return the names of all indices, aliases and data streams that the login may see, at most a minute old.

        None: the login may not read them.

        Args:
            session: the connected cluster.
            again: read them at once if they could not be read.

        Raises:
            ExternalError: they could not be read, now or less than a minute ago.
        """
        if self.may_read_names() or (again and self._trouble is not None):
            self._read_at = self._clock.monotonic()
            try:
                self._names, self._trouble = await session.port.index_names(), None
            except ExternalError as error:
                self._trouble = error
        if self._trouble is not None:
            raise self._trouble
        return self._names


async def _ask(session: Session, patterns: Sequence[str]) -> dict[str, bool]:
    """Read it; a pattern that Elasticsearch cannot evaluate does not affect the others."""
    try:
        hidden = await session.port.hidden(patterns)
    except (Rejected, Unexpected):
        if len(patterns) == 1:
            return {patterns[0]: True}
        middle = len(patterns) // 2
        return await _ask(session, patterns[:middle]) | await _ask(session, patterns[middle:])
    return {pattern: pattern in hidden for pattern in patterns}
