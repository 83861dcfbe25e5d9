"""Status of both kinds: what is true, what is different, and who must act. Never a secret value.

Writing is strict; what was written earlier is read by ``read``, which never fails: a newer or older operator beside
this one, a rollback, or a person may have written it.
"""

import json
import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, ValidationError

from searchaccess.api.base import ApiModel, ReadsAs, understood
from searchaccess.api.clusters.tiers import Tier
from searchaccess.api.conditions.types import ConditionType, described

_RFC3339 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")
_LENGTH, _MARKS = len("2026-01-01T10:00:00Z"), "--T::Z"


def _moment(text: str) -> str:
    # As we write them, at once: thousands of them are read in every reconcile.
    ours = len(text) == _LENGTH and text[4::3] == _MARKS
    if not ours and not _RFC3339.fullmatch(text):
        raise ValueError("not a time in RFC 3339")
    datetime.fromisoformat(text)
    return text


DateTime = Annotated[str, AfterValidator(_moment), Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339; written in UTC, whole seconds."""

NEVER = "1970-01-01T00:00:00Z"
"""Stands for an unknown time."""

Truth = Literal["True", "False", "Unknown"]

MESSAGE_LIMIT = 2048
DRIFT_ITEMS_LIMIT = 10
REVISIONS_LIMIT = 10
SHARED_LIMIT = 10
RELEASED_LIMIT = 100
RELEASED_ENTRIES_LIMIT = 100
ADOPTED_LIMIT = 100
OTHERS_LIMIT = 10
POLICIES_LIMIT = 20
POLICY_REASONS_LIMIT = 6


# Closed sets in the code, open ones in the CRD: an operator newer than the CRD must be able to write its status.
_NAME = {"enum": None, "minLength": 1, "maxLength": 316}
COUNT_LIMIT = 2**53


def _countable(number: int) -> int:
    if not 0 <= number <= COUNT_LIMIT:
        raise ValueError("not a count")
    return number


Count: TypeAlias = Annotated[int, AfterValidator(_countable)]
"""How often something happened, or how much there is; small enough to be counted on."""


# https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
class Condition(ApiModel):
    """One aspect of the state (a metav1.Condition)."""

    type: Annotated[ConditionType, Field(json_schema_extra=_NAME)]
    """Aspect that the condition is about, such as `Ready`."""
    status: Truth
    """Whether it holds: `True`, `False` or `Unknown`."""
    reason: Annotated[str, Field(min_length=1, max_length=316)]
    """Why, in one word; docs/reasons.md has the meaning and the next step of each."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Why, in a sentence for people."""
    last_transition_time: Annotated[DateTime, ReadsAs(NEVER)]
    """When the status last changed."""
    observed_generation: Annotated[int, ReadsAs(0)]
    """Generation of this object that the condition is about."""


def _conditions(kind: str) -> Any:
    keys: dict[str, Any] = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return Field(default=[], description=described(kind), json_schema_extra=keys)


class _Status(ApiModel):
    """What both statuses share."""

    @classmethod
    def read(cls, raw: object) -> Self:
        """Read a status that anybody may have written: what can be understood of it; nothing: an empty one."""
        return understood(cls, raw) or cls()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a status from JSON, see ``read``; empty text: there is none."""
        if not text:
            return cls()
        try:
            return cls.model_validate_json(text, extra="ignore", by_alias=True, by_name=False)
        except ValidationError:
            return cls.read(json.loads(text))


class AccountStatus(ApiModel):
    """A Google service account."""

    service_account: str
    """Its e-mail address."""
    unique_id: str | None = None
    """The `sub` of its tokens; it changes when the account is recreated."""


class RevisionStatus(ApiModel):
    """A revision that serves."""

    name: str
    """Name of the revision."""
    percent: int
    """Share of the traffic, or of the instances of a worker pool."""
    tag: str | None = None
    """Tag by which it is reached directly."""


class AccountChange(ApiModel):
    """The account before the last change."""

    service_account: str
    """Its e-mail address."""
    unique_id: str | None = None
    """The `sub` of its tokens."""
    at: DateTime
    """When the change was seen."""


class Identity(ApiModel):
    """The subject, as Google and Elasticsearch know it."""

    principal: str | None = None
    """Name under which Elasticsearch knows the subject: the token's e-mail address, or its `sub`."""
    workload: str | None = None
    """Resource name of the Cloud Run workload."""
    service_account: str | None = None
    """E-mail address of the service account that the workload runs as."""
    unique_id: str | None = None
    """The `sub` of that account's tokens; it changes when the account is recreated."""
    latest_ready_revision: str | None = None
    """Newest revision that is ready."""
    revisions: Annotated[list[RevisionStatus], Field(max_length=REVISIONS_LIMIT)] | None = None
    """Revisions that serve, the busiest first, at most 10."""
    outgoing: Annotated[list[AccountStatus], Field(max_length=REVISIONS_LIMIT)] | None = None
    """Other accounts that still have the access: those of revisions that serve, or of executions that run, from before
    the account changed."""
    shared_with: Annotated[list[str], Field(max_length=SHARED_LIMIT)] | None = None
    """Other workloads that run as the same account, so have this access too; at most 10 of those that are known."""
    changed: AccountChange | None = None
    """The account before the last change, and when that was seen."""
    missing_since: DateTime | None = None
    """The workload does not exist; when that was first seen."""


class ElasticsearchObjects(ApiModel):
    """Names of what this object has in Elasticsearch."""

    role: str | None = None
    """Name of the principal's role."""
    mapping: str | None = None
    """Name of the role mapping that gives the role to the principal."""
    spec_hash: Annotated[str, ReadsAs("")]
    """Hash of this object's rights, as recorded in the role's metadata."""
    cluster_uuid: str
    """Uuid of the Elasticsearch cluster that has them."""


class CredentialStatus(ApiModel):
    """The API key or the password that consumers read, and where it is. Never its value."""

    store: str
    """Name of the store."""
    name: str
    """Name of the secret."""
    version: int
    """Number of the secret's version."""
    key_id: str | None = None
    """Id of the API key, as Elasticsearch's audit log has it."""
    username: str | None = None
    """Name of the user, as Elasticsearch's audit log has it."""
    phase: str
    """`Active`; `Overlap`: the previous one works too."""
    issued: DateTime
    """When it was made."""
    expires: DateTime | None = None
    """When the key ends by itself, if nobody replaces it. Users do not."""
    next_rotation: DateTime | None = None
    """When it is replaced."""
    rotation_request: str | None = None
    """Value of the annotation `searchaccess.dev/rotate-requested-at` that it answers."""


DriftAction: TypeAlias = Literal["Reported", "Corrected", "Pending"]


class DriftItem(ApiModel):
    """One difference that somebody made; or, with `action: Pending`, one that is declared and not applied."""

    object: str
    """Kind and name of the Elasticsearch object, such as `role/searchaccess.default.orders@…`."""
    path: str
    """Where in the object, such as `indices[0].privileges`."""
    want: Annotated[str, ReadsAs("")]
    """What is declared, as JSON; empty: nothing."""
    have: Annotated[str, ReadsAs("")]
    """What was found, as JSON; empty: nothing."""
    first_seen: DateTime
    """When it was first seen."""
    action: Annotated[DriftAction, ReadsAs("Reported")]
    """What was done about it. `Pending`: nobody made it, it is declared and not applied (`mode: Observe`)."""


class Drift(ApiModel):
    """Differences that somebody made in Elasticsearch."""

    open: Annotated[Count, ReadsAs(0)]
    """Open differences that somebody made. What is declared and was never applied is none."""
    items: Annotated[list[DriftItem], Field(max_length=DRIFT_ITEMS_LIMIT)] = []
    """The newest differences, at most 10; kept after they were corrected, with `action: Corrected`. Under
    `mode: Observe` also what would be applied, with `action: Pending`."""
    detected: Count = 0
    """Differences ever found."""
    corrected: Count = 0
    """Differences ever corrected."""
    last_detected: DateTime | None = None
    """When a difference was last found."""
    last_corrected: DateTime | None = None
    """When a difference was last corrected."""


class EffectivePolicy(ApiModel):
    """What one SearchAccessPolicy says."""

    name: str
    """Name of the SearchAccessPolicy."""
    outcome: str
    """`Accepted`, `Denied`, `WouldDeny` (`mode: Audit`), or `Exempt`."""
    reasons: Annotated[list[str], Field(max_length=POLICY_REASONS_LIMIT)] = []
    """The violations, or the reason of the exception and when it ends."""


class SearchAccessStatus(_Status):
    """What is true of a SearchAccess."""

    observed_generation: int | None = None
    """Generation of this object that this status is about."""
    conditions: Annotated[list[Condition], _conditions("SearchAccess")]
    reason: str | None = None
    """Reason of the condition Ready, for `kubectl get --field-selector status.reason=…`."""
    subject: str | None = None
    """Who has the access, in short: `NAME.REGION.PROJECT` of the workload, with `job/` or `workerpool/` before it where
    it is one, or the service account without `.iam.gserviceaccount.com`."""
    access: str | None = None
    """The rights in short, such as `rw orders-* +1`; `~` marks what is limited to some documents or fields."""
    mode: str | None = None
    """How the rights are kept: `Enforce`, `Observe` or `Suspended`."""
    identity: Identity | None = None
    """The subject, as Google and Elasticsearch know it."""
    elasticsearch: ElasticsearchObjects | None = None
    """Names of what this object has in Elasticsearch."""
    credential: CredentialStatus | None = None
    """The API key or password, and where it is stored (`auth: ApiKey`, `Password`)."""
    effective_policy: Annotated[list[EffectivePolicy], Field(max_length=POLICIES_LIMIT)] | None = None
    """What each SearchAccessPolicy says that applies to this object, at most 20: first those that refuse it."""
    drift: Drift | None = None
    """Differences that somebody made in Elasticsearch."""
    last_sync_time: DateTime | None = None
    """When something was last changed in Elasticsearch for this object, or first found as declared."""
    last_handled_reconcile_at: str | None = None
    """Value of the annotation `searchaccess.dev/reconcile-requested-at` that was handled last."""


class ReleasedRights(ApiModel):
    """Rights that stayed in Elasticsearch when their SearchAccess was deleted."""

    namespace: Annotated[str, ReadsAs("")]
    """Namespace of the SearchAccess; empty: it is not known, as they were released by an earlier version."""
    name: Annotated[str, ReadsAs("")]
    """Its name."""
    uid: Annotated[str, ReadsAs("")]
    """Its uid."""
    role: str
    """Name of the role that has them."""
    principal: Annotated[str, ReadsAs("")]
    """Who has them."""
    since: Annotated[DateTime, ReadsAs(NEVER)]
    """When they were released."""
    rights: Annotated[str, ReadsAs("")]
    """The rights in short, as the column ACCESS has them."""
    entries: Annotated[list[str], Field(max_length=RELEASED_ENTRIES_LIMIT)] = []
    """What identifies each of their entries in the role."""
    cluster: list[str] = []
    """Cluster privileges."""


class ClusterCounts(ApiModel):
    """How many objects there are."""

    accesses: int
    """SearchAccesses that refer to the cluster."""
    ready: int
    """SearchAccesses that are Ready."""
    drifted: int
    """SearchAccesses with open differences."""
    roles: int
    """Roles that belong to this operator."""
    foreign_roles: int
    """Roles under our names that do not belong to this operator."""
    released_rights: Count | None = None
    """Released rights that are in force: the length of `status.released`."""


class LoginStatus(ApiModel):
    """The operator's login."""

    tier: Tier
    """How much it may do: it reads only (`Observe`), writes delegated roles (`Roles`), also issues API keys
    (`RolesAndKeys`), or writes everything (`Full`)."""
    user: str | None = None
    """Name of the user, as Elasticsearch knows it."""


class AdoptedStatus(ApiModel):
    """A foreign role or role mapping that was adopted: the same content is not adopted once more."""

    name: str
    """Name of the role or role mapping."""
    kind: str | None = None
    """Which of both: `role` or `role mapping`. A principal's role mapping has the name of its role."""
    hash: str
    """Digest of its content before."""
    at: DateTime | None = None
    """When it was adopted; absent: it is about to be."""


class OtherStatus(ApiModel):
    """What another controller, or another instance, has in Elasticsearch."""

    instance: str
    """Name of the installation."""
    controller: str
    """Uid of the namespace kube-system of its Kubernetes cluster."""
    roles: Annotated[Count, ReadsAs(0)]
    """How many roles it has."""
    undeclared: Annotated[Count, ReadsAs(0)]
    """How many of these are of principals to whom no SearchAccess here gives rights."""
    mappings: Annotated[Count, ReadsAs(0)]
    """How many role mappings it has."""
    keys: Count = 0
    """How many API keys it has that work, under the names of this operator."""
    users: Count = 0
    """How many users it has, under the names of this operator."""


class SearchClusterStatus(_Status):
    """What is true of a SearchCluster."""

    observed_generation: int | None = None
    """Generation of this object that this status is about."""
    conditions: Annotated[list[Condition], _conditions("SearchCluster")]
    reason: str | None = None
    """Reason of the condition Ready, for `kubectl get --field-selector status.reason=…`."""
    url: str | None = None
    """Address of Elasticsearch; the first one, if there are several."""
    version: str | None = None
    """Version of Elasticsearch."""
    uuid: str | None = None
    """Uuid of the Elasticsearch cluster, pinned at first contact."""
    license: str | None = None
    """Type of the license, such as `platinum`."""
    login: LoginStatus | None = None
    """Who the operator is in Elasticsearch."""
    mapping: str | None = None
    """Name of the role mapping (`mapping: RoleTemplate`)."""
    probe: Literal["Active", "Unavailable"] | None = None
    """Whether changes are noticed by the sequence number of `.security` (seconds) or only by the sweep."""
    counts: ClusterCounts | None = None
    """How many objects there are."""
    drift: Drift | None = None
    """Differences that somebody made in the role mapping."""
    released: Annotated[list[ReleasedRights] | None, Field(max_length=RELEASED_LIMIT)] = None
    """Rights that stayed when their SearchAccess was deleted (`deletionPolicy: Orphan`), and are in force: at most 100.
    Only what is listed here counts as released; `spec.orphans.revoke` takes it away."""
    adopted: Annotated[list[AdoptedStatus], Field(max_length=ADOPTED_LIMIT)] | None = None
    """What was adopted, the newest last, at most 100."""
    others: Annotated[list[OtherStatus], Field(max_length=OTHERS_LIMIT)] | None = None
    """Other controllers and instances of this operator that have objects in the same Elasticsearch, at most 10."""
    last_handled_reconcile_at: str | None = None
    """Value of the annotation `searchaccess.dev/reconcile-requested-at` that was handled last."""


Status: TypeAlias = SearchAccessStatus | SearchClusterStatus


def condition_of(status: Status, kind: ConditionType) -> Condition | None:
    """Return the condition of a type, or None."""
    return next((condition for condition in status.conditions if condition.type is kind), None)
