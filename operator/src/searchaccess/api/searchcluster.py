"""The kind SearchCluster: an Elasticsearch cluster, how to reach it, and how it verifies callers' identity."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, Narrows, cel, matches, rules
from searchaccess.api.clusters.audit import Audit
from searchaccess.api.clusters.gateway import Gateway
from searchaccess.api.clusters.namespaces import AllowedNamespaces
from searchaccess.api.clusters.orphans import Orphans
from searchaccess.api.clusters.ownership import Adoption, TakeOver
from searchaccess.api.constants import CLUSTER_NAME_LIMIT, GOOGLE_ISSUER
from searchaccess.api.references import Certificates, SecretReference, Url
from searchaccess.api.status import SearchClusterStatus
from searchaccess.api.stores.credentials import SecretStoreSpec
from searchaccess.api.times.durations import Duration, between


class Exposure(StrEnum):
    """A way in which a connection is not private."""

    PUBLIC_ADDRESS = "PublicAddress"
    PLAIN_HTTP = "PlainHttp"
    INSECURE_SKIP_VERIFY = "InsecureSkipVerify"


class MappingKind(StrEnum):
    """How callers get their role."""

    ROLE_TEMPLATE = "RoleTemplate"
    PER_PRINCIPAL = "PerPrincipal"


class PrincipalClaim(StrEnum):
    """The token claim that identifies callers."""

    EMAIL = "email"
    SUB = "sub"


class ClientAuthentication(StrEnum):
    """What the realm requires of clients in addition to a token."""

    NONE = "None"
    SHARED_SECRET = "SharedSecret"  # noqa: S105 - the name of a way, no secret.


class GoogleIdentity(ApiModel):
    """The operator's own Google service account."""

    audience: Annotated[str | None, Field(min_length=1, max_length=500)] = None
    """Audience of the operator's token. Defaults to that of `identity.jwtRealm`."""

    client_secret_ref: SecretReference | None = None
    """A Secret with the key `clientSecret`: the realm's shared client secret. Required with
    `identity.jwtRealm.clientAuthentication: SharedSecret`."""


_ONE_LOGIN = "set exactly one of secretRef and googleIdentity"


class Login(ApiModel):
    """How the operator logs in."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(cel("has(self.secretRef) != has(self.googleIdentity)", _ONE_LOGIN))
    }

    secret_ref: SecretReference | None = None
    """A Secret with the keys `username` and `password`, or `apiKey` (encoded, as Elasticsearch gives it), or `token`
    (sent as a bearer token). docs/clusters.md has the role that the login needs. A changed Secret is picked up without
    a restart."""

    google_identity: GoogleIdentity | None = None
    """Logs in with identity tokens of the service account that the operator runs as, through the same JWT realm as
    callers. Nothing is stored. You write a role mapping that gives the account its role: see docs/clusters.md."""

    @model_validator(mode="after")
    def _by_one_way(self) -> "Login":
        if (self.secret_ref is None) == (self.google_identity is None):
            raise ValueError(_ONE_LOGIN)
        return self


class EckReference(ApiModel):
    """Names an Elasticsearch resource of Elastic Cloud on Kubernetes (ECK)."""

    namespace: Annotated[str, Field(min_length=1, max_length=63)]
    """Namespace of the Elasticsearch resource."""
    name: Annotated[str, Field(min_length=1, max_length=36)]
    """Name of the Elasticsearch resource."""


class Unmatched(StrEnum):
    """What happens to SearchAccesses to which no SearchAccessPolicy applies."""

    ALLOW = "Allow"
    DENY = "Deny"


class PolicyUse(ApiModel):
    """How SearchAccessPolicies are used."""

    unmatched: Annotated[Unmatched, Narrows("then what no policy applies to is allowed")] = Unmatched.ALLOW
    """What happens to SearchAccesses to which no SearchAccessPolicy applies. `Deny`: they get no rights, and those that
    they have are revoked: write the policies first. A policy with `mode: Audit` counts too."""


class JwtRealm(ApiModel):
    """A JWT realm of Elasticsearch, as configured in elasticsearch.yml."""

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
    """Name of the realm: `google` for xpack.security.authc.realms.jwt.google."""

    audience: Annotated[str, Field(min_length=1, max_length=500)]
    """Audience of callers' tokens; one of the realm's `allowed_audiences`."""

    issuer: Annotated[str, Field(min_length=1, max_length=500)] = GOOGLE_ISSUER
    """Issuer of the tokens; the realm's `allowed_issuer`."""

    principal: Annotated[
        PrincipalClaim, Narrows("then an account that is recreated under the same name keeps its rights")
    ] = PrincipalClaim.EMAIL
    """The token claim that identifies callers. `email`: the service account's e-mail address. `sub`: its unique id,
    which changes when the account is recreated under the same name; the operator reads it from Google's IAM."""

    client_authentication: ClientAuthentication = ClientAuthentication.NONE
    """What the realm requires of callers in addition to a token; its `client_authentication.type`. `SharedSecret`:
    every request needs the header `ES-Client-Authentication`, see docs/callers.md."""


