"""Which statuses are findings, and what stays open because a status does not say it."""

from typing import Any

import pytest

from searchaccess.api.status import SearchClusterStatus
from searchaccess.core.answers.findings.kinds import KINDS, Kind
from searchaccess.core.answers.findings.statuses import of_access, of_cluster
from searchaccess.core.rights.foreign.exclusive import UNSEEN
from tests.unit.answers.findings.material import (
    ROLE,
    a_status,
    access,
    broader,
    cluster,
    drifted,
    kinds_in,
    looked,
    others_give,
)
from tests.unit.answers.test_statuses import condition, ready
from tests.unit.builders import NOW, a_search_access, a_search_cluster

OBJECTS = {"role": "r", "specHash": "h", "clusterUuid": "u"}
STALLED = condition("Stalled", "True", "OwnershipConflict")


def policy(outcome: str, *reasons: str, name: str = "only-logs") -> dict[str, Any]:
    return {"effectivePolicy": [{"name": name, "outcome": outcome, "reasons": list(reasons)}]}


def failed(reason: str, message: str = "", **parts: Any) -> dict[str, Any]:
    conditions = (condition("Ready", "False", reason, message), condition("Stalled", "True", reason, message))
    return a_status(*conditions, **parts)


CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "in sync": (access(), []),
    "never reported": (a_search_access(), ["not-reported"]),
    "drift": (access(status=ready(drift=drifted("indices[a]", "cluster"))), ["drift", "drift"]),
    "corrected": (access(status=ready(drift=drifted("indices[a]", action="Corrected"))), []),
    "more drift than is listed": (access(status=ready(drift=drifted("a") | {"open": 3})), ["drift", "more-drift"]),
    "not applied": (
        access(mode="Observe", status=ready(drift=drifted("a", action="Pending"))), ["not-applied", "only-observed"]
    ),
    "suspended": (access(suspend=True), ["suspended"]),
    "two mappings": (access(status=others_give("ops", "dev")), ["broader-than-declared"] * 2),
    "to others": (access(status=others_give("ops", reason="RoleGivenToOthers")), ["role-given-to-others"]),
    "shadowed": (access(status=others_give(ROLE, reason="Shadowed")), ["shadowed"]),
    "widened": (access(status=others_give("ops", reason="WidenedBy")), ["widened-by"]),
    "unseen": (access(status=others_give("ops", reason="CannotBeSeen")), ["cannot-be-seen"]),
    "more mappings than are listed": (
        access(status=others_give("ops") | {"exclusive": broader("ops")["exclusive"] | {"unlisted": 2}}),
        ["broader-than-declared", "more-sources"],
    ),
    "an earlier operator, without a list": (
        access(status=a_status(condition("Exclusive", "False", "BroaderThanDeclared", "role mapping ops gives x"))),
        ["broader-than-declared"],
    ),
    "others add nothing": (access(status=a_status(condition("Exclusive", "True", "NotBroader", "x"))), []),
    "refused": (
        access(status=failed("PolicyViolation", "no", **policy("Denied", "grants[0]: too wide"))), ["policy-violation"]
    ),
    "refused as no policy applies": (
        access(status=a_status(
            condition("Ready", "False", "PolicyViolation"), condition("PolicyAccepted", "False", "PolicyViolation", "x")
        )),
        ["policy-violation"],
    ),
    "would be refused": (access(status=ready(**policy("WouldDeny", "too wide"))), ["policy-would-deny"]),
    "accepted and exempt": (
        access(status=ready(effectivePolicy=[{"name": each, "outcome": each} for each in ("Accepted", "Exempt")])),
        [],
    ),
    "waits for an approval": (
        access(status=failed("PendingApproval", "", **policy("PendingApproval"))), ["approval-missing"]
    ),
    "break glass": (access(status=a_status(condition("BreakGlass", "True", "BreakGlass", "by ada"))), ["break-glass"]),
    "expired": (access(status=failed("Expired", validity={"state": "Expired"})), ["expired"]),
    "expired and in force": (
        access(status=failed("Expired", validity={"state": "Expired"}, elasticsearch=OBJECTS)),
        ["expired-in-force"],
    ),
    "stalled without rights": (access(status=failed("InvalidSpec", "no")), ["stalled"]),
    "stalled with other rights": (access(status=failed("InvalidSpec", "no", elasticsearch=OBJECTS)), ["not-protected"]),
    "something else writes it": (access(status=failed("ControllersFight", "no")), ["not-protected"]),
    "previous rights stay": (
        access(status=a_status(condition("Held", "True", "ServiceNotFound", "stays"))), ["held"]
    ),
    "retried by itself": (access(status=a_status(condition("Ready", "False", "Throttled"))), []),
    "bypassable": (access(status=a_status(condition("Bypassable", "True", "DocumentsReachable", "m"))), ["bypassable"]),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "kinds"), CASES.values(), ids=CASES)
