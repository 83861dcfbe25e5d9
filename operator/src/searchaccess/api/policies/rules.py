"""What a SearchAccessPolicy allows, denies, requires and limits."""

from typing import Annotated

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, Narrows, cel, matches, rules
from searchaccess.api.policies.approval import ApprovalRule
from searchaccess.api.policies.limits import RequiredLimits
from searchaccess.api.policies.match import AccountPattern
from searchaccess.api.searchaccess import (
    ClusterPrivilegeName,
    DeletionPolicy,
    FieldName,
    IndexPattern,
    Mode,
    PrivilegeName,
)
from searchaccess.api.stores.credentials import STORE_PATTERN, Auth
from searchaccess.api.times.durations import Duration, between
from searchaccess.api.vocabulary.actions import ACTION_NAMES, Action
from searchaccess.api.vocabulary.remoteclusters import RemoteCluster

_SET = {"x-kubernetes-list-type": "set"}
Indices = Annotated[list[IndexPattern], Field(min_length=1, max_length=100, json_schema_extra=_SET)]

_SAY_WHAT = f"say what is allowed: can: [read] ({ACTION_NAMES}), or privileges: [...] with Elasticsearch's own names"


class Allowed(ApiModel):
    """Actions that may be granted on some indices."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(cel("has(self.can) || has(self.privileges)", _SAY_WHAT))
    }

    indices: Indices
    """Names, wildcards or regular expressions, as in a grant; `{namespace}` stands for the namespace of the
    SearchAccess, such as `{namespace}-*`."""

    can: Annotated[list[Action], Field(min_length=1, max_length=len(Action), json_schema_extra=_SET)] | None = None
    """Actions that may be granted on them. `write` includes `append`; `manage` includes `monitor`, `create` and
    `delete`."""

    privileges: Annotated[list[PrivilegeName], Field(min_length=1, max_length=30, json_schema_extra=_SET)] | None = None
    """Elasticsearch's own names of privileges that may be granted on them. Others than these may not."""

    @model_validator(mode="after")
    def _says_what(self) -> "Allowed":
        if not (self.can or self.privileges):
            raise ValueError(_SAY_WHAT)
        return self


class Denied(ApiModel):
    """Actions that may not be granted on some indices."""

    indices: Indices
    """Names, wildcards or regular expressions, as in a grant; `{namespace}` stands for the namespace of the
    SearchAccess. A grant is refused if it can match any index that one of them matches."""

    can: Annotated[
        Annotated[list[Action], Field(min_length=1, max_length=len(Action), json_schema_extra=_SET)] | None,
        Narrows("then every action is denied"),
    ] = None
    """Actions that are denied, with those that include them; all when absent. A grant with `privileges` is refused
    whichever they are."""


_NO_REQUIREMENTS = "say what is required, such as auth: [IdentityToken]; or remove require"


class Requirements(ApiModel):
    """What a SearchAccess must have."""

    model_config = ApiModel.model_config | {"json_schema_extra": {"minProperties": 1}}

    fields: Annotated[bool | None, Narrows("then grants may show all fields")] = None
    """True: each grant that reads must have `fields` that do not include every field."""

    hidden_fields: Annotated[
        Annotated[list[FieldName], Field(min_length=1, max_length=100)] | None, Narrows("then no field must be hidden")
    ] = None
    """Fields that no grant may show, with everything below them, such as `customer.email` or `*.ssn`: each grant that
    reads must exclude them, or not include them."""

    where: Annotated[bool | None, Narrows("then grants may show all documents")] = None
    """True: each grant that reads must have a `where` that does not match every document by its form."""

    auth: Annotated[
        Annotated[list[Auth], Field(min_length=1, max_length=len(Auth), json_schema_extra=_SET)] | None,
        Narrows("then each way to log in is accepted"),
    ] = None
    """Ways to log in that are accepted, such as `[IdentityToken]`."""

    rotate_every: Annotated[
        Annotated[Duration, Field(json_schema_extra=between("10m", "8760h", "720h"))] | None,
        Narrows("then any rotateEvery is accepted"),
    ] = None
    """Longest `credential.rotateEvery`."""

    annotations: Annotated[
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=317)]],
            Field(min_length=1, max_length=20, json_schema_extra=_SET),
        ]
        | None,
        Narrows("then no annotation is required"),
    ] = None
    """Annotations that the SearchAccess must have, each with a value, such as `example.com/ticket`."""

    mode: Annotated[Mode | None, Narrows("then each mode is accepted")] = None
    """The only `mode` that is accepted."""

    valid_until: Annotated[
        Annotated[Duration, Field(json_schema_extra=between("1m", "8760h", "8h"))] | None,
        Narrows("then access need not end"),
    ] = None
    """`validUntil` is required, at most this long after `validFrom`, or without `validFrom` after the SearchAccess was
    created."""

    approval: Annotated[ApprovalRule | None, Narrows("then no approval is required")] = None
    """An approval by another person, without which it gets no rights."""

    limits: Annotated[RequiredLimits | None, Narrows("then no limits are required")] = None
    """`limits` that it must declare, so that a gateway limits the caller. Where there is none, they are refused: select
    the SearchClusters with `match.clusters`."""

    @model_validator(mode="after")
    def _requires_something(self) -> "Requirements":
        if not self.model_fields_set:
            raise ValueError(_NO_REQUIREMENTS)
        return self


