"""Metrics for Prometheus: operations are counted when they happen, states are read at each scrape.

https://prometheus.io/docs/practices/naming/
"""

import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from searchaccess import __version__
from searchaccess.core.ownership.others import counted
from searchaccess.decorators.measuring import Count
from searchaccess.engine.barrier import PLACES
from searchaccess.engine.host import Host
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.outbox import Outbox
from searchaccess.engine.replicas.ownership import Ownership
from searchaccess.operator.telemetry.families import FAMILIES, families
from searchaccess.operator.telemetry.states import State, gateway_of, ready_of, state_of
from searchaccess.operator.telemetry.tracing import Tracing
from searchaccess.ports.kubernetes import Plural
from searchaccess.ports.meter import Meter

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PROGRESS: Final = frozenset({"elasticsearch", "store"})
_RECONCILES: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_REVIEWS: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_REQUESTS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


_COUNTED: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("searchaccess_build_info", "The version that runs: always 1.", ("version",)),
    (
        "searchaccess_reconciles",
        "Reconciles of a SearchCluster; scope is full, or incremental: of what changed; result is ok or a reason.",
        ("cluster", "scope", "result"),
    ),
    ("searchaccess_reconcile_duration_seconds", "How long reconciles took.", ("cluster", "scope")),
    (
        "searchaccess_events",
        "Events emitted for SearchAccesses, such as DriftDetected, DriftCorrected and CredentialIssued.",
        ("cluster", "reason"),
    ),
    (
        "searchaccess_internal_errors",
        "Unexpected errors of the operator's own, by what was being done; no cluster: none in particular.",
        ("cluster", "place"),
    ),
    (
        "searchaccess_events_dropped",
        "Events that were not written, as too many of one namespace waited or the API server refused them.",
        (),
    ),
    (
        "searchaccess_requests",
        "Operations at elasticsearch, kubernetes, google or store; no cluster: for all; result is ok or a reason.",
        ("target", "cluster", "operation", "result"),
    ),
    ("searchaccess_request_duration_seconds", "How long operations took.", ("target", "operation")),
    (
        "searchaccess_admission_reviews",
        "Answers of the admission webhook: allowed, warned, denied, or none: unready, late, unreadable or failed.",
        ("result",),
    ),
    ("searchaccess_admission_duration_seconds", "How long the admission webhook took to answer.", ()),
)


class Metrics(Meter):
    """All metrics of one process.

    Args:
        tracing: records the same operations as spans; None: no traces.
    """

    def __init__(self, tracing: Tracing | None = None) -> None:
        self._tracing = tracing
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        info, reconciles, reconcile_seconds, events, faults, dropped, requests, request_seconds, *admission = _COUNTED
        Gauge(*info, registry=self.registry).labels(__version__).set(1)
        self._reconciles = Counter(*reconciles, registry=self.registry)
        self._reconcile_seconds = Histogram(*reconcile_seconds, buckets=_RECONCILES, registry=self.registry)
        self._events = Counter(*events, registry=self.registry)
        self._faults = Counter(*faults, registry=self.registry)
        self._expect_faults("")
        self._dropped = Counter(*dropped, registry=self.registry)
        self._requests = Counter(*requests, registry=self.registry)
        self._request_seconds = Histogram(*request_seconds, buckets=_REQUESTS, registry=self.registry)
        reviews, review_seconds = admission
        self._reviews = Counter(*reviews, registry=self.registry)
        self._review_seconds = Histogram(*review_seconds, buckets=_REVIEWS, registry=self.registry)
        self._answered: dict[str, float] = {}
        self._declared: Declared | None = None

    def reconciling(self, cluster: str) -> AbstractContextManager[None]:
        """Return a context that groups all operations of a reconcile."""
        self._expect_faults(cluster)
        return self._tracing.reconcile(cluster) if self._tracing else nullcontext()

    def reconciled(self, cluster: str, *, full: bool, seconds: float, result: str) -> None:
        """Count a reconcile."""
        if self._tracing:
            self._tracing.reconciled(full=full, result=result)
        scope = "full" if full else "incremental"
        self._reconciles.labels(cluster, scope, result).inc()
        self._reconcile_seconds.labels(cluster, scope).observe(seconds)

    def event_emitted(self, cluster: str, reason: str) -> None:
        """Count an event."""
        self._events.labels(cluster, reason).inc()

    def reviewed(self, result: str, seconds: float) -> None:
        """Count an answer of the admission webhook."""
        self._reviews.labels(result).inc()
        self._review_seconds.observe(seconds)

    def faulted(self, cluster: str, place: str) -> None:
        """Count an internal error."""
        super().faulted(cluster, place)
        self._faults.labels(cluster, place).inc()

    def _expect_faults(self, cluster: str) -> None:
        """Initialize counters with zero: otherwise alerts do not see the first increase."""
        for place in PLACES:
            self._faults.labels(cluster, place)

    def events_dropped(self, number: int) -> None:
        """Count events that were not written."""
        self._dropped.inc(number)

    def answered(self, cluster: str) -> float:
        """Return when the last request to a cluster, or to a store, ended.

        Kubernetes and Google are called regularly whether a reconcile makes progress or not.
        """
        return max(self._answered.get(cluster, float("-inf")), self._answered.get("", float("-inf")))

    def forget(self, cluster: str) -> None:
        """Remove the metrics of a SearchCluster that is gone."""
        self._answered.pop(cluster, None)
        for metric in (self._reconciles, self._reconcile_seconds, self._events, self._faults):
            metric.remove_by_labels({"cluster": cluster})
        self._requests.remove_by_labels({"cluster": cluster})

    def counting(self, target: str, cluster: str = "") -> Count:
        """Return a function that counts operations.

        Args:
            target: ``elasticsearch``, ``kubernetes``, ``google`` or ``store``.
            cluster: name of the SearchCluster; empty: for all.
        """

        def count(operation: str, result: str, seconds: float) -> None:
            if target in _PROGRESS:
                self._answered[cluster] = time.monotonic()
            self._requests.labels(target, cluster, operation, result).inc()
            self._request_seconds.labels(target, operation).observe(seconds)
            if self._tracing:
                self._tracing.operation(target, cluster, operation, result, seconds)

        return count

    def register(self, declared: "Declared") -> None:
        """Add the metrics of declared objects."""
        self._declared = declared
        self.registry.register(declared)

    async def scrape(self) -> bytes:
        """Return all metrics in Prometheus' format, without blocking the event loop for long."""
        if self._declared is not None:
            await self._declared.prepare()
        return self.text()

    def text(self) -> bytes:
        """Return all metrics in Prometheus' format."""
        return generate_latest(self.registry)


