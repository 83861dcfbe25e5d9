"""The listener for callers: what happens to a request, in order."""

from typing import Final

from searchaccess.core.gateway.render.certificate import certificate_reference
from searchaccess.core.gateway.render.clusters import ELASTICSEARCH
from searchaccess.core.gateway.render.conditions import RULES, claim, noted
from searchaccess.core.gateway.render.documents import Json, extension, formatted, socket_address, typed
from searchaccess.core.gateway.render.filters.authentication import caller_filter, token_filter
from searchaccess.core.gateway.render.filters.limits import limit_filters, routes
from searchaccess.core.gateway.render.filters.replies import local_replies
from searchaccess.core.gateway.render.filters.rules import repeatable, security_rules
from searchaccess.core.gateway.render.login import LOGIN
from searchaccess.core.gateway.render.logs import access_logs
from searchaccess.core.gateway.render.paths import Paths
from searchaccess.core.gateway.settings import GatewaySettings

CONTROLS: Final = (
    "es-",
    "x-envoy-",
    "forwarded",
    "x-found-",
    "x-elastic-",
    "x-http-method",
    "x-original-",
    "x-rewrite-",
    "x-serverless-",
    "proxy-",
    "cookie",
    "_",
)
"""Beginnings of headers with which callers could control Elasticsearch, or what is before it."""
LATE_CONTROLS: Final = ("x-forwarded", "x-goog-")
"""The same, removed once the caller is known: Envoy finds no route without ``x-forwarded-proto``, which it sets itself,
and the assertion of the Identity-Aware Proxy is one of Google's."""

_BUFFER: Final = 64 * 1024
"""Bytes that wait for Elasticsearch, or for a caller that reads slowly; from then on nothing more is read."""
_RULES: Final = "rules"


def listener(settings: GatewaySettings, paths: Paths) -> Json:
    """Return the listener, whose log does not name the version of the configuration yet.

    Args:
        settings: what it depends on.
        paths: files and addresses of the pod.
    """
    manager = extension(
        "http",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="gateway",
        codec_type="AUTO",
        server_name="searchaccess-gateway",
        **_connection_settings(paths),
        access_log=access_logs(""),
        local_reply_config=local_replies(),
        http_filters=_filters(settings, paths),
        route_config=_routes(settings),
    )
    return typed(
        "config.listener.v3.Listener",
        name="gateway",
        address=socket_address(paths.address, paths.port),
        per_connection_buffer_limit_bytes=_BUFFER,
        filter_chains=[{"transport_socket": _tls(paths), "filters": [manager]}],
    )


def with_version(listener: Json, version: str) -> Json:
    """Return a listener that names the version in its log. The rest, which may be large, is shared."""
    [chain] = listener["filter_chains"]
    [manager] = chain["filters"]
    named = {**manager, "typed_config": {**manager["typed_config"], "access_log": access_logs(version)}}
    return {**listener, "filter_chains": [{**chain, "filters": [named]}]}


def _connection_settings(paths: Paths) -> Json:
    return {
        "use_remote_address": True,
        "xff_num_trusted_hops": 0,
        "skip_xff_append": True,
        "internal_address_config": {"unix_sockets": False},
        "generate_request_id": True,
        # Elasticsearch does not resolve paths either: normalized, DELETE /index/_doc/%2E%2E would delete the index.
        "normalize_path": False,
        "merge_slashes": False,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "max_request_headers_kb": 24,
        "request_headers_timeout": "10s",
        "request_timeout": "0s",
        "stream_idle_timeout": "300s",
        # An old connection ends between two requests: HTTP/1.1 by "connection: close", HTTP/2 by GOAWAY.
        "http1_safe_max_connection_duration": True,
        "drain_timeout": "30s",
        "common_http_protocol_options": {
            "headers_with_underscores_action": "REJECT_REQUEST",
            "max_headers_count": 64,
            "idle_timeout": f"{paths.idle_seconds}s",
            "max_connection_duration": f"{paths.connection_seconds}s",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 256 * 1024,
            "initial_connection_window_size": 1024 * 1024,
        },
    }


def _tls(paths: Paths) -> Json:
    return extension(
        "tls",
        "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context={
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "tls_certificate_sds_secret_configs": [certificate_reference(paths)],
        },
    )


def _filters(settings: GatewaySettings, paths: Paths) -> list[Json]:
    return [
        _without("strip", CONTROLS),
        token_filter(settings, paths),
        caller_filter(settings),
        _without("strip-late", LATE_CONTROLS),
        extension(
            _RULES,
            "extensions.filters.http.rbac.v3.RBAC",
            rules_stat_prefix=f"{_RULES}_",
            rules=security_rules(),
            shadow_rules_stat_prefix=f"{_RULES}_",
            shadow_rules=repeatable(),
        ),
        _repeating(),
        *limit_filters(settings),
        _login_filter(paths),
        extension("envoy.filters.http.router", "extensions.filters.http.router.v3.Router", suppress_envoy_headers=True),
    ]


def _without(name: str, beginnings: tuple[str, ...]) -> Json:
    removed = [{"remove_on_match": {"key_matcher": {"prefix": text, "ignore_case": True}}} for text in beginnings]
    return extension(
        name,
        "extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": removed},
    )


def _repeating() -> Json:
    """Return the filter that lets requests which only read be sent again in more cases than others."""
    name = f"%DYNAMIC_METADATA({RULES}:{noted(_RULES)})%"
    header = {"header": {"key": "x-envoy-retry-on", "value": name}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    return extension(
        "repeat",
        "extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": [{"append": header}]},
    )


def _login_filter(paths: Paths) -> Json:
    source = {
        "path_config_source": {"path": f"{paths.login}/login.yaml", "watched_directory": {"path": paths.login}},
        "resource_api_version": "V3",
    }
    credential = extension(
        "envoy.http.injected_credentials.generic",
        "extensions.http.injected_credentials.generic.v3.Generic",
        header="Authorization",
        credential={"name": LOGIN, "sds_config": source},
    )
    return extension(
        "envoy.filters.http.credential_injector",
        "extensions.filters.http.credential_injector.v3.CredentialInjector",
        overwrite=True,
        allow_request_without_credential=False,
        credential=credential,
    )


def _routes(settings: GatewaySettings) -> Json:
    host = {"name": "elasticsearch", "domains": ["*"], "routes": [_route(one) for one in routes(settings)]}
    caller = {"key": "es-security-runas-user", "value": formatted(settings.role_prefix) + claim("email")}
    return {
        "name": "gateway",
        "virtual_hosts": [host],
        "request_headers_to_add": [{"header": caller, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
    }


def _route(limits: Json) -> Json:
    return {
        **limits,
        "route": {
            "cluster": ELASTICSEARCH,
            "timeout": "0s",
            "idle_timeout": "300s",
            "auto_host_rewrite": True,
            "retry_policy": {
                # 401: Elasticsearch does not take the gateway's login, for example until its index of users is there.
                # It has done nothing then.
                "retry_on": "connect-failure,refused-stream,reset-before-request,retriable-status-codes",
                "retriable_status_codes": [401],
                "num_retries": 3,
                "retry_back_off": {"base_interval": "0.1s", "max_interval": "1s"},
                "retry_host_predicate": [
                    extension(
                        "envoy.retry_host_predicates.previous_hosts",
                        "extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
                    )
                ],
                # The load balancer picks at random of two, the one with fewer requests: one that fails has none. Few
                # picks would end at it again.
                "host_selection_retry_max_attempts": 256,
            },
        },
    }
