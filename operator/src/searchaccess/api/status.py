"""Status of all kinds: the observed state, its differences, and who must act. Never a secret value.

Writing is strict. ``read`` reads an existing status and never fails: a newer or older operator, a rollback, or a person
may have written it.
"""

import json
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, ValidationError

from searchaccess.api.accesses.exclusivestatus import ExclusiveStatus
from searchaccess.api.accesses.limitsstatus import LimitsStatus
from searchaccess.api.accesses.usagestatus import AuditStatus, UsageStatus
from searchaccess.api.base import ApiModel, Count, ReadsAs, understood
from searchaccess.api.clusters.status import (
    ADOPTED_LIMIT,
    OTHERS_LIMIT,
    RELEASED_LIMIT,
    AdoptedStatus,
    ClusterCounts,
    GatewayStatus,
    LoginStatus,
    OtherStatus,
    ReleasedRights,
)
from searchaccess.api.conditions.types import ConditionType, described
from searchaccess.api.policies.status import PolicyCounts
from searchaccess.api.times.moments import NEVER, DateTime

Truth = Literal["True", "False", "Unknown"]

MESSAGE_LIMIT = 2048
DRIFT_ITEMS_LIMIT = 10
REVISIONS_LIMIT = 10
SHARED_LIMIT = 10
POLICIES_LIMIT = 20
PREMATURE_LIMIT = 100
POLICY_REASONS_LIMIT = 6


# Closed sets in the code, open ones in the CRD: an operator newer than the CRD must be able to write its status.
_NAME = {"enum": None, "minLength": 1, "maxLength": 316}


# https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
class Condition(ApiModel):
    """One aspect of the state (a metav1.Condition)."""

    type: Annotated[ConditionType, Field(json_schema_extra=_NAME)]
    """Aspect that the condition describes, such as `Ready`."""
    status: Truth
    """Whether it holds: `True`, `False` or `Unknown`."""
    reason: Annotated[str, Field(min_length=1, max_length=316)]
    """Reason in one word; docs/reasons.md has the meaning and the next step of each."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Reason in a sentence for people."""
    last_transition_time: Annotated[DateTime, ReadsAs(NEVER)]
    """When the status last changed."""
    observed_generation: Annotated[int, ReadsAs(0)]
    """Generation of this object that the condition was computed from."""


def _conditions(kind: str) -> Any:
    keys: dict[str, Any] = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return Field(default=[], description=described(kind), json_schema_extra=keys)


class _Status(ApiModel):
    """Common parts of all statuses."""

    @classmethod
    def read(cls, raw: object) -> Self:
        """Read as much as possible of a status that anybody may have written; an empty one if nothing can be read."""
        return understood(cls, raw) or cls()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a status from JSON, see ``read``; an empty text gives an empty status."""
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
    """A serving revision."""

    name: str
    """Name of the revision."""
    percent: int
    """Share of the traffic, or of the instances of a worker pool."""
    tag: str | None = None
    """Tag for direct access."""


class AccountChange(ApiModel):
    """The account before the last change."""

    service_account: str
    """Its e-mail address."""
    unique_id: str | None = None
    """The `sub` of its tokens."""
    at: DateTime
    """When the change was detected."""


class Identity(ApiModel):
    """The subject, as Google and Elasticsearch know it."""

    principal: str | None = None
    """Name of the subject in Elasticsearch: the token's e-mail address, or its `sub`."""
    workload: str | None = None
    """Resource name of the Cloud Run workload."""
    service_account: str | None = None
    """E-mail address of the service account that the workload runs as."""
    unique_id: str | None = None
    """The `sub` of that account's tokens; it changes when the account is recreated."""
    latest_ready_revision: str | None = None
    """Latest ready revision."""
    revisions: Annotated[list[RevisionStatus], Field(max_length=REVISIONS_LIMIT)] | None = None
    """Serving revisions, by traffic in descending order, at most 10."""
    outgoing: Annotated[list[AccountStatus], Field(max_length=REVISIONS_LIMIT)] | None = None
    """Other accounts that still have the access: those of serving revisions or running executions from before the
    account changed."""
    shared_with: Annotated[list[str], Field(max_length=SHARED_LIMIT)] | None = None
    """Other known workloads that run as the same account and have this access too; at most 10."""
    changed: AccountChange | None = None
    """The account before the last change, and when the change was detected."""
    missing_since: DateTime | None = None
    """When the operator first found that the workload does not exist."""


