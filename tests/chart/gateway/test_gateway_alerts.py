"""The gateway's alerts and dashboard: when each alert fires, and that they ask for metrics that there are."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from searchaccess.cli.pages.dashboard import gateway_dashboard
from tests.chart.gateway.metrics import ADDED, ALL
from tests.chart.helm import CHART, Helm, of_kind
from tests.chart.monitoring.test_alerts import RUNBOOKS, fires
from tests.chart.monitoring.test_dashboard import check, overlapping
from tests.support.operatorprocess import ROOT

FILE = CHART / "files" / "gateway" / "alerts.yaml"
RULES: list[dict[str, Any]] = yaml.safe_load(FILE.read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads(gateway_dashboard())
QUERIES: list[tuple[str, str, str]] = [
    (panel["title"], target["expr"], target["legendFormat"])
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
]


def series(name: str, values: str, pod: str = "a", **labels: str) -> dict[str, str]:
    """Return one series of a pod, with its values each minute."""
    shown = ",".join(f'{key}="{value}"' for key, value in {"gateway": "g", "pod": pod, **labels}.items())
    return {f"{name}{{{shown}}}": values}


def both(name: str, values: str, **labels: str) -> dict[str, str]:
    return series(name, values, "a", **labels) | series(name, values, "b", **labels)


CALLERS = {"envoy_http_conn_manager_prefix": "gateway"}
HEALTHY = {
    **both("envoy_server_live", "1x2000"),
    **both("envoy_listener_manager_lds_update_rejected", "0x2000"),
    **both("envoy_cluster_manager_cds_update_rejected", "0x2000"),
    **both("envoy_listener_manager_lds_version", "7x2000"),
    # One failed fetch is retried.
    **both("envoy_http_jwt_authn_jwks_fetch_failed", "0 1x2000", **CALLERS),
    **both("envoy_http_jwt_authn_jwks_fetch_success", "0+1x2000", **CALLERS),
    **both("envoy_gateway_answers", "0+100x2000", code="200"),
    **both("envoy_gateway_answers", "0+50x2000", code="403"),
    **both("envoy_gateway_answers", "0+1x2000", code="503"),
    **both("envoy_overload_envoy_overload_actions_stop_accepting_requests_active", "0x2000"),
    **both("envoy_server_days_until_first_cert_expiring", "30x2000"),
    # Another Envoy, which is none of ours.
    'envoy_server_live{pod="mesh"}': "1x2000",
    'envoy_listener_manager_lds_update_rejected{pod="mesh"}': "0+1x2000",
    'envoy_listener_manager_lds_version{pod="mesh"}': "1x2000",
    'envoy_server_days_until_first_cert_expiring{pod="mesh"}': "0x2000",
}
WRONG: dict[str, tuple[dict[str, str], str]] = {
    "SearchAccessGatewayDown": (both("envoy_server_live", "0x2000"), "10m"),
    "SearchAccessGatewayConfigRejected": (
        series("envoy_listener_manager_lds_update_rejected", "0x3 1x2000"), "6m"
    ),
    "SearchAccessGatewayPodsDiffer": (series("envoy_listener_manager_lds_version", "8x2000", "b"), "30m"),
    "SearchAccessGatewayJwksFailing": (
        both("envoy_http_jwt_authn_jwks_fetch_success", "5x2000", **CALLERS)
        | both("envoy_http_jwt_authn_jwks_fetch_failed", "0+10x2000", **CALLERS),
        "30m",
    ),
    "SearchAccessGatewayErrors": (both("envoy_gateway_answers", "0+30x2000", code="503"), "30m"),
    "SearchAccessGatewayOverloaded": (
        series("envoy_overload_envoy_overload_actions_stop_accepting_requests_active", "0x2 1x2000", "b"), "10m"
    ),
    "SearchAccessGatewayCertificateExpires": (
        series("envoy_server_days_until_first_cert_expiring", "6x2000", "b"), "30m"
    ),
}  # fmt: skip


def test_nothing_fires_while_all_is_well(promtool: Path, tmp_path: Path) -> None:
    for rule in RULES:
        for at in ("5m", "30m", "600m"):
            assert not fires(promtool, tmp_path, HEALTHY, at, rule["alert"], FILE), rule["alert"]


def test_each_fires_when_it_should_and_not_at_once(promtool: Path, tmp_path: Path) -> None:
    assert {rule["alert"] for rule in RULES} == set(WRONG)
    for alert, (given, at) in WRONG.items():
        assert fires(promtool, tmp_path, HEALTHY | given, at, alert, FILE), alert
        assert not fires(promtool, tmp_path, HEALTHY | given, "1m", alert, FILE), alert
    assert fires(promtool, tmp_path, {"up{}": "1x2000"}, "10m", "SearchAccessGatewayDown", FILE)


def test_each_has_a_page_and_asks_for_metrics_that_there_are() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text()
    for rule in RULES:
        assert f"\n## {rule['alert']}\n" in page
        assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS}#{rule['alert'].lower()}"
        _expect_known(rule["alert"], rule["expr"], set())


def test_the_dashboard_asks_for_metrics_and_labels_that_there_are() -> None:
    for title, expression, legend in QUERIES:
        _expect_known(title, expression, set(re.findall(r"\{\{(\w+)\}\}", legend)))
    used = set(re.findall(r"envoy_\w+", FILE.read_text() + json.dumps(DASHBOARD)))
    assert used - {label for labels in ALL.values() for label in labels} == set(ALL)


def _expect_known(what: str, expression: str, shown: set[str]) -> None:
    labels = {label for known in ALL.values() for label in known}
    names = set(re.findall(r"envoy_\w+", expression)) - labels
    assert names, what
    assert names <= set(ALL), what
    there = ADDED.union(*(ALL[name] for name in names))
    grouped = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")}
    asked = set(re.findall(r"(\w+)(?:=~|!=|!~|=)\"", expression))
    assert grouped | asked <= there, what
    assert shown <= grouped, what
    # Other Envoys of the Kubernetes cluster have no label `gateway`.
    assert "gateway" in asked, what


def test_promtool_reads_each_query_and_panels_hide_none(promtool: Path, tmp_path: Path) -> None:
    plain = [text.replace("$__rate_interval", "5m").replace("$gateway", ".*") for _, text, _ in QUERIES]
    done = check(promtool, tmp_path, plain)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(QUERIES)} rules found" in done.stdout
    assert overlapping(DASHBOARD["panels"]) == []


def test_they_are_in_the_chart_with_the_gateway_alone(tool: Helm) -> None:
    metrics = {key: {"enabled": True} for key in ("prometheusRule", "grafanaDashboard")}
    for enabled, expected in ((True, 2), (False, 1)):
        objects = tool.render({"metrics": metrics, "gateway": {"enabled": enabled}})
        [rule] = of_kind(objects, "PrometheusRule")
        assert len(rule["spec"]["groups"]) == expected
        [found] = [item for item in of_kind(objects, "ConfigMap") if item["metadata"]["name"].endswith("-dashboard")]
        assert len(found["data"]) == expected
    [_, group] = of_kind(tool.render({"metrics": metrics, "gateway": {"enabled": True}}), "PrometheusRule")[0]["spec"][
        "groups"
    ]
    assert [rule["alert"] for rule in group["rules"]] == [rule["alert"] for rule in RULES]
