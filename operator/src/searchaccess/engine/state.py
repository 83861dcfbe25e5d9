"""What a reconciler knows about its SearchCluster. It may be lost: the next reconcile reads it again.

It belongs to one SearchCluster object, by uid: a recreated one starts with nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from searchaccess.api.clusters.ownership import TakeOver
from searchaccess.api.clusters.status import AdoptedStatus, OtherStatus, ReleasedRights
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.status import Drift
from searchaccess.api.stores.credentials import Auth
from searchaccess.core.clusters.cluster import Cluster, ClusterFacts
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.exposure import Exposed
from searchaccess.core.clusters.proof import Proof
from searchaccess.core.gateway.facts import GatewayFacts
from searchaccess.core.model.access import Access
from searchaccess.core.model.attempt import Attempt, attempt_of
from searchaccess.core.ownership.adoption import Refusal
from searchaccess.core.ownership.installations import Installation
from searchaccess.core.policy.copies import Copied
from searchaccess.core.policy.decision import OPEN, Gate
from searchaccess.core.policy.login import LoginRights
from searchaccess.core.rights.foreign.shadows import Shadow
from searchaccess.core.rights.ownership import Operator
from searchaccess.core.status.access import Failure
from searchaccess.core.status.aspects.usage import AuditFacts
from searchaccess.core.status.events import Note
from searchaccess.decorators.dryrun import DryRun
from searchaccess.engine.concurrency.steps import Steps
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.inventory.preview import open_gate
from searchaccess.engine.outbox import Outbox
from searchaccess.engine.pacing.objectrate import ObjectRate
from searchaccess.engine.questions import Questions
from searchaccess.engine.replicas.ownership import Ownership
from searchaccess.engine.unseen import Unseen
from searchaccess.ports.clock import Clock
from searchaccess.ports.elasticsearch import ClusterFingerprint, ElasticsearchPort
from searchaccess.ports.errors import NotHolder, TransientError
from searchaccess.ports.gateway import Gateways
from searchaccess.ports.google import GooglePort
from searchaccess.ports.kubernetes import KubernetesPort
from searchaccess.ports.meter import Meter
from searchaccess.ports.stores import Stores

CHUNK: Final = 1000
"""Roles in one bulk write."""

NAMES_LIMIT: Final = 3000
"""Characters of names in one URL; Elasticsearch takes 4,096 in a request line by default. With more, all are read."""


EVENTS: Final = 25
"""Events about one object that may be written at once: client-go's limit of events about one object."""
EVENTS_REFILL: Final = 300.0
"""Seconds after which one more may be written."""
RESTORED: Final = 10
"""How often a status that somebody else changed is rewritten at once: another installation with the same
SearchClusters does the same."""
RESTORED_REFILL: Final = 30.0
"""Seconds after which it may be rewritten once more."""


@dataclass(frozen=True, slots=True)
class Context:
    """What all reconcilers share."""

    operator: Operator
    inventory: Inventory
    kubernetes: KubernetesPort
    outbox: Outbox
    clock: Clock
    google: GooglePort
    stores: Stores
    meter: Meter = field(default_factory=Meter)
    ownership: Ownership = field(default_factory=Ownership)
    steps: Steps = field(default_factory=Steps)
    events: ObjectRate = field(default_factory=lambda: ObjectRate(EVENTS, EVENTS_REFILL))
    restored: ObjectRate = field(default_factory=lambda: ObjectRate(RESTORED, RESTORED_REFILL))
    """Rewrites of statuses that somebody else changed."""
    dry_run: DryRun | None = None
    """Records what would change, in a dry run; None: changes are made."""
    gateways: Gateways | None = None
    """All that is needed to run gateways; None: this process runs none."""

    def may_publish(self, cluster: str) -> bool:
        """Return whether this replica publishes statuses of a SearchCluster and its SearchAccesses."""
        if cluster in self.inventory.clusters:
            return self.ownership.holds(cluster)
        return self.ownership.holds_common()

    def open_gate(self, cluster: str) -> Gate:
        """Return what may be done on a SearchCluster if only its spec restricts it."""
        return open_gate(self.inventory, cluster)


@dataclass(frozen=True, slots=True)
class Healthy:
    """The last reconcile completed, or none has begun yet."""


@dataclass(frozen=True, slots=True)
class Failing:
    """The last reconcile did not complete; it is retried with back-off."""

    failure: Failure
    since: float
    """When the first of them in a row failed, by the monotonic clock."""
    times: int = 1
    """How many have failed in a row."""
    fault: bool = False
    """The last one failed because of an internal error, not an external one."""
    reported_unknown: bool = False
    """Every SearchAccess of the cluster reports that its state is not known."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The last check found that nothing may be read or written there."""

    failure: Failure


