"""What the loop reports to whoever counts it."""

from contextlib import AbstractContextManager, nullcontext


class Meter:
    """Counts faults alone. What counts more overrides it (``operator/telemetry/metrics.py``)."""

    internal_errors: int = 0
    """Internal errors, so far."""

    def reconciling(self, cluster: str) -> AbstractContextManager[None]:  # noqa: ARG002 - of whoever traces
        """Hold together all that a reconcile of a SearchCluster does."""
        return nullcontext()

    def reconciled(self, cluster: str, *, full: bool, seconds: float, result: str) -> None:
        """Record a reconcile of a cluster.

        Args:
            cluster: name of the SearchCluster.
            full: whether all was reconciled, not only what changed.
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

    def faulted(self, cluster: str, place: str) -> None:  # noqa: ARG002 - of whoever counts by them
        """Take in an internal error.

        Args:
            cluster: name of the SearchCluster concerned; empty: none in particular.
            place: what was being done, from a small fixed set.
        """
        self.internal_errors += 1

    def answered(self, cluster: str) -> float:  # noqa: ARG002 - of whoever counts
        """Return when the last request for a cluster ended, by the monotonic clock; negative infinity: never."""
        return float("-inf")

    def forget(self, cluster: str) -> None:
        """Forget a SearchCluster that is gone."""
