"""The kind SearchAccess: this Cloud Run workload may do these things on these indices."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from searchaccess.api.accesses.limits import AccessLimits
from searchaccess.api.accesses.subjects import Subject
from searchaccess.api.base import ApiModel, Narrows, cel, matches, rules
from searchaccess.api.constants import CLUSTER_NAME_LIMIT
from searchaccess.api.status import SearchAccessStatus
from searchaccess.api.stores.credentials import Auth, CredentialSpec, Rollout
from searchaccess.api.times.durations import Duration, between
from searchaccess.api.times.moments import ENDS_BEFORE_IT_BEGINS, Moment, moment
from searchaccess.api.times.windows import ScheduleSpec
from searchaccess.api.vocabulary.actions import ACTION_NAMES, WHAT_EACH_ALLOWS, Action
from searchaccess.api.vocabulary.kibana import KibanaGrant
from searchaccess.api.vocabulary.privileges import DECLARABLE_ON_CLUSTER, REFUSED_ON_INDICES, cluster_privilege
from searchaccess.api.vocabulary.remoteclusters import ONLY_READING, RemoteCluster


class Mode(StrEnum):
    """Whether differences are corrected or only reported."""

    ENFORCE = "Enforce"
    OBSERVE = "Observe"


class DeletionPolicy(StrEnum):
    """What happens to the rights when the SearchAccess is deleted."""

    DELETE = "Delete"
    ORPHAN = "Orphan"
    DISABLE = "Disable"


_UNLESS_REGEX = "self.startsWith('/') || "

IndexPattern = Annotated[
    str,
    Field(
        min_length=1,
        max_length=255,
        json_schema_extra=rules(
            cel(
                _UNLESS_REGEX + "!" + matches(r"\p{Lu}"),
                "index names are lower case: write it in lower case",
            ),
            cel(
                _UNLESS_REGEX + "!" + matches(r'[\\"<>|,#:/\x00-\x20]'),
                r'an index name cannot contain \ / " < > | : # a comma or white space: name one index, a wildcard such '
                "as orders-*, or a /regular expression/ for each list item",
            ),
            cel(
                _UNLESS_REGEX + "!" + matches("^[-_+]"),
                "an index name cannot start with - _ or +: write the name itself, there are no exclusions",
            ),
            cel(
                "!(self in ['.', '..'])",
                "an index cannot be named . or ..: write its name, or a wildcard such as orders-*",
            ),
            cel(
                "!self.startsWith('/') || (size(self) > 2 && self.endsWith('/'))",
                "a regular expression is enclosed in slashes: write /orders-[0-9]+/",
            ),
        ),
    ),
]

PRIVILEGE_PATTERNS = (r"^[a-z][a-z_]*$", r"^indices:[a-z_/*\[\]]+$")
"""A named index privilege, or an index action."""

PrivilegeName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        json_schema_extra=rules(
            cel(
                " || ".join(matches(pattern) for pattern in PRIVILEGE_PATTERNS),
                "write the name of an index privilege such as read or view_index_metadata, or an index action such as "
                "indices:data/read/search",
            ),
            cel(
                f"!(self in {list(REFUSED_ON_INDICES)})",
                "Elasticsearch reserves this privilege for API keys of other clusters: remove it",
            ),
        ),
    ),
]

ClusterPrivilegeName = Annotated[
    str, AfterValidator(cluster_privilege), Field(json_schema_extra={"enum": list(DECLARABLE_ON_CLUSTER)})
]
"""A cluster privilege that may be declared."""

FieldName = Annotated[str, Field(min_length=1, max_length=255)]


_NO_FIELDS = "set include, exclude or both; or remove fields to let all fields be read"


class FieldRules(ApiModel):
    """Which fields of a document may be read."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(cel("has(self.include) || has(self.exclude)", _NO_FIELDS))
    }

    include: Annotated[
        list[FieldName], Field(min_length=1, max_length=200), Narrows("then every field is included")
    ] = ["*"]
    """Fields that may be read, each with its multi-fields and everything below it; wildcards allowed, such as
    `customer.*`. All fields when absent."""

    exclude: Annotated[list[FieldName], Field(min_length=1, max_length=200), Narrows("then no field is excluded")] = []
    """Fields that may not be read even if `include` matches them, each with its multi-fields and everything below it;
    wildcards allowed."""

    @model_validator(mode="after")
    def _restricts(self) -> "FieldRules":
        if not self.model_fields_set:
            raise ValueError(_NO_FIELDS)
        return self


