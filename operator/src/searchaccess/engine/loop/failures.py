"""What is wrong with a whole SearchCluster: how it goes on from one reconcile to the next, and where it is reported."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from searchaccess.core.policy.decision import decide
from searchaccess.core.status.access import Failure
from searchaccess.engine.inventory.marks import Dirty
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.state import ClusterState, Context, Failing, Health
from searchaccess.engine.status.publish import StatusPublisher

UNKNOWN_AFTER: Final = 60.0
"""Seconds without contact after which every SearchAccess says that its truth is not known."""
FAULTS_UNTIL_UNKNOWN: Final = 3
"""Internal errors in a row after which the same is said: nothing was reconciled, and perhaps never is."""


def failed(health: Health, failure: Failure, now: float, *, fault: bool) -> Failing:
    """Return how it stands after one more reconcile that failed.

    Args:
        health: how it stood before.
        failure: what went wrong.
        now: the monotonic clock.
        fault: whether it is an internal error.
    """
    if isinstance(health, Failing):
        return replace(health, failure=failure, times=health.times + 1, fault=fault)
    return Failing(failure, now, fault=fault)


def should_report_unknown(health: Failing, now: float) -> bool:
    """Return whether it is time to say of every SearchAccess that its truth is not known, and that was not said yet."""
    if health.reported_unknown:
        return False
    faults = health.fault and health.times >= FAULTS_UNTIL_UNKNOWN
    return faults or now - health.since >= UNKNOWN_AFTER


class FailureReporter:
    """Publishes what is wrong with a cluster on its SearchAccesses.

    Args:
        context: what all reconcilers share.
        name: the SearchCluster's name.
        state: what is known of the cluster.
    """

    def __init__(self, context: Context, name: str, state: ClusterState) -> None:
        self._context = context
        self._inventory = context.inventory
        self._name = name
        self._publisher = StatusPublisher(context, state)

    async def publish_to_all(self, failure: Failure) -> None:
        """Publish it on every SearchAccess of the cluster."""
        await self._publish(list(self._inventory.of_cluster(self._name)), failure, only_waiting=False)

    async def publish_to_waiting(self, failure: Failure, dirty: Dirty) -> None:
        """Publish it on those SearchAccesses that there is news of, and that wait for something."""
        await self._publish(list(self._concerned(dirty)), failure, only_waiting=True)

    def _concerned(self, dirty: Dirty) -> Iterator[AccessRecord]:
        if dirty.full:
            yield from self._inventory.of_cluster(self._name)
            return
        for principal in dirty.principals:
            yield from self._inventory.of_principal(self._name, principal)
        yield from (item for item in self._inventory.keyed(self._name) if item.access.uid in dirty.credentials)

    async def _publish(self, records: list[AccessRecord], failure: Failure, *, only_waiting: bool) -> None:
        gate, failure = self._context.open_gate(self._name), replace(failure, of_cluster=True)
        await self._publisher.publish_failure(
            records, failure, lambda access: decide(access, gate), only_waiting=only_waiting
        )
