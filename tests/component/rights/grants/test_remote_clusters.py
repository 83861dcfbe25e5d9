"""Rights on remote clusters through the whole loop: written, corrected, held for want of a license, and revoked."""

from typing import Any

from tests.component.common import ORDERS, ROLE, begin, drift
from tests.component.credentials import common as credentials
from tests.support.loop.stage import Stage, access_key, on_stage
from tests.support.worlds.world import access, condition_in, grant

EU: dict[str, Any] = {"remoteClusters": ["eu"]}
WHERE: dict[str, Any] = {"where": {"term": {"region": "eu"}}}


def remote(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.role(ORDERS).get("remote_indices", [])
    return found


@on_stage
async def test_they_are_granted_shown_kept_as_declared_and_revoked(stage: Stage) -> None:
    await begin(stage, access("orders", grant("logs-*", **EU), grant("orders-*")))
    stage.check()
    [entry] = remote(stage)
    assert (entry["clusters"], entry["names"]) == (["eu"], ["logs-*"])
    assert stage.get("orders")["status"]["access"] == "r eu:logs-* +1"
    stage.elasticsearch.write_role(ROLE, stage.role(ORDERS) | {"remote_indices": [entry | {"clusters": ["*"]}]})
    await stage.quiet()
    stage.check()
    assert remote(stage) == [entry]
    assert drift(stage) == {"open": 0, "detected": 1, "corrected": 1}
    [item] = stage.get("orders")["status"]["drift"]["items"]
    assert (item["path"], item["want"], item["have"]) == ("remote_indices[eu:logs-*].clusters", '["eu"]', '["*"]')
    grants = [grant("orders-*")]
    stage.kubernetes.change(access_key("orders"), lambda raw: raw["spec"].update(grants=grants))
    await stage.quiet()
    stage.check()
    assert remote(stage) == []


@on_stage
async def test_remote_rights_that_nobody_declared_are_removed(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    added = [{"clusters": ["*"], "names": ["*"], "privileges": ["all"]}]
    stage.elasticsearch.write_role(ROLE, stage.role(ORDERS) | {"remote_indices": added})
    await stage.quiet()
    stage.check()
    assert "remote_indices" not in stage.role(ORDERS)
    [item] = stage.get("orders")["status"]["drift"]["items"]
    assert (item["path"], item["action"]) == ("remote_indices[*:*]", "Corrected")


@on_stage
async def test_a_platinum_license_grants_none_of_them_and_a_better_one_does(stage: Stage) -> None:
    stage.elasticsearch.license = "platinum"
    await begin(stage, access("orders", grant("logs-*", **EU)), access("billing", grant("billing-*", **WHERE)))
    assert stage.ready("orders") == ("False", "LicenseInsufficient")
    assert "this cluster has platinum" in condition_in(stage.get("orders"), "Ready")["message"]
    assert stage.ready("billing") == ("True", "InSync")
    assert ROLE not in stage.elasticsearch.roles_now
    stage.elasticsearch.license = "enterprise"
    await stage.sleep(20)
    await stage.quiet()
    stage.check()
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_restrictions_that_would_widen_each_other_there_are_refused_and_here_and_there_they_are_not(
    stage: Stage,
) -> None:
    by_field: dict[str, Any] = {"fields": {"include": ["region"]}}
    await begin(stage, access("orders", grant("logs-*", **EU, **WHERE)))
    stage.apply(
        access("beside", grant("logs-*", **by_field), principal=ORDERS),
        access("newer", grant("logs-1", remoteClusters=["e*"], **by_field), principal=ORDERS),
    )
    await stage.quiet()
    assert stage.ready("orders") == ("True", "InSync")
    assert stage.ready("beside") == ("True", "InSync")
    assert stage.ready("newer") == ("False", "RestrictionsWouldWiden")


@on_stage
async def test_a_key_that_would_lack_them_is_not_made(stage: Stage) -> None:
    stage.elasticsearch.out_of_reach.add("eu:logs-*")
    await credentials.begin(stage, credentials.with_key(granted=grant("logs-*", **EU)))
    assert not stage.elasticsearch.live_keys()
    assert "read on eu:logs-*" in condition_in(stage.get("orders"), "Ready")["message"]
    stage.elasticsearch.out_of_reach.clear()
    await stage.sleep(600)
    await stage.quiet()
    [key] = stage.elasticsearch.live_keys()
    [entry] = key["role_descriptors"].popitem()[1]["remote_indices"]
    assert entry["clusters"] == ["eu"]
    assert stage.ready("orders") == credentials.READY
