"""The static file with which Envoy starts, and what a pod says about the version that it serves."""

import re
from typing import Final

from searchaccess.core.gateway.render.documents import Json, extension, socket_address, to_text
from searchaccess.core.gateway.render.paths import IN_THE_CHART, Paths

_LOCAL: Final = "127.0.0.1"
_ADMIN: Final = "admin"
_VERSIONS: Final = ("cluster_manager.cds.version_text", "listener_manager.lds.version_text")
_WARMING: Final = ("cluster_manager.warming_clusters", "listener_manager.total_listeners_warming")
_RUNTIME: Final = {"re2.max_program_size.error_level": 1_000_000}
"""Envoy refuses regular expressions of more than 100 instructions otherwise, and all of them are ours."""
_LINE: Final = re.compile(r'([a-z_.]+): "?([^"\n]*)"?')


def render_bootstrap(paths: Paths = IN_THE_CHART) -> str:
    """Return the static file with which Envoy starts. It names the files that it watches.

    Args:
        paths: files and addresses of the pod.
    """
    monitors = "extensions.resource_monitors."
    return to_text(
        {
            "node": {"id": "gateway", "cluster": "searchaccess-gateway"},
            "admin": {"address": socket_address(_LOCAL, paths.admin_port)},
            "dynamic_resources": {
                "lds_config": _watched(paths, "listeners.yaml"),
                "cds_config": _watched(paths, "clusters.yaml"),
            },
            "static_resources": {"listeners": [_health(paths)], "clusters": [_admin(paths)]},
            "layered_runtime": {"layers": [{"name": "static", "static_layer": dict(_RUNTIME)}]},
            "overload_manager": {
                "refresh_interval": "0.25s",
                "resource_monitors": [
                    extension(
                        "envoy.resource_monitors.fixed_heap",
                        f"{monitors}fixed_heap.v3.FixedHeapConfig",
                        max_heap_size_bytes=paths.max_heap,
                    ),
                    extension(
                        "envoy.resource_monitors.global_downstream_max_connections",
                        f"{monitors}downstream_connections.v3.DownstreamConnectionsConfig",
                        max_active_downstream_connections=20_000,
                    ),
                ],
                "actions": [
                    {
                        "name": "envoy.overload_actions.stop_accepting_requests",
                        "triggers": [{"name": "envoy.resource_monitors.fixed_heap", "threshold": {"value": 0.95}}],
                    }
                ],
            },
        }
    )


def loaded_version(answer: str) -> str:
    """Return which version a pod serves, from its answer at ``/version``.

    Args:
        answer: the body: Envoy's statistics about both files, a line each.

    Returns:
        The ``version`` of what was rendered; empty while it has not loaded both files of one version, or still
        prepares to serve them.
    """
    values = {found[1]: found[2] for line in answer.splitlines() if (found := _LINE.fullmatch(line))}
    versions = {values.get(name, "") for name in _VERSIONS}
    settled = all(values.get(name) == "0" for name in _WARMING)
    return versions.pop() if len(versions) == 1 and settled else ""


def _watched(paths: Paths, name: str) -> Json:
    source = {"path": f"{paths.dynamic}/{name}", "watched_directory": {"path": paths.dynamic}}
    return {"path_config_source": source, "resource_api_version": "V3"}


def _health(paths: Paths) -> Json:
    """Only what is listed of the administration, for reading."""
    statistics = "|".join(name.replace(".", "[.]") for name in (*_VERSIONS, *_WARMING))
    routes = [
        _route("/ready", "/ready"),
        _route("/stats/prometheus", "/stats/prometheus"),
        _route("/version", f"/stats?filter=^({statistics})$"),
    ]
    manager = extension(
        "http",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="health",
        http_filters=[extension("envoy.filters.http.router", "extensions.filters.http.router.v3.Router")],
        route_config={"virtual_hosts": [{"name": _ADMIN, "domains": ["*"], "routes": routes}]},
    )
    return {
        "name": "health",
        "address": socket_address(paths.address, paths.health_port),
        # Probes and metrics answer while callers are refused: a pod must not end because it is busy.
        "ignore_global_conn_limit": True,
        "bypass_overload_manager": True,
        "filter_chains": [{"filters": [manager]}],
    }


def _route(path: str, target: str) -> Json:
    """A route for one path without a query, which would change what the administration answers."""
    return {
        "match": {"path": path, "headers": [{"name": ":path", "string_match": {"exact": path}}, _reading()]},
        "route": {"cluster": _ADMIN, "prefix_rewrite": target},
    }


def _reading() -> Json:
    return {"name": ":method", "string_match": {"exact": "GET"}}


def _admin(paths: Paths) -> Json:
    endpoint = {"endpoint": {"address": socket_address(_LOCAL, paths.admin_port)}}
    return {
        "name": _ADMIN,
        "type": "STATIC",
        "connect_timeout": "10s",
        "load_assignment": {"cluster_name": _ADMIN, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