def test_what_a_search_access_says(raw: dict[str, Any], kinds: list[str]) -> None:
    assert kinds_in(raw) == kinds


CLUSTERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "ready": (cluster(), []),
    "never reported": (a_search_cluster("prod"), ["not-reported"]),
    "drift of the role mapping": (cluster(drift=drifted("rules")), ["drift"]),
    "unreachable": (cluster(condition("Ready", "Unknown", "ClusterUnreachable", "no")), ["not-protected"]),
    "just created": (cluster(condition("Ready", "False", "Pending")), []),
    "of a reason that is not known here": (cluster(condition("Ready", "False", "Later")), ["not-protected"]),
    "in use while it is deleted": (cluster(condition("Ready", "False", "InUse")), []),
    "exposed": (cluster(condition("Private", "False", "ExposureAllowed", "http")), ["exposed"]),
    "refuses to connect": (
        cluster(condition("Ready", "False", "NotPrivate"), condition("Private", "False", "NotPrivate")),
        ["not-protected"],
    ),
    "a realm that accepts others": (
        cluster(condition("RealmProven", "False", "RealmAcceptsOthers", "m")), ["accepts-others"]
    ),
    "a realm that refuses": (cluster(condition("RealmProven", "False", "RealmRefuses", "m")), []),
    "a gateway that accepts others": (
        cluster(condition("GatewayVerified", "False", "GatewayAcceptsOthers")), ["accepts-others"]
    ),
    "runs as others": (cluster(condition("RunAsEnabled", "False", "RunAsTooWide")), ["accepts-others"]),
    "others unseen": (cluster(condition("OthersUnseen", "True", "CannotBeSeen", "no keys")), ["others-unseen"]),
    "delegation": (
        cluster(condition("DelegationOpen", "True", "RestrictedIndicesDelegated", "*")), ["delegation-open"]
    ),
    "released rights": (
        cluster(released=[{"namespace": "shop", "name": "old", "role": "r", "rights": "r x-*", "since": NOW}]),
        ["released-rights"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "kinds"), CLUSTERS.values(), ids=CLUSTERS)
def test_what_a_search_cluster_says(raw: dict[str, Any], kinds: list[str]) -> None:
    assert kinds_in(clusters=[raw]) == kinds


def test_each_kind_of_a_status_is_found_somewhere() -> None:
    """A kind that nothing finds would be documented in vain."""
    found = {kind for _, kinds in (*CASES.values(), *CLUSTERS.values()) for kind in kinds}
    assert found | {"unused", "unexplained", "beyond-declared"} == set(KINDS)


def test_what_concerns_the_cluster_is_said_once() -> None:
    broken = cluster(condition("Ready", "False", "ClusterReplaced", "another"))
    stalled = [access(name, failed("ClusterReplaced", elasticsearch=OBJECTS)) for name in ("a", "b")]
    assert kinds_in(*stalled, clusters=[broken]) == ["not-protected"]
    unseen = cluster(condition("OthersUnseen", "True", "CannotBeSeen", "no keys"))
    unknown = a_status(condition("Exclusive", "Unknown", "CannotBeSeen", UNSEEN))
    assert kinds_in(access("a", unknown), access("b", unknown), clusters=[unseen]) == ["others-unseen"]


