"""Computes a SearchCluster's status from facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from searchaccess.api.clusters.status import AdoptedStatus, ClusterCounts, LoginStatus, OtherStatus, ReleasedRights
from searchaccess.api.conditions.events import EventReason
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import Drift, SearchClusterStatus, Truth
from searchaccess.core.clusters.cluster import Cluster, ClusterFacts, license_problem
from searchaccess.core.clusters.exposure import Exposed, describe_exposures
from searchaccess.core.clusters.proof import Proof, judge_proof
from searchaccess.core.clusters.realm import explain, explain_doubts
from searchaccess.core.gateway.facts import GatewayFacts
from searchaccess.core.messages import some_of
from searchaccess.core.ownership.installations import Installation
from searchaccess.core.ownership.others import described, shown
from searchaccess.core.ownership.takeover import installations_in
from searchaccess.core.policy.login import LoginRights
from searchaccess.core.status.access import Failure
from searchaccess.core.status.aspects.gateway import gateway_notes, gateway_status, mark_gateway
from searchaccess.core.status.aspects.usage import AuditFacts, build_audit, mark_audit
from searchaccess.core.status.conditions import FALSE, TRUE, UNKNOWN, Conditions, shorten_message
from searchaccess.core.status.differences import describe_differences
from searchaccess.core.status.events import Note, note, trouble_notes

_NOT_ABOUT_REACHING = frozenset({
    Reason.CLUSTER_REPLACED,
    Reason.VERSION_UNSUPPORTED,
    Reason.DUPLICATE_CLUSTER,
    Reason.OWNERSHIP_CONFLICT,
    Reason.CONTROLLERS_FIGHT,
    Reason.PENDING,
    Reason.IN_USE,
    Reason.PERMISSION_DENIED,
    Reason.ROLE_MAPPING_NOT_WRITTEN,
    Reason.THROTTLED,
    Reason.INVALID_SPEC,
    Reason.INTERNAL_ERROR,
    Reason.IDENTITY_UNKNOWN,
})  # fmt: skip


_NO_DRIFT = Drift(open=0)
_TRUTH: Final[dict[bool | None, Truth]] = {True: TRUE, False: FALSE, None: UNKNOWN}

_TROUBLE: Final = frozenset({
    EventReason.CLUSTER_UNREACHABLE,
    EventReason.TLS_NOT_VERIFIED,
    EventReason.LOGIN_MISSING,
    EventReason.LOGIN_REFUSED,
    EventReason.PERMISSION_DENIED,
    EventReason.ROLE_MAPPING_NOT_WRITTEN,
})  # fmt: skip
"""Reasons that are emitted as events although they do not make a SearchCluster Stalled."""

NAMED: Final = 5
"""SearchAccesses that a message names."""


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """Everything that is known about a SearchCluster after a reconcile."""

    cluster: Cluster
    facts: ClusterFacts | None = None
    """What the last successful check found."""
    failure: Failure | None = None
    """The current failure."""
    licensed: bool = True
    counts: ClusterCounts | None = None
    drift: Drift | None = None
    """Of the role mapping."""
    mapping: str = ""
    probe: Literal["Active", "Unavailable"] | None = None
    uuid: str = ""
    """The pinned uuid."""
    url: str = ""
    """First of its addresses."""
    exposed: tuple[Exposed, ...] | None = None
    """How the connection is not private; None: not checked yet."""
    missing_stores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By name of a store that is not declared, the SearchAccesses that use it."""
    login: LoginRights | None = None
    """What the operator's login may do; None: not known."""
    proof: Proof | None = None
    """What the operator's own tokens proved about the realm; None: it has none."""
    released: Sequence[ReleasedRights] | None = None
    """Released rights to record; None: not known yet."""
    adopted: Sequence[AdoptedStatus] | None = None
    """Recorded adoptions; None: those of the previous status."""
    others: tuple[OtherStatus, ...] | None = None
    """Objects of other controllers and instances in Elasticsearch; None: not read yet."""
    unseen: tuple[str, ...] | None = None
    """What cannot be seen of others who may give callers rights; None: nothing was read yet."""
    installation: Installation = Installation("", "")
    """This installation of the operator."""
    gateway: GatewayFacts | None = None
    """What is known about the gateway; None: nothing in this run yet."""
    former_mappings: str = ""
    """Which role mappings of a realm its callers keep beside the gateway, and until when; empty: none."""
    audit: AuditFacts | None = None
    """What is known about its audit events; None: none are declared."""

    @property
    def has_gateway(self) -> bool:
        """Whether the SearchCluster declares a gateway."""
        return self.cluster.gateway is not None


