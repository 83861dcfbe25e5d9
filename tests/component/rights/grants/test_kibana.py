"""Rights in Kibana through the whole loop: granted, corrected, handed out by key, and revoked."""

from typing import Any

from tests.component.common import ORDERS, ROLE, begin
from tests.component.credentials import common as credentials
from tests.support.loop.stage import Stage, access_key, on_stage
from tests.support.worlds.world import access, condition_in, grant

KIBANA: dict[str, Any] = {"kibana": [{"spaces": ["sales"], "features": {"discover": "read"}}]}
ENTRY = {"application": "kibana-.kibana", "privileges": ["feature_discover.read"], "resources": ["space:sales"]}


@on_stage
async def test_they_are_granted_kept_as_declared_and_revoked(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*"), **KIBANA))
    stage.check()
    assert stage.role(ORDERS)["applications"] == [ENTRY]
    wider = ENTRY | {"privileges": ["all"], "resources": ["*"]}
    stage.elasticsearch.write_role(ROLE, stage.role(ORDERS) | {"applications": [wider]})
    await stage.quiet()
    stage.check()
    assert stage.role(ORDERS)["applications"] == [ENTRY]
    paths = {item["path"] for item in stage.get("orders")["status"]["drift"]["items"]}
    assert paths == {"applications[space:sales].privileges", "applications[space:sales].resources"}
    stage.kubernetes.change(access_key("orders"), lambda raw: raw["spec"].pop("kibana"))
    await stage.quiet()
    stage.check()
    assert stage.role(ORDERS)["applications"] == []


@on_stage
async def test_rights_in_kibana_in_place_of_those_on_indices_are_drift(stage: Stage) -> None:
    await begin(stage, access("orders", {"indices": ["*"], "privileges": ["read"]}))
    stage.amend("orders", mode="Observe")
    await stage.quiet()
    instead = {"application": "kibana-.kibana", "privileges": ["read"], "resources": ["*"]}
    stage.elasticsearch.write_role(ROLE, stage.role(ORDERS) | {"indices": [], "applications": [instead]})
    await stage.reconcile_all()
    assert stage.ready("orders") == ("False", "DriftDetected")
    paths = [item["path"] for item in stage.get("orders")["status"]["drift"]["items"]]
    assert paths == ["indices[*]", "applications[*]"]


@on_stage
async def test_rights_in_kibana_alone_make_a_role(stage: Stage) -> None:
    await begin(stage, access("orders", **KIBANA))
    stage.check()
    assert stage.role(ORDERS)["indices"] == []
    assert stage.get("orders")["status"]["access"] == "kibana"
    stage.delete("orders")
    await stage.quiet()
    assert ROLE not in stage.elasticsearch.roles_now


@on_stage
async def test_a_key_has_them_unless_the_login_lacks_them(stage: Stage) -> None:
    stage.elasticsearch.out_of_reach.add("space:sales")
    await credentials.begin(stage, credentials.with_key(**KIBANA))
    assert not stage.elasticsearch.live_keys()
    assert "on space:sales" in condition_in(stage.get("orders"), "Ready")["message"]
    stage.elasticsearch.out_of_reach.clear()
    await stage.sleep(600)
    await stage.quiet()
    [key] = stage.elasticsearch.live_keys()
    assert key["role_descriptors"].popitem()[1]["applications"] == [ENTRY]
    assert stage.ready("orders") == credentials.READY
