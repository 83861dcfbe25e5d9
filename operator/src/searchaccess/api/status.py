"""Status of both kinds: what is true, what is different, and who must act. Never a secret value."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from searchaccess.api.base import ApiModel
from searchaccess.api.reasons import ConditionType, Reason

DateTime = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339, UTC, whole seconds."""

Truth = Literal["True", "False", "Unknown"]

MESSAGE_LIMIT = 2048
DRIFT_ITEMS_LIMIT = 10


# Closed sets in the code, open ones in the CRD: an operator newer than the CRD must be able to write its status.
_NAME = {"enum": None, "minLength": 1, "maxLength": 316}


# https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
class Condition(ApiModel):
    """One aspect of the state (a metav1.Condition)."""

    type: Annotated[ConditionType, Field(json_schema_extra=_NAME)]
    """Aspect that the condition is about, such as `Ready`."""
    status: Truth
    """Whether it holds: `True`, `False` or `Unknown`."""
    reason: Annotated[Reason, Field(json_schema_extra=_NAME)]
    """Why, in one word; docs/reasons.md has the meaning and the next step of each."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Why, in a sentence for people."""
    last_transition_time: DateTime
    """When the status last changed."""
    observed_generation: int
    """Generation of this object that the condition is about."""


CONDITIONS: Any = Field(
    default=[], json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
)


class Identity(ApiModel):
    """The subject, as Elasticsearch knows it."""

    principal: str
    """Name under which Elasticsearch knows the subject: the token's e-mail address."""


class ElasticsearchObjects(ApiModel):
    """Names of what this object has in Elasticsearch."""

    role: str
    """Name of the principal's role."""
    mapping: str
    """Name of the role mapping that gives the role to the principal."""
    spec_hash: str
    """Hash of this object's rights, as recorded in the role's metadata."""
    cluster_uuid: str
    """Uuid of the Elasticsearch cluster that has them."""


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
    """When it was first seen."""
    action: Literal["Reported", "Corrected"]
    """What was done about it."""


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
    """When a difference was last found."""
    last_corrected: DateTime | None = None
    """When a difference was last put right."""


class SearchAccessStatus(ApiModel):
    """What is true of a SearchAccess."""

    observed_generation: int | None = None
    """Generation of this object that this status is about."""
    conditions: Annotated[list[Condition], CONDITIONS]
    """What holds and what does not: `Ready`, `Synced`, `Drifted`, and `Reconciling` or `Stalled` while true."""
    access: str | None = None
    """The rights in short, such as `rw orders-* +1`."""
    identity: Identity | None = None
    """The subject, as Elasticsearch knows it."""
    elasticsearch: ElasticsearchObjects | None = None
    """Names of what this object has in Elasticsearch."""
    drift: Drift | None = None
    """Differences that somebody made in Elasticsearch."""
    last_sync_time: DateTime | None = None
    """When something was last changed in Elasticsearch for this object, or first found as declared."""
    last_handled_reconcile_at: str | None = None
    """Value of the annotation `searchaccess.dev/reconcile-requested-at` that was handled last."""


class ClusterCounts(ApiModel):
    """How many objects there are."""

    accesses: int
    """SearchAccesses that refer to the cluster."""
    ready: int
    """SearchAccesses that are Ready."""
    drifted: int
    """SearchAccesses with differences that stand."""
    roles: int
    """Roles that belong to this operator."""
    foreign_roles: int
    """Roles under our names that do not belong to this operator."""


class SearchClusterStatus(ApiModel):
    """What is true of a SearchCluster."""

    observed_generation: int | None = None
    """Generation of this object that this status is about."""
    conditions: Annotated[list[Condition], CONDITIONS]
    """What holds and what does not: `Ready`, `Reachable`, `Licensed`, `RealmVerified`, `Drifted`, and
    `Reconciling` or `Stalled` while true."""
    url: str | None = None
    """Address of Elasticsearch; the first one, if there are several."""
    version: str | None = None
    """Version of Elasticsearch."""
    uuid: str | None = None
    """Uuid of the Elasticsearch cluster, pinned at first contact."""
    license: str | None = None
    """Type of the licence, such as `platinum`."""
    mapping: str | None = None
    """Name of the role mapping (`mapping: RoleTemplate`)."""
    probe: Literal["Active", "Unavailable"] | None = None
    """Whether changes are noticed by the sequence number of `.security` (seconds) or only by the sweep."""
    counts: ClusterCounts | None = None
    """How many objects there are."""
    drift: Drift | None = None
    """Differences that somebody made in the role mapping."""
    last_handled_reconcile_at: str | None = None
    """Value of the annotation `searchaccess.dev/reconcile-requested-at` that was handled last."""


def condition_of(status: Mapping[str, Any] | None, kind: ConditionType) -> dict[str, Any] | None:
    """Give the condition of a type from a status as Kubernetes stores it, or None."""
    for condition in (status or {}).get("conditions", []):
        if condition.get("type") == kind:
            return dict(condition)
    return None