def build_cluster_status(report: ClusterReport, previous: SearchClusterStatus, now: str) -> SearchClusterStatus:
    """Return the status of a SearchCluster.

    Args:
        report: what is known.
        previous: the status as it is in Kubernetes.
        now: RFC 3339, UTC, whole seconds.
    """
    cluster, facts, failure = report.cluster, report.facts, report.failure
    conditions = Conditions(previous, cluster.generation, now)
    _mark_private(conditions, report)
    if failure and failure.reason not in _NOT_ABOUT_REACHING:
        conditions.mark(ConditionType.REACHABLE, FALSE, failure.reason, failure.message)
    elif facts:
        conditions.mark(ConditionType.REACHABLE, TRUE, Reason.REACHABLE, "Elasticsearch answers")
    if facts:
        _mark_license(conditions, facts, licensed=report.licensed, gateway=cluster.gateway is not None)
    else:
        conditions.keep(ConditionType.LICENSED)
    if cluster.gateway is None:
        _mark_realm(conditions, report)
    problem = failure or _problem(report)
    if problem:
        unknown = problem.reason is Reason.CLUSTER_UNREACHABLE
        conditions.progress(ready=UNKNOWN if unknown else FALSE, reason=problem.reason, message=problem.message)
    else:
        checked = "callers verified by a gateway" if cluster.gateway else _checked(facts)
        conditions.progress(ready=TRUE, reason=Reason.IN_SYNC, message=f"reachable, licensed, {checked}")
    mark_gateway(conditions, report.gateway, declared=report.has_gateway, former_mappings=report.former_mappings)
    _mark_stores(conditions, report.missing_stores)
    _mark_login(conditions, report.login)
    _mark_others(conditions, report)
    _mark_unseen(conditions, report.unseen)
    mark_audit(conditions, report.audit)
    drift = report.drift
    if drift:
        if drift.open and drift.items:
            conditions.mark(ConditionType.DRIFTED, TRUE, Reason.DRIFT_DETECTED, describe_differences(drift.items))
        elif drift.corrected:
            text = f"last corrected at {drift.last_corrected}"
            conditions.mark(ConditionType.DRIFTED, FALSE, Reason.DRIFT_CORRECTED, text)
        else:
            conditions.mark(ConditionType.DRIFTED, FALSE, Reason.NO_DRIFT)
    else:
        conditions.keep(ConditionType.DRIFTED)
    return SearchClusterStatus(
        observed_generation=cluster.generation,
        conditions=conditions.build(),
        reason=conditions.ready_reason,
        url=report.url or previous.url,
        version=facts.version if facts else previous.version,
        uuid=report.uuid or previous.uuid,
        license=facts.license if facts else previous.license,
        login=LoginStatus(tier=report.login.tier, user=report.login.user) if report.login else previous.login,
        mapping=report.mapping or previous.mapping,
        probe=report.probe or previous.probe,
        counts=report.counts or previous.counts,
        drift=drift or previous.drift,
        released=previous.released if report.released is None else list(report.released),
        adopted=previous.adopted if report.adopted is None else list(report.adopted) or None,
        others=previous.others if report.others is None else shown(report.others),
        audit=build_audit(report.audit, previous.audit),
        gateway=gateway_status(report.gateway, previous.gateway, declared=report.has_gateway),
        last_handled_reconcile_at=cluster.reconcile_requested or previous.last_handled_reconcile_at,
    )


def _problem(report: ClusterReport) -> Failure | None:
    facts = report.facts
    if facts is None:
        return Failure(Reason.PENDING, "not reconciled yet")
    if not report.licensed:
        message = license_problem(facts.license, gateway=report.cluster.gateway is not None)
        return Failure(Reason.LICENSE_INSUFFICIENT, message)
    if facts.mismatches:
        return Failure(Reason.REALM_MISMATCH, explain(facts.mismatches, report.cluster.eck))
    return None


def _mark_stores(conditions: Conditions, missing: Mapping[str, tuple[str, ...]]) -> None:
    if not missing:
        return
    parts = []
    for store, users in sorted(missing.items()):
        parts.append(f"{store} (used by {some_of(sorted(users), NAMED)})")
    text = f"spec.secretStores does not contain {', '.join(parts)}; secrets there are not rotated, and stay behind"
    conditions.mark(ConditionType.STORE_MISSING, TRUE, Reason.STORE_NOT_FOUND, text)


def _mark_login(conditions: Conditions, login: LoginRights | None) -> None:
    if login and (found := login.open_patterns):
        text = f"delegated to {login.user}: {some_of(found)}"
        conditions.mark(ConditionType.DELEGATION_OPEN, TRUE, Reason.RESTRICTED_INDICES_DELEGATED, text)


