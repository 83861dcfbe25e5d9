"""The kind SearchAccess: this Cloud Run workload may do these things on these indices."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, model_validator

from searchaccess.api.base import ApiModel, cel, rules
from searchaccess.api.status import SearchAccessStatus

SERVICE_ACCOUNT_PATTERN = r"^[a-z0-9][a-z0-9.-]*@([a-z0-9-]+\.)+gserviceaccount\.com$"
"""E-mail address of a Google service account, as tokens carry it.

https://cloud.google.com/iam/docs/service-account-types (user-managed, default and Google-managed ones)
"""


class Action(StrEnum):
    """What a subject may do on indices. ``searchaccess.core.actions`` says what each stands for."""

    READ = "read"
    APPEND = "append"
    WRITE = "write"
    DELETE = "delete"
    MONITOR = "monitor"
    MANAGE = "manage"


class ClusterAction(StrEnum):
    """Cluster privileges that may be declared: few, and none that reads documents or changes security."""

    MONITOR = "monitor"
    READ_ILM = "read_ilm"
    READ_PIPELINE = "read_pipeline"
    MANAGE_ILM = "manage_ilm"
    MANAGE_INDEX_TEMPLATES = "manage_index_templates"
    MANAGE_INGEST_PIPELINES = "manage_ingest_pipelines"


class Mode(StrEnum):
    """Whether differences are put right or only reported."""

    ENFORCE = "Enforce"
    OBSERVE = "Observe"


class DeletionPolicy(StrEnum):
    """What becomes of the rights when the SearchAccess is deleted."""

    DELETE = "Delete"
    ORPHAN = "Orphan"
    DISABLE = "Disable"


IndexPattern = Annotated[
    str,
    Field(
        min_length=1,
        max_length=255,
        json_schema_extra=rules(
            cel(
                r"self.startsWith('/') || !self.matches('[A-Z]')",
                "index names are lower case: write it in lower case",
            ),
            cel(
                r"self.startsWith('/') || !self.matches('[\\\\\"<>|, #:/]')",
                r'an index name cannot contain \ / " < > | : # a comma or a space: name one index, a wildcard such as '
                "orders-*, or a /regular expression/ for each list item",
            ),
            cel(
                "self.startsWith('/') || !self.matches('^[-_+]')",
                "an index name cannot start with - _ or +: write the name itself, there are no exclusions",
            ),
            cel(
                "!self.startsWith('/') || (size(self) > 2 && self.endsWith('/'))",
                "a regular expression stands between two slashes: write /orders-[0-9]+/",
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
                " || ".join(f"self.matches('{pattern}')" for pattern in PRIVILEGE_PATTERNS).replace("\\", "\\\\"),
                "write the name of an index privilege such as read or view_index_metadata, or an index action such as "
                "indices:data/read/search",
            )
        ),
    ),
]

FieldName = Annotated[str, Field(min_length=1, max_length=255)]


class Subject(ApiModel):
    """Who gets the access."""

    service_account: Annotated[
        str,
        Field(
            max_length=254,
            json_schema_extra=rules(
                cel(
                    f"self.matches('{SERVICE_ACCOUNT_PATTERN}')".replace("\\", "\\\\"),
                    "write the service account's e-mail address in lower case, such as "
                    "orders@acme-shop.iam.gserviceaccount.com",
                )
            ),
        ),
    ]
    """E-mail address of the Google service account that the workload runs as."""


class FieldRules(ApiModel):
    """Field-level security: which fields of a document may be seen."""

    include: Annotated[list[FieldName], Field(min_length=1, max_length=200)] = ["*"]
    """Fields that may be seen; wildcards allowed."""

    exclude: Annotated[list[FieldName], Field(max_length=200)] = []
    """Fields that may not be seen, taken away from `include`; wildcards allowed."""


class Grant(ApiModel):
    """Some actions on some indices."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel(
                "size(self.can) > 0 || size(self.privileges) > 0",
                "say what may be done: add can: [read] (read, append, write, delete, monitor, manage), "
                "or privileges: [...] with Elasticsearch's own names",
            ),
            cel(
                "!has(self.fields) || self.can.exists(a, a == 'read') || size(self.privileges) > 0",
                "fields limits what can be read: add read to can, or remove fields",
            ),
        )
    }

    indices: Annotated[list[IndexPattern], Field(min_length=1, max_length=50)]
    """Index names, wildcards such as `orders-*`, or Lucene regular expressions between slashes."""

    can: Annotated[list[Action], Field(max_length=6, json_schema_extra={"x-kubernetes-list-type": "set"})] = []
    """Actions: read, append, write, delete, monitor, manage."""

    privileges: Annotated[
        list[PrivilegeName], Field(max_length=30, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = []
    """Raw Elasticsearch index privileges, where the actions do not fit."""

    fields: FieldRules | None = None
    """Field-level security. Needs a Platinum, Enterprise or trial licence."""

    where: Annotated[
        dict[str, Any] | None,
        Field(
            min_length=1,
            max_length=1,
            json_schema_extra={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        ),
    ] = None
    """Document-level security: one Elasticsearch query; only documents that it matches are seen.
    Needs a Platinum, Enterprise or trial licence."""


class SearchAccessSpec(ApiModel):
    """What is declared."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": rules(
            cel(
                "size(self.grants) > 0 || size(self.clusterCan) > 0",
                "declare at least one grant, such as {indices: [orders-*], can: [read]}, or clusterCan",
            )
        )
    }

    cluster: Annotated[str, Field(min_length=1, max_length=63)]
    """Name of the SearchCluster."""

    subject: Subject
    """Who gets the access."""

    grants: Annotated[list[Grant], Field(max_length=50)] = []
    """What may be done on which indices."""

    cluster_can: Annotated[
        list[ClusterAction], Field(max_length=6, json_schema_extra={"x-kubernetes-list-type": "set"})
    ] = []
    """Cluster privileges."""

    mode: Mode = Mode.ENFORCE
    """`Enforce` puts differences right; `Observe` reports them and changes nothing."""

    suspend: bool = False
    """True: leave this object's rights in Elasticsearch as they are, and do not look at them."""

    deletion_policy: DeletionPolicy = DeletionPolicy.DELETE
    """When this object is deleted: `Delete` its rights, `Orphan` them (they stay and are nobody's), or `Disable`
    (they go, the empty role stays with a note)."""

    @model_validator(mode="after")
    def _declares_something(self) -> "SearchAccessSpec":
        if not self.grants and not self.cluster_can:
            raise ValueError("declare at least one grant, or clusterCan")
        for position, grant in enumerate(self.grants):
            if not grant.can and not grant.privileges:
                raise ValueError(f"grants[{position}] does not say what may be done: add can or privileges")
        return self


class SearchAccess(ApiModel):
    """Declares what a Cloud Run workload may do on which Elasticsearch indices."""

    spec: SearchAccessSpec
    status: SearchAccessStatus | None = None
