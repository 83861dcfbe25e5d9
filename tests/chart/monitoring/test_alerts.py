"""Alerts: when each one fires and when not, and that each has a page; and what promtool says of metrics."""

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from searchaccess.operator.telemetry.families import families
from searchaccess.operator.telemetry.metrics import LABELS, Metrics
from tests.support.operatorprocess import ROOT

FILE = ROOT / "charts" / "searchaccess-operator" / "files" / "alerts.yaml"
RULES: list[dict[str, Any]] = yaml.safe_load(FILE.read_text())["groups"][0]["rules"]
RUNBOOKS = yaml.safe_load((FILE.parents[1] / "values.yaml").read_text())["metrics"]["prometheusRule"]["runbookUrl"]
DAY = 86400

UP = {"searchaccess_build_info{}": "1x2000"}
HEALTHY = UP | {
    'searchaccess_cluster_ready{cluster="prod",reason="InSync"}': "1x2000",
    'searchaccess_accesses{cluster="prod",ready="True",reason="InSync"}': "7x2000",
    'searchaccess_drift_open{cluster="prod"}': "0x2000",
    'searchaccess_events_total{cluster="prod",reason="DriftCorrected"}': "0x2000",
    'searchaccess_credential_next_rotation_timestamp_seconds{cluster="prod"}': f"{10 * DAY}x2000",
    'searchaccess_credential_expiry_timestamp_seconds{cluster="prod"}': f"{20 * DAY}x2000",
    'searchaccess_accesses{cluster="prod",ready="False",reason="ChangesPending"}': "1x2000",
    'searchaccess_accesses{cluster="prod",ready="False",reason="NotYetValid"}': "1x2000",
    'searchaccess_accesses{cluster="prod",ready="False",reason="Expired"}': "1x2000",
    'searchaccess_accesses{cluster="prod",ready="False",reason="OutsideSchedule"}': "1x2000",
    'searchaccess_accesses{cluster="prod",ready="False",reason="PendingApproval"}': "1x2000",
    'searchaccess_break_glass{cluster="prod"}': "0x2000",
    'searchaccess_not_exclusive{cluster="prod",reason="CannotBeSeen"}': "1x2000",
    'searchaccess_gateway{cluster="prod",condition="GatewayInSync",reason="GatewayInSync"}': "1x2000",
    'searchaccess_gateway{cluster="prod",condition="GatewayVerified",reason="GatewayPartlyVerified"}': "0.5x2000",
    'searchaccess_queue_age_seconds{cluster="prod"}': "3x2000",
    'searchaccess_internal_errors_total{cluster="prod",place="plan"}': "0x2000",
    'searchaccess_lease_held{cluster="prod",pod="a"}': "1x2000",
    'searchaccess_lease_held{cluster="prod",pod="b"}': "0x2000",
    'searchaccess_requests_total{target="elasticsearch",cluster="prod",result="ok"}': "0+10x2000",
    'searchaccess_requests_total{target="elasticsearch",cluster="prod",result="NotFound"}': "0+10x2000",
    'searchaccess_requests_total{target="elasticsearch",cluster="prod",result="Throttled"}': "0+1x2000",
}
"""By series, its values each minute."""

