"""What the gateway connects to: Elasticsearch, and the publishers of keys."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from searchaccess.core.gateway.render.authentication import IAP_JWKS, JWKS
from searchaccess.core.gateway.render.documents import Json, extension, socket_address, typed
from searchaccess.core.gateway.render.paths import Paths
from searchaccess.core.gateway.settings import GatewaySettings, Upstream

ELASTICSEARCH: Final = "elasticsearch"

_BUFFER: Final = 64 * 1024
"""As of a connection of a caller. Envoy's default is sixteen times as much, which a thousand slow requests multiply."""
_HTTPS: Final = 443
_MOST_CONNECTIONS: Final = 128
"""With thousands, Elasticsearch accepts them too slowly and connects fail; requests wait for one of these instead."""


def clusters(settings: GatewaySettings, paths: Paths) -> list[Json]:
    """Return the clusters, in Envoy's sense of the word."""
    found = [_elasticsearch(settings, paths), _keys(JWKS, settings.jwks_url, settings.jwks_ca, paths)]
    if settings.iap_audience:
        found.append(_keys(IAP_JWKS, paths.iap_keys, "", paths))
    return found


def _elasticsearch(settings: GatewaySettings, paths: Paths) -> Json:
    thresholds = {
        "max_connections": _MOST_CONNECTIONS,
        "max_pending_requests": 16384,
        "max_requests": 16384,
        "max_retries": 64,
        "track_remaining": True,
    }
    hosts = tuple(sorted(set(settings.upstreams), key=lambda one: (one.host, one.port)))
    encryption = _tls(hosts, _authorities(settings.ca, paths), verify=settings.verify) if settings.tls else None
    return _cluster(
        ELASTICSEARCH,
        hosts,
        encryption,
        circuit_breakers={"thresholds": [thresholds]},
        per_connection_buffer_limit_bytes=_BUFFER,
        lb_policy="LEAST_REQUEST",
    )


def _keys(name: str, url: str, ca: str, paths: Paths) -> Json:
    parts = urlsplit(url)
    hosts = (Upstream(parts.hostname or "", parts.port or _HTTPS),)
    # Otherwise a publisher that accepts a request and never answers would stop all further attempts.
    slow = _http_options({"max_stream_duration": "10s"})
    return _cluster(name, hosts, _tls(hosts, _authorities(ca, paths), verify=True), **slow)


def _cluster(name: str, hosts: Iterable[Upstream], encryption: Json | None, **more: object) -> Json:
    endpoints = [{"endpoint": _endpoint(one)} for one in hosts]
    cluster = typed(
        "config.cluster.v3.Cluster",
        name=name,
        type="STRICT_DNS",
        dns_lookup_family="V4_PREFERRED",
        connect_timeout="10s",
        load_assignment={"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        upstream_connection_options={"tcp_keepalive": {"keepalive_time": 60, "keepalive_interval": 20}},
        **more,
    )
    return cluster if encryption is None else {**cluster, "transport_socket": encryption}


def _endpoint(host: Upstream) -> Json:
    """Where to connect, and the header Host: an IPv6 address has brackets there (RFC 9110)."""
    name = {"hostname": f"[{host.host}]"} if ":" in host.host else {}
    return {"address": socket_address(host.host, host.port), **name}


def _http_options(common: Json) -> Json:
    options = typed(
        "extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options=common,
        explicit_http_config={"http_protocol_options": {}},
    )
    return {"typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}}


def _tls(hosts: Iterable[Upstream], authorities: Json, *, verify: bool) -> Json:
    """A certificate must have the name of one of the hosts: Envoy verifies no name by default."""
    names = sorted({one.host for one in hosts})
    validation = (
        {"trusted_ca": authorities, "match_typed_subject_alt_names": [_name(name) for name in names]}
        if verify
        else {"trust_chain_verification": "ACCEPT_UNTRUSTED"}
    )
    # The name of a server is no address (RFC 6066).
    indication = {} if all(_is_address(name) for name in names) else {"auto_host_sni": True}
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