class CloudRunSettings(ApiModel):
    """How the operator tracks Cloud Run workloads."""

    refresh_every: Annotated[
        Duration, Field(json_schema_extra=between("30s", "24h", "5m")), Narrows("then it is 5m")
    ] = "5m"
    """How often to resolve the service account of each subject through Google's API. The annotation
    `searchaccess.dev/reconcile-requested-at` on a SearchAccess triggers it immediately."""

    grace_period: Annotated[
        Duration, Field(json_schema_extra=between("0s", "720h", "15m")), Narrows("then it is 15m")
    ] = "15m"
    """How long rights stay when a workload no longer exists."""


_ONE_VERIFIER = "set exactly one of jwtRealm and gateway"


class ClusterIdentity(ApiModel):
    """How callers' identity is verified: by exactly one of `jwtRealm` and `gateway`."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(cel("has(self.jwtRealm) != has(self.gateway)", _ONE_VERIFIER))
    }

    jwt_realm: JwtRealm | None = None
    """The JWT realm of Elasticsearch that verifies callers' identity tokens. The operator compares it with the settings
    of every node."""

    gateway: Gateway | None = None
    """The gateway in front of Elasticsearch that verifies callers' identity tokens, on every license."""

    cloud_run: CloudRunSettings = CloudRunSettings()
    """How the operator tracks Cloud Run workloads."""

    @model_validator(mode="after")
    def _verified_in_one_way(self) -> "ClusterIdentity":
        if (self.jwt_realm is None) == (self.gateway is None):
            raise ValueError(_ONE_VERIFIER)
        return self


class DriftSettings(ApiModel):
    """How often to check for changes that somebody else made."""

    probe_every: Annotated[Duration, Field(json_schema_extra=between("500ms", "1h", "2s"))] = "2s"
    """How often to read the sequence number of the index `.security`: one small request that shows whether something
    changed. The actual interval is an eighth longer, to leave time for checking the license and the nodes after every
    sixth probe."""

    sweep_every: Annotated[Duration, Field(json_schema_extra=between("5s", "24h", "5m"))] = "5m"
    """How often to read all objects in full, changed or not."""


_NO_ADDRESS = "set the address of the cluster: urls, cloudId or eck"
_TWO_ADDRESSES = "cloudId already sets the address: remove urls and eck, or cloudId"
_PLAIN_HTTP = (
    "use https://: over plain http, everybody on the network path can read the token "
    "(if nobody else is on it: allowExposure: [PlainHttp])"
)
_NOTHING_TO_VERIFY = (
    "with allowExposure: [InsecureSkipVerify] no certificate is verified: remove ca or, better, InsecureSkipVerify"
)
GOOGLE_IDENTITY_NEEDS_REALM = "login.googleIdentity needs identity.jwtRealm: with a gateway, set login.secretRef"
_NO_MAPPINGS = (
    "mapping says how a JWT realm's callers get their roles: remove it, a gateway's callers need no role mapping"
)
_NO_LOGIN = "set login.secretRef or login.googleIdentity (only eck provides its own user)"


def _allows(exposure: Exposure) -> str:
    return f"(has(self.allowExposure) && '{exposure}' in self.allowExposure)"


