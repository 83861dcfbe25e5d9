"""Metrics of the gateway's Envoy that alerts and the dashboard ask for, with their labels.

Envoy 1.40 serves them at `/stats/prometheus`; `tests/kind/test_gateway.py` looks them up there.
"""

from typing import Final

ADDED: Final = {"gateway", "pod"}
"""The chart's PodMonitor adds them to all."""
_MANAGER: Final = {"envoy_http_conn_manager_prefix"}
_CLUSTER: Final = {"envoy_cluster_name"}
OF_ENVOY: Final[dict[str, set[str]]] = {
    "envoy_cluster_manager_cds_update_rejected": set(),
    "envoy_cluster_upstream_cx_active": _CLUSTER,
    "envoy_cluster_upstream_rq_time_bucket": _CLUSTER | {"le"},
    "envoy_http_downstream_cx_active": _MANAGER,
    "envoy_http_jwt_authn_denied": _MANAGER,
    "envoy_http_jwt_authn_jwks_fetch_failed": _MANAGER,
    "envoy_http_jwt_authn_jwks_fetch_success": _MANAGER,
    "envoy_listener_manager_lds_update_rejected": set(),
    "envoy_listener_manager_lds_version": set(),
    "envoy_overload_envoy_overload_actions_stop_accepting_requests_active": set(),
    "envoy_server_days_until_first_cert_expiring": set(),
    "envoy_server_live": set(),
    "envoy_server_memory_allocated": set(),
}
OF_CONFIGURATION: Final[dict[str, set[str]]] = {
    "envoy_gateway_answers": {"code"},
    "envoy_gateway_requests": {"principal", "code"},
    "envoy_http_local_rate_limit_rate_limited": {"envoy_local_http_ratelimit_prefix"},
    "envoy_http_rbac_denied": _MANAGER | {"envoy_rbac_http_prefix"},
}
"""Those that are there because the operator's configuration asks for them."""
ALL: Final = OF_ENVOY | OF_CONFIGURATION