class ElasticsearchObjects(ApiModel):
    """Objects in Elasticsearch that belong to this object."""

    role: str | None = None
    """Name of the principal's role."""
    mapping: str | None = None
    """Name of the role mapping that assigns the role to the principal."""
    spec_hash: Annotated[str, ReadsAs("")]
    """Hash of this object's rights, as recorded in the role's metadata."""
    cluster_uuid: str
    """UUID of the Elasticsearch cluster that has them."""


class CredentialStatus(ApiModel):
    """The API key or password that consumers read, and where it is stored. Never its value."""

    store: str
    """Name of the store."""
    name: str
    """Name of the secret."""
    version: int
    """Number of the secret's version."""
    key_id: str | None = None
    """Id of the API key, as in Elasticsearch's audit log."""
    username: str | None = None
    """Name of the user, as in Elasticsearch's audit log."""
    phase: str
    """`Active`, or `Overlap`: the previous one is valid too."""
    issued: DateTime
    """When it was created."""
    expires: DateTime | None = None
    """When the API key expires unless it is replaced before. Users do not expire."""
    next_rotation: DateTime | None = None
    """When it is replaced."""
    rotation_request: str | None = None
    """Value of the annotation `searchaccess.dev/rotate-requested-at` that triggered its rotation."""


DriftAction: TypeAlias = Literal["Reported", "Corrected", "Pending"]


class DriftItem(ApiModel):
    """One difference that somebody made; or, with `action: Pending`, a declared change that is not applied."""

    object: str
    """Kind and name of the Elasticsearch object, such as `role/searchaccess.default.orders@…`."""
    path: str
    """Path within the object, such as `indices[0].privileges`."""
    want: Annotated[str, ReadsAs("")]
    """The declared value, as JSON; empty if there is none."""
    have: Annotated[str, ReadsAs("")]
    """The observed value, as JSON; empty if there is none."""
    first_seen: DateTime
    """When it was first detected."""
    action: Annotated[DriftAction, ReadsAs("Reported")]
    """What the operator did about it. `Pending`: a declared change that is not applied (`mode: Observe`), not drift."""


class Drift(ApiModel):
    """Differences that somebody made in Elasticsearch."""

    open: Annotated[Count, ReadsAs(0)]
    """Open differences that somebody made. Declared rights that were never applied do not count."""
    items: Annotated[list[DriftItem], Field(max_length=DRIFT_ITEMS_LIMIT)] = []
    """The newest differences, at most 10. Corrected ones stay listed with `action: Corrected`. With `mode: Observe`, it
    also lists what would be applied, with `action: Pending`."""
    detected: Count = 0
    """Number of differences ever detected."""
    corrected: Count = 0
    """Number of differences ever corrected."""
    last_detected: DateTime | None = None
    """When a difference was last detected."""
    last_corrected: DateTime | None = None
    """When a difference was last corrected."""


Uids = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=PREMATURE_LIMIT)]


class EffectivePolicy(ApiModel):
    """What one SearchAccessPolicy says."""

    name: str
    """Name of the SearchAccessPolicy."""
    outcome: str
    """`Accepted`, `Denied`, `PendingApproval` (an approval is missing), `WouldDeny` (`mode: Audit`), or `Exempt`."""
    reasons: Annotated[list[str], Field(max_length=POLICY_REASONS_LIMIT)] = []
    """The violations, or the reason of the exception and when it ends."""


class ValidityStatus(ApiModel):
    """Whether the declared times allow the rights."""

    state: str
    """`Active`, `NotYetValid`, `Expired`, `OutsideSchedule`, `Unreadable` (nothing is granted), or `Unknown`."""
    next_change: DateTime | None = None
    """When that changes next: when the rights end, or begin. Where windows overlap, the end of the latest."""
    deleted_after: DateTime | None = None
    """When the operator may delete this object (`ttlAfterExpired`)."""


