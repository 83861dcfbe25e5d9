"""The Grafana dashboards of the chart: of the operator, and of the gateway.

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


_GATEWAY: Final = 'gateway=~"$gateway"'
_CALLERS: Final = f'{_GATEWAY},envoy_http_conn_manager_prefix="gateway"'


def _each(metric: str, by: str, selector: str = _GATEWAY) -> str:
    return f"sum by ({by}) (rate({metric}{{{selector}}}[$__rate_interval]))"


_GATEWAY_PANELS: Final = (
    _Panel(
        "Requests by caller", "Of the ten callers with the most. Only callers that the gateway lets in are counted.",
        (f"topk(10, {_each('envoy_gateway_requests', 'gateway, principal')})", "{{principal}}"), unit="reqps",
    ),
    _Panel(
        "Answers by status", "All, those that the gateway itself gave included.",
        (_each("envoy_gateway_answers", "gateway, code"), "{{gateway}} {{code}}"), unit="reqps",
    ),
    _Panel(
        "Tokens refused", "Missing, expired, for another audience, or signed with an unknown key: 401.",
        (_each("envoy_http_jwt_authn_denied", "gateway", _CALLERS), "{{gateway}}"), unit="reqps",
    ),
    _Panel(
        "Refused by a rule", "403: the caller, or its request, is not allowed.",
        (_each("envoy_http_rbac_denied", "gateway, envoy_rbac_http_prefix", _CALLERS),
          "{{gateway}} {{envoy_rbac_http_prefix}}"), unit="reqps",
    ),
    _Panel(
        "Rate limited", "Requests above the limit of their caller: 429. The gateway's log names callers.",
        (_each("envoy_http_local_rate_limit_rate_limited", "gateway"), "{{gateway}}"), unit="reqps",
    ),
    _Panel(
        "Refused and failed requests by caller", "Of the ten callers with the most: all statuses of 400 and above.",
        ("topk(10, " + _each("envoy_gateway_requests", "gateway, principal, code", f'{_GATEWAY},code=~"4..|5.."')
          + ")", "{{principal}} {{code}}"), unit="reqps",
    ),
    _Panel(
        "Pods", "Pods that run Envoy.",
        (f"sum by (gateway) (envoy_server_live{{{_GATEWAY}}})", "{{gateway}}"), kind="stat", width=6,
    ),
    _Panel(
        "Certificate", "Days until the first certificate in use expires.",
        (f"min by (gateway) (envoy_server_days_until_first_cert_expiring{{{_GATEWAY}}})", "{{gateway}}"),
        kind="stat", unit="d", width=6,
    ),
    _Panel(
        "Configurations rejected", "Since the pod started: it serves the last one that it accepted.",
        (f"sum by (gateway, pod) (envoy_listener_manager_lds_update_rejected{{{_GATEWAY}}})", "{{pod}}"),
        kind="stat", width=6,
    ),
    _Panel(
        "Keys of the issuer", "Failed fetches in an hour. Running pods keep their keys; new pods wait for them.",
        (f"sum by (gateway) (increase(envoy_http_jwt_authn_jwks_fetch_failed{{{_CALLERS}}}[1h]))", "{{gateway}}"),
        kind="stat", width=6,
    ),
    _Panel(
        "Memory", "Of each pod. Near 512 MiB it refuses requests.",
        (f"max by (gateway, pod) (envoy_server_memory_allocated{{{_GATEWAY}}})", "{{pod}}"), unit="bytes",
    ),
    _Panel(
        "Connections of callers", "Of each pod.",
        (f"sum by (gateway, pod) (envoy_http_downstream_cx_active{{{_CALLERS}}})", "{{pod}}"),
    ),
    _Panel(
        "Time of Elasticsearch", "The 95th percentile of its answers.",
        ("histogram_quantile(0.95, "
          + _each("envoy_cluster_upstream_rq_time_bucket", "gateway, le",
                  f'{_GATEWAY},envoy_cluster_name="elasticsearch"') + ")", "{{gateway}}"), unit="ms",
    ),
    _Panel(
        "Connections to Elasticsearch", "Of each pod; requests wait when all are busy.",
        (f'sum by (gateway, pod) (envoy_cluster_upstream_cx_active{{{_GATEWAY},envoy_cluster_name="elasticsearch"}})',
          "{{pod}}"),
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


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": _SOURCE,
        "query": query,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def dashboard() -> str:
    """Return the operator's dashboard, as JSON that Grafana imports."""
    return _json(
        "searchaccess",
        "SearchAccess",
        "Which Cloud Run service may do what on which Elasticsearch indices, and is that in force?",
        _variable("cluster", "SearchCluster", "label_values(searchaccess_cluster_ready, cluster)"),
        _PANELS,
    )


def gateway_dashboard() -> str:
    """Return the gateway's dashboard, as JSON that Grafana imports."""
    return _json(
        "searchaccess-gateway",
        "SearchAccess gateway",
        "Who calls Elasticsearch through the gateway, and what does it refuse?",
        # Other Envoys have no such label.
        _variable("gateway", "Gateway", 'label_values(envoy_server_live{gateway!=""}, gateway)'),
        _GATEWAY_PANELS,
    )


def _json(uid: str, title: str, description: str, variable: dict[str, Any], shown: tuple[_Panel, ...]) -> str:
    panels, x, y = [], 0, 0
    for number, panel in enumerate(shown, start=1):
        if x + panel.width > _WIDTH:
            x, y = 0, y + panel.height
        panels.append(_panel(number, panel, x, y))
        x += panel.width
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    body = {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["searchaccess"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [source, variable]},
        "panels": panels,
    }
    return json.dumps(body, indent=2) + "\n"
