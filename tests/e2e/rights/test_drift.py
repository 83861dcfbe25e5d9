"""Drift in Elasticsearch is detected within seconds, reported field by field, and corrected."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import QUICK
from tests.support.waiting import eventually
from tests.support.worlds.world import CLUSTER, World, access, condition_in, grant

Body = dict[str, Any]

WITHIN = 60
"""Less than the sweep's five minutes, so that only the probe can have found it; much for a busy machine."""

SWEEPS = 5


def declared(world: World, name: str, **spec: Any) -> Body:
    """Declare an access and give its role in Elasticsearch."""
    limits: Body = {"where": {"term": {"region": "eu"}}, "fields": {"exclude": ["ssn"]}}
    world.apply(access(name, grant(f"{name}-*", **limits), **spec))
    world.until_ready(name)
    return world.role(name)


def drift(world: World, name: str) -> Body:
    return dict(world.get(name)["status"]["drift"])


def add_privilege(role: Body) -> Body:
    role["indices"][0]["privileges"].append("write")
    return role


def remove_query(role: Body) -> Body:
    del role["indices"][0]["query"]
    return role


def show_fields(role: Body) -> Body:
    role["indices"][0]["field_security"] = {"grant": ["*"]}
    return role


def add_entry(role: Body) -> Body:
    role["indices"].append({"names": ["salaries"], "privileges": ["all"]})
    return role


def rename_indices(role: Body) -> Body:
    role["indices"][0]["names"] = ["*"]
    return role


def add_cluster_privilege(role: Body) -> Body:
    role["cluster"].append("manage_security")
    return role


def add_run_as(role: Body) -> Body:
    role["run_as"] = ["elastic"]
    return role


def add_global(role: Body) -> Body:
    role["global"] = {"application": {"manage": {"applications": ["kibana-*"]}}}
    return role


def add_remote_rights(role: Body) -> Body:
    role["remote_indices"] = [{"clusters": ["*"], "names": ["*"], "privileges": ["read"]}]
    return role


def remove_everything(role: Body) -> Body:
    return {"metadata": role["metadata"]}


def tamper_with_hash(role: Body) -> Body:
    role["metadata"]["spec_hash"] = "0123456789abcdef"
    return role


def remove_owners(role: Body) -> Body:
    role["metadata"]["owners"] = []
    return role


def widen_and_cover_up(role: Body) -> Body:
    role["metadata"]["owners"][0]["entries"] = []
    return add_privilege(role)


def add_metadata(role: Body) -> Body:
    role["metadata"] |= {"note": {"by": "somebody"}}
    return role


def rewrite_description(role: Body) -> Body:
    role["description"] = "nothing to see here"
    return role


EDITS: list[tuple[Callable[[Body], Body], str, str, str]] = [
    # the edit, the path that is reported, what is in want, what is in have
    (add_privilege, "indices[{name}-*].privileges", "view_index_metadata", '"write"'),
    (remove_query, "indices[{name}-*].query", '"region":"eu"', ""),
    (show_fields, "indices[{name}-*].field_security.except", '"ssn"', ""),
    (add_entry, "indices[salaries]", "", '"all"'),
    (rename_indices, "indices[{name}-*].names", "{name}-*", '["*"]'),
    (add_cluster_privilege, "cluster", "", "manage_security"),
    (add_run_as, "other", "", "elastic"),
    (add_global, "other", "", "kibana-*"),
    (add_remote_rights, "remote_indices[*:*]", "", '"clusters":["*"]'),
    (remove_everything, "indices[{name}-*]", "view_index_metadata", ""),
    (tamper_with_hash, "metadata.spec_hash", '"', "0123456789abcdef"),
    (remove_owners, "metadata.owners", "{name}", ""),
    (widen_and_cover_up, "indices[{name}-*]", "", '"write"'),
    (add_metadata, "metadata.note", "", "somebody"),
    (rewrite_description, "description", "Managed by", "nothing to see here"),
]


def case_name(edit: Callable[[Body], Body]) -> str:
    return edit.__name__.replace("_", "-")


