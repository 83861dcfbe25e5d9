"""Metrics: what is counted, what is looked up, and that their names are as Prometheus wants them."""

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from searchaccess.api.policies.status import PolicyCounts
from searchaccess.api.searchaccesspolicy import PolicyMode
from searchaccess.core.clusters.cluster import cluster_from_object
from searchaccess.core.credentials.credential import Secret
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.model.parsing import access_from_object
from searchaccess.decorators.measured import MeasuredElasticsearch, MeasuredStore
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.inventory.records import AccessRecord, ClusterRecord
from searchaccess.engine.replicas.ownership import Ownership
from searchaccess.engine.state import ClusterState
from searchaccess.operator.telemetry.metrics import LABELS, Declared, Metrics
from searchaccess.ports.errors import Throttled
from searchaccess.ports.stores import Owner, Place
from tests.support.failures.faults import Faults
from tests.support.loop.stage import search_cluster
from tests.support.memory.elasticsearch import MemoryElasticsearch
from tests.support.memory.store import SIDE, MemoryStore
from tests.support.worlds.world import access, grant
from tests.unit.policy.guardrails.test_verdicts import a_policy

REFUSES: dict[str, Any] = {"limits": {"grants": 0}}

STATUS = (
    '{"conditions": [{"type": "Ready", "status": "%s", "reason": "%s"}], "drift": {"open": 2, "items": []},'
    ' "credential": {"store": "main", "name": "orders", "version": 1, "phase": "Active",'
    ' "issued": "2026-01-01T00:00:00Z", "nextRotation": "2026-01-02T00:00:00Z", "expires": "2026-02-01T00:00:00Z"}}'
)

EXCLUSIVE = '{"conditions": [{"type": "Exclusive", "status": "%s", "reason": "%s"}]}'


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[str]], float]:
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


PLACE = Place("shop", "orders")


