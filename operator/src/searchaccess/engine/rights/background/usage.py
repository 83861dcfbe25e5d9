"""Reads when each SearchAccess was last used, from audit events. It is only for statuses: nothing waits for it.

Requests: three in each ``spec.audit.every``, one more for each 5,000 callers, and one more for a first read.
"""

import asyncio
import random
from typing import Final

import structlog

from searchaccess.api.clusters.audit import Audit
from searchaccess.api.stores.credentials import Auth
from searchaccess.api.times.durations import seconds
from searchaccess.api.times.moments import moment
from searchaccess.core.model.timeboxes.timebox import shown_time
from searchaccess.core.status.aspects.usage import AuditFacts
from searchaccess.core.status.credential import epoch
from searchaccess.core.usage.callers import Callers
from searchaccess.core.usage.uses import Uses, UsesWanted
from searchaccess.core.usage.window import LOOKBACK, STALE, Window, begin_of, needs_first, usage_after
from searchaccess.engine.barrier import caught
from searchaccess.engine.beside import Beside
from searchaccess.engine.pacing.agenda import NEVER
from searchaccess.engine.pacing.backoff import Backoff
from searchaccess.engine.pacing.wakeup import Wakeup
from searchaccess.engine.state import Session
from searchaccess.engine.status.usage import publish_usage
from searchaccess.ports.errors import ExternalError, TransientError

WITHIN: Final = 300.0
"""Seconds after which a read is abandoned."""
FIRST_RETRY: Final = 30.0
"""Seconds until the first retry; the longest is ``spec.audit.every``."""
QUIETLY: Final = 3
"""Failures in a row, of a kind that may pass, before the status reports them."""
LEAST_LOOKBACK: Final = 86400.0
"""Seconds: a first read that fails is retried over half of its time, down to this."""

log = structlog.get_logger(__name__)