class Declared(Collector):
    """Metrics of declared objects and their states.

    Args:
        inventory: the declared objects.
        outbox: the pending writes.
        host: runs the reconcilers.
        ownership: which SearchClusters this replica owns.
    """

    def __init__(self, inventory: Inventory, outbox: Outbox, host: Host, ownership: Ownership) -> None:
        self._ownership = ownership
        self._inventory = inventory
        self._outbox = outbox
        self._host = host
        self._known: dict[str, State] = {}

    def describe(self) -> Iterator[Metric]:
        """Yield the families without values."""
        yield from families().values()

    def collect(self) -> Iterator[Metric]:
        """Yield the families with current values."""
        found: dict[str, Any] = families()
        self._accesses(found)
        for name, record in self._inventory.clusters.items():
            status = record.status
            ready, reason = ready_of(status)
            found["searchaccess_cluster_ready"].add_metric([name, reason], float(ready == "True"))
            for kind, truth, why in gateway_of(status):
                found["searchaccess_gateway"].add_metric([name, kind, why], truth)
            found["searchaccess_released_rights"].add_metric([name], len(status.released or ()))
            found["searchaccess_lease_held"].add_metric([name], float(self._ownership.holds(name)))
            found["searchaccess_other_objects"].add_metric([name], counted(record.status.others or ()))
        now = time.monotonic()
        for name, reconciler in self._host.reconcilers().items():
            dirty = self._inventory.marks.dirty(name)
            waiting = len(dirty.principals) + len(dirty.credentials) + dirty.full + dirty.cluster
            found["searchaccess_queue_length"].add_metric([name], waiting)
            found["searchaccess_unwatched"].add_metric([name], len(reconciler.state.unseen.names))
            if (audit := reconciler.state.audit) and audit.until is not None:
                found["searchaccess_usage_observed_timestamp_seconds"].add_metric([name], audit.until)
            age = now - reconciler.began_at if waiting else 0.0
            found["searchaccess_queue_age_seconds"].add_metric([name], age)
        for policy, counts in self._host.policies.found:
            labels = [policy.name, "Audit" if policy.audits else "Enforce"]
            found["searchaccess_policy_violations"].add_metric(labels, counts.violations)
        found["searchaccess_outbox_length"].add_metric([], self._outbox.pending)
        found["searchaccess_outbox_failing"].add_metric([], self._outbox.failing)
        for plural in Plural:
            found["searchaccess_crd_outdated"].add_metric([plural], plural in self._inventory.statuses.outdated)
        yield from found.values()

    async def prepare(self) -> None:
        """Parse statuses that changed since the last call, so that ``collect`` is quick. Other tasks run meanwhile."""
        async for record in self._inventory.one_by_one():
            self._read(record.declared.uid, record)

    def _accesses(self, found: dict[str, GaugeMetricFamily]) -> None:
        states: Tally[tuple[str, str, str]] = Tally()
        phases: Tally[tuple[str, str]] = Tally()
        totals: Tally[tuple[str, str]] = Tally()
        shared: Tally[tuple[str, str]] = Tally()
        first: dict[tuple[str, str], float] = {}
        records = self._inventory.accesses
        for uid in self._known.keys() - records.keys():
            del self._known[uid]
        for uid, record in records.items():
            known, cluster = self._read(uid, record), record.declared.cluster
            states[cluster, known.ready, known.reason] += 1
            totals["searchaccess_drift_open", cluster] += known.drift
            totals["searchaccess_break_glass", cluster] += known.break_glass
            if known.exclusive:
                shared[cluster, known.exclusive] += 1
            if known.phase:
                phases[cluster, known.phase] += 1
            for kind, at in (("next_rotation", known.rotation), ("expiry", known.expiry)):
                if at is not None:
                    first[kind, cluster] = min(at, first.get((kind, cluster), at))
        _add(found["searchaccess_accesses"], states.items())
        _add(found["searchaccess_credentials"], phases.items())
        _add(found["searchaccess_not_exclusive"], shared.items())
        for (name, cluster), number in totals.items():
            found[name].add_metric([cluster], number)
        for (kind, cluster), at in first.items():
            found[f"searchaccess_credential_{kind}_timestamp_seconds"].add_metric([cluster], at)

    def _read(self, uid: str, record: AccessRecord) -> State:
        """Parse a status once: thousands of them stay the same between two scrapes."""
        known = self._known.get(uid)
        if known is None or known.text is not record.status_json:
            known = self._known[uid] = state_of(record)
        return known


def _add(family: GaugeMetricFamily, tally: Iterable[tuple[Sequence[str], int]]) -> None:
    for labels, number in tally:
        family.add_metric(labels, number)


LABELS: Final = {name: labels for name, _, labels in (*_COUNTED, *FAMILIES)}
"""Labels by name of the metric."""
