"""Status of both kinds: what is true, what is different, and who must act. Never a secret value."""

from typing import Annotated, Any, Literal

from pydantic import Field

from searchaccess.api.base import ApiModel
from searchaccess.api.reasons import ConditionType, Reason

DateTime = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339, UTC, whole seconds."""

Truth = Literal["True", "False", "Unknown"]

MESSAGE_LIMIT = 2048
DRIFT_ITEMS_LIMIT = 10


class Condition(ApiModel):
    """A metav1.Condition.

    https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
    """

    type: ConditionType
    status: Truth
    reason: Reason
    message: Annotated[str, Field(max_length=32768)] = ""
    last_transition_time: DateTime
    observed_generation: int


CONDITIONS: Any = Field(
    default=[], json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
)


class Identity(ApiModel):
    """Who the subject is."""

    principal: str
    """Name under which Elasticsearch knows the subject: the token's e-mail address."""


class ElasticsearchObjects(ApiModel):
    """Names of what this object has in Elasticsearch."""

    role: str
    mapping: str
    spec_hash: str
    """Hash of this object's rights, as recorded in the role's metadata."""
    cluster_uuid: str


class DriftItem(ApiModel):
    """One difference that somebody made."""

    object: str
    """Kind and name of the Elasticsearch object, such as `role/searchaccess.default.orders@…`."""
    path: str
    """Where in the object, such as `indices[0].privileges`."""
    want: str
    """What is declared, as JSON; empty: nothing."""
    have: str
    """What was found, as JSON; empty: nothing."""
    first_seen: DateTime
    action: Literal["Reported", "Corrected"]


class Drift(ApiModel):
    """Differences that somebody made in Elasticsearch."""

    open: int
    """Differences that stand now."""
    items: Annotated[list[DriftItem], Field(max_length=DRIFT_ITEMS_LIMIT)] = []
    """The newest differences, at most 10; kept after they were put right, with `action: Corrected`."""
    detected: int = 0
    """Differences ever found."""
    corrected: int = 0
    """Differences ever put right."""
    last_detected: DateTime | None = None
    last_corrected: DateTime | None = None


class SearchAccessStatus(ApiModel):
    """What is true of a SearchAccess."""

    observed_generation: int | None = None
    conditions: Annotated[list[Condition], CONDITIONS]
    access: str | None = None
    """The rights in short, such as `rw orders-* +1`."""
    identity: Identity | None = None
    elasticsearch: ElasticsearchObjects | None = None
    drift: Drift | None = None
    last_sync_time: DateTime | None = None
    """When something was last changed in Elasticsearch for this object, or first found as declared."""
    last_handled_reconcile_at: str | None = None
    """Value of the annotation `searchaccess.dev/reconcile-requested-at` that was handled last."""


class ClusterCounts(ApiModel):
    """How many objects the operator sees in the cluster."""

    accesses: int
    ready: int
    drifted: int
    roles: int
    """Roles that belong to this operator."""
    foreign_roles: int
    """Roles under our names that do not belong to this operator."""


class SearchClusterStatus(ApiModel):
    """What is true of a SearchCluster."""

    observed_generation: int | None = None
    conditions: Annotated[list[Condition], CONDITIONS]
    version: str | None = None
    uuid: str | None = None
    """Pinned at first contact."""
    license: str | None = None
    mapping: str | None = None
    """Name of the role mapping (`mapping: RoleTemplate`)."""
    probe: Literal["Active", "Unavailable"] | None = None
    """Whether changes are noticed by the sequence number of `.security` (seconds) or only by the sweep."""
    counts: ClusterCounts | None = None
    drift: Drift | None = None
    """Differences that somebody made in the role mapping."""
    last_handled_reconcile_at: str | None = None


def condition_of(status: dict[str, Any] | None, kind: ConditionType) -> dict[str, Any] | None:
    """Give the condition of a type from a status as Kubernetes stores it, or None."""
    for condition in (status or {}).get("conditions", []):
        if condition.get("type") == kind:
            return dict(condition)
    return None
