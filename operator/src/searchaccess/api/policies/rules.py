"""What a SearchAccessPolicy allows, denies, requires and limits."""

from typing import Annotated

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, Narrows, cel, matches, rules
from searchaccess.api.credentials import STORE_PATTERN, Auth
from searchaccess.api.durations import Duration, between
from searchaccess.api.policies.match import AccountPattern
from searchaccess.api.searchaccess import (
    ClusterPrivilegeName,
    DeletionPolicy,
    FieldName,
    IndexPattern,
    Mode,
    PrivilegeName,
)
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


class Requirements(ApiModel):
    """What a SearchAccess must say."""

    fields: bool | None = None
    """True: each grant that reads must have `fields`."""

    hidden_fields: Annotated[list[FieldName], Field(min_length=1, max_length=100)] | None = None
    """Fields that no grant may show, with everything below them, such as `customer.email` or `*.ssn`: each grant that
    reads must exclude them, or not include them."""

    where: bool | None = None
    """True: each grant that reads must have `where`."""

    auth: Annotated[list[Auth], Field(min_length=1, max_length=len(Auth), json_schema_extra=_SET)] | None = None
    """Ways to log in that are accepted, such as `[IdentityToken]`."""

    rotate_every: Annotated[Duration, Field(json_schema_extra=between("10m", "8760h", "720h"))] | None = None
    """Longest `credential.rotateEvery`."""

    annotations: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=317)]],
            Field(min_length=1, max_length=20, json_schema_extra=_SET),
        ]
        | None
    ) = None
    """Annotations that the SearchAccess must have, each with a value, such as `example.com/ticket`."""

    mode: Mode | None = None
    """The only `mode` that is accepted."""


_STORE = "write the name of one of the SearchCluster's secretStores, such as main"
StoreName = Annotated[
    str, Field(min_length=1, max_length=63, json_schema_extra=rules(cel(matches(STORE_PATTERN), _STORE)))
]


class Limits(ApiModel):
    """How much a SearchAccess may say. What is absent is not limited."""

    grants: Annotated[int, Field(ge=0, le=50)] | None = None
    """Most grants."""

    patterns: Annotated[int, Field(ge=1, le=2_500)] | None = None
    """Most index names and patterns, of all grants together."""

    literal_prefix: Annotated[int, Field(ge=0, le=100)] | None = None
    """Fewest characters that each pattern begins with before its first wildcard: with 6, `orders-*` passes and `*` and
    `ord*` do not."""

    regular_expressions: bool | None = None
    """False: no index pattern may be a regular expression."""

    privileges: bool | None = None
    """False: no grant may have `privileges`."""

    cluster_can: Annotated[list[ClusterPrivilegeName], Field(max_length=50, json_schema_extra=_SET)] | None = None
    """The only cluster privileges that may be declared; `[]`: none."""

    remote_clusters: Annotated[list[RemoteCluster], Field(max_length=50, json_schema_extra=_SET)] | None = None
    """The only remote clusters whose indices may be read, by name or beginning; `[]`: none."""

    kibana: bool | None = None
    """False: nothing of Kibana may be declared."""

    deletion_policies: (
        Annotated[list[DeletionPolicy], Field(min_length=1, max_length=len(DeletionPolicy), json_schema_extra=_SET)]
        | None
    ) = None
    """The only values of `deletionPolicy` that are accepted."""

    adopt: bool | None = None
    """False: the annotation `searchaccess.dev/adopt` is not accepted."""

    secret_stores: Annotated[list[StoreName], Field(max_length=50, json_schema_extra=_SET)] | None = None
    """The only stores that `credential.store` may name; `[]`: none."""

    secret_names: Annotated[list[AccountPattern], Field(min_length=1, max_length=50, json_schema_extra=_SET)] | None = (
        None
    )
    """The only names that `credential.name` may have, such as `{namespace}-*`."""