_STORE = "write the name of one of the SearchCluster's secretStores, such as main"
StoreName = Annotated[
    str, Field(min_length=1, max_length=63, json_schema_extra=rules(cel(matches(STORE_PATTERN), _STORE)))
]


_NO_LIMITS = "say what is limited, such as regularExpressions: false; or remove limits"


class Limits(ApiModel):
    """How much a SearchAccess may have. Fields that are absent limit nothing."""

    model_config = ApiModel.model_config | {"json_schema_extra": {"minProperties": 1}}

    grants: Annotated[Annotated[int, Field(ge=0, le=50)] | None, Narrows("then their number is not limited")] = None
    """Most grants."""

    patterns: Annotated[Annotated[int, Field(ge=1, le=2_500)] | None, Narrows("then their number is not limited")] = (
        None
    )
    """Most index names and patterns, of all grants together."""

    literal_prefix: Annotated[Annotated[int, Field(ge=0, le=100)] | None, Narrows("then any wildcard is accepted")] = (
        None
    )
    """Fewest characters that each pattern begins with before its first wildcard: with 6, `orders-*` passes and `*` and
    `ord*` do not."""

    regular_expressions: Annotated[bool | None, Narrows("then they are accepted")] = None
    """False: no index pattern may be a regular expression."""

    privileges: Annotated[bool | None, Narrows("then they are accepted")] = None
    """False: no grant may have `privileges`."""

    cluster_can: Annotated[
        Annotated[list[ClusterPrivilegeName], Field(max_length=50, json_schema_extra=_SET)] | None,
        Narrows("then all are accepted"),
    ] = None
    """The only cluster privileges that may be declared; `[]`: none."""

    remote_clusters: Annotated[
        Annotated[list[RemoteCluster], Field(max_length=50, json_schema_extra=_SET)] | None,
        Narrows("then all are accepted"),
    ] = None
    """The only remote clusters whose indices may be read, by name or beginning; `[]`: none."""

    kibana: Annotated[bool | None, Narrows("then it is accepted")] = None
    """False: nothing of Kibana may be declared."""

    deletion_policies: Annotated[
        Annotated[list[DeletionPolicy], Field(min_length=1, max_length=len(DeletionPolicy), json_schema_extra=_SET)]
        | None,
        Narrows("then all are accepted"),
    ] = None
    """The only values of `deletionPolicy` that are accepted."""

    adopt: Annotated[bool | None, Narrows("then it is accepted")] = None
    """False: the annotation `searchaccess.dev/adopt` is not accepted."""

    secret_stores: Annotated[
        Annotated[list[StoreName], Field(max_length=50, json_schema_extra=_SET)] | None,
        Narrows("then all are accepted"),
    ] = None
    """The only stores that `credential.store` may name; `[]`: none."""

    secret_names: Annotated[
        Annotated[list[AccountPattern], Field(min_length=1, max_length=50, json_schema_extra=_SET)] | None,
        Narrows("then all are accepted"),
    ] = None
    """The only names that `credential.name` may have, such as `{namespace}-*`."""

    @model_validator(mode="after")
    def _limits_something(self) -> "Limits":
        if not self.model_fields_set:
            raise ValueError(_NO_LIMITS)
        return self
