"""What is wrong, and what drifted, is said once: by an event where a person looks, and by a line in the log."""

import json
from typing import Any

from searchaccess.engine.state import EVENTS
from searchaccess.ports.errors import LoginMissing, TlsNotVerified, Unreachable
from tests.component.common import begin
from tests.component.identities.common import OLD, SERVICE, declared
from tests.support.loop.stage import OPERATOR, Stage, on_stage, search_cluster
from tests.support.memory.elasticsearch import SIDE as ELASTICSEARCH
from tests.support.worlds.world import CLUSTER, access, account, condition_in, grant

ROLE = OPERATOR.role_name(account("orders"))
ORDERS = access("orders", grant("orders-*"))


def warnings(stage: Stage, event: str) -> list[dict[str, Any]]:
    """Return the warnings of a kind, as they were logged."""
    lines = [entry for log in stage.logs for entry in log if entry["event"] == event]
    assert all(line["log_level"] == "warning" for line in lines)
    return lines


def change(stage: Stage, **more: Any) -> None:
    """Change a role, as somebody else does."""
    stage.elasticsearch.write_role(ROLE, stage.elasticsearch.roles_now[ROLE] | more)


def messages(stage: Stage, name: str, reason: str) -> list[str]:
    return [note.message for ref, note in stage.kubernetes.events if (ref.name, note.reason) == (name, reason)]


@on_stage
async def test_corrected_drift_is_one_warning_with_what_is_declared_and_what_was_found(stage: Stage) -> None:
    await begin(stage, ORDERS)
    change(stage, cluster=["all"])
    await stage.quiet()
    assert stage.role(account("orders"))["cluster"] == []
    [line] = warnings(stage, "drift corrected")
    assert line["cluster"] == CLUSTER
    assert line["access"] == "shop/orders"
    assert (line["object"], line["path"]) == (f"role/{ROLE}", "cluster")
    assert (line["want"], json.loads(line["have"])) == ("", ["all"])
    assert not warnings(stage, "drift detected")
    await stage.reconcile_all()
    assert len(warnings(stage, "drift corrected")) == 1


@on_stage
async def test_reported_drift_is_one_warning_however_long_it_stays(stage: Stage) -> None:
    await begin(stage, ORDERS)
    stage.amend("orders", mode="Observe")
    await stage.quiet()
    change(stage, cluster=["all"])
    await stage.quiet()
    await stage.sleep(700)
    await stage.reconcile_all()
    [line] = warnings(stage, "drift detected")
    assert (line["access"], line["path"]) == ("shop/orders", "cluster")
    await stage.restart()
    await stage.quiet()
    assert len(warnings(stage, "drift detected")) == 1, "it was known before"


@on_stage
async def test_a_refused_spec_is_one_warning_with_the_path_of_what_is_wrong(stage: Stage) -> None:
    await begin(stage, access("invalid", grant("Upper")))
    await stage.reconcile_all()
    [line] = warnings(stage, "problem")
    assert (line["access"], line["reason"]) == ("shop/invalid", "InvalidSpec")
    assert line["message"] == condition_in(stage.get("invalid"), "Ready")["message"]
    assert "spec.grants[0].indices" in line["message"]
    stage.amend("invalid", grants=[grant("lower")])
    await stage.quiet()
    stage.amend("invalid", grants=[grant("Upper")])
    await stage.quiet()
    assert len(warnings(stage, "problem")) == 2, "it is refused again"


@on_stage
async def test_drift_of_the_role_mapping_is_a_warning_about_the_cluster(stage: Stage) -> None:
    await begin(stage, ORDERS)
    known = stage.elasticsearch.mappings_now[OPERATOR.mapping_name]
    stage.elasticsearch.write_mapping(OPERATOR.mapping_name, known | {"enabled": False})
    await stage.quiet()
    [line] = warnings(stage, "drift corrected")
    assert "access" not in line
    assert (line["cluster"], line["path"]) == (CLUSTER, "enabled")


