"""Plans between two versions of files: what the loop would decide about each."""

from typing import Any

import pytest

from searchaccess.core.answers.exits import Exit
from searchaccess.core.answers.plan.model import Kind, Object, in_words
from searchaccess.core.model.verdict import Outcome
from tests.unit.answers.plan.manifests import a_cluster, a_policy, an_access, an_object, manifest, planned
from tests.unit.builders import PRINCIPAL, a_grant

READ = a_grant("orders-*", can=["read"])
WRITE = a_grant("orders-*", can=["read", "write"])


def test_equal_files_change_nothing() -> None:
    files = [an_access(), a_policy(), a_cluster()]
    plan = planned(files, files)
    assert (plan.roles, plan.objects, plan.code, plan.widens) == ((), (), Exit.IN_SYNC, False)


def test_a_default_that_is_written_down_changes_nothing() -> None:
    """The API server stores defaults, files rarely have them."""
    written = an_access(mode="Enforce", suspend=False, deletionPolicy="Delete", auth="IdentityToken", clusterCan=[])
    before = [an_access(), a_cluster()]
    assert planned(before, [written, a_cluster(drift={"probeEvery": "2s"})]).objects == ()


def test_the_order_of_files_and_lists_changes_nothing_for_callers() -> None:
    before = [an_access(grants=[a_grant("a", "b"), a_grant("c", can=["read", "write"])]), an_access("other")]
    after = [an_access("other"), an_access(grants=[a_grant("c", can=["write", "read"]), a_grant("b", "a")])]
    assert planned(before, after).roles == ()


def test_a_new_search_access_is_widening() -> None:
    plan = planned([], [an_access(grants=[READ])])
    (role,) = plan.roles
    assert (role.kind, role.caller, role.accesses) == (Kind.ADDED, PRINCIPAL, ("shop/orders",))
    assert [in_words(gain) for gain in role.gains] == ["read on orders-*"]
    assert (plan.code, plan.widens) == (Exit.PENDING, True)
    assert "+  privileges: read" in role.diff


def test_a_deleted_manifest_takes_rights_away() -> None:
    plan = planned([an_access(grants=[READ])], [])
    (role,) = plan.roles
    assert (role.kind, plan.widens, plan.code) == (Kind.REMOVED, False, Exit.PENDING)
    assert manifest(plan, "shop/orders").change is Object.REMOVED


def test_rights_of_a_deleted_manifest_stay_where_it_says_so() -> None:
    files = [an_access(grants=[READ], deletionPolicy="Orphan"), a_cluster(orphans={"allowed": True})]
    plan = planned(files, files[1:])
    assert plan.roles == ()
    assert manifest(plan, "shop/orders").note == "its rights stay in Elasticsearch, without an owner"


def test_two_search_accesses_of_one_caller_are_compared_together() -> None:
    """What moves from the one to the other is no change for the caller."""
    before = [an_access("a", grants=[READ]), an_access("b", grants=[a_grant("logs-*")])]
    after = [an_access("a", grants=[a_grant("logs-*")]), an_access("b", grants=[READ])]
    (role,) = planned(before, after).roles or [None]
    assert role is None


def test_another_subject_gets_what_the_former_one_loses() -> None:
    plan = planned(
        [an_access(grants=[READ])], [an_access(grants=[READ], service_account="x@p.iam.gserviceaccount.com")]
    )
    assert [(role.caller[:1], role.kind) for role in plan.roles] == [("x", Kind.ADDED), ("o", Kind.REMOVED)]


def test_a_workload_stands_for_its_account() -> None:
    service = {"cloudRunService": {"project": "acme-shop", "location": "europe-west1", "name": "orders"}}
    plan = planned([], [an_access(grants=[READ], subject=service)])
    assert [role.caller for role in plan.roles] == ["projects/acme-shop/locations/europe-west1/services/orders"]


def test_an_api_key_is_a_caller_of_its_own() -> None:
    key: dict[str, Any] = {"auth": "ApiKey", "credential": {"store": "main", "name": "orders"}}
    plan = planned([an_access(grants=[READ], **key)], [an_access(grants=[WRITE], **key)])
    assert [(role.caller, role.kind) for role in plan.roles] == [("credential shop/orders", Kind.WIDENED)]