class SearchClusterSpec(ApiModel):
    """How to reach the cluster, and how it checks callers' identity."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel("has(self.urls) || has(self.cloudId) || has(self.eck)", _NO_ADDRESS),
            cel("!has(self.cloudId) || !(has(self.urls) || has(self.eck))", _TWO_ADDRESSES),
            cel("has(self.login) || has(self.eck)", _NO_LOGIN),
            cel(
                "!has(self.identity.gateway) || !has(self.login) || !has(self.login.googleIdentity)",
                GOOGLE_IDENTITY_NEEDS_REALM,
            ),
            cel(f"!has(self.identity.gateway) || self.mapping != '{MappingKind.PER_PRINCIPAL}'", _NO_MAPPINGS),
            cel(
                f"!has(self.urls) || {_allows(Exposure.PLAIN_HTTP)} || self.urls.all(u, u.startsWith('https://'))",
                _PLAIN_HTTP,
            ),
            cel(f"!has(self.ca) || !{_allows(Exposure.INSECURE_SKIP_VERIFY)}", _NOTHING_TO_VERIFY),
        )
    }

    urls: Annotated[list[Url], Field(min_length=1, max_length=10)] | None = None
    """Addresses of the cluster's nodes or of a load balancer, such as `https://elasticsearch.example.com:9200`. They
    must use https and must not be public, unless `allowExposure` allows it. If one does not answer, the next is
    tried."""

    cloud_id: Annotated[
        str | None,
        Field(
            max_length=1000,
            json_schema_extra=rules(
                cel(
                    matches("^[^:]*:[A-Za-z0-9+/_-]+=*$"),
                    "copy the Cloud ID from the deployment's page: a name, a colon and a Base64 text",
                )
            ),
        ),
    ] = None
    """Cloud ID of an Elastic Cloud deployment, instead of `urls`."""

    eck: EckReference | None = None
    """An Elasticsearch resource of ECK in the same Kubernetes cluster. Address, certificate authority and login come
    from ECK's own objects; `urls`, `ca` and `login` override them."""

    ca: Annotated[Certificates | None, Narrows("then the system's authorities are trusted, with eck those of ECK")] = (
        None
    )
    """Certificate authorities to trust. Defaults to the system's."""

    allow_exposure: Annotated[
        list[Exposure], Field(max_length=3, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = []
    """Allowed exposure. The operator refuses any other exposure before it sends the login. `PublicAddress`: addresses
    that the internet can reach (implied by `cloudId`). `PlainHttp`: `http://`, so everybody on the network path can
    read the login. `InsecureSkipVerify`: any certificate is accepted, so whoever answers gets the login."""

    login: Annotated[Login | None, Narrows("then, with eck, the superuser of ECK is used")] = None
    """The operator's own login. Required except with `eck`."""

    identity: ClusterIdentity
    """How callers' identity is verified."""

    allowed_namespaces: Annotated[AllowedNamespaces | None, Narrows("then every namespace is allowed")] = None
    """Namespaces whose SearchAccesses may refer to this cluster; all when absent. A SearchAccess in another namespace
    gets no rights and loses existing ones."""

    policies: Annotated[PolicyUse | None, Narrows("then what no policy applies to is allowed")] = None
    """How SearchAccessPolicies are used."""

    orphans: Orphans | None = None
    """Whether rights may stay when their SearchAccess is deleted, and which of these released rights to revoke."""

    secret_stores: Annotated[
        list[SecretStoreSpec],
        Field(
            max_length=10, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
        ),
    ] = []
    """Where credentials may be stored, for SearchAccesses with `auth: ApiKey` or `Password`."""

    mapping: MappingKind = MappingKind.ROLE_TEMPLATE
    """How callers get their role. `RoleTemplate`: one role mapping, written once, derives each caller's role name from
    its principal. `PerPrincipal`: one role mapping for each principal, for clusters that do not allow templates (up to
    a few hundred)."""

    drift: DriftSettings = DriftSettings()
    """How often to check for changes that somebody else made."""

    audit: Audit | None = None
    """Where Elasticsearch's audit events are. With it, `status.usage` of each SearchAccess says when it was last
    used."""

    adoption: Adoption | None = None
    """Foreign roles and role mappings under the operator's names that it may adopt."""

    take_over: Annotated[list[TakeOver], Field(max_length=10)] | None = None
    """Former installations of the operator. What they left in Elasticsearch counts as this operator's own from now on.
    Only for a Kubernetes cluster that is gone, or an installation that no longer runs: see docs/clusters.md."""

    @model_validator(mode="after")
    def _has_address_and_login(self) -> "SearchClusterSpec":
        if not (self.urls or self.cloud_id or self.eck):
            raise ValueError(_NO_ADDRESS)
        if self.cloud_id and (self.urls or self.eck):
            raise ValueError(_TWO_ADDRESSES)
        if not (self.login or self.eck):
            raise ValueError(_NO_LOGIN)
        if self.identity.gateway and self.login and self.login.google_identity:
            raise ValueError(GOOGLE_IDENTITY_NEEDS_REALM)
        if self.identity.gateway and self.mapping is MappingKind.PER_PRINCIPAL:
            raise ValueError(_NO_MAPPINGS)
        if Exposure.PLAIN_HTTP not in self.allow_exposure and not all(
            url.startswith("https://") for url in self.urls or ()
        ):
            raise ValueError(_PLAIN_HTTP)
        if self.ca and Exposure.INSECURE_SKIP_VERIFY in self.allow_exposure:
            raise ValueError(_NOTHING_TO_VERIFY)
        return self


class SearchCluster(ApiModel):
    """Declares an Elasticsearch cluster that SearchAccesses refer to."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel(
                f"size(self.metadata.name) <= {CLUSTER_NAME_LIMIT}",
                f"SearchAccesses cannot refer to a longer name: use at most {CLUSTER_NAME_LIMIT} characters",
            )
        )
    }

    spec: SearchClusterSpec
    """How to reach the cluster, and how it verifies callers' identity."""
    status: SearchClusterStatus | None = None
    """The observed state. Written by the operator."""