def test_a_finding_has_what_a_person_needs() -> None:
    (found,) = looked(access(status=ready(drift=drifted("indices[orders-*].privileges"))))[0]
    assert (str(found.about), found.severity, found.first_seen) == ("SearchAccess shop/orders", "high", NOW)
    assert found.title == f'{ROLE} indices[orders-*].privileges: want ["read"], have ["all"]'
    assert found.evidence == ('want ["read"]', 'have ["all"]')
    assert "Elasticsearch's audit log shows who made the change" in found.next_step


STATUS_KINDS = {kind for kind, doc in KINDS.items() if doc.source == "status"}
OTHERS = {Kind.BROADER, Kind.TO_OTHERS, Kind.WIDENED, Kind.MORE_SOURCES}
HIDDEN = cluster(condition("OthersUnseen", "True", "CannotBeSeen", "no keys"))
OPEN: dict[str, tuple[dict[str, Any], dict[str, Any] | None, set[Kind]]] = {
    "in sync": (access(), cluster(), set()),
    "never reported": (a_search_access(), cluster(), STATUS_KINDS - {Kind.NOT_REPORTED}),
    "more drift than is listed": (
        access(status=ready(drift=drifted("a") | {"open": 3})), None, {Kind.DRIFT, Kind.NOT_APPLIED}
    ),
    "a mapping that cannot be seen any more": (
        access(status=others_give("ops", reason="CannotBeSeen")), None, OTHERS | {Kind.UNSEEN}
    ),
    "one that is seen and one that is not": (
        access(status=others_give("ops") | {"exclusive": {"sources": [
            *broader("ops")["exclusive"]["sources"], *broader("x", reason="CannotBeSeen")["exclusive"]["sources"],
        ]}}), None, OTHERS,
    ),
    "the cluster cannot see them": (access(), HIDDEN, OTHERS | {Kind.UNSEEN}),
    "a shadow, which is always listed": (access(status=others_give(ROLE, reason="Shadowed")), None, set()),
    "more mappings than are listed": (
        access(status=others_give("ops") | {"exclusive": broader("ops")["exclusive"] | {"unlisted": 2}}),
        None,
        OTHERS | {Kind.UNSEEN},
    ),
    "policies not decided": (
        access(status=a_status(condition("PolicyAccepted", "Unknown", "Pending"))), None,
        {Kind.POLICY_VIOLATION, Kind.POLICY_WOULD_DENY, Kind.APPROVAL_MISSING},
    ),
    "as many policies as are listed": (
        access(status=ready(effectivePolicy=[{"name": f"p{n}", "outcome": "Accepted"} for n in range(20)])), None,
        {Kind.POLICY_VIOLATION, Kind.POLICY_WOULD_DENY, Kind.APPROVAL_MISSING},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "above", "kinds"), OPEN.values(), ids=OPEN)
def test_what_a_status_leaves_open(raw: dict[str, Any], above: dict[str, Any] | None, kinds: set[Kind]) -> None:
    status = None if above is None else SearchClusterStatus.read(above["status"])
    assert of_access(raw, status).open == kinds


def test_a_cluster_that_does_not_answer_leaves_open_what_was_wrong_with_its_connection() -> None:
    away = of_cluster(cluster(condition("Ready", "Unknown", "ClusterUnreachable")))
    assert away.open == {Kind.EXPOSED, Kind.ACCEPTS_OTHERS, Kind.OTHERS_UNSEEN, Kind.DELEGATION_OPEN}
    assert of_cluster(cluster(condition("RealmProven", "Unknown", "RealmNotProven"))).open == {Kind.ACCEPTS_OTHERS}
    assert of_cluster(cluster()).open == set()


@pytest.mark.parametrize("status", [None, 7, [], {"conditions": 7}, {"conditions": [{"type": "x"}], "drift": 5}])
def test_a_status_that_anybody_wrote_fails_nothing(status: object) -> None:
    assert kinds_in(a_search_access() | {"status": status}) == ["not-reported"]
    assert [str(each.kind) for each in of_cluster(a_search_cluster() | {"status": status}).findings] == ["not-reported"]