@pytest.mark.parametrize("held", [{"suspend": True}, {"mode": "Observe"}])
def test_what_is_held_keeps_what_it_had_and_shows_all_once_it_is_enforced(held: dict[str, Any]) -> None:
    there, wider = an_access(grants=[READ]), an_access(grants=[WRITE], **held)
    assert planned([there], [wider]).roles == ()
    assert planned([there], []).roles != ()
    back = planned([wider], [an_access(grants=[WRITE])])
    assert [role.kind for role in back.roles] == [Kind.ADDED]
    assert [each.path for each in manifest(back, "shop/orders").loosened] == [f"spec.{next(iter(held))}"]


def test_a_policy_takes_rights_away_and_is_named() -> None:
    plan = planned([an_access(grants=[WRITE])], [an_access(grants=[WRITE]), a_policy()])
    (role,) = plan.roles
    assert role.kind is Kind.REMOVED
    found = manifest(plan, "shop/orders")
    assert [(each.policy, each.outcome) for each in found.verdicts] == [("limits", Outcome.DENIED)]
    assert (found.change, found.failed, plan.code) == (Object.SAME, True, Exit.FAILED)
    assert manifest(plan, "limits").loosened == ()


def test_what_was_refused_before_fails_no_further_change() -> None:
    files = [an_access(grants=[WRITE]), a_policy()]
    plan = planned(files, [*files, an_access("logs", grants=[READ])])
    assert (plan.code, [each.name for each in plan.objects]) == (Exit.PENDING, ["shop/logs"])


def test_an_audit_is_shown_and_takes_nothing() -> None:
    audit = a_policy(mode="Audit", allow=[{"indices": ["logs-*"], "can": ["read"]}])
    plan = planned([audit], [audit, an_access(grants=[READ])])
    assert [each.outcome for each in manifest(plan, "shop/orders").verdicts] == [Outcome.WOULD_DENY]
    assert (plan.code, len(plan.roles)) == (Exit.PENDING, 1)


def test_labels_that_no_file_has_leave_the_verdict_open_and_count_as_accepted() -> None:
    selecting = a_policy(
        match={"namespaces": {"selector": {"matchLabels": {"team": "a"}}}},
        allow=[{"indices": ["x"], "can": ["read"]}],
    )
    plan = planned([selecting], [selecting, an_access(grants=[READ])])
    assert [role.kind for role in plan.roles] == [Kind.ADDED]
    assert "count as granted" in manifest(plan, "shop/orders").note


def test_an_invalid_spec_fails() -> None:
    plan = planned([], [an_access(grants=[a_grant("Orders", can=["read"])])])
    found = manifest(plan, "shop/orders")
    assert found.problem.startswith("InvalidSpec: spec.grants[0].indices")
    assert (plan.roles, plan.code) == ((), Exit.FAILED)


LOOSENED: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("a later end", {"validUntil": "2027-06-01T00:00:00Z"}, {"validUntil": "2027-07-01T00:00:00Z"},
     ["spec.validUntil"]),
    ("no end", {"validUntil": "2027-06-01T00:00:00Z"}, {}, ["spec.validUntil"]),
    ("an earlier end", {"validUntil": "2027-06-01T00:00:00Z"}, {"validUntil": "2027-05-01T00:00:00Z"}, []),
    ("an end", {}, {"validUntil": "2027-05-01T00:00:00Z"}, []),
    ("an earlier begin", {"validFrom": "2027-06-01T00:00:00Z"}, {"validFrom": "2027-05-01T00:00:00Z"},
     ["spec.validFrom"]),
    ("no windows", {"schedule": {"cron": "0 8 * * *", "timeZone": "UTC", "duration": "8h"}}, {},
     ["spec.schedule"]),
    ("orphan", {}, {"deletionPolicy": "Orphan"}, ["spec.deletionPolicy"]),
    ("enforce", {"mode": "Observe"}, {"mode": "Enforce"}, ["spec.mode"]),
    ("observe", {"mode": "Enforce"}, {"mode": "Observe"}, []),
    ("not suspended", {"suspend": True}, {"suspend": False}, ["spec.suspend"]),
    ("fewer limits", {"limits": {"requestsPerSecond": 5}}, {}, ["spec.limits"]),
    ("stricter limits", {"limits": {"requestsPerSecond": 5}}, {"limits": {"requestsPerSecond": 4}}, []),
    ("a stored secret", {}, {"auth": "ApiKey", "credential": {"store": "main", "name": "orders"}}, ["spec.auth"]),
    ("seldom rotated",
     {"auth": "ApiKey", "credential": {"store": "main", "name": "o", "rotateEvery": "24h", "overlap": "1h"}},
     {"auth": "ApiKey", "credential": {"store": "main", "name": "o", "rotateEvery": "48h", "overlap": "2h"}},
     ["spec.credential.rotateEvery", "spec.credential.overlap"]),
    ("another secret", {"auth": "ApiKey", "credential": {"store": "main", "name": "o"}},
     {"auth": "ApiKey", "credential": {"store": "main", "name": "p"}}, ["spec.credential"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "paths"), [each[1:] for each in LOOSENED], ids=[each[0] for each in LOOSENED]
)
def test_what_a_search_access_restricts_less_is_marked(
    before: dict[str, Any], after: dict[str, Any], paths: list[str]
) -> None:
    cluster = a_cluster(orphans={"allowed": True}, identity={"gateway": {"audience": "https://x"}})
    one, other = [an_access(grants=[READ], **spec) for spec in (before, after)]
    plan = planned([one, cluster], [other, cluster])
    assert [each.path for each in manifest(plan, "shop/orders").loosened] == paths
    assert plan.widens or not paths


