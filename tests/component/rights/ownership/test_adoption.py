"""Adoption: one decision of the platform, for an object as it was seen, once (docs/adr/0035)."""

import asyncio
from typing import Any, Final

import pytest

from searchaccess.api.clusters.status import ADOPTED_LIMIT
from searchaccess.api.constants import ANNOTATION_ADOPT, ANNOTATION_RECONCILE
from searchaccess.ports.errors import Unreachable
from tests.component.common import FOREIGN, MAPPING, ORDERS, ROLE, agree, begin, granted, seen_hash
from tests.support.failures.faults import Fault
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, access_key, on_stage, search_cluster
from tests.support.memory.kubernetes import SIDE as KUBERNETES
from tests.support.runs.effort import places
from tests.support.worlds.world import access, account, condition_in, grant

FOREIGN_MAPPING: Final = {"enabled": True, "roles": ["superuser"], "rules": {"field": {"username": "*"}}}


def message(stage: Stage, name: str = "orders") -> str:
    return str(condition_in(stage.get(name), "Ready").get("message", ""))


def hash_in(text: str) -> str:
    """Return the hash that a message prints ready to paste."""
    return text.partition("hash: ")[2][:16]


def adopted(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.cluster()["status"].get("adopted", [])
    return found


async def in_conflict(stage: Stage, *objects: dict[str, Any], **spec: Any) -> str:
    """Begin with a foreign role in the way; return its hash, as the message has it."""
    stage.elasticsearch.write_role(ROLE, FOREIGN)
    stage.apply(search_cluster(**spec), *(objects or (access("orders", grant("orders-*")),)))
    await stage.quiet()
    assert stage.ready("orders") == ("False", "OwnershipConflict")
    return hash_in(message(stage))


@on_stage
async def test_the_platform_adopts_a_role_as_it_was_seen(stage: Stage) -> None:
    seen = await in_conflict(stage)
    assert f"spec.adoption.objects: [{{name: {ROLE}, hash: {seen}}}]" in message(stage)
    agree(stage, ROLE, seen)
    await stage.quiet()
    stage.check()
    assert granted(stage) == {"orders-*"}
    assert stage.notes("orders").count("Adopted") == 1
    [one] = adopted(stage)
    assert (one["name"], one["hash"]) == (ROLE, seen)
    assert one["at"]


@on_stage
async def test_a_role_that_changed_since_is_not_adopted_and_its_new_hash_is_said(stage: Stage) -> None:
    seen = await in_conflict(stage)
    stage.elasticsearch.write_role(ROLE, FOREIGN | {"metadata": {"made_by": "another hand"}})
    agree(stage, ROLE, seen)
    await stage.quiet()
    assert stage.ready("orders") == ("False", "OwnershipConflict")
    assert f"It has changed since its hash was {seen}" in message(stage)
    now = hash_in(message(stage))
    assert now != seen
    assert adopted(stage) == []
    agree(stage, ROLE, now)
    await stage.quiet()
    stage.check()


@on_stage
async def test_a_controller_that_writes_its_role_again_and_again_meets_one_adoption(stage: Stage) -> None:
    seen = await in_conflict(stage)
    agree(stage, ROLE, seen)
    takeovers = 0
    for _ in range(40):
        await asyncio.sleep(0.5)
        takeovers += stage.role(ORDERS)["metadata"] != FOREIGN["metadata"]
        if takeovers:
            stage.elasticsearch.write_role(ROLE, FOREIGN)
    await stage.quiet()
    assert takeovers == 1
    assert stage.role(ORDERS)["metadata"] == FOREIGN["metadata"]
    assert stage.ready("orders") == ("False", "ControllersFight")
    assert f"was adopted at {adopted(stage)[0]['at']}" in message(stage)
    assert condition_in(stage.get("orders"), "Stalled")["status"] == "True"
    stage.elasticsearch.remove_role(ROLE)
    await stage.quiet()
    stage.check()


@on_stage
async def test_one_that_writes_something_else_each_time_is_reported_too(stage: Stage) -> None:
    agree_to = await in_conflict(stage)
    agree(stage, ROLE, agree_to)
    await stage.quiet()
    stage.check()
    stage.elasticsearch.write_role(ROLE, FOREIGN | {"metadata": {"made_by": "hand", "at": "today"}})
    await stage.quiet()
    assert stage.ready("orders") == ("False", "ControllersFight")


@on_stage
async def test_the_fight_is_remembered_over_a_restart(stage: Stage) -> None:
    seen = await in_conflict(stage)
    agree(stage, ROLE, seen)
    await stage.quiet()
    await stage.stop()
    stage.elasticsearch.write_role(ROLE, FOREIGN)
    stage.start()
    await stage.quiet()
    assert stage.ready("orders") == ("False", "ControllersFight")
    assert stage.role(ORDERS)["metadata"] == FOREIGN["metadata"]


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("write", places(6))
def test_an_adoption_that_was_cut_off_is_completed_once(write: int, fault: Fault) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        seen = await in_conflict(stage)
        stage.faults.at_write(write, fault)
        agree(stage, ROLE, seen)
        await stage.quiet()
        stage.check()
        [one] = adopted(stage)
        assert one["at"], "whenever it was cut off, it is known that it was done"
        stage.elasticsearch.write_role(ROLE, FOREIGN)
        await stage.quiet()
        assert stage.ready("orders") == ("False", "ControllersFight")

    play()


@on_stage
async def test_nothing_is_adopted_that_could_not_be_recorded_before(stage: Stage) -> None:
    seen = await in_conflict(stage)
    stage.faults.fail(KUBERNETES, Unreachable("down"), "replace_status")
    agree(stage, ROLE, seen)
    await asyncio.sleep(60)
    assert stage.role(ORDERS)["metadata"] == FOREIGN["metadata"]
    stage.faults.heal(KUBERNETES)
    await stage.quiet()
    stage.check()


@on_stage
async def test_a_tenants_own_annotation_does_nothing(stage: Stage) -> None:
    seen = await in_conflict(stage)
    stage.annotate(access_key("orders"), ANNOTATION_ADOPT, f"{ROLE}@{seen}")
    await stage.quiet()
    assert stage.ready("orders") == ("False", "OwnershipConflict")
    assert "does not count in namespace shop: the platform team decides" in message(stage)
    assert hash_in(message(stage)) == seen
    assert stage.role(ORDERS)["metadata"] == FOREIGN["metadata"]
    assert adopted(stage) == []


@pytest.mark.parametrize(
    ("namespaces", "counts"),
    [
        ({"names": ["shop"]}, True),
        ({"names": ["elsewhere"]}, False),
        ({"selector": {"matchLabels": {"a": "b"}}}, False),
    ],
)
def test_an_annotation_counts_where_the_platform_takes_its_namespace(
    *, namespaces: dict[str, Any], counts: bool
) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        seen = await in_conflict(stage, adoption={"namespaces": namespaces})
        stage.annotate(access_key("orders"), ANNOTATION_ADOPT, f"{ROLE}@{seen}")
        await stage.quiet()
        if counts:
            stage.check()
            assert "Adopted" in stage.notes("orders")
        else:
            assert stage.ready("orders") == ("False", "OwnershipConflict")

    play()


@on_stage
async def test_an_annotation_counts_as_soon_as_its_namespace_has_the_label(stage: Stage) -> None:
    seen = await in_conflict(stage, adoption={"namespaces": {"selector": {"matchLabels": {"adopts": "yes"}}}})
    stage.annotate(access_key("orders"), ANNOTATION_ADOPT, f"{ROLE}@{seen}")
    await stage.quiet()
    assert stage.ready("orders") == ("False", "OwnershipConflict")
    stage.kubernetes.namespaces["shop"] = {"adopts": "yes"}
    await stage.sleep(40)
    await stage.quiet()
    stage.check()


@on_stage
async def test_an_annotation_takes_over_no_role_but_that_of_its_own_principal(stage: Stage) -> None:
    orders = access("orders", grant("orders-*"))
    seen = await in_conflict(
        stage, orders, access("billing", grant("billing-*")), adoption={"namespaces": {"names": ["shop"]}}
    )
    stage.annotate(access_key("billing"), ANNOTATION_ADOPT, f"{ROLE}@{seen}")
    await stage.quiet()
    assert stage.ready("orders") == ("False", "OwnershipConflict")
    assert stage.role(ORDERS)["metadata"] == FOREIGN["metadata"]


@on_stage
async def test_a_name_alone_adopts_nothing_and_the_new_form_is_said(stage: Stage) -> None:
    seen = await in_conflict(stage, adoption={"namespaces": {"names": ["shop"]}})
    stage.annotate(access_key("orders"), ANNOTATION_ADOPT, ROLE)
    await stage.quiet()
    assert stage.ready("orders") == ("False", "OwnershipConflict")
    assert f"write {ANNOTATION_ADOPT}: {ROLE}@{seen}" in message(stage)


@pytest.mark.parametrize("by_annotation", [False, True])
def test_a_foreign_mapping_is_adopted_once(*, by_annotation: bool) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        stage.elasticsearch.write_mapping(MAPPING, FOREIGN_MAPPING)
        await begin(stage, access("orders", grant("orders-*")))
        assert stage.cluster_ready() == ("False", "OwnershipConflict")
        seen = hash_in(str(condition_in(stage.cluster(), "Ready")["message"]))
        if by_annotation:
            stage.annotate(CLUSTER_KEY, ANNOTATION_ADOPT, f"{MAPPING}@{seen}")
        else:
            agree(stage, MAPPING, seen)
        await stage.quiet()
        stage.check()
        assert stage.notes("prod").count("Adopted") == 1
        stage.elasticsearch.write_mapping(MAPPING, FOREIGN_MAPPING)
        await stage.quiet()
        assert stage.cluster_ready() == ("False", "ControllersFight")
        assert stage.ready("orders") == ("False", "ControllersFight")
        assert stage.elasticsearch.mappings_now[MAPPING]["roles"] == ["superuser"]
        stage.elasticsearch.remove_mapping(MAPPING)
        await stage.quiet()
        stage.check()

    play()


@on_stage
async def test_a_dry_run_shows_what_would_be_adopted(stage: Stage) -> None:
    seen = await in_conflict(stage)
    agree(stage, ROLE, seen)
    await stage.stop()
    stage.elasticsearch.write_role(ROLE, FOREIGN)
    [change] = [one for one in await stage.dry_run() if ROLE in one.object]
    assert change.differences
    assert stage.role(ORDERS)["metadata"] == FOREIGN["metadata"]


@on_stage
async def test_what_waits_for_an_adoption_asks_kubernetes_for_nothing_more(stage: Stage) -> None:
    seen = await in_conflict(stage)
    agree(stage, ROLE, seen)
    await stage.quiet()
    writes = len(stage.faults.writes)
    stage.annotate(access_key("orders"), ANNOTATION_RECONCILE, "now")
    await stage.quiet()
    assert len(stage.faults.writes) - writes == 1, "the status, which echoes the request"


@on_stage
async def test_more_than_are_remembered_are_adopted_all_the_same(stage: Stage) -> None:
    names = [f"team-{number}" for number in range(ADOPTED_LIMIT + 2)]
    adoption = {"namespaces": {"names": ["shop"]}}
    for name in names:
        stage.elasticsearch.write_role(OPERATOR.role_name(account(name)), FOREIGN)
    await begin(stage, *[access(name, grant(f"{name}-*")) for name in names], adoption=adoption)
    for name in names:
        role = OPERATOR.role_name(account(name))
        stage.annotate(access_key(name), ANNOTATION_ADOPT, f"{role}@{seen_hash(stage, role)}")
    await stage.quiet()
    assert {stage.ready(name) for name in names} == {("True", "InSync")}
    assert len(adopted(stage)) == ADOPTED_LIMIT


@on_stage
async def test_a_role_and_its_mapping_of_the_same_name_are_adopted_one_after_the_other(stage: Stage) -> None:
    stage.elasticsearch.write_mapping(ROLE, FOREIGN_MAPPING)
    seen = await in_conflict(stage, mapping="PerPrincipal")
    agree(stage, ROLE, seen)
    await stage.quiet()
    assert granted(stage) == {"orders-*"}
    stage.annotate(access_key("orders"), ANNOTATION_RECONCILE, "now")
    await stage.quiet()
    assert stage.ready("orders") == ("False", "OwnershipConflict"), "nobody has adopted the role mapping before"
    agree(stage, ROLE, hash_in(message(stage)))
    await stage.quiet()
    assert stage.ready("orders") == ("True", "InSync")
    assert [(one["name"], one["kind"]) for one in adopted(stage)] == [(ROLE, "role"), (ROLE, "role mapping")]
    stage.elasticsearch.write_mapping(ROLE, FOREIGN_MAPPING)
    stage.annotate(access_key("orders"), ANNOTATION_RECONCILE, "again")
    await stage.quiet()
    assert stage.ready("orders") == ("False", "ControllersFight")