Health: TypeAlias = Healthy | Failing | Closed


@dataclass(frozen=True, slots=True)
class Scope:
    """What one reconcile covers."""

    full: bool = False
    """All that is declared and all that exists, including what is no longer declared."""
    principals: frozenset[str] = frozenset()
    """Those that changed."""
    credentials: frozenset[str] = frozenset()
    """The uids of SearchAccesses whose credentials changed."""
    include_settled: bool = False
    """Settled items are reconciled too: something changed on which all depend, or statuses differ."""


@dataclass(slots=True)
class ClusterState:
    """What a reconciler learned about its cluster."""

    facts: ClusterFacts | None = None
    fingerprint: ClusterFingerprint | None = None
    """The cluster's fingerprint right before the facts were read; None: not permitted."""
    uuid: str = ""
    url: str = ""
    """First of the addresses."""
    exposed: tuple[Exposed, ...] | None = None
    """How the connection is not private; None: not checked yet."""
    login: LoginRights | None = None
    """What the operator's login may do; None: not known."""
    proof: Proof | None = None
    """What the operator's own tokens proved about the realm; None: it has none."""
    verdict: Gate = OPEN
    """What the state of the cluster allows."""
    health: Health = Healthy()
    waiting: Failure | None = None
    """What the SearchCluster itself waits for, while all else continues."""
    trouble: Failure | None = None
    """Why some SearchAccesses cannot be completed; the others are fine."""
    mapping_conflict: str = ""
    mapping_refusal: Refusal | None = None
    """Why that foreign mapping is not adopted."""
    mapping_adopted: str = ""
    """What the role mapping was before this step adopted it, as JSON."""
    mapping_drift: Drift | None = None
    mapping_unwritten: str = ""
    """The role mapping that a person has to write, as a request; empty: none."""
    mapping_late: str = ""
    """Why the role mapping does not use the roles' new names yet; empty: it uses the right ones."""
    rejections: dict[str, tuple[Attempt, str]] = field(default_factory=dict)
    """By uid of a SearchAccess with a credential: what Elasticsearch refused, and its message."""
    ready: set[str] = field(default_factory=set)
    drifted: set[str] = field(default_factory=set)
    roles: AbstractSet[str] = frozenset()
    """Names of principals' roles of ours in Elasticsearch."""
    user_roles: AbstractSet[str] = frozenset()
    """Names of users' roles of ours, as the last full reconcile found them."""
    foreign: int = 0
    """How many roles under our names are not ours, as the last full reconcile counted."""
    adopted: Sequence[AdoptedStatus] | None = None
    """Recorded adoptions; None: see the status."""
    unseen_others: tuple[str, ...] | None = None
    """What cannot be seen of others; None: nothing was read yet."""
    others: tuple[OtherStatus, ...] | None = None
    """What other controllers and instances have, as the last full reconcile found it; None: it was not read yet."""
    issued_by_others: Mapping[tuple[Installation, Auth], int] = field(default_factory=dict)
    """How many keys and users they had at the last read."""
    shadows: dict[str, tuple[Shadow, ...]] = field(default_factory=dict)
    """By principal, the roles in files that are in force instead of its own; a missing one was not asked about."""
    rewritten: set[str] = field(default_factory=set)
    """Principals whose role was written since Elasticsearch was asked about it."""
    copied: tuple[Copied, ...] | None = None
    """What mappings copy, as the last sweep read it; None: not read yet."""
    absent: frozenset[str] | None = None
    """Patterns that matched no index, alias or data stream when names were read last; None: not read yet."""
    questions: Questions = field(default_factory=Questions)
    """What is known about queries."""
    operations: int = 0
    """Our writes to the security index since the last probe."""
    in_doubt: set[str] = field(default_factory=set)
    """Writes of ours that were not answered, by their objects: they may have been applied, and are not counted."""
    foreign_writes: int = 0
    """Writes of others to it that probes found, since they were last accounted for."""
    reads_are_settled: bool = False
    """Whether a full read now certainly returns them."""
    users: int | None = None
    """How many principals' native users of ours there are; None: none were looked for."""
    notes: list[Note] = field(default_factory=list)
    """Events about them."""
    released: tuple[ReleasedRights, ...] | None = None
    """Released rights, as they are to be recorded; None: not known before a full read."""
    unseen: Unseen = field(default_factory=Unseen)
    """SearchAccesses of namespaces that are not watched, with rights here."""
    released_notes: list[Note] = field(default_factory=list)
    """Events about them."""
    gateway: GatewayFacts | None = None
    """What is known about the gateway; None: nothing yet, or there was none."""
    audit: AuditFacts | None = None
    """What is known about the audit events; None: they were not read yet."""
    awaits_gateway: bool = False
    """Role mappings of a realm were kept for its callers until the gateway's pods serve them."""
    former_mappings: str = ""
    """Which role mappings of a realm its callers keep beside the gateway, and until when; empty: none."""
    unlimited: frozenset[str] = frozenset()
    """Principals whose limits have not reached all pods of the gateway yet: they get no new rights."""
    nobody_limited: bool = False
    """Whether pods of the gateway may have limits that this process does not know: no principal gets new rights."""
    limits_differ: Callable[[str], bool] = field(default=lambda _principal: False)
    """Whether a principal's limits were changed since that was found out, so that it gets no new rights either."""
    awaits_limits: set[str] = field(default_factory=set)
    """Those of them that would have got some."""

    @contextmanager
    def writing(self, kind: str, names: Iterable[str]) -> Iterator[None]:
        """Note what may have been written if the writes in this context are not answered.

        Args:
            kind: ``role``, ``role_mapping``, ``user``, or ``gateway`` for what a gateway's login has.
            names: of the objects.
        """
        try:
            yield
        except NotHolder:
            raise
        except TransientError:
            self.in_doubt |= {f"{kind}/{name}" for name in names}
            raise

    @property
    def closed(self) -> Failure | None:
        """Why nothing may be read or written; None: it may."""
        return self.health.failure if isinstance(self.health, Closed) else None

    @property
    def login_may_gain_rights(self) -> bool:
        """Whether the login may gain rights. For a login that has all, a refusal shows that it has lost some."""
        return self.login is not None and not self.login.manages

    @property
    def is_denied(self) -> bool:
        """Whether the login may not grant declared rights: somebody may soon extend or replace it."""
        return self.trouble is not None and self.trouble.reason is Reason.PERMISSION_DENIED

    @property
    def problem(self) -> Failure | None:
        """What is wrong with the SearchCluster, most severe first; None: nothing."""
        if isinstance(self.health, Healthy):
            return self.waiting or self.trouble
        return self.health.failure

    def rejection_of(self, access: Access) -> str:
        """Return why Elasticsearch refused what a SearchAccess declares now; empty: it did not, or a retry is due."""
        rejected = self.rejections.get(access.uid)
        if rejected and rejected[0] != attempt_of(access):
            del self.rejections[access.uid]
            rejected = None
        return rejected[1] if rejected else ""

    @property
    def gate(self) -> Gate:
        """What may be done about SearchAccesses."""
        return gate_of(self.verdict, self.mapping_conflict, self.mapping_refusal, self.mapping_unwritten)


