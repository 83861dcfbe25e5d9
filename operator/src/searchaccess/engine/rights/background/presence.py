"""Finds patterns that match no index, alias or data stream. It is only for a hint in the status."""

from collections.abc import Iterable
from typing import Final

from searchaccess.api.conditions.types import ConditionType
from searchaccess.core.patterns.restricted import restricted_name
from searchaccess.core.policy.guardrails.aliases import Aliases, IndexNames
from searchaccess.core.policy.presence import matching
from searchaccess.engine.concurrency.chunks import Pace
from searchaccess.engine.rights.background.visibility import Seen, Visibility
from searchaccess.engine.state import Context, Session

CHECK_EVERY: Final = 10.0
"""Seconds between two checks of the declared patterns."""
_HINT: Final = f'"{ConditionType.INEFFECTIVE}"'


class PresenceReader:
    """Compares patterns with index names when either may have changed; names are read once a minute at most.

    Args:
        context: what all reconcilers share.
        name: of the SearchCluster.
        visibility: what the login may see.
    """

    def __init__(self, context: Context, name: str, visibility: Visibility) -> None:
        self._context = context
        self._name = name
        self._visibility = visibility
        self.patterns: frozenset[str] = frozenset()
        """The patterns of all SearchAccesses of the cluster at the last check."""
        self._checked_at = float("-inf")
        self._compared: tuple[frozenset[str], str] | None = None
        """The visible patterns, and the state of the cluster, at the last comparison."""
        self._seen: Seen | None = None
        """What was reported of aliases."""

    def forget(self) -> None:
        """Forget the last comparison: this is another cluster."""
        self._compared = None
        self._seen = None
        self._context.inventory.forget_aliases(self._name)

    async def refresh(self, session: Session, state: str) -> None:
        """Find patterns that match nothing, if that is due, and requeue SearchAccesses for which that changed.

        Args:
            session: the connected cluster.
            state: the id of the cluster's state; empty: not known.

        Raises:
            ExternalError: it could not be read.
        """
        now = self._context.clock.monotonic()
        if now - self._checked_at < CHECK_EVERY:
            return
        self._checked_at = now
        await self._refresh_patterns(session)
        await self._report_aliases()
        visible = self.patterns.difference(self._visibility.hidden_of(self.patterns))
        if (state and self._compared == (visible, state)) or not self._visibility.may_read_names():
            return
        absent = await self._absent(session, sorted(visible))
        if absent is None:
            return
        self._compared = visible, state
        before, session.state.absent = session.state.absent, absent
        await self._report(before, absent)

    async def read_aliases(self, session: Session) -> None:
        """Read where aliases lead before anything is granted.

        Raises:
            ExternalError: it could not be read.
        """
        await self._refresh_patterns(session)
        if len(self._visibility.hidden_of(self.patterns)) < len(self.patterns):
            await self._visibility.names(session, again=True)
        await self._report_aliases()

    async def give_up_aliases(self) -> None:
        """Report that it cannot be read where aliases lead, until it is read after all."""
        await self._report_seen(Seen(None, None))

    @property
    def knows_aliases(self) -> bool:
        """Whether it was reported where aliases lead, or that this cannot be read."""
        return self._seen is not None

    async def _refresh_patterns(self, session: Session) -> None:
        records = self._context.inventory.one_by_one(self._name)
        self.patterns = frozenset([name async for each in records for name in each.declared.share.local_indices])
        await self._visibility.refresh(session, self.patterns)

    async def _report_aliases(self) -> None:
        seen = self._visibility.seen(self.patterns)
        if seen is not None and (self._seen is None or not seen.leads_as(self._seen)):
            await self._report_seen(seen)

    async def _report_seen(self, seen: Seen) -> None:
        await self._context.inventory.see_aliases(self._name, Aliases(*seen))
        self._seen = seen

    async def _absent(self, session: Session, visible: Iterable[str]) -> frozenset[str] | None:
        """Return the patterns that match nothing; None: the login may not read names."""
        asked = [pattern for pattern in visible if not restricted_name(pattern)]
        found_names = await self._visibility.names(session) if asked else IndexNames()
        await self._report_aliases()
        if found_names is None:
            return None
        names = found_names.names
        found, pace = set[str](), Pace()
        for pattern in asked:
            # A pattern without a prefix is compared with each name.
            await pace.spent(len(names) if pattern.startswith(("/", "*", "?")) else 1)
            if not matching(pattern, names):
                found.add(pattern)
        return frozenset(found)

    async def _report(self, before: frozenset[str] | None, absent: frozenset[str]) -> None:
        changed = absent ^ (before or frozenset())
        async for record in self._context.inventory.one_by_one(self._name):
            # After a start, the hints in statuses were assumed to be right.
            has_hint = before is None and _HINT in record.status_json
            if has_hint or not changed.isdisjoint(record.declared.share.local_indices):
                self._context.inventory.marks.mark_access(record.access)
