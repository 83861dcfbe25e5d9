"""Metrics: what is counted, what is looked up, and that their names are as Prometheus wants them."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from searchaccess.core.clusters.cluster import cluster_from_object
from searchaccess.core.model.access import access_from_object
from searchaccess.decorators.measured import measured
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.inventory.records import AccessRecord, ClusterRecord
from searchaccess.engine.replicas.ownership import Ownership
from searchaccess.operator.metrics import LABELS, Declared, Metrics
from searchaccess.ports.errors import Throttled
from tests.support.stage import search_cluster
from tests.support.world import access, grant

STATUS = (
    '{"conditions": [{"type": "Ready", "status": "%s", "reason": "%s"}], "drift": {"open": 2, "items": []},'
    ' "credential": {"phase": "Active", "nextRotation": "2026-01-02T00:00:00Z", "expires": "2026-02-01T00:00:00Z"}}'
)


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[str]], float]:
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


class Side:
    value = 3

    async def ask(self, what: str) -> str:
        return what

    async def refuse(self) -> None:
        raise Throttled("429")

    async def break_down(self) -> None:
        raise ZeroDivisionError

    def plain(self) -> int:
        return self.value


async def test_operations_are_counted_by_their_result() -> None:
    metrics = Metrics()
    side = measured(Side(), metrics.counting("elasticsearch", "prod"))
    assert metrics.answered("prod") == float("-inf")
    assert [await side.ask("x"), await side.ask(what="y"), side.plain(), side.value] == ["x", "y", 3, 3]
    with pytest.raises(Throttled):
        await side.refuse()
    with pytest.raises(ZeroDivisionError):
        await side.break_down()
    found = samples(metrics)
    of = "searchaccess_requests_total"
    assert found[of, frozenset({"elasticsearch", "prod", "ask", "ok"})] == 2
    assert found[of, frozenset({"elasticsearch", "prod", "refuse", "Throttled"})] == 1
    assert found[of, frozenset({"elasticsearch", "prod", "break_down", "ZeroDivisionError"})] == 1
    assert not [labels for name, labels in found if name == of and "plain" in labels]
    assert found["searchaccess_request_duration_seconds_count", frozenset({"elasticsearch", "ask"})] == 2
    assert metrics.answered("prod") > 0
    assert metrics.answered("another") == float("-inf")
    metrics.counting("kubernetes")("list_page", "ok", 0.1)
    metrics.counting("google")("list_accounts", "ok", 0.1)
    assert metrics.answered("another") == float("-inf"), "they are asked whether a look makes progress or not"
    metrics.counting("store")("add", "ok", 0.1)
    assert metrics.answered("another") > 0, "what is for all is for each"


def test_looks_and_events_are_counted_and_forgotten_with_their_cluster() -> None:
    metrics = Metrics()
    metrics.looked("prod", everything=True, seconds=2.0, result="ok")
    metrics.looked("prod", everything=False, seconds=0.1, result="ClusterUnreachable")
    metrics.noted("prod", "DriftCorrected")
    metrics.events_dropped(3)
    metrics.counting("elasticsearch", "prod")("roles", "ok", 0.1)
    found = samples(metrics)
    assert found["searchaccess_looks_total", frozenset({"prod", "everything", "ok"})] == 1
    assert found["searchaccess_looks_total", frozenset({"prod", "news", "ClusterUnreachable"})] == 1
    assert found["searchaccess_look_duration_seconds_sum", frozenset({"prod", "everything"})] == 2.0
    assert found["searchaccess_events_total", frozenset({"prod", "DriftCorrected"})] == 1
    assert found["searchaccess_events_dropped_total", frozenset()] == 3
    metrics.forget("prod")
    assert not [labels for _, labels in samples(metrics) if "prod" in labels]


def record(name: str, status: str) -> AccessRecord:
    raw = access(name, grant("orders-*"), cluster="prod")
    raw["metadata"] |= {"uid": name, "generation": 1, "resourceVersion": "1"}
    return AccessRecord(access_from_object(raw), status)


def declared() -> tuple[Metrics, Inventory]:
    metrics, inventory = Metrics(), Inventory()
    reconciler = SimpleNamespace(looked_at=float("-inf"))
    host: Any = SimpleNamespace(reconcilers=lambda: {"prod": reconciler})
    outbox: Any = SimpleNamespace(pending=7, failing=2)
    metrics.registry.register(Declared(inventory, outbox, host, Ownership()))
    return metrics, inventory


def test_what_is_declared_is_looked_up() -> None:
    metrics, inventory = declared()
    raw = search_cluster()
    raw["metadata"] |= {"name": "prod", "uid": "u", "generation": 1, "resourceVersion": "1"}
    inventory.clusters["prod"] = ClusterRecord(cluster_from_object(raw), STATUS % ("True", "InSync"))
    inventory.accesses |= {
        "a": record("a", STATUS % ("True", "InSync")),
        "b": record("b", (STATUS % ("True", "InSync")).replace("2026-01-02", "2026-01-01")),
        "c": record("c", STATUS % ("False", "Pending")),
        "new": record("new", ""),
    }
    found = samples(metrics)
    assert found["searchaccess_accesses", frozenset({"prod", "True", "InSync"})] == 2
    assert found["searchaccess_accesses", frozenset({"prod", "False", "Pending"})] == 1
    assert found["searchaccess_accesses", frozenset({"prod", "Unknown", ""})] == 1
    assert found["searchaccess_drift_open", frozenset({"prod"})] == 6
    assert found["searchaccess_credentials", frozenset({"prod", "Active"})] == 3
    assert found["searchaccess_credential_next_rotation_timestamp_seconds", frozenset({"prod"})] == 1767225600
    assert found["searchaccess_credential_expiry_timestamp_seconds", frozenset({"prod"})] == 1769904000
    assert found["searchaccess_cluster_ready", frozenset({"prod", "InSync"})] == 1
    assert found["searchaccess_lease_held", frozenset({"prod"})] == 1
    assert found["searchaccess_outbox_length", frozenset()] == 7
    assert found["searchaccess_outbox_failing", frozenset()] == 2
    assert found["searchaccess_queue_length", frozenset({"prod"})] == 0
    assert found["searchaccess_queue_age_seconds", frozenset({"prod"})] == 0

    inventory.accesses["c"].status_json = STATUS % ("True", "InSync")
    del inventory.accesses["a"]
    inventory.mark("prod", "somebody")
    found = samples(metrics)
    assert found["searchaccess_accesses", frozenset({"prod", "True", "InSync"})] == 2
    assert ("searchaccess_accesses", frozenset({"prod", "False", "Pending"})) not in found
    assert found["searchaccess_queue_length", frozenset({"prod"})] == 1
    assert found["searchaccess_queue_age_seconds", frozenset({"prod"})] > 0


def test_names_follow_the_rules() -> None:
    """https://prometheus.io/docs/practices/naming/, as promtool checks them."""
    metrics, _ = declared()
    families = [family for family in metrics.registry.collect() if family.name.startswith("searchaccess_")]
    assert {family.name for family in families} == set(LABELS)
    for family in families:
        assert re.fullmatch(r"[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        assert family.type in {"counter", "gauge", "histogram"}
        assert not family.name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert not re.search(r"milli|minutes|hours|_ms\b", family.name)
