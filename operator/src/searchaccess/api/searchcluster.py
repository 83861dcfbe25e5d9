"""The kind SearchCluster: an Elasticsearch cluster, how to reach it, and how it checks callers' identity."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from searchaccess.api.base import ApiModel, cel, rules
from searchaccess.api.status import SearchClusterStatus

GOOGLE_ISSUER = "https://accounts.google.com"

Duration = Annotated[
    str,
    Field(max_length=20, pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"),
]

Url = Annotated[
    str,
    Field(
        max_length=500,
        json_schema_extra=rules(
            cel("self.startsWith('https://')", "use https://: over plain http everybody on the way can read the token"),
            cel(
                "isURL(self) && url(self).getHostname() != '' && !self.contains('@') && !self.contains('?')",
                "write https://host:port, without user, password or query; the login belongs into a Secret",
            ),
        ),
    ),
]


class MappingKind(StrEnum):
    """How callers get their role."""

    ROLE_TEMPLATE = "RoleTemplate"
    PER_PRINCIPAL = "PerPrincipal"


class Certificates(ApiModel):
    """Whom to trust."""

    inline: Annotated[
        str,
        Field(
            max_length=65536,
            json_schema_extra=rules(
                cel("self.contains('-----BEGIN CERTIFICATE-----')", "write certificates in PEM form, as in a .crt file")
            ),
        ),
    ]
    """Certificates in PEM form."""


class SecretReference(ApiModel):
    """A Secret."""

    namespace: Annotated[str, Field(min_length=1, max_length=63)]
    name: Annotated[str, Field(min_length=1, max_length=253)]


class Login(ApiModel):
    """The operator's own login."""

    secret_ref: SecretReference
    """A Secret with the keys `username` and `password`."""


class JwtRealm(ApiModel):
    """The JWT realm that checks callers' identity tokens."""

    name: Annotated[
        str,
        Field(
            max_length=100,
            json_schema_extra=rules(
                cel(
                    "self.matches('^[A-Za-z0-9_-]+$')",
                    "write the realm's name alone: google for xpack.security.authc.realms.jwt.google",
                )
            ),
        ),
    ]
    """Name of the realm in elasticsearch.yml."""

    audience: Annotated[str, Field(min_length=1, max_length=500)]
    """Audience that callers put into their tokens; one of the realm's `allowed_audiences`."""

    issuer: Annotated[str, Field(min_length=1, max_length=500)] = GOOGLE_ISSUER
    """Issuer of the tokens; the realm's `allowed_issuer`."""


class ClusterIdentity(ApiModel):
    """How callers' identity is checked."""

    jwt_realm: JwtRealm
    """By a JWT realm of Elasticsearch."""


class DriftSettings(ApiModel):
    """How often to look."""

    probe_every: Annotated[
        Duration,
        Field(
            json_schema_extra=rules(
                cel(
                    "duration(self) >= duration('500ms') && duration(self) <= duration('1h')",
                    "probeEvery is between 500ms and 1h",
                )
            )
        ),
    ] = "2s"
    """How often to read the sequence number of `.security`, which tells that something changed."""

    sweep_every: Annotated[
        Duration,
        Field(
            json_schema_extra=rules(
                cel(
                    "duration(self) >= duration('5s') && duration(self) <= duration('24h')",
                    "sweepEvery is between 5s and 24h",
                )
            )
        ),
    ] = "5m"
    """How often to read everything, changed or not."""


class SearchClusterSpec(ApiModel):
    """What is declared."""

    urls: Annotated[list[Url], Field(min_length=1, max_length=10)]
    """Addresses of the cluster's nodes or of a load balancer, https only."""

    ca: Certificates | None = None
    """Whom to trust; the system's certificate authorities when absent."""

    login: Login
    """The operator's own login."""

    identity: ClusterIdentity
    """How callers' identity is checked."""

    mapping: MappingKind = MappingKind.ROLE_TEMPLATE
    """`RoleTemplate`: one role mapping, written once, makes each caller's role name from its principal.
    `PerPrincipal`: one role mapping each, for clusters where templates are not allowed (up to a few hundred)."""

    drift: DriftSettings = DriftSettings()
    """How often to look."""


class SearchCluster(ApiModel):
    """Declares an Elasticsearch cluster that SearchAccesses refer to."""

    spec: SearchClusterSpec
    status: SearchClusterStatus | None = None