def _mark_others(conditions: Conditions, report: ClusterReport) -> None:
    if report.others is None:
        conditions.keep(ConditionType.OTHERS_PRESENT)
    elif report.others:
        taken = installations_in(report.installation, report.cluster.taken_over)
        text = described(report.others, report.installation, taken)
        conditions.mark(ConditionType.OTHERS_PRESENT, TRUE, Reason.OTHER_CONTROLLERS, text)


def _mark_unseen(conditions: Conditions, unseen: tuple[str, ...] | None) -> None:
    if unseen is None:
        conditions.keep(ConditionType.OTHERS_UNSEEN)
    elif unseen:
        text = f"Exclusive of SearchAccesses cannot be decided: {'; '.join(unseen)}"
        conditions.mark(ConditionType.OTHERS_UNSEEN, TRUE, Reason.CANNOT_BE_SEEN, shorten_message(text))
    # Otherwise it is absent.


def _checked(facts: ClusterFacts | None) -> str:
    if facts is None or facts.mismatches is None:
        return "realm not checked"
    return "realm uncertain (see RealmVerified)" if facts.doubts else "realm verified"


def _mark_private(conditions: Conditions, report: ClusterReport) -> None:
    if report.failure and report.failure.reason is Reason.NOT_PRIVATE:
        conditions.mark(ConditionType.PRIVATE, FALSE, Reason.NOT_PRIVATE, report.failure.message)
    elif report.exposed is None:
        conditions.keep(ConditionType.PRIVATE)
    elif report.exposed:
        text = describe_exposures(report.exposed)
        conditions.mark(ConditionType.PRIVATE, FALSE, Reason.EXPOSURE_ALLOWED, text)
    else:
        conditions.mark(ConditionType.PRIVATE, TRUE, Reason.PRIVATE, "https, verified, no public address")


def _mark_license(conditions: Conditions, facts: ClusterFacts, *, licensed: bool, gateway: bool) -> None:
    if licensed:
        conditions.mark(ConditionType.LICENSED, TRUE, Reason.LICENSED, facts.license)
    else:
        message = license_problem(facts.license, gateway=gateway)
        conditions.mark(ConditionType.LICENSED, FALSE, Reason.LICENSE_INSUFFICIENT, message)


def _mark_realm(conditions: Conditions, report: ClusterReport) -> None:
    facts, eck = report.facts, report.cluster.eck
    if facts is None:
        conditions.keep(ConditionType.REALM_VERIFIED)
        conditions.keep(ConditionType.REALM_PROVEN)
        return
    proven, reason, message = judge_proof(report.proof, report.cluster.wanted_realm)
    conditions.mark(ConditionType.REALM_PROVEN, _TRUTH[proven], reason, message)
    if facts.mismatches is None:
        message = "the login may not read the settings of the nodes, which needs the cluster privilege monitor"
        conditions.mark(ConditionType.REALM_VERIFIED, UNKNOWN, Reason.REALM_UNKNOWN, message)
    elif facts.mismatches:
        message = explain(facts.mismatches, eck)
        conditions.mark(ConditionType.REALM_VERIFIED, FALSE, Reason.REALM_MISMATCH, message)
    elif facts.doubts:
        message = explain_doubts(facts.doubts, eck)
        conditions.mark(ConditionType.REALM_VERIFIED, UNKNOWN, Reason.REALM_UNDECIDED, message)
    else:
        conditions.mark(ConditionType.REALM_VERIFIED, TRUE, Reason.REALM_VERIFIED)


def build_cluster_notes(
    previous: SearchClusterStatus,
    status: SearchClusterStatus,
    adopted: str = "",
    gateway: GatewayFacts | None = None,
) -> list[Note]:
    """Return the events for a new status: drift, adoption of the role mapping, and what a person must act on.

    Args:
        previous: the status as it is in Kubernetes.
        status: the new one.
        adopted: content of the role mapping before it was adopted, as JSON.
        gateway: what is known about the gateway.
    """
    notes = []
    if adopted:
        text = f"role mapping {status.mapping} was adopted; its previous content was {adopted}"
        notes.append(note(EventReason.ADOPTED, text))
    drift, old = status.drift or _NO_DRIFT, previous.drift or _NO_DRIFT
    if drift.detected > old.detected:
        notes.append(note(EventReason.DRIFT_DETECTED, describe_differences(drift.items)))
    if drift.corrected > old.corrected:
        notes.append(
            note(
                EventReason.DRIFT_CORRECTED,
                "the gateway's objects were corrected" if gateway else "the role mapping was corrected",
            )
        )
    notes += trouble_notes(previous, status, _TROUBLE)
    notes += gateway_notes(previous, status, gateway)
    return notes