@pytest.mark.parametrize(("edit", "path", "want", "have"), EDITS, ids=[case_name(case[0]) for case in EDITS])
def test_an_edited_role_is_reported_and_corrected(
    world: World, edit: Callable[[Body], Body], path: str, want: str, have: str
) -> None:
    name = f"edit-{case_name(edit)}"
    before = declared(world, name)
    world.write_role(name, edit(world.role(name)))

    eventually(lambda: world.role(name) == before, within=WITHIN, what="the role is as it was")
    eventually(lambda: drift(world, name)["corrected"], within=WITHIN, what="the status reports it")
    reported = drift(world, name)
    matching = [
        item
        for item in reported["items"]
        if item["path"] == path.format(name=name) and want.format(name=name) in item["want"] and have in item["have"]
    ]
    assert matching, reported
    assert {item["object"] for item in reported["items"]} == {f"role/{world.role_name(name)}"}
    assert {item["action"] for item in reported["items"]} == {"Corrected"}
    assert reported["open"] == 0
    assert reported["detected"] == reported["corrected"] == len(reported["items"])
    now = world.get(name)
    assert condition_in(now, "Ready")["status"] == "True"
    assert condition_in(now, "Drifted")["reason"] == "DriftCorrected"
    detected = world.until_event(name, "DriftDetected", path.format(name=name))
    assert detected["type"] == "Warning"
    assert world.until_event(name, "DriftCorrected", world.role_name(name))["type"] == "Normal"


def test_a_deleted_role_is_reported_and_recreated(world: World) -> None:
    before = declared(world, "removed")
    caller = world.caller("removed")
    world.admin.delete(f"/_security/role/{world.role_name('removed')}").raise_for_status()

    eventually(lambda: world.role("removed") == before, within=WITHIN, what="the role is back")
    eventually(lambda: drift(world, "removed")["corrected"] == 1, within=WITHIN)
    (item,) = drift(world, "removed")["items"]
    assert (item["path"], item["have"], item["action"]) == (".", "", "Corrected")
    assert "removed-*" in item["want"]
    assert caller.get("/removed-*/_search").status_code == 200


def test_the_same_drift_again_counts_again(world: World) -> None:
    before = declared(world, "again")
    for time_ in (1, 2, 3):
        world.write_role("again", add_privilege(world.role("again")))
        eventually(lambda: world.role("again") == before, within=WITHIN)
        eventually(lambda want=time_: drift(world, "again")["corrected"] == want, within=WITHIN)  # type: ignore[misc]
    assert drift(world, "again")["detected"] == 3


def test_what_means_the_same_is_no_drift(world: World) -> None:
    declared(world, "rephrased")
    seen = world.get("rephrased")["metadata"]["resourceVersion"]
    role = world.role("rephrased")
    entry = role["indices"][0]
    entry["privileges"].reverse()
    entry["query"] = ' { "term" : { "region" : "eu" } } '
    world.write_role("rephrased", role)
    probe = declared(world, "rephrased-probe")
    world.write_role("rephrased-probe", add_privilege(world.role("rephrased-probe")))

    eventually(lambda: world.role("rephrased-probe") == probe, within=WITHIN, what="a full reconcile happened")
    assert world.role("rephrased")["indices"][0]["query"] == entry["query"], "left as it is"
    assert world.get("rephrased")["metadata"]["resourceVersion"] == seen


def test_observe_reports_and_changes_nothing_until_it_is_enforced(world: World) -> None:
    before = declared(world, "observed")
    world.patch("observed", {"spec": {"mode": "Observe"}})
    world.until_ready("observed")
    assert world.role("observed") == before

    world.write_role("observed", add_entry(add_privilege(world.role("observed"))))
    edited = world.role("observed")
    found = world.until_reason("observed", "DriftDetected", status="False", within=WITHIN)
    assert condition_in(found, "Drifted")["status"] == "True"
    reported = found["status"]["drift"]
    assert {item["path"]: item["action"] for item in reported["items"]} == {
        "indices[observed-*].privileges": "Reported",
        "indices[salaries]": "Reported",
    }
    assert (reported["open"], reported["corrected"]) == (2, 0)
    world.until_event("observed", "DriftDetected", "indices[salaries]")
    assert not [event for event in world.events("observed") if event["reason"] == "DriftCorrected"]
    world.annotate("observed", "reconcile-requested-at", "now")
    eventually(lambda: world.get("observed")["status"].get("lastHandledReconcileAt") == "now", within=WITHIN)
    assert world.role("observed") == edited, "still untouched after another reconcile"
    assert drift(world, "observed")["detected"] == 2, "and counted once"

    world.patch("observed", {"spec": {"mode": "Enforce"}})
    world.until_ready("observed", within=WITHIN)
    assert world.role("observed")["indices"] == before["indices"]
    eventually(lambda: drift(world, "observed")["open"] == 0, within=WITHIN)


def test_observe_from_the_start_grants_nothing_and_says_what_is_missing(world: World) -> None:
    world.apply(access("onlooker", grant("onlooker-*"), mode="Observe"))
    found = world.until_reason("onlooker", "ChangesPending", status="False", within=WITHIN)
    assert not world.role("onlooker")
    assert condition_in(found, "Drifted")["status"] == "False", "nobody changed anything"
    (item,) = found["status"]["drift"]["items"]
    assert item["path"] == "indices[onlooker-*]"
    assert (item["action"], item["have"]) == ("Pending", "")
    assert found["status"]["drift"]["open"] == 0


