"""Traces: only when they are asked for, and what spans say."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from searchaccess.operator.telemetry.metrics import Metrics
from searchaccess.operator.telemetry.tracing import start_tracing
from tests.support.servers.collector import Collector

VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def attributes(span: Any) -> dict[str, str]:
    return {item.key: item.value.string_value for item in span.attributes}


def test_a_reconcile_holds_its_operations_together(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, collector.url)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    tracing = start_tracing()
    assert tracing
    metrics = Metrics(tracing)
    with metrics.reconciling("prod"):
        metrics.counting("elasticsearch", "prod")("roles", "ok", 0.25)
        metrics.counting("elasticsearch", "prod")("put_roles", "Throttled", 0.1)
        metrics.reconciled("prod", full=True, seconds=1, result="Throttled")
    tracing.close()
    by_name = {span.name: span for span in collector.spans}
    assert by_name.keys() == {"reconcile", "elasticsearch roles", "elasticsearch put_roles"}
    reconcile, read = by_name["reconcile"], by_name["elasticsearch roles"]
    assert attributes(reconcile) == {
        "searchaccess.cluster": "prod", "searchaccess.scope": "full", "searchaccess.result": "Throttled"
    }  # fmt: skip
    assert {span.parent_span_id for span in collector.spans if span is not reconcile} == {reconcile.span_id}
    assert read.end_time_unix_nano - read.start_time_unix_nano == pytest.approx(0.25e9, rel=1e-3)
    assert attributes(read)["searchaccess.result"] == "ok"
    failed = {name for name, span in by_name.items() if span.status.code == 2}
    assert failed == {"reconcile", "elasticsearch put_roles"}
    [resource] = collector.resources
    assert resource["service.name"] == "searchaccess-operator"
    assert resource["deployment.environment"] == "test"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {VARIABLE: ""},
        {VARIABLE: "http://x", "OTEL_SDK_DISABLED": "true"},
        {VARIABLE: "http://x", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nobody_asked_for_traces(environment: dict[str, str]) -> None:
    assert start_tracing(environment) is None


def test_a_protocol_that_is_not_there_is_reported() -> None:
    with capture_logs() as logs:
        assert start_tracing({VARIABLE: "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) is None
    assert [(entry["event"], entry["protocol"]) for entry in logs] == [
        ("no traces: the protocol is not supported", "grpc")
    ]


def test_a_collector_that_is_away_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "http://127.0.0.1:9")
    code = (
        "import time\nfrom searchaccess.operator.telemetry.metrics import Metrics\n"
        "from searchaccess.operator.telemetry.tracing import start_tracing\ntracing = start_tracing()\n"
        "Metrics(tracing).counting('store')('look', 'ok', 0.1)\ntracing.close()\nprint('closed')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True)
    assert done.stdout == "closed\n"