_HAS_CAN = "(has(self.can) && size(self.can) > 0)"
_HAS_PRIVILEGES = "(has(self.privileges) && size(self.privileges) > 0)"
_READS = "(has(self.can) && self.can.exists(a, a == 'read'))"
_ONLY_READS = f"({_READS} && size(self.can) == 1 && !{_HAS_PRIVILEGES})"


class Grant(ApiModel):
    """Allows actions on indices. Grants are additive.

    Two grants that read the same indices with different `where` and different `fields` are refused, unless one of them
    allows everything that the other allows.
    """

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel(
                f"{_HAS_CAN} || {_HAS_PRIVILEGES}",
                f"add can: [read] ({ACTION_NAMES}), or privileges: [...] with Elasticsearch's own names",
            ),
            cel(
                f"!has(self.fields) || {_READS} || {_HAS_PRIVILEGES}",
                "fields limits what can be read: add read to can, or remove fields",
            ),
            cel(
                f"!has(self.where) || {_READS} || {_HAS_PRIVILEGES}",
                "where limits what can be read, not what can be written: add read to can, or remove where",
            ),
            cel(f"!has(self.remoteClusters) || {_ONLY_READS}", ONLY_READING),
        )
    }

    indices: Annotated[
        list[IndexPattern], Field(min_length=1, max_length=50, json_schema_extra={"x-kubernetes-list-type": "set"})
    ]
    """Index names, wildcards such as `orders-*`, or Lucene regular expressions between slashes such as
    `/orders-[0-9]+/`. Indices that are created later are included."""

    remote_clusters: Annotated[
        list[RemoteCluster] | None,
        Field(min_length=1, max_length=20, json_schema_extra={"x-kubernetes-list-type": "set"}),
        Narrows("then the indices are the cluster's own"),
    ] = None
    """Remote clusters that have the indices, for cross-cluster search: names, or prefixes such as `eu-*`. The
    SearchCluster must be connected to them with an API key. Allows only `can: [read]`. When absent, the indices are the
    SearchCluster's own. Needs an Enterprise or trial license."""

    can: Annotated[
        list[Action],
        Field(
            max_length=len(Action),
            description=f"Allowed actions. {WHAT_EACH_ALLOWS}",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ] = []

    privileges: Annotated[
        list[PrivilegeName], Field(max_length=30, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = []
    """Index privileges by Elasticsearch's own names, where the actions do not fit. They are added to `can`."""

    fields: Annotated[FieldRules | None, Narrows("then every field can be read")] = None
    """Limits which fields can be read (field-level security), not what can be written. Elasticsearch then refuses
    partial updates by the caller. Needs a Platinum, Enterprise or trial license."""

    where: Annotated[
        dict[str, Any] | None,
        Field(
            min_length=1,
            max_length=1,
            json_schema_extra={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        ),
        Narrows("then every document can be read"),
    ] = None
    """Limits which documents can be read (document-level security), not what can be written. One Elasticsearch query,
    such as `{term: {region: eu}}`; only matching documents are visible. Limits: queries nested 30 deep, and 32,766
    bytes as JSON. Elasticsearch then refuses partial updates by the caller. Needs a Platinum, Enterprise or trial
    license."""


_CREDENTIAL = "auth: ApiKey or Password and credential belong together: set both, or neither"
_NO_ORPHANS = (
    "nobody would rotate or revoke an orphaned credential: with auth: ApiKey or Password use deletionPolicy: Delete"
)

_NO_ORPHANS_OF_TIME = (
    "nobody would end orphaned rights: with validUntil or schedule use deletionPolicy: Delete or Disable"
)
_NO_WINDOWS = (
    "each window would need another credential, and consumers would have to wait for it: with schedule use "
    "auth: IdentityToken"
)
_NO_GATEWAY = "only a gateway limits requests, and it takes identity tokens: with limits use auth: IdentityToken"
_NO_ORPHANS_OF_LIMITS = "nobody would limit orphaned rights: with limits use deletionPolicy: Delete or Disable"
_COUNTS_FROM_END = "ttlAfterExpired counts from validUntil: set validUntil, or remove ttlAfterExpired"
_NO_REVISION = "a service account has no revisions: with rollout: NewRevision set a Cloud Run workload as the subject"


class SearchAccessSpec(ApiModel):
    """The rights to grant, and how the operator manages them."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel(
                "size(self.grants) > 0 || size(self.clusterCan) > 0 || (has(self.kibana) && size(self.kibana) > 0)",
                "declare at least one grant, such as {indices: [orders-*], can: [read]}, or clusterCan, or kibana",
            ),
            cel("(self.auth != 'IdentityToken') == has(self.credential)", _CREDENTIAL),
            cel("self.auth == 'IdentityToken' || self.deletionPolicy != 'Orphan'", _NO_ORPHANS),
            cel(
                "!has(self.credential) || self.credential.rollout == 'None' || !has(self.subject.serviceAccount)",
                _NO_REVISION,
            ),
            cel(
                "!has(self.validFrom) || !has(self.validUntil) || self.validFrom < self.validUntil",
                ENDS_BEFORE_IT_BEGINS,
            ),
            cel(
                "!(has(self.validUntil) || has(self.schedule)) || self.deletionPolicy != 'Orphan'",
                _NO_ORPHANS_OF_TIME,
            ),
            cel("!has(self.schedule) || self.auth == 'IdentityToken'", _NO_WINDOWS),
            cel("!has(self.limits) || self.auth == 'IdentityToken'", _NO_GATEWAY),
            cel("!has(self.limits) || self.deletionPolicy != 'Orphan'", _NO_ORPHANS_OF_LIMITS),
            cel("!has(self.ttlAfterExpired) || has(self.validUntil)", _COUNTS_FROM_END),
        )
    }

    cluster: Annotated[str, Field(min_length=1, max_length=CLUSTER_NAME_LIMIT)]
    """Name of the SearchCluster, as in `kubectl get searchclusters`."""

    subject: Subject
    """The workload or service account that gets the access."""

    grants: Annotated[list[Grant], Field(max_length=50)] = []
    """Allowed actions on indices. What is not granted is denied."""

    cluster_can: Annotated[
        list[ClusterPrivilegeName],
        Field(max_length=len(DECLARABLE_ON_CLUSTER), json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = []
    """Cluster privileges. None of them can change security. A privilege to manage something applies to the whole
    cluster. With `manage_index_templates` or `manage_ingest_pipelines`, a caller that has `read` on any index can gain
    read access to others' documents; the condition `Bypassable` reports that."""

    kibana: Annotated[list[KibanaGrant], Field(max_length=20)] | None = None
    """Kibana features that the caller may use with the same token, key or password. Kibana shows only documents that
    `grants` allow reading."""

    auth: Auth = Auth.IDENTITY_TOKEN
    """How the workload logs in. `IdentityToken`: with its Google identity token; nothing is stored. `ApiKey`: with an
    API key that the operator creates, stores and rotates, where a token cannot be used. `Password`: with its own user
    and a password, managed in the same way, where an API key cannot be used either. Whoever can read the secret has the
    access."""

    credential: CredentialSpec | None = None
    """Where the API key or the password is stored, and how it is rotated."""

    valid_from: Annotated[Moment | None, Narrows("then it is valid at once")] = None
    """When the rights begin (RFC 3339), such as `2027-01-31T08:00:00Z`. Before that there are none."""

    valid_until: Annotated[Moment | None, Narrows("then it never ends")] = None
    """When the rights end (RFC 3339). They are revoked then, whatever `mode` and `suspend` say, and API keys expire at
    this time."""

    ttl_after_expired: Annotated[
        Duration | None,
        Field(json_schema_extra=between("0s", "87600h", "24h")),
    ] = None
    """How long after `validUntil` the operator deletes this object, such as `24h`, once its rights are revoked. If it
    was created later than `validUntil`, counted from then. Never while it is suspended, or with `mode: Observe`. The
    operator needs the right to delete (`rbac.deleteExpired` of the chart)."""

    schedule: Annotated[ScheduleSpec | None, Narrows("then it is valid all the time")] = None
    """Windows in which the rights are in force, such as working hours. Outside of them there are none. Only with
    `auth: IdentityToken`."""

    limits: Annotated[AccessLimits | None, Narrows("then the SearchCluster's limits apply")] = None
    """What the caller may send through the gateway. Only on a SearchCluster with `identity.gateway`, and with
    `auth: IdentityToken`. See docs/limits.md."""

    mode: Annotated[Mode, Narrows("then differences are corrected")] = Mode.ENFORCE
    """`Enforce`: differences are corrected. `Observe`: they are reported in the status, and nothing is changed."""

    suspend: Annotated[bool, Narrows("then nothing is suspended")] = False
    """If true, the rights of this object in Elasticsearch stay as they are and are not observed. Deleting the object
    still applies `deletionPolicy`."""

    deletion_policy: DeletionPolicy = DeletionPolicy.DELETE
    """What happens to the rights when this object is deleted. `Delete`: they are revoked. `Orphan`: they stay without
    an owner and are listed in `status.released` of the SearchCluster, which must allow that (`spec.orphans.allowed`).
    `Disable`: they are revoked, and the role stays, empty, with a note. With `mode: Observe`, deletion acts as with
    `Orphan` where that is allowed, and as with `Delete` otherwise. API keys, users and their secrets are always
    deleted."""

    @model_validator(mode="after")
    def _declares_something(self) -> "SearchAccessSpec":
        if not self.grants and not self.cluster_can and not self.kibana:
            raise ValueError("declare at least one grant, or clusterCan, or kibana")
        if (self.auth is not Auth.IDENTITY_TOKEN) != (self.credential is not None):
            raise ValueError(_CREDENTIAL)
        if self.auth is not Auth.IDENTITY_TOKEN and self.deletion_policy is DeletionPolicy.ORPHAN:
            raise ValueError(_NO_ORPHANS)
        if self.credential and self.credential.rollout is Rollout.NEW_REVISION and self.subject.service_account:
            raise ValueError(_NO_REVISION)
        for position, grant in enumerate(self.grants):
            if not grant.can and not grant.privileges:
                raise ValueError(f"grants[{position}] allows nothing: add can or privileges")
            if (
                (grant.where is not None or grant.fields is not None)
                and Action.READ not in grant.can
                and not grant.privileges
            ):
                raise ValueError(f"grants[{position}]: where and fields limit what can be read: add read to can")
            if grant.remote_clusters is not None and (grant.can != [Action.READ] or grant.privileges):
                raise ValueError(f"grants[{position}]: {ONLY_READING}")
        return self

    @model_validator(mode="after")
    def _can_end(self) -> "SearchAccessSpec":
        begins, ends = (moment(text) if text else None for text in (self.valid_from, self.valid_until))
        if begins is not None and ends is not None and begins >= ends:
            raise ValueError(ENDS_BEFORE_IT_BEGINS)
        if (self.valid_until or self.schedule) and self.deletion_policy is DeletionPolicy.ORPHAN:
            raise ValueError(_NO_ORPHANS_OF_TIME)
        if self.schedule and self.auth is not Auth.IDENTITY_TOKEN:
            raise ValueError(_NO_WINDOWS)
        if self.limits and self.auth is not Auth.IDENTITY_TOKEN:
            raise ValueError(_NO_GATEWAY)
        if self.limits and self.deletion_policy is DeletionPolicy.ORPHAN:
            raise ValueError(_NO_ORPHANS_OF_LIMITS)
        if self.ttl_after_expired is not None and not self.valid_until:
            raise ValueError(_COUNTS_FROM_END)
        return self


class SearchAccess(ApiModel):
    """Declares what a Cloud Run workload may do on which Elasticsearch indices."""

    spec: SearchAccessSpec
    """The rights to grant, and how the operator manages them."""
    status: SearchAccessStatus | None = None
    """The observed state. Written by the operator."""
