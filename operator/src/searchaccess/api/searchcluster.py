"""The kind SearchCluster: an Elasticsearch cluster, how to reach it, and how it checks callers' identity."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, Narrows, cel, matches, rules
from searchaccess.api.clusters.namespaces import AllowedNamespaces
from searchaccess.api.clusters.orphans import Orphans
from searchaccess.api.clusters.ownership import Adoption, TakeOver
from searchaccess.api.constants import CLUSTER_NAME_LIMIT
from searchaccess.api.credentials import SecretStoreSpec
from searchaccess.api.durations import Duration, between
from searchaccess.api.references import Certificates, SecretReference, Url
from searchaccess.api.status import SearchClusterStatus

GOOGLE_ISSUER = "https://accounts.google.com"


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
    """The claim by which callers are known."""

    EMAIL = "email"
    SUB = "sub"


class ClientAuthentication(StrEnum):
    """What the realm requires of clients besides a token."""

    NONE = "None"
    SHARED_SECRET = "SharedSecret"  # noqa: S105 - the name of a way, no secret.


class GoogleIdentity(ApiModel):
    """The operator's own Google service account."""

    audience: Annotated[str | None, Field(min_length=1, max_length=500)] = None
    """Audience of the operator's token; that of `identity.jwtRealm` when absent."""

    client_secret_ref: SecretReference | None = None
    """A Secret with the key `clientSecret`: the realm's shared client secret. Required with
    `identity.jwtRealm.clientAuthentication: SharedSecret`."""


_ONE_LOGIN = "say how the operator logs in: exactly one of secretRef and googleIdentity"


class Login(ApiModel):
    """How the operator logs in."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(cel("has(self.secretRef) != has(self.googleIdentity)", _ONE_LOGIN))
    }

    secret_ref: SecretReference | None = None
    """A Secret with the keys `username` and `password`, or `apiKey` (encoded, as Elasticsearch gives it), or `token`
    (sent as a bearer token). Which role it needs is in docs/clusters.md. A changed Secret is picked up without a
    restart."""

    google_identity: GoogleIdentity | None = None
    """By identity tokens of the service account that the operator runs as, through the same JWT realm as everybody's:
    nothing is stored. A role mapping of yours gives it the role; docs/clusters.md has it."""

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
    """What becomes of SearchAccesses to which no SearchAccessPolicy applies."""

    ALLOW = "Allow"
    DENY = "Deny"


class PolicyUse(ApiModel):
    """How SearchAccessPolicies are used."""

    unmatched: Annotated[Unmatched, Narrows("then what no policy applies to is allowed")] = Unmatched.ALLOW
    """What becomes of SearchAccesses to which no SearchAccessPolicy applies. `Deny`: they get no rights, and those that
    they have are revoked: write the policies first. A policy with `mode: Audit` counts too."""


class JwtRealm(ApiModel):
    """A JWT realm of Elasticsearch, as elasticsearch.yml has it."""

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
    """Audience that callers put into their tokens; one of the realm's `allowed_audiences`."""

    issuer: Annotated[str, Field(min_length=1, max_length=500)] = GOOGLE_ISSUER
    """Issuer of the tokens; the realm's `allowed_issuer`."""

    principal: Annotated[
        PrincipalClaim, Narrows("then an account that is recreated under the same name keeps its rights")
    ] = PrincipalClaim.EMAIL
    """The claim of their tokens by which callers are known. `email`: the service account's e-mail address. `sub`: its
    unique id, which an account that is recreated under the same name does not keep; the operator reads it from Google's
    IAM."""

    client_authentication: ClientAuthentication = ClientAuthentication.NONE
    """What the realm requires of callers besides a token; its `client_authentication.type`. `SharedSecret`: every
    request needs the header `ES-Client-Authentication`, see docs/callers.md."""


class CloudRunSettings(ApiModel):
    """How Cloud Run workloads are followed."""

    refresh_every: Annotated[
        Duration, Field(json_schema_extra=between("30s", "24h", "5m")), Narrows("then it is 5m")
    ] = "5m"
    """How often to read from Google which service account is behind each subject. The annotation
    `searchaccess.dev/reconcile-requested-at` on a SearchAccess requests it at once."""

    grace_period: Annotated[
        Duration, Field(json_schema_extra=between("0s", "720h", "15m")), Narrows("then it is 15m")
    ] = "15m"
    """How long rights stay when a workload no longer exists."""


class ClusterIdentity(ApiModel):
    """A way to check callers' identity."""

    jwt_realm: JwtRealm
    """The JWT realm that checks callers' identity tokens. The operator compares it with the settings of every node."""

    cloud_run: CloudRunSettings = CloudRunSettings()
    """How Cloud Run workloads are followed."""


class DriftSettings(ApiModel):
    """How often to check for changes that somebody else made."""

    probe_every: Annotated[Duration, Field(json_schema_extra=between("500ms", "1h", "2s"))] = "2s"
    """How often to read the sequence number of the index `.security`, which shows in one small request that something
    changed. The pause in between is an eighth longer, which makes room for looking at the license and the nodes after
    every sixth."""

    sweep_every: Annotated[Duration, Field(json_schema_extra=between("5s", "24h", "5m"))] = "5m"
    """How often to read everything, changed or not."""