class UsageReader:
    """Reads last uses in one cluster, at intervals.

    Args:
        beside: the SearchCluster.
    """

    def __init__(self, beside: Beside) -> None:
        self._context = beside.context
        self._name = beside.name
        self._state = beside.state
        self._session = beside.settled_session
        self._publish = beside.publish
        self._wakeup = Wakeup()
        self._reading = False
        self._audit: Audit | None = None
        """What was declared at the last read."""
        self._is_cleared = False
        """Whether no status has a last use, as no audit events are declared."""
        self._next = float("-inf")
        """When the next read is due."""
        self._backoff = Backoff(FIRST_RETRY)
        self._lookback = LOOKBACK

    @property
    def is_busy(self) -> bool:
        """Whether it reads, or is about to."""
        return self._reading or self._wakeup.is_set

    def wake(self) -> None:
        """Check after a reconcile whether a read is due. Without declared audit events there is no timer."""
        if self._context.dry_run is None and (self._declared() is not None or not self._is_cleared):
            self._wakeup.set()

    def _declared(self) -> Audit | None:
        record = self._context.inventory.clusters.get(self._name)
        return record.cluster.audit if record else None

    async def run(self) -> None:
        """Read until cancelled. An internal error delays it, and affects nothing else."""
        delay = NEVER
        while True:
            await self._wakeup.wait(delay)
            self._reading = True
            try:
                delay = await self._read_if_due()
            finally:
                self._reading = False

    async def _read_if_due(self) -> float:
        """Read if it is time; return the seconds until it is; infinity: not before a reconcile."""
        audit, session = self._declared(), self._session()
        if session is None:
            return NEVER
        if audit is None:
            await self._clear()
            return NEVER
        if audit != self._audit:
            self._audit, self._is_cleared = audit, False
            self._next, self._backoff = float("-inf"), Backoff(FIRST_RETRY, seconds(audit.every))
        now = self._context.clock.monotonic()
        if now >= self._next:
            after = await self._try(session, audit)
            self._next = self._context.clock.monotonic() + after
        return max(0.1, self._next - self._context.clock.monotonic())

    async def _clear(self) -> None:
        """Remove last uses from statuses: no audit events are declared any more."""
        if self._is_cleared:
            return
        self._is_cleared, self._audit, self._state.audit = True, None, None
        async for record in self._context.inventory.one_by_one(self._name):
            if record.status_summary.usage is not None:
                publish_usage(self._context, record, None)

    async def _try(self, session: Session, audit: Audit) -> float:
        """Read once; return the seconds until the next time."""
        before, trouble = self._state.audit, ""
        known = before if before is not None and before.index == audit.index else AuditFacts(audit.index)
        try:
            async with asyncio.timeout(WITHIN):
                until, trouble = await self._read(session, audit, known)
        except (ExternalError, TimeoutError) as error:
            trouble = getattr(error, "message", "") or "it took too long"
            log.info("cannot read audit events", error=trouble)
            passes = isinstance(error, TransientError | TimeoutError)
            if passes:
                self._lookback = max(LEAST_LOOKBACK, self._lookback / 2)
            after = self._backoff.next()
            hidden = passes and self._backoff.failures < QUIETLY
            self._state.audit = known if hidden else AuditFacts(audit.index, known.until, trouble)
        except Exception as error:  # noqa: BLE001 - the barrier: rights do not depend on audit events
            failure = caught(self._context.meter, self._name, "last uses", error)
            after = self._backoff.next()
            self._state.audit = AuditFacts(audit.index, known.until, failure.message)
        else:
            self._backoff.reset()
            self._state.audit = AuditFacts(audit.index, until, trouble)
            # Jitter: clusters that start together spread out.
            after = seconds(audit.every) * random.uniform(1.0, 1.1)  # noqa: S311 - jitter, not cryptography
        if self._state.audit != before:
            self._publish()
        return after

    async def _read(self, session: Session, audit: Audit, known: AuditFacts) -> tuple[float | None, str]:
        """Read, and write into statuses what changed.

        Returns:
            Until when uses are known now, in seconds since the epoch (None: not known), and what is wrong (empty:
            nothing).

        Raises:
            ExternalError: the events cannot be read.
        """
        now = epoch(self._context.clock.now())
        known_until = known.until if known.until is not None else self._recalled(audit)
        callers = Callers(
            self._context.operator,
            gateway=session.cluster.gateway is not None,
            login=self._state.login.user if self._state.login else "",
        )
        since, concerned = now, set[str]()
        async for record in self._context.inventory.one_by_one(self._name):
            summary, access = record.status_summary, record.declared
            if record.access.verdict.refuses_subject:
                # Whoever may not name a caller does not learn when it was active.
                continue
            if not access.deleted_at and callers.add(access, summary.key_id):
                concerned.add(access.uid)
                since = min(since, begin_of(summary.usage, access.created_at, known_until, now, self._lookback))
        if not concerned:
            return known_until, ""
        first = needs_first(since, known_until, now)
        wanted = UsesWanted(audit.index, since, now, callers.users, callers.prefix, from_the_first=first)
        uses = await session.port.last_uses(wanted)
        if uses.newest is None:
            text = "has no event of an allowed request: check that auditing is on, and what ships the log"
            return known_until, f"{audit.index} {text}"
        window = Window(max(since, uses.first or since), min(uses.newest, now), known_until)
        await self._report(callers.latest(uses.uses), uses, window, concerned, now)
        if uses.newest < now - STALE:
            text = f"has no event since {shown_time(int(uses.newest))}: check what ships the log"
            return window.until, f"{audit.index} {text}"
        return window.until, ""

    async def _report(
        self, latest: dict[str, float], uses: Uses, window: Window, concerned: set[str], now: float
    ) -> None:
        async for record in self._context.inventory.one_by_one(self._name):
            access = record.declared
            # Where events do not name keys, it is not known whether one was used.
            if access.uid not in concerned or (access.auth is Auth.API_KEY and not uses.keys):
                continue
            usage = record.status_summary.usage
            publish_usage(
                self._context,
                record,
                usage_after(usage, latest.get(access.uid), window, access.created_at, now),
            )

    def _recalled(self, audit: Audit) -> float | None:
        """Return until when uses are known, as the SearchCluster's status says."""
        record = self._context.inventory.clusters.get(self._name)
        status = record.status.audit if record else None
        return moment(status.observed_until) if status and status.index == audit.index else None
