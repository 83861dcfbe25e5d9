"""What the gateway connects to: Elasticsearch, and the publishers of keys."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from searchaccess.core.gateway.render.documents import Json, extension, socket_address, typed
from searchaccess.core.gateway.render.filters.authentication import IAP_JWKS, JWKS
from searchaccess.core.gateway.render.paths import Paths
from searchaccess.core.gateway.settings import GatewaySettings, Upstream

ELASTICSEARCH: Final = "elasticsearch"

_BUFFER: Final = 64 * 1024
"""As of a connection of a caller. Envoy's default is sixteen times as much, which a thousand slow requests multiply."""
_HTTPS: Final = 443
_MOST_CONNECTIONS: Final = 128
"""With thousands, Elasticsearch accepts them too slowly and connects fail; requests wait for one of these instead."""
_MOST_REQUESTS: Final = 16384
"""Those that wait or are repeated among them. How many Elasticsearch has at once is limited by the connections."""

_MATCHED: Final = "envoy.transport_socket_match"
_HOST: Final = "host"
_OUTLIERS: Final = {
    # A node that cannot be connected to gets no requests for a while. Answers do not count: a caller could have all
    # nodes taken out by requests that end with 503. If most nodes are out, all get requests (Envoy's panic threshold).
    "split_external_local_origin_errors": True,
    "consecutive_local_origin_failure": 3,
    "enforcing_consecutive_5xx": 0,
    "enforcing_consecutive_gateway_failure": 0,
    "enforcing_success_rate": 0,
    "enforcing_local_origin_success_rate": 0,
    "interval": "1s",
    "base_ejection_time": "5s",
    "max_ejection_time": "60s",
    "max_ejection_percent": 50,
}


def clusters(settings: GatewaySettings, paths: Paths) -> list[Json]:
    """Return the clusters, in Envoy's sense of the word."""
    found = [_elasticsearch(settings, paths), _keys(JWKS, settings.jwks_url, settings.jwks_ca, paths)]
    if settings.iap_audience:
        found.append(_keys(IAP_JWKS, paths.iap_keys, "", paths))
    return found


def _elasticsearch(settings: GatewaySettings, paths: Paths) -> Json:
    thresholds = {
        "max_connections": _MOST_CONNECTIONS,
        "max_pending_requests": _MOST_REQUESTS,
        "max_requests": _MOST_REQUESTS,
        # When a node ends, all that it had under way is repeated at once.
        "max_retries": _MOST_REQUESTS,
        "track_remaining": True,
    }
    hosts = tuple(sorted(set(settings.upstreams), key=lambda one: (one.host, one.port)))
    authorities = _authorities(settings.ca, paths)
    encryption = _tls_of_each(hosts, authorities, verify=settings.verify) if settings.tls else {}
    return _cluster(
        ELASTICSEARCH,
        hosts,
        encryption,
        connect_timeout="3s",
        outlier_detection=_OUTLIERS,
        circuit_breakers={"thresholds": [thresholds]},
        per_connection_buffer_limit_bytes=_BUFFER,
        lb_policy="LEAST_REQUEST",
    )


def _keys(name: str, url: str, ca: str, paths: Paths) -> Json:
    parts = urlsplit(url)
    hosts = (Upstream(parts.hostname or "", parts.port or _HTTPS),)
    # Otherwise a publisher that accepts a request and never answers would stop all further attempts.
    slow = _http_options({"max_stream_duration": "10s"})
    encryption = _tls_of_each(hosts, _authorities(ca, paths), verify=True)
    return _cluster(name, hosts, encryption, connect_timeout="10s", **slow)


def _cluster(name: str, hosts: Iterable[Upstream], encryption: Json, **more: object) -> Json:
    endpoints = [_endpoint(one) for one in hosts]
    return typed(
        "config.cluster.v3.Cluster",
        name=name,
        type="STRICT_DNS",
        dns_lookup_family="V4_PREFERRED",
        load_assignment={"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        upstream_connection_options={"tcp_keepalive": {"keepalive_time": 60, "keepalive_interval": 20}},
        **more,
        **encryption,
    )


def _endpoint(host: Upstream) -> Json:
    """Where to connect, and the header Host: an IPv6 address has brackets there (RFC 9110)."""
    name = {"hostname": f"[{host.host}]"} if ":" in host.host else {}
    endpoint = {"endpoint": {"address": socket_address(host.host, host.port), **name}}
    if not _is_address(host.host):
        return endpoint
    return {**endpoint, "metadata": {"filter_metadata": {_MATCHED: {_HOST: host.host}}}}


def _http_options(common: Json) -> Json:
    options = typed(
        "extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options=common,
        explicit_http_config={"http_protocol_options": {}},
    )
    return {"typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}}


def _tls_of_each(hosts: Iterable[Upstream], authorities: Json, *, verify: bool) -> Json:
    """How to connect to each host. Its certificate must have its own name: Envoy verifies none by default."""
    names = sorted({one.host for one in hosts})
    named = [name for name in names if not _is_address(name)]
    addresses = [name for name in names if _is_address(name)]
    sockets = {name: _tls([name], authorities, verify=verify) for name in addresses}
    if not named and len(addresses) == 1:
        return {"transport_socket": sockets[addresses[0]]}
    matches = [{"name": name, "match": {_HOST: name}, "transport_socket": one} for name, one in sockets.items()]
    return {
        # The last one is for all hosts that match nothing: those with names.
        **({"transport_socket_matches": matches} if matches else {}),
        "transport_socket": _tls(named, authorities, verify=verify) if named else sockets[addresses[0]],
    }


def _tls(names: list[str], authorities: Json, *, verify: bool) -> Json:
    """Return TLS for an address, or for several names: then the name that is asked for must be in the certificate."""
    validation = (
        {"trusted_ca": authorities, "match_typed_subject_alt_names": [_name(name) for name in names]}
        if verify
        else {"trust_chain_verification": "ACCEPT_UNTRUSTED"}
    )
    # The name of a server is no address (RFC 6066).
    indication = {} if any(_is_address(name) for name in names) else {"auto_host_sni": True}
    if indication and verify:
        indication["auto_sni_san_validation"] = True
    return extension(
        "tls",
        "extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        **indication,
        max_session_keys=16,
        common_tls_context={
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
            "validation_context": validation,
        },
    )


def _name(name: str) -> Json:
    return {"san_type": "IP_ADDRESS" if _is_address(name) else "DNS", "matcher": {"exact": name}}


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _authorities(pem: str, paths: Paths) -> Json:
    return {"inline_string": pem} if pem else {"filename": paths.system_ca}