async def test_operations_are_counted_by_their_result() -> None:
    metrics, faults = Metrics(), Faults()
    store = MeasuredStore(MemoryStore(faults), metrics.counting("elasticsearch", "prod"))
    assert metrics.answered("prod") == float("-inf")
    assert [await store.find(PLACE), await store.find(place=PLACE)] == [None, None]
    faults.fail(SIDE, Throttled("429"))
    with pytest.raises(Throttled):
        await store.read(PLACE, 1)
    faults.break_down(SIDE, ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        await store.disable(PLACE, Secret("", ""), [1])
    found = samples(metrics)
    of = "searchaccess_requests_total"
    assert found[of, frozenset({"elasticsearch", "prod", "find", "ok"})] == 2
    assert found[of, frozenset({"elasticsearch", "prod", "read", "Throttled"})] == 1
    assert found[of, frozenset({"elasticsearch", "prod", "disable", "ZeroDivisionError"})] == 1
    assert found["searchaccess_request_duration_seconds_count", frozenset({"elasticsearch", "find"})] == 2
    assert metrics.answered("prod") > 0
    assert metrics.answered("another") == float("-inf")
    metrics.counting("kubernetes")("list_page", "ok", 0.1)
    metrics.counting("google")("list_accounts", "ok", 0.1)
    assert metrics.answered("another") == float("-inf"), "they are asked whether a reconcile makes progress or not"
    metrics.counting("store")("add", "ok", 0.1)
    assert metrics.answered("another") > 0, "what is for all is for each"


async def test_an_operation_is_named_as_in_the_documentation() -> None:
    metrics = Metrics()
    await MeasuredElasticsearch(MemoryElasticsearch(Faults()), metrics.counting("elasticsearch", "prod")).fingerprint()
    of = "searchaccess_requests_total"
    assert samples(metrics)[of, frozenset({"elasticsearch", "prod", "fingerprint", "ok"})] == 1


async def test_a_guard_is_asked_before_each_write_and_before_no_read() -> None:
    asked: list[int] = []

    def guard() -> None:
        asked.append(1)
        if len(asked) > 1:
            raise Throttled("not now")

    faults = Faults()
    store = MeasuredStore(MemoryStore(faults), Metrics().counting("store"), guard)
    await store.find(PLACE)
    assert asked == []
    await store.add(PLACE, Owner("uid", "shop", "orders"), None, 1, Sealed("{}"))
    with pytest.raises(Throttled):
        await store.remove(PLACE, Secret("", ""))
    assert [call.method for call in faults.calls] == ["find", "add"]


def test_faults_are_counted_by_what_was_being_done_and_begin_at_zero() -> None:
    metrics = Metrics()
    of = "searchaccess_internal_errors_total"
    assert samples(metrics)[of, frozenset({"", "intake"})] == 0
    with metrics.reconciling("prod"):
        assert samples(metrics)[of, frozenset({"prod", "plan role"})] == 0, "an alert needs a zero first"
    metrics.faulted("prod", "plan role")
    assert samples(metrics)[of, frozenset({"prod", "plan role"})] == 1
    metrics.forget("prod")
    assert (of, frozenset({"prod", "plan role"})) not in samples(metrics)


def test_reconciles_and_events_are_counted_and_forgotten_with_their_cluster() -> None:
    metrics = Metrics()
    metrics.reconciled("prod", full=True, seconds=2.0, result="ok")
    metrics.reconciled("prod", full=False, seconds=0.1, result="ClusterUnreachable")
    metrics.event_emitted("prod", "DriftCorrected")
    metrics.events_dropped(3)
    metrics.counting("elasticsearch", "prod")("roles", "ok", 0.1)
    found = samples(metrics)
    assert found["searchaccess_reconciles_total", frozenset({"prod", "full", "ok"})] == 1
    assert found["searchaccess_reconciles_total", frozenset({"prod", "incremental", "ClusterUnreachable"})] == 1
    assert found["searchaccess_reconcile_duration_seconds_sum", frozenset({"prod", "full"})] == 2.0
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
    state = ClusterState()
    state.unseen.see_issued(["key one of namespace billing"])
    reconciler = SimpleNamespace(began_at=float("-inf"), state=state)
    said = tuple((a_policy(mode, mode=mode, **REFUSES), PolicyCounts(denied=2, would_deny=1)) for mode in PolicyMode)
    host: Any = SimpleNamespace(reconcilers=lambda: {"prod": reconciler}, policies=SimpleNamespace(found=said))
    outbox: Any = SimpleNamespace(pending=7, failing=2)
    metrics.register(Declared(inventory, outbox, host, Ownership()))
    return metrics, inventory


def test_bypassed_approvals_are_counted() -> None:
    metrics, inventory = declared()
    condition = {
        "type": "BreakGlass", "status": "True", "reason": "BreakGlass", "message": "", "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T10:00:00Z",
    }  # fmt: skip
    inventory.accesses |= {"a": record("a", json.dumps({"conditions": [condition]})), "b": record("b", "")}
    assert samples(metrics)["searchaccess_break_glass", frozenset({"prod"})] == 1


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
        "shared": record("shared", EXCLUSIVE % ("False", "BroaderThanDeclared")),
        "unseen": record("unseen", EXCLUSIVE % ("Unknown", "CannotBeSeen")),
        "alone": record("alone", EXCLUSIVE % ("True", "NotBroader")),
    }
    found = samples(metrics)
    assert found["searchaccess_accesses", frozenset({"prod", "True", "InSync"})] == 2
    assert found["searchaccess_accesses", frozenset({"prod", "False", "Pending"})] == 1
    assert found["searchaccess_accesses", frozenset({"prod", "Unknown", ""})] == 4
    assert found["searchaccess_not_exclusive", frozenset({"prod", "BroaderThanDeclared"})] == 1
    assert found["searchaccess_not_exclusive", frozenset({"prod", "CannotBeSeen"})] == 1
    assert ("searchaccess_not_exclusive", frozenset({"prod", "NotBroader"})) not in found
    assert found["searchaccess_drift_open", frozenset({"prod"})] == 6
    assert found["searchaccess_credentials", frozenset({"prod", "Active"})] == 3
    assert found["searchaccess_credential_next_rotation_timestamp_seconds", frozenset({"prod"})] == 1767225600
    assert found["searchaccess_credential_expiry_timestamp_seconds", frozenset({"prod"})] == 1769904000
    assert found["searchaccess_cluster_ready", frozenset({"prod", "InSync"})] == 1
    assert found["searchaccess_lease_held", frozenset({"prod"})] == 1
    assert found["searchaccess_unwatched", frozenset({"prod"})] == 1
    assert found["searchaccess_outbox_length", frozenset()] == 7
    assert found["searchaccess_outbox_failing", frozenset()] == 2
    assert found["searchaccess_policy_violations", frozenset({"Enforce"})] == 3
    assert found["searchaccess_policy_violations", frozenset({"Audit"})] == 3
    assert found["searchaccess_crd_outdated", frozenset({"searchaccesses"})] == 0
    assert found["searchaccess_queue_length", frozenset({"prod"})] == 0
    assert found["searchaccess_queue_age_seconds", frozenset({"prod"})] == 0

    inventory.accesses["c"].status_json = STATUS % ("True", "InSync")
    del inventory.accesses["a"]
    inventory.marks.mark("prod", "somebody")
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


def test_a_key_that_ends_with_its_access_is_no_key_that_expires() -> None:
    metrics, inventory = declared()
    key = '"store":"m","name":"n","version":1,"phase":"Active","issued":"2026-01-01T00:00:00Z"'
    status = f'{{"credential":{{{key},"expires":"2026-02-01T00:00:00Z"}}%s}}'
    validity = ',"validity":{"state":"Active","nextChange":"2026-02-01T00:%02d:02Z"}'
    of = "searchaccess_credential_expiry_timestamp_seconds", frozenset({"prod"})
    inventory.accesses = {"a": record("a", status % (validity % 0))}
    assert of not in samples(metrics)
    inventory.accesses = {"b": record("b", status % (validity % 9))}
    assert samples(metrics)[of] == 1769904000, "it would end before its access"