@on_stage
async def test_a_clusters_trouble_is_one_event_on_the_cluster_and_none_on_its_accesses(stage: Stage) -> None:
    names = [f"a-{number}" for number in range(4)]
    await begin(stage, *(access(name, grant(f"{name}-*")) for name in names))
    stage.elasticsearch.license = "basic"
    await stage.sleep(60)
    await stage.quiet()
    assert {stage.ready(name) for name in names} == {("False", "LicenseInsufficient")}
    assert stage.notes(CLUSTER).count("LicenseInsufficient") == 1
    assert [stage.notes(name) for name in names] == [[]] * 4
    [line] = warnings(stage, "problem")
    assert (line["cluster"], line["reason"]) == (CLUSTER, "LicenseInsufficient")
    texts = {condition_in(stage.get(name), "Ready")["message"] for name in names}
    said = {condition_in(stage.cluster(), "Ready")["message"], *messages(stage, CLUSTER, "LicenseInsufficient")}
    assert len(texts | said) == 1, "one text for one trouble"


async def _fails(stage: Stage, error: Any, reason: str) -> None:
    await begin(stage, ORDERS, access("other", grant("other")))
    stage.faults.fail(ELASTICSEARCH, error)
    await stage.sleep(300)
    assert stage.cluster_ready()[1] == reason
    assert stage.ready("orders")[1] == reason
    [said] = messages(stage, CLUSTER, reason)
    assert said == condition_in(stage.cluster(), "Ready")["message"]
    assert stage.notes("orders") == []
    assert stage.notes("other") == []
    assert not warnings(stage, "problem")
    assert [line["reason"] for line in warnings(stage, "cluster failing")] == [reason]
    stage.faults.heal(ELASTICSEARCH)
    await stage.quiet()
    stage.faults.fail(ELASTICSEARCH, error)
    await stage.sleep(300)
    assert len(messages(stage, CLUSTER, reason)) == 2, "it came again"


@on_stage
async def test_an_unreachable_cluster_is_an_event_on_it(stage: Stage) -> None:
    await _fails(stage, Unreachable("no answer"), "ClusterUnreachable")


@on_stage
async def test_a_certificate_that_cannot_be_verified_is_an_event_on_the_cluster(stage: Stage) -> None:
    await _fails(stage, TlsNotVerified("self-signed certificate"), "TlsNotVerified")


@on_stage
async def test_a_missing_login_is_an_event_on_the_cluster(stage: Stage) -> None:
    missing = {"secretRef": {"namespace": "shop", "name": "nowhere"}}
    stage.apply(search_cluster(login=missing), ORDERS)
    await stage.quiet()
    assert stage.cluster_ready()[1] == stage.ready("orders")[1] == LoginMissing.reason
    [said] = messages(stage, CLUSTER, "LoginMissing")
    assert "shop/nowhere" in said
    assert stage.notes("orders") == []


@on_stage
async def test_a_workload_that_does_not_exist_is_one_event_on_the_access_with_its_name_and_one_text(
    stage: Stage,
) -> None:
    await begin(stage, declared())
    await stage.reconcile_all()
    [said] = messages(stage, "orders", "ServiceNotFound")
    assert SERVICE.path in said
    conditions = {kind: condition_in(stage.get("orders"), kind)["message"] for kind in ("Ready", "IdentityResolved")}
    assert set(conditions.values()) == {said}
    stage.google.state.deploy(SERVICE, OLD)
    await stage.sleep(400)
    await stage.quiet()
    assert stage.ready("orders") == ("True", "InSync")
    assert len(messages(stage, "orders", "ServiceNotFound")) == 1


@on_stage
async def test_an_unknown_cluster_is_an_event_on_the_access(stage: Stage) -> None:
    stage.apply(search_cluster(), access("lost", grant("lost"), cluster="prd"))
    await stage.quiet()
    assert stage.notes("lost") == ["ClusterNotFound"]
    await stage.restart()
    await stage.quiet()
    assert stage.notes("lost") == ["ClusterNotFound"]


@on_stage
async def test_what_comes_and_goes_all_the_time_has_a_bounded_number_of_events(stage: Stage) -> None:
    await begin(stage, ORDERS)
    for number in range(20):
        change(stage, cluster=["all"], metadata={"by": str(number)} | stage.role(account("orders"))["metadata"])
        await stage.sleep(10)
    await stage.quiet()
    assert len(warnings(stage, "drift corrected")) >= 20, "each is in the log"
    assert EVENTS <= len(stage.notes("orders")) <= EVENTS + 2