def edit_mapping(world: World) -> None:
    world.write_mapping(world.mapping() | {"rules": {"field": {"username": "*"}}})


def disable_mapping(world: World) -> None:
    world.write_mapping(world.mapping() | {"enabled": False})


def give_superuser(world: World) -> None:
    body = {key: value for key, value in world.mapping().items() if key != "role_templates"}
    world.write_mapping(body | {"roles": ["superuser"]})


def delete_mapping(world: World) -> None:
    world.admin.delete(f"/_security/role_mapping/searchaccess.{world.instance}").raise_for_status()


@pytest.mark.parametrize(
    ("change", "path", "have"),
    [
        (edit_mapping, "rules", "username"),
        (disable_mapping, "enabled", "false"),
        (give_superuser, "roles", "superuser"),
        (delete_mapping, ".", ""),
    ],
)
def test_a_changed_role_mapping_is_reported_on_the_cluster_and_corrected(
    world: World, change: Callable[[World], None], path: str, have: str
) -> None:
    declared(world, "mapped")
    caller = world.caller("mapped")
    before = world.mapping()
    corrected = (world.get_cluster()["status"].get("drift") or {}).get("corrected", 0)
    change(world)

    def reported() -> Body:
        found: Body = world.get_cluster()["status"].get("drift") or {}
        return found if found.get("corrected", 0) > corrected else {}

    eventually(lambda: world.mapping() == before, within=WITHIN, what="the role mapping is as it was")
    items = {item["path"]: item for item in eventually(reported, within=WITHIN)["items"]}
    assert items[path]["object"] == f"role_mapping/searchaccess.{world.instance}"
    assert items[path]["action"] == "Corrected"
    assert have in items[path]["have"]
    assert items[path]["want"] or path == "roles"
    name = items[path]["object"] + ("" if path == "." else f" {path}")
    world.until_event(CLUSTER, "DriftDetected", f"{name}: want", namespace="default")
    world.until_event(CLUSTER, "DriftCorrected", namespace="default")
    assert caller.get("/mapped-*/_search").status_code == 200


def requests_for(world: World, action: str) -> int:
    """Say how many requests of a kind Elasticsearch has answered; it counts by REST action."""
    nodes = world.admin.get("/_nodes/usage/rest_actions").json()["nodes"]
    return sum(int(node["rest_actions"].get(action, 0)) for node in nodes.values())


def sequence_number(world: World) -> int:
    stats = world.admin.get("/.security/_stats?level=shards").json()["indices"]
    copies = [copy for index in stats.values() for shard in index["shards"].values() for copy in shard]
    return max(int(copy["seq_no"]["max_seq_no"]) for copy in copies)


def versions(world: World) -> dict[str, str]:
    """Return the resourceVersion of everything that is declared."""
    names = '{range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}'
    answer = world.kubernetes.run_kubectl("get", "searchaccesses,searchclusters", "-A", "-o", f"jsonpath={names}")
    return dict(line.split() for line in answer.stdout.splitlines())


def written(world: World) -> tuple[dict[str, str], int]:
    """Return the versions of what is declared, and of what Elasticsearch has."""
    return versions(world), sequence_number(world)


def sweep(world: World, times: int) -> None:
    """Wait for some more sweeps."""
    sweeps = requests_for(world, "security_get_roles_action")
    eventually(
        lambda: requests_for(world, "security_get_roles_action") >= sweeps + times,
        within=400,
        every=2,
        what=f"{times} more sweeps",
    )


@pytest.mark.one_release
@pytest.mark.timeout(600)
def test_five_sweeps_over_a_world_in_sync_write_nothing(world: World) -> None:
    """Counts sweeps by Elasticsearch's own count of requests for roles: only the operator asks meanwhile."""
    for name in ("calm-1", "calm-2"):
        declared(world, name)
    world.apply(access("calm-regex", grant("/calm-[0-9]+/", "calm-*", can=["read", "manage"]), clusterCan=["monitor"]))
    world.until_ready("calm-regex")
    world.patch_cluster(CLUSTER, {"spec": {"drift": QUICK | {"sweepEvery": "5s"}}})
    try:
        world.until_cluster_reason(CLUSTER, "InSync")

        def settled() -> bool:
            known = written(world)
            sweep(world, 1)
            return written(world) == known

        eventually(settled, within=120, what="what was written so far, also by other tests, is reported")
        before = written(world)
        sweep(world, SWEEPS)
        assert written(world) == before
    finally:
        world.patch_cluster(CLUSTER, {"spec": {"drift": QUICK | {"sweepEvery": "5m"}}})