def gate_of(verdict: Gate, mapping_conflict: str, refusal: Refusal | None = None, mapping_unwritten: str = "") -> Gate:
    """Return what may be done with SearchAccesses.

    Args:
        verdict: what the state of the cluster allows.
        mapping_conflict: name of a conflicting role mapping; empty: none.
        refusal: why it is not adopted.
        mapping_unwritten: the role mapping that a person must write, as a request; empty: none.
    """
    if mapping_unwritten:
        message = f"the role mapping is missing or differs, and the login may not write it: {mapping_unwritten}"
        return replace(verdict, grants=False, reason=Reason.ROLE_MAPPING_NOT_WRITTEN, message=message)
    if not mapping_conflict:
        return verdict
    reason, message = Reason.OWNERSHIP_CONFLICT, f"role mapping {mapping_conflict} is not managed by this operator"
    if refusal is not None:
        reason, message = refusal.reason, refusal.message
    return replace(verdict, grants=False, reason=reason, message=message)


@dataclass(slots=True)
class Session:
    """One connected cluster."""

    cluster: Cluster
    connection: Connection
    port: ElasticsearchPort
    state: ClusterState

    @property
    def verdict(self) -> Gate:
        """What the state of the cluster, and its SearchCluster, allow."""
        return replace(
            self.state.verdict, orphans=self.cluster.orphans.allowed, gateway=self.cluster.gateway is not None
        )

    @property
    def taken_over(self) -> Sequence[TakeOver]:
        """What the SearchCluster declares about predecessors."""
        return self.cluster.taken_over
