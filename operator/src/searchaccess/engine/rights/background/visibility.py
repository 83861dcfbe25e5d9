"""Which indices the operator's login may see, and which there are. Both are optional for it."""

from collections.abc import Iterable, Sequence
from typing import Final

from searchaccess.engine.state import Session
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import ExternalError, Rejected, Unexpected

CHECK_EVERY: Final = 600.0
"""Seconds after which it is asked again what the login may see."""
NAMES_EVERY: Final = 60.0
"""Seconds between two reads of all names, at least."""
_EVERYTHING: Final = "*"
_MOST: Final = 1_000
"""Patterns in one request."""


class Visibility:
    """Remembers what was asked.

    Args:
        clock: gives the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Forget everything: it is another cluster."""
        self._hidden: dict[str, bool] = {}
        self._all_visible = False
        self._checked_at = float("-inf")
        self._names: Sequence[str] | None = None
        self._trouble: ExternalError | None = None
        self._read_at = float("-inf")

    def hidden_of(self, patterns: Iterable[str]) -> list[str]:
        """Return those of some patterns that the login may not see, as far as that is known."""
        return [] if self._all_visible else [pattern for pattern in patterns if self._hidden.get(pattern, True)]

    def is_stale(self) -> bool:
        """Return whether it is long ago that it was asked what the login may see."""
        return self._clock.monotonic() - self._checked_at >= CHECK_EVERY

    async def refresh(self, session: Session, patterns: Iterable[str], *, refresh_all: bool = False) -> None:
        """Ask which of some patterns the login may see.

        Args:
            session: the connected cluster.
            patterns: as roles have them.
            refresh_all: also those that are known, and forget all others.

        Raises:
            ExternalError: it could not be asked.
        """
        now = self._clock.monotonic()
        wanted = sorted({pattern for pattern in patterns if refresh_all or pattern not in self._hidden} - {_EVERYTHING})
        found: dict[str, bool] = {}
        if refresh_all or _EVERYTHING not in self._hidden:
            # Who may see everything needs no more than this question.
            first = [_EVERYTHING, *wanted[: _MOST - 1]]
            found, wanted = await _ask(session, first), wanted[_MOST - 1 :]
            self._all_visible = not found[_EVERYTHING]
        if not self._all_visible:
            for start in range(0, len(wanted), _MOST):
                found |= await _ask(session, wanted[start : start + _MOST])
        if refresh_all:
            self._hidden, self._checked_at = found, now
        else:
            self._hidden |= found

    def may_read_names(self) -> bool:
        """Return whether it is long enough ago that all names were read."""
        return self._clock.monotonic() - self._read_at >= NAMES_EVERY

    async def names(self, session: Session) -> Sequence[str] | None:
        """Return the names of all indices, aliases and data streams that the login may see, at most a minute old.

        None: the login may not read them.

        Raises:
            ExternalError: they could not be read, now or less than a minute ago.
        """
        if self.may_read_names():
            self._read_at = self._clock.monotonic()
            try:
                self._names, self._trouble = await session.port.index_names(), None
            except ExternalError as error:
                self._trouble = error
        if self._trouble is not None:
            raise self._trouble
        return self._names


async def _ask(session: Session, patterns: Sequence[str]) -> dict[str, bool]:
    """Ask it; one pattern that Elasticsearch cannot evaluate keeps nobody else from being answered."""
    try:
        hidden = await session.port.hidden(patterns)
    except (Rejected, Unexpected):
        if len(patterns) == 1:
            return {patterns[0]: True}
        middle = len(patterns) // 2
        return await _ask(session, patterns[:middle]) | await _ask(session, patterns[middle:])
    return {pattern: pattern in hidden for pattern in patterns}