_NO_ADDRESS = "say where the cluster is: urls, cloudId or eck"
_TWO_ADDRESSES = "cloudId is the address already: remove urls and eck, or cloudId"
_PLAIN_HTTP = (
    "use https://: over plain http everybody on the way can read the token "
    "(where nobody can: allowExposure: [PlainHttp])"
)
_NOTHING_TO_VERIFY = "with allowExposure: [InsecureSkipVerify] nothing is verified: remove ca, or better that"
_NO_LOGIN = "say how the operator logs in: login.secretRef or login.googleIdentity (only eck brings a user of its own)"


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
                f"!has(self.urls) || {_allows(Exposure.PLAIN_HTTP)} || self.urls.all(u, u.startsWith('https://'))",
                _PLAIN_HTTP,
            ),
            cel(f"!has(self.ca) || !{_allows(Exposure.INSECURE_SKIP_VERIFY)}", _NOTHING_TO_VERIFY),
        )
    }

    urls: Annotated[list[Url], Field(min_length=1, max_length=10)] | None = None
    """Addresses of the cluster's nodes or of a load balancer, such as `https://elasticsearch.example.com:9200`.
    https, and not public, unless `allowExposure` says otherwise. When one does not answer, the next is tried."""

    cloud_id: Annotated[
        str | None,
        Field(
            max_length=1000,
            json_schema_extra=rules(
                cel(
                    matches("^[^:]*:[A-Za-z0-9+/_-]+=*$"),
                    "write the Cloud ID as the deployment's page has it: a name, a colon and a long word",
                )
            ),
        ),
    ] = None
    """Cloud ID of a deployment of Elastic Cloud, in place of `urls`."""

    eck: EckReference | None = None
    """An Elasticsearch of ECK in the same Kubernetes cluster. Address, certificate authority and login are those that
    ECK keeps in its own objects; `urls`, `ca` and `login` override them."""

    ca: Annotated[Certificates | None, Narrows("then the system's authorities are trusted, with eck those of ECK")] = (
        None
    )
    """Certificate authorities to trust; the system's when absent."""

    allow_exposure: Annotated[
        list[Exposure], Field(max_length=3, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = []
    """Exposure that is allowed; any other is refused before the login is sent. `PublicAddress`:
    addresses that the whole internet can reach (`cloudId` implies it). `PlainHttp`: `http://`, so that everybody on the
    way can read the login. `InsecureSkipVerify`: any certificate, so that whoever answers gets the login."""

    login: Annotated[Login | None, Narrows("then, with eck, the superuser of ECK is used")] = None
    """The operator's own login. Required except with `eck`."""

    identity: ClusterIdentity
    """How callers' identity is checked."""

    allowed_namespaces: Annotated[AllowedNamespaces | None, Narrows("then every namespace is allowed")] = None
    """Namespaces whose SearchAccesses may refer to this cluster; all when absent. One in another namespace gets no
    rights, and loses those it had."""

    policies: Annotated[PolicyUse | None, Narrows("then what no policy applies to is allowed")] = None
    """How SearchAccessPolicies are used."""

    orphans: Orphans | None = None
    """Whether rights may stay when their SearchAccess is deleted, and which of those that did are to go."""

    secret_stores: Annotated[
        list[SecretStoreSpec],
        Field(
            max_length=10, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
        ),
    ] = []
    """Where credentials may be kept, for SearchAccesses with `auth: ApiKey` or `Password`."""

    mapping: MappingKind = MappingKind.ROLE_TEMPLATE
    """`RoleTemplate`: one role mapping, written once, makes each caller's role name from its principal.
    `PerPrincipal`: one role mapping each, for clusters where templates are not allowed (up to a few hundred)."""

    drift: DriftSettings = DriftSettings()
    """How often to check for changes that somebody else made."""

    adoption: Adoption | None = None
    """Which roles and role mappings of others, under the operator's names, it may take over."""

    take_over: Annotated[list[TakeOver], Field(max_length=10)] | None = None
    """Former lives of the operator: what they left in Elasticsearch counts as its own from now on. Only for a
    Kubernetes cluster that is gone, or an installation that does not run any more; see docs/clusters.md."""

    @model_validator(mode="after")
    def _has_address_and_login(self) -> "SearchClusterSpec":
        if not (self.urls or self.cloud_id or self.eck):
            raise ValueError(_NO_ADDRESS)
        if self.cloud_id and (self.urls or self.eck):
            raise ValueError(_TWO_ADDRESSES)
        if not (self.login or self.eck):
            raise ValueError(_NO_LOGIN)
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
                f"SearchAccesses could not refer to it: give it a name of at most {CLUSTER_NAME_LIMIT} characters",
            )
        )
    }

    spec: SearchClusterSpec
    """How to reach the cluster, and how it checks callers' identity."""
    status: SearchClusterStatus | None = None
    """What is true right now. Written by the operator."""
