"""What the state of a cluster and of its realm allows, and what a SearchCluster's status says."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from searchaccess.api.clusters.status import ClusterCounts
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.searchcluster import ClientAuthentication, PrincipalClaim
from searchaccess.api.status import Drift, SearchClusterStatus, condition_of
from searchaccess.core.clusters.cluster import ClusterFacts, judge, version_of
from searchaccess.core.clusters.realm import Mismatch, WantedRealm, check_node, check_realm, explain
from searchaccess.core.ownership.adoption import Agreed
from searchaccess.core.rights.diff import Difference
from searchaccess.core.rights.mapping import (
    MappingPlan,
    RoleMapping,
    build_principal_mapping,
    build_template_mapping,
    mapping_of,
    plan_mapping,
    seen_mapping,
)
from searchaccess.core.rights.ownership import Operator
from searchaccess.core.status.access import Failure
from searchaccess.core.status.cluster import ClusterReport, build_cluster_notes, build_cluster_status
from searchaccess.core.status.drift import advance_drift
from searchaccess.core.status.events import Note
from tests.unit.builders import LATER, MUCH_LATER, NOW, OPERATOR, PRINCIPAL, ROLE, UUID, a_cluster, facts

WANTED = WantedRealm("google", "https://search.example.com", "https://accounts.google.com")
PREFIX = "xpack.security.authc.realms.jwt.google."
MISMATCH = Mismatch("node-1", f"{PREFIX}token_type: id_token", "access_token")


def settings(**realm: Any) -> dict[str, Any]:
    right: dict[str, Any] = {
        "order": "1",
        "token_type": "id_token",
        "allowed_issuer": WANTED.issuer,
        "allowed_audiences": [WANTED.audience],
        "allowed_signature_algorithms": ["RS256"],
        "claims": {"principal": "email"},
        "client_authentication": {"type": "none"},
        "pkc_jwkset_path": "https://www.googleapis.com/oauth2/v3/certs",
    }
    both = {key: value for key, value in (right | realm).items() if value is not None}
    return {"xpack": {"security": {"authc": {"realms": {"jwt": {"google": both}}}}}}


RIGHT: dict[str, dict[str, Any]] = {
    "as documented": {},
    "the default token type": {"token_type": None},
    "the default algorithm": {"allowed_signature_algorithms": None},
    "audiences as text": {"allowed_audiences": f"x, {WANTED.audience}"},
    "more audiences and algorithms": {
        "allowed_audiences": ["x", WANTED.audience],
        "allowed_signature_algorithms": ["ES256", "RS256"],
    },
    "enabled explicitly": {"enabled": "true"},
}
WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "disabled": ({"enabled": "false"}, "enabled: true", "false"),
    "access tokens": ({"token_type": "access_token"}, "token_type: id_token", "access_token"),
    "another issuer": ({"allowed_issuer": "x"}, f"allowed_issuer: {WANTED.issuer}", "x"),
    "no issuer": ({"allowed_issuer": None}, f"allowed_issuer: {WANTED.issuer}", "absent"),
    "an issuer with a slash at the end": (
        {"allowed_issuer": f"{WANTED.issuer}/"},
        f"allowed_issuer: {WANTED.issuer}",
        f"{WANTED.issuer}/",
    ),
    "another audience": ({"allowed_audiences": ["x"]}, f"allowed_audiences: [{WANTED.audience}]", "['x']"),
    "no audience": ({"allowed_audiences": None}, f"allowed_audiences: [{WANTED.audience}]", "absent"),
    "a part of the audience": (
        {"allowed_audiences": [f"{WANTED.audience}.evil"]},
        f"allowed_audiences: [{WANTED.audience}]",
        f"['{WANTED.audience}.evil']",
    ),
    "other algorithms": (
        {"allowed_signature_algorithms": ["ES256"]},
        "allowed_signature_algorithms: [RS256]",
        "['ES256']",
    ),
    "another claim": ({"claims": {"principal": "sub"}}, "claims.principal: email", "sub"),
    "no claim": ({"claims": None}, "claims.principal: email", "absent"),
    "a shared client secret": (
        {"client_authentication": {"type": "shared_secret"}},
        "client_authentication.type: none",
        "shared_secret",
    ),
    "the default, a shared client secret": (
        {"client_authentication": None},
        "client_authentication.type: none",
        "absent",
    ),
    "a pattern": ({"claim_patterns": {"principal": "(.*)@"}}, "(no claim_patterns.principal)", "a pattern"),
}


@pytest.mark.parametrize("realm", RIGHT.values(), ids=RIGHT)
def test_a_right_realm_has_no_mismatch(realm: dict[str, Any]) -> None:
    assert check_node("node-1", settings(**realm), WANTED) == []


@pytest.mark.parametrize(("realm", "line", "have"), WRONG.values(), ids=WRONG)
def test_a_wrong_realm_is_named_with_its_line(realm: dict[str, Any], line: str, have: str) -> None:
    assert check_node("node-1", settings(**realm), WANTED) == [Mismatch("node-1", PREFIX + line, have)]


@pytest.mark.parametrize("found", [{}, {"xpack": "?"}, {"xpack": {"security": {"authc": {"realms": {"jwt": {}}}}}}])
def test_a_missing_realm_is_named(found: dict[str, Any]) -> None:
    mismatches = check_node("node-1", found, WANTED)
    assert {item.have for item in mismatches} == {"no such realm"}
    assert [item.line.removeprefix(PREFIX) for item in mismatches] == [
        "order: 1",
        "client_authentication.type: none",
        "allowed_issuer: https://accounts.google.com",
        "allowed_audiences: [https://search.example.com]",
        "claims.principal: email",
        "allowed_signature_algorithms: [RS256]",
        "pkc_jwkset_path: https://www.googleapis.com/oauth2/v3/certs",
    ]


def test_the_lines_of_a_missing_realm_are_one_block_for_the_place_where_settings_are() -> None:
    found = check_node("node-1", {}, WANTED)
    lines = "; ".join(item.line for item in found)
    assert explain(found) == f"elasticsearch.yml needs {lines} (on node-1; found: no such realm)"
    assert explain(found, "logging/quickstart").startswith(
        f"spec.nodeSets[].config of Elasticsearch logging/quickstart needs {PREFIX}order: 1; "
    )


SECRET_REALM = replace(WANTED, clients=ClientAuthentication.SHARED_SECRET)


@pytest.mark.parametrize("clients", [None, {"type": "shared_secret"}])
def test_a_realm_with_a_shared_client_secret_is_right_where_it_is_declared(clients: dict[str, str] | None) -> None:
    assert check_node("node-1", settings(client_authentication=clients), SECRET_REALM) == []


def test_a_realm_without_the_declared_client_secret_is_named() -> None:
    line = f"{PREFIX}client_authentication.type: shared_secret"
    assert check_node("node-1", settings(), SECRET_REALM) == [Mismatch("node-1", line, "none")]


def test_an_answer_without_nodes_proves_nothing() -> None:
    assert check_realm({}, WANTED).mismatches


def test_every_node_is_checked_and_few_are_named() -> None:
    nodes = {str(number): {"name": f"node-{number}", "settings": {}} for number in range(9)}
    found = check_realm(nodes | {"x": {"name": "right", "settings": settings()}}, WANTED).mismatches
    assert {item.node for item in found} == {f"node-{number}" for number in range(9)}
    message = explain(found)
    assert message.count("order: 1") == 1
    assert "node-0, node-1, node-2 and 6 more" in message


JUDGMENTS: dict[str, tuple[ClusterFacts, str, str, Reason | None, Reason | None]] = {
    "all is well": (facts(), UUID, "", None, None),
    "first contact": (facts(), "", "", None, None),
    "an unread realm does not close the gate": (facts(mismatches=None), UUID, "", None, None),
    "another cluster": (facts(uuid="other"), UUID, "", Reason.CLUSTER_REPLACED, None),
    "another cluster that a person accepted": (facts(uuid="other"), UUID, "other", None, None),
    "a third cluster": (facts(uuid="third"), UUID, "other", Reason.CLUSTER_REPLACED, None),
    "the old cluster after another was accepted": (facts(uuid="old"), UUID, UUID, Reason.CLUSTER_REPLACED, None),
    "no uuid": (facts(uuid=""), UUID, "", Reason.CLUSTER_UNREACHABLE, None),
    "no uuid at first contact": (facts(uuid="_na_"), "", "", Reason.CLUSTER_UNREACHABLE, None),
    "an old version": (facts(version="8.14.3"), UUID, "", Reason.VERSION_UNSUPPORTED, None),
    "the oldest version": (facts(version="8.15.0"), UUID, "", None, None),
    "a snapshot": (facts(version="9.2.0-SNAPSHOT"), UUID, "", None, None),
    "an unreadable version": (facts(version="?"), UUID, "", Reason.VERSION_UNSUPPORTED, None),
    "a trial": (facts(license="trial"), UUID, "", None, None),
    "platinum": (facts(license="platinum"), UUID, "", None, None),
    "basic": (facts(license="basic"), UUID, "", None, Reason.LICENSE_INSUFFICIENT),
    "gold": (facts(license="gold"), UUID, "", None, Reason.LICENSE_INSUFFICIENT),
    "expired": (facts(license="expired"), UUID, "", None, Reason.LICENSE_INSUFFICIENT),
    "a wrong realm": (facts(mismatches=(MISMATCH,)), UUID, "", None, Reason.REALM_MISMATCH),
    "another cluster goes before all else": (
        facts(uuid="other", version="7.0.0", license="basic"),
        UUID,
        "",
        Reason.CLUSTER_REPLACED,
        None,
    ),
}


@pytest.mark.parametrize(("found", "pinned", "accepted", "closed", "gate"), JUDGMENTS.values(), ids=JUDGMENTS)
def test_judge(found: ClusterFacts, pinned: str, accepted: str, closed: Reason | None, gate: Reason | None) -> None:
    verdict = judge(found, pinned, accepted)
    assert (verdict.closed[0] if verdict.closed else None) is closed
    assert verdict.gate.reason is gate
    assert verdict.gate.grants == (closed is None and gate is None)


@pytest.mark.parametrize(
    ("text", "version"), [("8.19.0", (8, 19)), ("10.0", (10, 0)), ("8", (0, 0)), ("", (0, 0)), ("a.b.c", (0, 0))]
)
def test_version(text: str, version: tuple[int, int]) -> None:
    assert version_of(text) == version


def regional(location: str) -> dict[str, Any]:
    return {"name": "main", "googleSecretManager": {"project": "acme-shop", "location": location}}


@pytest.mark.parametrize(
    "spec",
    [
        {"urls": ["http://a:9200"]},
        {"urls": ["https://"]},
        {"urls": ["https://user:password@a:9200"]},
        {"urls": ["https://a:9200/?x=y"]},
        {"urls": []},
        {"identity": {"jwtRealm": {"name": "*", "audience": "a"}}},
        {"identity": {"jwtRealm": {"name": "/.*/", "audience": "a"}}},
        {"login": None},
        {"secretStores": [regional("evil.example.com:443#")]},
        {"secretStores": [regional("europe-west1"), regional("evil.example.com/")]},
        {"secretStores": [regional("")]},
    ],
    ids=repr,
)
def test_a_bad_cluster_is_invalid_without_showing_its_values(spec: dict[str, Any]) -> None:
    cluster = a_cluster(**spec)
    assert cluster.spec is None
    assert cluster.invalid
    assert "password@" not in cluster.invalid


def test_a_good_cluster() -> None:
    cluster = a_cluster(urls=["https://a:9200", "https://[::1]:9200/es"], secretStores=[regional("europe-west1")])
    assert cluster.invalid == ""
    assert cluster.wanted_realm == WANTED


def build(report: ClusterReport, previous: dict[str, Any] | None, now: str) -> dict[str, Any]:
    return build_cluster_status(report, SearchClusterStatus.read(previous), now).to_json()


def ready_of(status: dict[str, Any]) -> tuple[str, str]:
    condition = condition_of(SearchClusterStatus.read(status), ConditionType.READY)
    assert condition
    return condition.status, condition.reason


def kinds_of(status: dict[str, Any]) -> set[str]:
    return {condition["type"] for condition in status["conditions"] if condition["status"] == "True"}


def notes(previous: dict[str, Any], status: dict[str, Any]) -> list[Note]:
    return build_cluster_notes(SearchClusterStatus.read(previous), SearchClusterStatus.read(status))


REPORTS: dict[str, tuple[ClusterReport, tuple[str, str], set[str]]] = {
    "healthy": (
        ClusterReport(a_cluster(), facts()),
        ("True", "InSync"),
        {"Ready", "Reachable", "Licensed", "RealmVerified"},
    ),
    "not reconciled": (ClusterReport(a_cluster()), ("False", "Pending"), {"Reconciling"}),
    "unreachable": (
        ClusterReport(a_cluster(), facts(), Failure(Reason.CLUSTER_UNREACHABLE, "timeout")),
        ("Unknown", "ClusterUnreachable"),
        {"Reconciling", "Licensed", "RealmVerified"},
    ),
    "refused": (
        ClusterReport(a_cluster(), None, Failure(Reason.LOGIN_REFUSED, "401")),
        ("False", "LoginRefused"),
        {"Reconciling"},
    ),
    "replaced": (
        ClusterReport(a_cluster(), facts(), Failure(Reason.CLUSTER_REPLACED, "another")),
        ("False", "ClusterReplaced"),
        {"Stalled", "Reachable", "Licensed", "RealmVerified"},
    ),
    "a wrong realm": (
        ClusterReport(a_cluster(), facts(mismatches=(MISMATCH,))),
        ("False", "RealmMismatch"),
        {"Stalled", "Reachable", "Licensed"},
    ),
    "unlicensed": (
        ClusterReport(a_cluster(), facts(license="basic"), licensed=False),
        ("False", "LicenseInsufficient"),
        {"Stalled", "Reachable", "RealmVerified"},
    ),
    "an unread realm": (
        ClusterReport(a_cluster(), facts(mismatches=None)),
        ("True", "InSync"),
        {"Ready", "Reachable", "Licensed"},
    ),
}


@pytest.mark.parametrize(("report", "ready", "true"), REPORTS.values(), ids=REPORTS)
def test_cluster_status(report: ClusterReport, ready: tuple[str, str], true: set[str]) -> None:
    status = build(report, None, NOW)
    assert ready_of(status) == ready
    assert kinds_of(status) == true
    assert build(report, copy.deepcopy(status), LATER) == status
    assert {condition["observedGeneration"] for condition in status["conditions"]} == {1}


def test_what_was_known_stays_known_when_the_operator_starts_and_the_cluster_is_away() -> None:
    drift = advance_drift((), (), Drift(open=0, detected=2, corrected=2), NOW, corrected=False)
    counts = ClusterCounts(accesses=1, ready=1, drifted=0, roles=1, foreign_roles=0)
    full = ClusterReport(a_cluster(), facts(), counts=counts, drift=drift, mapping="m", probe="Active", uuid=UUID)
    before = build(full, None, NOW)
    after = build(ClusterReport(a_cluster(), failure=Failure(Reason.CLUSTER_UNREACHABLE, "timeout")), before, LATER)
    for key in ("uuid", "version", "license", "counts", "drift", "mapping", "probe"):
        assert after[key] == before[key]
    for kind in (ConditionType.LICENSED, ConditionType.REALM_VERIFIED, ConditionType.DRIFTED):
        kept = condition_of(SearchClusterStatus.read(after), kind)
        assert kept == condition_of(SearchClusterStatus.read(before), kind)


def test_drift_of_the_mapping_is_reported_once() -> None:
    found = (Difference("role_mapping/x", "enabled", "true", "false"),)
    drift: Drift = advance_drift(found, (), None, NOW, corrected=True)
    status = build(ClusterReport(a_cluster(), facts(), drift=drift), None, NOW)
    assert [note.reason for note in notes({}, status)] == ["DriftDetected", "DriftCorrected"]
    again = build(ClusterReport(a_cluster(), facts(), drift=drift), status, MUCH_LATER)
    assert notes(status, again) == []
    assert again == status


MAPPING = build_template_mapping(OPERATOR, "google", PrincipalClaim.EMAIL)


def served(**more: Any) -> dict[str, Any]:
    return copy.deepcopy(MAPPING.to_json()) | more


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"enabled": False}, "enabled"),
        ({"rules": {"field": {"username": "*"}}}, "rules"),
        ({"role_templates": [], "roles": ["superuser"]}, "roles"),
        ({"role_templates": [{"template": {"source": "superuser"}}]}, "role_templates"),
    ],
)
def test_a_changed_mapping_is_drift_and_is_corrected_only_when_enforced(more: dict[str, Any], path: str) -> None:
    observed = mapping_of(MAPPING.name, served(**more))
    plan = plan_mapping(OPERATOR, MAPPING.name, MAPPING, observed, enforce=True, seen=True)
    assert path in [difference.path for difference in plan.drift]
    assert plan.write == MAPPING
    assert plan_mapping(OPERATOR, MAPPING.name, MAPPING, observed, enforce=False, seen=True).write is None


def test_a_mapping_as_served_needs_no_write() -> None:
    plan = plan_mapping(OPERATOR, MAPPING.name, MAPPING, mapping_of(MAPPING.name, served()), enforce=True, seen=True)
    assert (plan.write, plan.drift, plan.pending) == (None, (), False)


def test_a_changed_declaration_is_written_and_is_no_drift() -> None:
    desired = build_template_mapping(OPERATOR, "another", PrincipalClaim.EMAIL)
    observed = mapping_of(MAPPING.name, served())
    plan = plan_mapping(OPERATOR, MAPPING.name, desired, observed, enforce=True, seen=True)
    assert (plan.write, plan.drift, plan.pending) == (desired, (), True)


@pytest.mark.parametrize(("seen", "drifts"), [(True, 1), (False, 0)])
def test_a_missing_mapping_is_drift_only_if_it_was_there(*, seen: bool, drifts: int) -> None:
    plan = plan_mapping(OPERATOR, MAPPING.name, MAPPING, None, enforce=True, seen=seen)
    assert plan.write == MAPPING
    assert len(plan.drift) == drifts


@pytest.mark.parametrize("owner", [{}, Operator("default", "another").stamp(), Operator("x", "6f1c").stamp()])
def test_a_foreign_mapping_is_touched_only_as_it_was_seen(owner: dict[str, Any]) -> None:
    observed = mapping_of(MAPPING.name, served(metadata=owner))
    seen = seen_mapping(observed)

    def plan(desired: RoleMapping | None, agreed: Agreed | None = None, adopt: str = "") -> MappingPlan:
        name = MAPPING.name
        return plan_mapping(OPERATOR, name, desired, observed, enforce=True, seen=True, agreed=agreed, adopt=adopt)

    for adopt in ("", "true", ROLE, MAPPING.name, f"{MAPPING.name}@0123456789abcdef"):
        refused = plan(MAPPING, adopt=adopt)
        assert (refused.write, refused.delete, refused.conflict) == (None, False, MAPPING.name)
        assert refused.foreign is None
    recorded = Agreed("prod", {MAPPING.name: seen.hash}, adopted={(seen.name, seen.hash): ""})
    gone = plan(None, recorded)
    assert (gone.write, gone.delete) == (None, False)
    for waiting in (plan(MAPPING, replace(recorded, adopted={})), plan(MAPPING, adopt=f"{seen.name}@{seen.hash}")):
        assert (waiting.write, waiting.conflict, waiting.foreign) == (None, MAPPING.name, seen)
    adopted = plan(MAPPING, recorded)
    assert adopted.write == MAPPING
    assert adopted.adopted


def test_mappings_are_for_their_realm_and_service_accounts_only() -> None:
    assert MAPPING.to_json()["rules"] == {
        "all": [{"field": {"realm.name": "google"}}, {"field": {"username": "*@*.gserviceaccount.com"}}]
    }
    own = build_principal_mapping(OPERATOR, "google", PRINCIPAL, PrincipalClaim.EMAIL).to_json()
    assert own["rules"]["all"][1] == {"field": {"username": PRINCIPAL}}
    assert own["roles"] == [ROLE]


def test_the_documented_lines_are_those_that_the_check_asks_for() -> None:
    page = (Path(__file__).parents[3] / "docs" / "clusters.md").read_text()
    realm = WantedRealm("google", "https://search.acme.example", "https://accounts.google.com")
    lines = "\n".join(mismatch.line for mismatch in check_node("node-1", {}, realm))
    assert f"```yaml\n{lines}\n```" in page