ALLOW = [{"indices": ["orders-*"], "can": ["read"]}]
POLICIES: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("more indices", {"allow": ALLOW}, {"allow": [{"indices": ["o*"], "can": ["read"]}]}, ["spec.allow (read)"]),
    ("fewer indices", {"allow": ALLOW}, {"allow": [{"indices": ["orders-1"], "can": ["read"]}]}, []),
    ("more actions", {"allow": ALLOW}, {"allow": [{"indices": ["orders-*"], "can": ["read", "delete"]}]},
     ["spec.allow (delete)"]),
    ("no allow", {"allow": ALLOW, "limits": {"kibana": False}}, {"limits": {"kibana": False}}, ["spec.allow"]),
    ("audit", {"allow": ALLOW}, {"allow": ALLOW, "mode": "Audit"}, ["spec.mode"]),
    ("keep", {"allow": ALLOW}, {"allow": ALLOW, "onViolation": "Keep"}, ["spec.onViolation"]),
    ("less denied", {"deny": [{"indices": ["a*"]}]}, {"deny": [{"indices": ["ab*"]}]}, ["spec.deny"]),
    ("more denied", {"deny": [{"indices": ["ab*"]}]}, {"deny": [{"indices": ["a*"]}]}, []),
    ("an action is no longer denied", {"deny": [{"indices": ["a*"], "can": ["read", "write"]}]},
     {"deny": [{"indices": ["a*"], "can": ["read"]}]}, ["spec.deny"]),
    ("an exception", {"allow": ALLOW},
     {"allow": ALLOW,
      "exceptions": [{"namespace": "shop", "name": "x", "reason": "y", "until": "2027-02-01T00:00:00Z"}]},
     ["spec.exceptions"]),
    ("a longer time", {"require": {"validUntil": "8h"}}, {"require": {"validUntil": "9h"}},
     ["spec.require.validUntil"]),
    ("a shorter time", {"require": {"validUntil": "8h"}}, {"require": {"validUntil": "7h"}}, []),
    ("where is not required", {"require": {"where": True, "fields": True}}, {"require": {"fields": True}},
     ["spec.require.where"]),
    ("fewer hidden fields", {"require": {"hiddenFields": ["a", "b"]}}, {"require": {"hiddenFields": ["a"]}},
     ["spec.require.hiddenFields"]),
    ("more grants", {"limits": {"grants": 1}}, {"limits": {"grants": 2}}, ["spec.limits.grants"]),
    ("a shorter prefix", {"limits": {"literalPrefix": 5}}, {"limits": {"literalPrefix": 4}},
     ["spec.limits.literalPrefix"]),
    ("more stores", {"limits": {"secretStores": ["a"]}}, {"limits": {"secretStores": ["a", "b"]}},
     ["spec.limits.secretStores"]),
    ("fewer stores", {"limits": {"secretStores": ["a", "b"]}}, {"limits": {"secretStores": ["a"]}}, []),
    ("other subjects", {"subjects": [{"projects": ["a"]}]}, {"subjects": [{"projects": ["b"]}]}, ["spec.subjects"]),
    ("fewer subjects", {"subjects": [{"projects": ["a"]}, {"projects": ["b"]}]}, {"subjects": [{"projects": ["b"]}]},
     []),
    ("each namespace its own", {"allow": [{"indices": ["a*"], "can": ["read"]}]},
     {"allow": [{"indices": ["a*", "{namespace}-*"], "can": ["read"]}]}, ["spec.allow (read)"]),
    ("not each namespace", {"deny": [{"indices": ["{namespace}-x"]}]}, {"deny": [{"indices": ["a*"]}]}, ["spec.deny"]),
    ("fewer places", {"allow": ALLOW}, {"allow": ALLOW, "match": {"clusters": ["prod"]}}, ["spec.match.clusters"]),
    ("more places", {"allow": ALLOW, "match": {"clusters": ["prod"]}},
     {"allow": ALLOW, "match": {"clusters": ["dev", "prod"]}}, []),
    ("everywhere", {"allow": ALLOW, "match": {"clusters": ["prod"]}}, {"allow": ALLOW}, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "paths"), [each[1:] for each in POLICIES], ids=[each[0] for each in POLICIES]
)
def test_what_a_policy_restricts_less_is_marked(
    before: dict[str, Any], after: dict[str, Any], paths: list[str]
) -> None:
    plan = planned([a_policy(**before)], [a_policy(**after)])
    assert [each.path for each in manifest(plan, "limits").loosened] == paths
    assert plan.code is Exit.PENDING


