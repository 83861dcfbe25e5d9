"""The identity-aware gateway in front of an Elasticsearch cluster, as a SearchCluster declares it."""

from typing import Annotated

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, Narrows, cel, matches, rules
from searchaccess.api.constants import GOOGLE_ISSUER
from searchaccess.api.references import Certificates
from searchaccess.api.times.durations import Duration, between

BODY_PATTERN = r"^[1-9][0-9]{0,5}(Ki|Mi|Gi)$"
"""A size in bytes, as Kubernetes writes quantities."""
PERSON_PATTERN = r"^[A-Za-z0-9.*_%+-]{1,64}@[A-Za-z0-9.-]{1,253}$"
"""An e-mail address, with wildcards before its @ alone: a domain is always spelled out."""
AUDIENCE_PATTERN = r"^/projects/[0-9]+/(global/backendServices/[0-9]+|apps/[a-z0-9-]+|locations/.+)$"
"""The audience of the Identity-Aware Proxy's assertions."""
LABEL_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
"""A label of a DNS name (RFC 1123)."""
_LABEL = rules(cel(matches(LABEL_PATTERN), "write a DNS label such as searchaccess-gateway"))
_HTTPS_URL = rules(
    cel(
        f"self.matches('^https://') && isURL(self) && url(self).getHostname() != '' && !{matches('[@?#]')}",
        "write https://host, without user or query",
    )
)

BodySize = Annotated[
    str,
    Field(
        max_length=8,
        json_schema_extra=rules(cel(matches(BODY_PATTERN), "write a size such as 512Ki, 100Mi or 1Gi")),
    ),
]
"""The size of a request's body."""

RequestRate = Annotated[int, Field(ge=1, le=100_000)]
"""Requests."""


class GatewayLimits(ApiModel):
    """Limits for each caller whose SearchAccesses declare none of their own."""

    requests_per_second: Annotated[RequestRate | None, Narrows("then requests are not limited")] = None
    """Requests that each caller may send in a second, on average, to all replicas together."""

    burst: RequestRate | None = None
    """Requests that a caller may send at once. Defaults to twice `requestsPerSecond`."""

    max_body: BodySize = "100Mi"
    """The largest body of a request."""


class JwksSource(ApiModel):
    """Where the gateway reads the keys that sign tokens."""

    url: Annotated[str, Field(max_length=500, json_schema_extra=_HTTPS_URL)]
    """Address of the JSON Web Key Set (RFC 7517)."""

    ca: Annotated[Certificates | None, Narrows("then those of the gateway's image are trusted")] = None
    """Certificate authorities to trust for it. Defaults to those of the gateway's image."""


class IdentityAwareProxy(ApiModel):
    """Google's Identity-Aware Proxy in front of the gateway."""

    audience: Annotated[
        str,
        Field(
            max_length=300,
            json_schema_extra=rules(
                cel(
                    matches(AUDIENCE_PATTERN),
                    "write the audience of its signed header, such as /projects/123/global/backendServices/456",
                )
            ),
        ),
    ]
    """Audience of the header `x-goog-iap-jwt-assertion`. If a request has this header, its token counts."""

    allow_people: Annotated[
        list[
            Annotated[
                str,
                Field(
                    max_length=320,
                    json_schema_extra=rules(
                        cel(
                            matches(PERSON_PATTERN),
                            "write an e-mail address such as *@example.com; the domain has no wildcards",
                        )
                    ),
                ),
            ]
        ],
        Field(max_length=20, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = []
    """E-mail addresses of people who may call through the proxy, such as `*@example.com`. Nobody else but service
    accounts may. A person gets the rights of a native user named `searchaccess.<instance>.<e-mail address>`, which you
    create: the operator creates users of service accounts alone."""


_NO_JWKS = "set jwks.url: only the keys of Google's issuer are known"


class Gateway(ApiModel):
    """An identity-aware gateway, which verifies callers' tokens in front of Elasticsearch. It needs no paid license."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel(f"!has(self.issuer) || self.issuer == '{GOOGLE_ISSUER}' || has(self.jwks)", _NO_JWKS)
        )
    }

    audience: Annotated[str, Field(min_length=1, max_length=500)]
    """Audience of callers' tokens. A token for any other audience is refused."""

    issuer: Annotated[str, Field(min_length=1, max_length=500)] = GOOGLE_ISSUER
    """Issuer of the tokens."""

    jwks: JwksSource | None = None
    """Where the issuer publishes its keys. Defaults to Google's. Required with any other issuer."""

    url: Annotated[str, Field(max_length=500, json_schema_extra=_HTTPS_URL)]
    """Address at which callers reach the gateway. The operator tests the gateway there."""

    ca: Annotated[Certificates | None, Narrows("then the system's authorities are trusted")] = None
    """Certificate authorities to trust for `url`. Defaults to the system's."""

    namespace: Annotated[str, Field(max_length=63, json_schema_extra=_LABEL)]
    """Namespace of the gateway's pods. The operator writes their configuration and login there."""

    name: Annotated[str, Field(max_length=40, json_schema_extra=_LABEL)] = "searchaccess-gateway"
    """Name of the gateway: its configuration is in the ConfigMap `<name>-config`, its login in the Secret
    `<name>-login`."""

    replicas: Annotated[int, Field(ge=1, le=100)] = 2
    """Number of the gateway's pods by which limits are divided, as each pod counts for itself. With autoscaling: the
    lowest number."""

    limits: Annotated[GatewayLimits, Narrows("then requests are not limited, and bodies are at most 100Mi")] = (
        GatewayLimits()
    )
    """Limits for each caller whose SearchAccesses declare none of their own."""

    rotate_every: Annotated[
        Duration, Field(json_schema_extra=between("1h", "8760h", "720h")), Narrows("then it is 720h")
    ] = "720h"
    """How often the gateway's login to Elasticsearch is replaced. The annotation `searchaccess.dev/rotate-requested-at`
    on the SearchCluster replaces it now."""

    iap: IdentityAwareProxy | None = None
    """Google's Identity-Aware Proxy in front of the gateway."""

    @model_validator(mode="after")
    def _knows_the_keys(self) -> "Gateway":
        if self.issuer != GOOGLE_ISSUER and self.jwks is None:
            raise ValueError(_NO_JWKS)
        return self
