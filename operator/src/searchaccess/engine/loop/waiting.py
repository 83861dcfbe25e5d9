"""Waits between two reconciles of one SearchCluster."""

import asyncio
from contextlib import suppress

from searchaccess.core.status.access import Failure
from searchaccess.engine.loop.failures import FailureReporter
from searchaccess.engine.loop.schedule import Schedule
from searchaccess.engine.state import ClusterState, Context, Failing


class Waiting:
    """Waits until something is due or dirty, and lets a burst of changes settle.

    Args:
        context: what all reconcilers share.
        name: of the SearchCluster.
        state: what its reconciler knows.
        schedule: when it is due.
        failures: publishes a failure on what becomes dirty meanwhile.
    """

    def __init__(
        self, context: Context, name: str, state: ClusterState, schedule: Schedule, failures: FailureReporter
    ) -> None:
        self._context = context
        self._name = name
        self._state = state
        self._schedule = schedule
        self._failures = failures

    async def wait(self, delay: float, *, ownership_unknown: bool) -> None:
        """Wait until something is due or dirty.

        Args:
            delay: seconds until something is due.
            ownership_unknown: whether another replica may own the cluster.
        """
        event = self._context.inventory.marks.dirty(self._name).event
        if ownership_unknown:
            # Dirty items do not end this wait: they were requeued.
            await asyncio.sleep(self._schedule.delay())
            return
        health = self._state.health
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await event.wait()
                if not isinstance(health, Failing):
                    await self._settle()
        if isinstance(health, Failing):
            # Dirty items do not shorten the back-off; the failure is published on them, and they wait with the rest.
            await self._while_failing(health.failure)

    async def _while_failing(self, failure: Failure) -> None:
        while self._schedule.delay() > 0:
            dirty = self._context.inventory.marks.dirty(self._name)
            if dirty.cluster:
                return
            # First, as more may become dirty meanwhile.
            dirty.event.clear()
            if dirty.principals or dirty.credentials:
                await self._failures.publish_to_waiting(failure, dirty)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._schedule.delay()):
                    await dirty.event.wait()

    async def _settle(self) -> None:
        """Wait for a burst of changes to settle, so that one reconcile serves them all."""
        dirty = self._context.inventory.marks.dirty(self._name)
        if dirty.cluster or dirty.full:
            return
        quiet, longest = self._schedule.settling()
        end = self._context.clock.monotonic() + longest
        while self._context.clock.monotonic() < end:
            before = len(dirty.principals)
            await asyncio.sleep(min(quiet, end - self._context.clock.monotonic()))
            if len(dirty.principals) == before:
                return
