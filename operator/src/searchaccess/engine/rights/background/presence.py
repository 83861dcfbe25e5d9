"""Finds patterns that match no index, alias or data stream, for a hint. Nothing depends on it."""

from collections.abc import AsyncIterator, Iterable
from typing import Final

from searchaccess.api.conditions.types import ConditionType
from searchaccess.core.patterns.restricted import restricted_name
from searchaccess.core.policy.presence import matching
from searchaccess.engine.concurrency.chunks import Pace, in_chunks
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.rights.background.visibility import Visibility
from searchaccess.engine.state import Context, Session

CHECK_EVERY: Final = 10.0
"""Seconds between two looks at which patterns there are."""
_HINT: Final = f'"{ConditionType.INEFFECTIVE}"'


class PresenceReader:
    """Compares patterns with the names of indices, when either may have changed; names are read once a minute at most.

    Args:
        context: what all reconcilers share.
        name: of the SearchCluster.
        visibility: knows what the login may see.
    """

    def __init__(self, context: Context, name: str, visibility: Visibility) -> None:
        self._context = context
        self._name = name
        self._visibility = visibility
        self.patterns: frozenset[str] = frozenset()
        """Those of all SearchAccesses of the cluster, as they were looked at last."""
        self._checked_at = float("-inf")
        self._compared: tuple[frozenset[str], str] | None = None
        """The patterns that may be seen, and the state of the cluster, that were compared last."""

    def forget(self) -> None:
        """Compare anew: it is another cluster."""
        self._compared = None

    async def refresh(self, session: Session, state: str) -> None:
        """Find patterns that match nothing, if it is time, and have it reported where that is news.

        Args:
            session: the connected cluster.
            state: the id of its state; empty: not known.

        Raises:
            ExternalError: it could not be read.
        """
        now = self._context.clock.monotonic()
        if now - self._checked_at < CHECK_EVERY:
            return
        self._checked_at = now
        self.patterns = frozenset(
            [name async for record in self._records() for name in record.declared.share.local_indices]
        )
        await self._visibility.refresh(session, self.patterns)
        visible = self.patterns.difference(self._visibility.hidden_of(self.patterns))
        if (state and self._compared == (visible, state)) or not self._visibility.may_read_names():
            return
        absent = await self._absent(session, sorted(visible))
        if absent is None:
            return
        self._compared = visible, state
        before, session.state.absent = session.state.absent, absent
        await self._report(before, absent)

    async def _absent(self, session: Session, visible: Iterable[str]) -> frozenset[str] | None:
        """Return the patterns that match nothing; None: the login may not read names."""
        asked = [pattern for pattern in visible if not restricted_name(pattern)]
        names = await self._visibility.names(session) if asked else ()
        if names is None:
            return None
        found, pace = set[str](), Pace()
        for pattern in asked:
            # A pattern without a beginning is compared with each name, one after the other.
            await pace.spent(len(names) if pattern.startswith(("/", "*", "?")) else 1)
            if not matching(pattern, names):
                found.add(pattern)
        return frozenset(found)

    async def _report(self, before: frozenset[str] | None, absent: frozenset[str]) -> None:
        changed = absent ^ (before or frozenset())
        async for record in self._records():
            # After a start, what statuses say of it was believed.
            has_hint = before is None and _HINT in record.status_json
            if has_hint or not changed.isdisjoint(record.declared.share.local_indices):
                self._context.inventory.marks.mark_access(record.access)

    async def _records(self) -> AsyncIterator[AccessRecord]:
        async for record in in_chunks(tuple(self._context.inventory.accesses.values())):
            if record.declared.cluster == self._name:
                yield record