WRONG: dict[str, tuple[dict[str, str], str]] = {
    "SearchClusterNotReady": (
        {'searchaccess_cluster_ready{cluster="prod",reason="LoginRefused"}': "0x2000"}, "30m"
    ),
    "SearchAccessesNotReady": (
        {'searchaccess_accesses{cluster="prod",ready="False",reason="Pending"}': "2x2000"}, "30m"
    ),
    "SearchGatewayNotTrusted": (
        {
            'searchaccess_gateway{cluster="prod",condition="GatewayVerified",reason="GatewayAcceptsOthers"}':
                "_x2 0x2000"
        },
        "5m",
    ),
    "SearchGatewayNotWell": (
        {'searchaccess_gateway{cluster="prod",condition="GatewayInSync",reason="GatewayNotAsked"}': "0.5x2000"}, "30m"
    ),
    "SearchAccessDriftStays": ({'searchaccess_drift_open{cluster="prod"}': "1x2000"}, "45m"),
    "SearchAccessDriftKeepsComing": (
        {'searchaccess_events_total{cluster="prod",reason="DriftCorrected"}': "0+1x2000"}, "60m"
    ),
    "SearchAccessNotExclusive": (
        {'searchaccess_not_exclusive{cluster="prod",reason="BroaderThanDeclared"}': "1x2000"}, "30m"
    ),
    "SearchAccessRotationLate": (
        {'searchaccess_credential_next_rotation_timestamp_seconds{cluster="prod"}': "60x2000"}, "120m"
    ),
    "SearchAccessCredentialExpires": (
        {'searchaccess_credential_expiry_timestamp_seconds{cluster="prod"}': f"{DAY - 60}x2000"}, "30m"
    ),
    "SearchAccessInternalErrors": (
        {'searchaccess_internal_errors_total{cluster="prod",place="plan"}': "0 1x2000"}, "10m"
    ),
    "SearchAccessBreakGlass": ({'searchaccess_break_glass{cluster="prod"}': "0x2 1x2000"}, "5m"),
    "SearchAccessQueueOld": ({'searchaccess_queue_age_seconds{cluster="prod"}': "601x2000"}, "30m"),
    "SearchClusterWithoutReplica": ({'searchaccess_lease_held{cluster="prod",pod="a"}': "0x2000"}, "30m"),
    "SearchAccessRequestsFail": (
        {'searchaccess_requests_total{target="elasticsearch",cluster="prod",result="Throttled"}': "0+10x2000"}, "60m"
    ),
}  # fmt: skip


def fires(promtool: Path, folder: Path, series: dict[str, str], at: str, alert: str, rules: Path = FILE) -> bool:
    """Return whether an alert fires: promtool expects that it does not, and reports what it found."""
    check: dict[str, Any] = {"eval_time": at, "alertname": alert, "exp_alerts": []}
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    one = {"interval": "1m", "input_series": inputs, "alert_rule_test": [check]}
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [one]}))
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if done.returncode == 0:
        assert "SUCCESS" in output
        return False
    assert f'alertname="{alert}"' in output, output
    return True


def test_nothing_fires_while_all_is_well(promtool: Path, tmp_path: Path) -> None:
    for rule in RULES:
        for at in ("5m", "30m", "600m"):
            assert not fires(promtool, tmp_path, HEALTHY, at, rule["alert"]), rule["alert"]


def test_each_fires_when_it_should_and_not_at_once(promtool: Path, tmp_path: Path) -> None:
    assert {rule["alert"] for rule in RULES} == {*WRONG, "SearchAccessOperatorAbsent"}
    for alert, (series, at) in WRONG.items():
        assert fires(promtool, tmp_path, HEALTHY | series, at, alert), alert
        assert not fires(promtool, tmp_path, HEALTHY | series, "1m", alert), alert
    assert fires(promtool, tmp_path, {"up{}": "1x2000"}, "10m", "SearchAccessOperatorAbsent")
    assert not fires(promtool, tmp_path, UP, "10m", "SearchAccessOperatorAbsent")


def test_each_has_a_page_and_asks_for_metrics_that_there_are() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text()
    known = LABELS | {f"{name}_total": labels for name, labels in LABELS.items()}
    for rule in RULES:
        assert f"\n## {rule['alert']}\n" in page
        assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS}#{rule['alert'].lower()}"
        names = re.findall(r"searchaccess_\w+", rule["expr"])
        assert names
        assert set(names) <= set(known)
        for labels in re.findall(r"by \(([^)]*)\)", rule["expr"]):
            assert set(labels.split(", ")) <= {label for name in names for label in known[name]}


def test_promtool_finds_nothing_wrong_with_metrics(promtool: Path) -> None:
    metrics = Metrics()
    metrics.reconciled("prod", full=True, seconds=1, result="ok")
    metrics.event_emitted("prod", "DriftCorrected")
    metrics.counting("elasticsearch", "prod")("roles", "ok", 0.1)
    text = metrics.text().decode()
    for family in families().values():
        text += f"# HELP {family.name} {family.documentation}\n# TYPE {family.name} gauge\n{family.name} 1\n"
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    bad = subprocess.run([promtool, "check", "metrics"], input="x_ms 1\n", capture_output=True, text=True, check=False)
    assert bad.returncode != 0, "the check can fail"
