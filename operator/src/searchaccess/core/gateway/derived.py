"""The settings of a gateway, from its SearchCluster and from how Elasticsearch is reached."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from searchaccess.api.clusters.gateway import Gateway
from searchaccess.api.constants import GOOGLE_JWKS_URL
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.gateway.limits import default_limits
from searchaccess.core.gateway.settings import CallerLimits, GatewaySettings, Upstream

_PORTS: Final = {"https": 443, "http": 80}


class NotForGateways(ValueError):
    """A SearchCluster has something that a gateway cannot have; the message says what to write instead."""


def settings_of(
    gateway: Gateway,
    connection: Connection,
    role_prefix: str,
    *,
    jwks_ca: str = "",
    callers: Mapping[str, CallerLimits] | None = None,
) -> GatewaySettings:
    """Return the settings of a gateway.

    It reaches Elasticsearch as the operator does: at the same addresses, with the same certificate authorities. So what
    ``allowExposure`` of the SearchCluster allows the operator, it allows the gateway.

    Args:
        gateway: as declared.
        connection: how the operator reaches Elasticsearch.
        role_prefix: of the users that callers run as, such as ``searchaccess.prod.``.
        jwks_ca: certificates for the keys' address in PEM form; empty: those of the gateway's image.
        callers: limits of single callers, by e-mail address.

    Raises:
        NotForGateways: Elasticsearch has an address that a gateway cannot have.
    """
    tls, upstreams = _upstreams(connection.urls)
    iap = gateway.iap
    return GatewaySettings(
        role_prefix=role_prefix,
        audience=gateway.audience,
        issuer=gateway.issuer,
        jwks_url=gateway.jwks.url if gateway.jwks else GOOGLE_JWKS_URL,
        jwks_ca=jwks_ca,
        upstreams=upstreams,
        tls=tls,
        ca=connection.ca if tls else "",
        verify=connection.verify,
        replicas=gateway.replicas,
        limits=default_limits(gateway.limits),
        callers=callers or {},
        iap_audience=iap.audience if iap else "",
        people=tuple(sorted(iap.allow_people)) if iap else (),
    )


def _upstreams(urls: tuple[str, ...]) -> tuple[bool, tuple[Upstream, ...]]:
    """Return whether the addresses have TLS, and the addresses; with TLS alone if only some have it."""
    parts = [urlsplit(url) for url in urls]
    secure = [part for part in parts if part.scheme == "https"]
    found: dict[Upstream, None] = {}
    for part in secure or parts:
        if part.path.strip("/"):
            raise NotForGateways(
                f"a gateway sends requests to {part.hostname} without a path: remove {part.path} from its address"
            )
        found[Upstream(part.hostname or "", part.port or _PORTS[part.scheme])] = None
    return bool(secure), tuple(found)
