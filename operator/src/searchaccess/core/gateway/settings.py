"""What the configuration of a gateway depends on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from searchaccess.api.vocabulary.apigroups import ApiGroup

__all__ = ["ApiGroup", "CallerLimits", "GatewaySettings", "Rate", "Upstream"]


@dataclass(frozen=True, slots=True)
class Rate:
    """How many requests a caller may send, to all replicas together."""

    per_second: int
    burst: int
    """Requests at once; at least ``per_second``."""


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """What a caller may send."""

    max_body: int
    """Bytes of a request's body."""
    rate: Rate | None = None
    """None: any number of requests."""
    groups: frozenset[ApiGroup] | None = None
    """Allowed parts of the API; None: all but what the gateway always refuses."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """An address of Elasticsearch."""

    host: str
    """DNS name or IP address, also the name that its certificate must have."""
    port: int


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What the configuration of a gateway depends on. It contains no secret."""

    role_prefix: str
    """Prefix of the native users that callers run as, up to their e-mail address: ``searchaccess.prod.``."""
    audience: str
    issuer: str
    jwks_url: str
    jwks_ca: str
    """Certificates in PEM form; empty: those of the gateway's image."""
    upstreams: tuple[Upstream, ...]
    """At least one; all of them with TLS, or none."""
    tls: bool
    ca: str
    """Certificates of Elasticsearch in PEM form; empty: those of the gateway's image."""
    verify: bool
    """Whether Elasticsearch's certificate is verified."""
    replicas: int
    """By which rates are divided, rounded up."""
    limits: CallerLimits
    """Of callers that have no limits of their own."""
    callers: Mapping[str, CallerLimits] = field(default_factory=dict)
    """Limits of single callers, by e-mail address."""
    iap_audience: str = ""
    """Audience of the Identity-Aware Proxy's assertions; empty: they are not accepted, and removed."""
    people: tuple[str, ...] = ()
    """E-mail addresses of people, with ``*``, that may call by the proxy's assertion."""
