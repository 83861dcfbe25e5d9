"""What the engine reports to metrics."""

from contextlib import AbstractContextManager, nullcontext
from typing import Final

REVIEWS: Final = ("allowed", "warned", "denied", "unready", "late", "unreadable", "failed")
"""What the admission webhook answers."""


class Meter:
    """Counts only internal errors. ``operator/telemetry/metrics.py`` overrides it."""

    internal_errors: int = 0
    """Internal errors so far."""

    def reconciling(self, cluster: str) -> AbstractContextManager[None]:  # noqa: ARG002 - of whoever traces
        """Return a context that groups all operations of a reconcile."""
        return nullcontext()

    def reconciled(self, cluster: str, *, full: bool, seconds: float, result: str) -> None:
        """Record a reconcile of a cluster.

        Args:
            cluster: name of the SearchCluster.
            full: whether it was full, not incremental.
            seconds: that it took.
            result: ``ok``, or the reason of the failure.
        """

    def event_emitted(self, cluster: str, reason: str) -> None:
        """Record an event that was emitted for a SearchAccess, by its reason."""

    def events_dropped(self, number: int) -> None:
        """Record that events were not written: too many waited, or the API server refused them.

        Args:
            number: of events.
        """

    def reviewed(self, result: str, seconds: float) -> None:
        """Record an answer of the admission webhook.

        Args:
            result: one of ``REVIEWS``.
            seconds: that it took.
        """

    def faulted(self, cluster: str, place: str) -> None:  # noqa: ARG002 - of whoever counts by them
        """Record an internal error.

        Args:
            cluster: name of the SearchCluster concerned; empty: none in particular.
            place: what the operator was doing, from a small fixed set.
        """
        self.internal_errors += 1

    def answered(self, cluster: str) -> float:  # noqa: ARG002 - of whoever counts
        """Return when the last request for a cluster ended, by the monotonic clock; negative infinity: never."""
        return float("-inf")

    def forget(self, cluster: str) -> None:
        """Forget a SearchCluster that is gone."""
