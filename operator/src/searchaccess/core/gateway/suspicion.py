"""Whether somebody may have set the password of a user: Elasticsearch shows no password, nor when it was set.

Every write of a security object moves the sequence number of the index ``.security``. Writes of others that nothing in
roles, role mappings and users explains may have been of passwords.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

RESET_EVERY: Final = 600.0
"""Seconds between two resets of all passwords: others may write security objects all the time."""


@dataclass(slots=True)
class Suspicion:
    """Accounts for the writes of others."""

    unexplained: int = 0
    """Writes of others that nothing explained yet."""
    pending: bool = True
    """Whether passwords are to be reset. Nobody watched before the first read."""
    _known: dict[str, int] | None = None
    """By object, a hash of its content."""
    _underway: bool = False
    """Whether a reset of all passwords began, and is not complete."""
    _again: bool = False
    """Whether there was another suspicion meanwhile."""
    _reset_at: float = field(default=float("-inf"))

    def account(self, writes: int, now: Mapping[str, int], own: Collection[str], *, settled: bool) -> None:
        """Compare a full read with the last one.

        A write changes one object, so others wrote at least as many times as there are changed objects. If they wrote
        no more often, nothing else was written.

        Args:
            writes: of others, since the last call.
            now: by object that was read, a hash of its content.
            own: objects that this operator wrote since the last call.
            settled: whether the read certainly returned what was written until then.
        """
        self.unexplained += writes
        if self._known is not None:
            before = self._known
            changed = {name for name in {*before, *now} if before.get(name) != now.get(name)}
            self.unexplained = max(0, self.unexplained - len(changed.difference(own)))
        self._known = dict(now)
        if settled and self.unexplained:
            self.pending, self.unexplained, self._again = True, 0, self._underway

    def is_due(self, now: float) -> bool:
        """Return whether passwords are to be reset now, in seconds of a monotonic clock."""
        return self.pending and (self._underway or now - self._reset_at >= RESET_EVERY)

    def begin(self) -> bool:
        """Begin to reset passwords, or go on with it.

        A suspicion that comes up meanwhile waits for the next time: otherwise whoever writes all the time would have
        the same passwords reset again and again.

        Returns:
            Whether it begins: no password was reset since the suspicion.
        """
        begins, self._underway = not self._underway, True
        return begins

    def was_reset(self, now: float) -> None:
        """Record that all passwords were reset."""
        self.pending, self._again, self._underway, self._reset_at = self._again, False, False, now