class SearchAccessStatus(_Status):
    """The observed state of a SearchAccess."""

    observed_generation: int | None = None
    """Generation of this object that this status was computed from."""
    conditions: Annotated[list[Condition], _conditions("SearchAccess")]
    reason: str | None = None
    """Reason of the condition Ready, for `kubectl get --field-selector status.reason=…`."""
    subject: str | None = None
    """The subject in short form: `NAME.REGION.PROJECT` of the workload, with the prefix `job/` or `workerpool/` for
    these, or the service account without `.iam.gserviceaccount.com`."""
    access: str | None = None
    """The rights in short form, such as `rw orders-* +1`; `~` marks a limit to some documents or fields."""
    mode: str | None = None
    """How the operator manages the rights: `Enforce`, `Observe` or `Suspended`."""
    identity: Identity | None = None
    """The subject, as Google and Elasticsearch know it."""
    elasticsearch: ElasticsearchObjects | None = None
    """Objects in Elasticsearch that belong to this object."""
    credential: CredentialStatus | None = None
    """The API key or password, and where it is stored (`auth: ApiKey` or `Password`)."""
    premature_approvals: Uids | None = None
    """`metadata.uid` of SearchAccessApprovals of a generation that did not exist when the operator saw them. They never
    count."""
    effective_policy: Annotated[list[EffectivePolicy], Field(max_length=POLICIES_LIMIT)] | None = None
    """What each SearchAccessPolicy says that applies to this object, at most 20: first those that refuse it."""
    validity: ValidityStatus | None = None
    """Whether `validFrom`, `validUntil` and `schedule` allow the rights now; absent where none is declared."""
    exclusive: ExclusiveStatus | None = None
    """Who else gives the principal rights, one by one; absent where nobody adds anything."""
    limits: LimitsStatus | None = None
    """What the caller may send through the gateway; absent where there is none."""
    drift: Drift | None = None
    """Differences that somebody made in Elasticsearch."""
    usage: UsageStatus | None = None
    """When it was last used; absent unless the SearchCluster names its audit events (`spec.audit`)."""
    last_sync_time: DateTime | None = None
    """When the operator last changed something in Elasticsearch for this object, or first found it as declared."""
    last_handled_reconcile_at: str | None = None
    """Last handled value of the annotation `searchaccess.dev/reconcile-requested-at`."""


class SearchClusterStatus(_Status):
    """The observed state of a SearchCluster."""

    observed_generation: int | None = None
    """Generation of this object that this status was computed from."""
    conditions: Annotated[list[Condition], _conditions("SearchCluster")]
    reason: str | None = None
    """Reason of the condition Ready, for `kubectl get --field-selector status.reason=…`."""
    url: str | None = None
    """Address of Elasticsearch; the first one, if there are several."""
    version: str | None = None
    """Version of Elasticsearch."""
    uuid: str | None = None
    """UUID of the Elasticsearch cluster, pinned at the first connection."""
    license: str | None = None
    """Type of the license, such as `platinum`."""
    login: LoginStatus | None = None
    """The operator's login in Elasticsearch."""
    mapping: str | None = None
    """Name of the role mapping (`mapping: RoleTemplate`)."""
    probe: Literal["Active", "Unavailable"] | None = None
    """`Active`: the probe of `.security` detects changes within seconds. `Unavailable`: only the sweep detects them."""
    counts: ClusterCounts | None = None
    """Numbers of objects."""
    drift: Drift | None = None
    """Differences that somebody made in the role mapping."""
    released: Annotated[list[ReleasedRights] | None, Field(max_length=RELEASED_LIMIT)] = None
    """Rights that stayed when their SearchAccess was deleted (`deletionPolicy: Orphan`) and are in force; at most 100.
    Only rights that are listed here count as released. `spec.orphans.revoke` revokes them."""
    adopted: Annotated[list[AdoptedStatus], Field(max_length=ADOPTED_LIMIT)] | None = None
    """Adopted roles and role mappings, the newest last, at most 100."""
    others: Annotated[list[OtherStatus], Field(max_length=OTHERS_LIMIT)] | None = None
    """Other controllers and instances of this operator that have objects in the same Elasticsearch, at most 10."""
    audit: AuditStatus | None = None
    """How far audit events were read (`spec.audit`)."""
    gateway: GatewayStatus | None = None
    """The gateway that verifies callers' tokens (`identity.gateway`)."""
    last_handled_reconcile_at: str | None = None
    """Last handled value of the annotation `searchaccess.dev/reconcile-requested-at`."""


class SearchAccessPolicyStatus(_Status):
    """The observed state of a SearchAccessPolicy."""

    observed_generation: int | None = None
    """Generation of this object that this status was computed from."""
    conditions: Annotated[list[Condition], _conditions("SearchAccessPolicy")]
    reason: str | None = None
    """Reason of the condition Ready, for `kubectl get --field-selector status.reason=…`."""
    counts: PolicyCounts | None = None
    """Numbers of SearchAccesses, at most some seconds old; absent if the policy cannot be read."""


Status: TypeAlias = SearchAccessStatus | SearchClusterStatus
AnyStatus: TypeAlias = Status | SearchAccessPolicyStatus


def condition_of(status: AnyStatus, kind: ConditionType) -> Condition | None:
    """Return the condition of a type, or None."""
    for condition in status.conditions:
        if condition.type is kind:
            return condition
    return None
