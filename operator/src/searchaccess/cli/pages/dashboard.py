"""The Grafana dashboard of the chart.

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

import json
from dataclasses import dataclass
from typing import Any, Final

_WIDTH: Final = 24
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_FAILED: Final = 'result!~"ok|NotFound"'
_OF: Final = 'cluster=~"$cluster"'


@dataclass(frozen=True, slots=True)
class _Panel:
    title: str
    description: str
    query: tuple[str, str]
    """Expression and legend."""
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 12
    height: int = 8


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}{{{_OF}}}[$__rate_interval]))"


_PANELS: Final = (
    _Panel(
        "SearchAccesses not ready", "By reason: docs/reasons.md has the meaning and next step of each.",
        (f'sum by (cluster, reason) (max by (cluster, ready, reason) (searchaccess_accesses{{ready!="True",{_OF}}}))',
          "{{cluster}} {{reason}}"),
    ),
    _Panel(
        "SearchAccesses ready", "In force as declared, and confirmed by Elasticsearch.",
        (f'sum by (cluster) (max by (cluster, reason) (searchaccess_accesses{{ready="True",{_OF}}}))',
          "{{cluster}}"),
        kind="stat", width=6,
    ),
    _Panel(
        "SearchClusters ready", "0: its condition Ready is not True; the legend says why.",
        (f"max by (cluster, reason) (searchaccess_cluster_ready{{{_OF}}})", "{{cluster}} {{reason}}"),
        kind="stat", width=6,
    ),
    _Panel(
        "Open differences", "Somebody else made them in Elasticsearch. They are not corrected, or only observed.",
        (f"max by (cluster) (searchaccess_drift_open{{{_OF}}})", "{{cluster}}"),
    ),
    _Panel(
        "Events", "Emitted for SearchAccesses, such as DriftDetected, DriftCorrected and CredentialIssued.",
        (_rate("searchaccess_events_total", "cluster, reason"), "{{cluster}} {{reason}}"), unit="cps",
    ),
    _Panel(
        "Until the next rotation", "Below zero: it is overdue.",
        (f"min by (cluster) (searchaccess_credential_next_rotation_timestamp_seconds{{{_OF}}}) - time()",
          "{{cluster}}"), unit="s",
    ),
    _Panel(
        "Until the first API key expires", "Unless it is rotated before.",
        (f"min by (cluster) (searchaccess_credential_expiry_timestamp_seconds{{{_OF}}}) - time()", "{{cluster}}"),
        unit="s",
    ),
    _Panel(
        "Duration of reconciles", "The 95th percentile, by scope: full, or incremental.",
        (f"histogram_quantile(0.95, {_rate('searchaccess_reconcile_duration_seconds_bucket', 'cluster, scope, le')})",
          "{{cluster}} {{scope}}"), unit="s",
    ),
    _Panel(
        "Failed requests", "By target and reason.",
        (f"sum by (target, cluster, result) (rate(searchaccess_requests_total{{{_FAILED}}}[$__rate_interval]))",
          "{{target}} {{cluster}} {{result}}"), unit="reqps",
    ),
    _Panel(
        "Requests", "By target.",
        ("sum by (target) (rate(searchaccess_requests_total[$__rate_interval]))", "{{target}}"), unit="reqps",
    ),
    _Panel(
        "Waiting changes", "Seconds since the last reconcile began, if something has changed since then.",
        (f"max by (cluster) (searchaccess_queue_age_seconds{{{_OF}}})", "{{cluster}}"), unit="s",
    ),
    _Panel(
        "Queued writes to Kubernetes", "Objects whose status or finalizer waits to be written, by replica.",
        ("searchaccess_outbox_length", "{{pod}}"),
    ),
    _Panel(
        "SearchClusters by replica", "How many SearchClusters each replica owns.",
        ("sum by (pod) (searchaccess_lease_held)", "{{pod}}"),
    ),
)  # fmt: skip


def _panel(number: int, panel: _Panel, x: int, y: int) -> dict[str, Any]:
    expression, legend = panel.query
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "gridPos": {"h": panel.height, "w": panel.width, "x": x, "y": y},
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "options": {},
        "targets": [{"datasource": _SOURCE, "expr": expression, "legendFormat": legend, "refId": "A"}],
    }


def dashboard() -> str:
    """Return the dashboard, as JSON that Grafana imports."""
    panels, x, y = [], 0, 0
    for number, panel in enumerate(_PANELS, start=1):
        if x + panel.width > _WIDTH:
            x, y = 0, y + panel.height
        panels.append(_panel(number, panel, x, y))
        x += panel.width
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    cluster = {
        "name": "cluster",
        "label": "SearchCluster",
        "type": "query",
        "datasource": _SOURCE,
        "query": "label_values(searchaccess_cluster_ready, cluster)",
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }
    body = {
        "uid": "searchaccess",
        "title": "SearchAccess",
        "description": "Which Cloud Run service may do what on which Elasticsearch indices, and is that in force?",
        "tags": ["searchaccess"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [source, cluster]},
        "panels": panels,
    }
    return json.dumps(body, indent=2) + "\n"