def test_a_policy_that_is_removed_or_only_audits_is_told_apart() -> None:
    assert [each.after for each in manifest(planned([a_policy()], []), "limits").loosened] == ["removed"]
    audit = a_policy(mode="Audit", allow=ALLOW)
    assert manifest(planned([audit], []), "limits").loosened == ()
    assert manifest(planned([], [a_policy()]), "limits").loosened == ()
    broken = planned([a_policy()], [a_policy(allow="x")])
    assert (manifest(broken, "limits").failed, broken.code) == (True, Exit.FAILED)


def test_a_policy_opens_where_a_cluster_refuses_what_none_applies_to() -> None:
    """What it applies to need not be in these files."""
    denies = a_cluster(policies={"unmatched": "Deny"})
    elsewhere = a_policy(allow=ALLOW, match={"clusters": ["dev"]})
    added = planned([denies], [denies, elsewhere])
    assert [each.path for each in manifest(added, "limits").loosened] == ["spec.match"]
    wider = planned([denies, elsewhere], [denies, a_policy(allow=ALLOW)])
    assert [each.path for each in manifest(wider, "limits").loosened] == ["spec.match"]
    assert manifest(planned([a_cluster()], [a_cluster(), elsewhere]), "limits").loosened == ()


CLUSTERS: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("another address", {}, {"urls": ["https://other:9200"]}, ["spec.urls"]),
    ("more namespaces", {"allowedNamespaces": {"names": ["a"]}}, {"allowedNamespaces": {"names": ["a", "b"]}},
     ["spec.allowedNamespaces"]),
    ("fewer namespaces", {"allowedNamespaces": {"names": ["a", "b"]}}, {"allowedNamespaces": {"names": ["a"]}}, []),
    ("all namespaces", {"allowedNamespaces": {"names": ["a"]}}, {}, ["spec.allowedNamespaces"]),
    ("orphans", {}, {"orphans": {"allowed": True}}, ["spec.orphans.allowed"]),
    ("no policy needed", {"policies": {"unmatched": "Deny"}}, {"policies": {"unmatched": "Allow"}},
     ["spec.policies.unmatched"]),
    ("a policy needed", {}, {"policies": {"unmatched": "Deny"}}, []),
    ("sooner", {"drift": {"sweepEvery": "5m"}}, {"drift": {"sweepEvery": "1m"}}, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "paths"), [each[1:] for each in CLUSTERS], ids=[each[0] for each in CLUSTERS]
)
def test_what_a_cluster_restricts_less_is_marked(
    before: dict[str, Any], after: dict[str, Any], paths: list[str]
) -> None:
    plan = planned([a_cluster(**before)], [a_cluster(**after)])
    assert [each.path for each in manifest(plan, "prod").loosened] == paths


def test_a_cluster_that_no_longer_admits_the_namespace_takes_the_rights_away() -> None:
    before = [an_access(grants=[READ]), a_cluster()]
    plan = planned(before, [before[0], a_cluster(allowedNamespaces={"names": ["other"]})])
    assert [role.kind for role in plan.roles] == [Kind.REMOVED]
    assert manifest(plan, "shop/orders").problem.startswith("NamespaceNotAllowed")


def test_an_approval_is_marked_and_grants_nothing_by_itself() -> None:
    approval = an_object("SearchAccessApproval", "yes", {"access": "orders"}, namespace="shop")
    plan = planned([], [approval])
    assert (plan.widens, plan.roles) == (True, ())
    assert planned([approval], []).widens is False
