"""A Kubernetes cluster rebuilt from git, and another instance: what they left is reported, and goes by one decision."""

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from searchaccess.core.rights.ownership import Operator
from searchaccess.ports.errors import Unreachable
from tests.component.common import FORMER, MAPPING, ORPHANS, after_each_call, begin, drift, former_installation, granted
from tests.component.rights.ownership.releasing import allow, listed, orphan
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, access_key, on_stage, search_cluster
from tests.support.memory.elasticsearch import SIDE as ELASTICSEARCH
from tests.support.memory.kubernetes import CONTROLLER
from tests.support.memory.kubernetes import SIDE as KUBERNETES
from tests.support.worlds.world import access, account, condition_in, grant

ANOTHER: Final = Operator("blue", CONTROLLER)
NAMES: Final = ("orders", "billing", "search")
DECISION: Final = [{"controller": FORMER.controller}]
GIVEN_UP: Final = [{"controller": CONTROLLER, "instance": "blue"}]


def declared(*names: str) -> list[dict[str, Any]]:
    return [access(name, grant(f"{name}-*")) for name in names or NAMES]


async def live_before(
    stage: Stage, operator: Operator, *objects: dict[str, Any], leaves: str = "", **spec: Any
) -> None:
    """Have another installation of the operator write its roles and its role mapping into the stage's Elasticsearch.

    Args:
        stage: the stage.
        operator: the other installation.
        objects: what is declared there; by default what is here.
        leaves: name of a SearchAccess that is deleted there in the end.
        spec: of its SearchCluster.
    """
    left = await former_installation(stage, operator, search_cluster(**spec), *(objects or declared()), leaves=leaves)
    for name, raw in left.roles_now.items():
        stage.elasticsearch.write_role(name, raw)
    for name, raw in left.mappings_now.items():
        stage.elasticsearch.write_mapping(name, raw)


def decide(stage: Stage, take_over: list[dict[str, str]]) -> None:
    """Let a person write the decision into the SearchCluster."""
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(takeOver=take_over))


def may(stage: Stage, principal: str, index: str) -> bool:
    """Say whether a caller gets rights on an index by the role mappings and roles that there are."""
    server = stage.elasticsearch
    enabled = [raw for raw in server.mappings_now.values() if raw.get("enabled")]
    templates = [template["template"] for raw in enabled for template in raw.get("role_templates", [])]
    names = [str(item).partition('source":"')[2].partition('"')[0] for item in templates]
    names += [name for raw in enabled if principal in str(raw["rules"]) for name in raw.get("roles", [])]
    roles = [server.roles_now.get(name.replace("{{username}}", principal), {}) for name in names]
    return any(index in entry["names"] for role in roles for entry in role.get("indices", []))


@asynccontextmanager
async def nobody_refused(stage: Stage, *names: str) -> AsyncIterator[None]:
    """Check all the time that callers have what is declared."""
    refused: list[str] = []

    def check() -> None:
        refused.extend(name for name in names if not may(stage, account(name), f"{name}-*"))

    with after_each_call(stage, check):
        yield
    assert refused == []


def others(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.cluster()["status"].get("others", [])
    return found


def message(stage: Stage) -> str:
    return str(condition_in(stage.cluster(), "OthersPresent").get("message", ""))


def stamps(stage: Stage) -> set[str]:
    """Return the controllers of all roles and role mappings."""
    server = stage.elasticsearch
    return {raw["metadata"]["controller"] for raw in (*server.roles_now.values(), *server.mappings_now.values())}


def test_the_watch_over_callers_notices_a_refused_one() -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, *declared())
        assert may(stage, account("orders"), "orders-*")
        assert not may(stage, account("orders"), "billing-*")
        stage.elasticsearch.remove_mapping(MAPPING)
        assert not may(stage, account("orders"), "orders-*")

    play()


@on_stage
async def test_a_rebuilt_kubernetes_cluster_takes_everything_over_with_one_decision(stage: Stage) -> None:
    await live_before(stage, FORMER)
    await begin(stage, *declared())
    assert stage.cluster_ready() == ("False", "OwnershipConflict")
    assert {stage.ready(name) for name in NAMES} == {("False", "OwnershipConflict")}
    assert stamps(stage) == {FORMER.controller}
    [other] = others(stage)
    assert (other["controller"], other["roles"], other["mappings"], other["undeclared"]) == (
        FORMER.controller,
        3,
        1,
        0,
    )
    assert f"spec.takeOver: [{{controller: {FORMER.controller}}}]" in message(stage)
    async with nobody_refused(stage, *NAMES):
        decide(stage, DECISION)
        await stage.quiet()
    stage.check()
    assert stamps(stage) == {CONTROLLER}
    assert others(stage) == []
    assert message(stage) == ""
    assert stage.cluster_ready() == ("True", "InSync")
    for name in NAMES:
        assert stage.get(name)["status"].get("drift", {}).get("detected", 0) == 0, "nobody changed anything"


@pytest.mark.parametrize("operator", [FORMER, ANOTHER])
@pytest.mark.parametrize("now", ["RoleTemplate", "PerPrincipal"])
@pytest.mark.parametrize("before", ["RoleTemplate", "PerPrincipal"])
def test_each_kind_of_role_mapping_is_taken_over(operator: Operator, before: str, now: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await live_before(stage, operator, mapping=before)
        stage.apply(search_cluster(mapping=now), *declared())
        await stage.quiet()
        decision = {"controller": operator.controller, "instance": operator.instance}
        async with nobody_refused(stage, *NAMES):
            decide(stage, [decision])
            await stage.quiet()
        assert {stage.ready(name) for name in NAMES} == {("True", "InSync")}
        assert stamps(stage) == {CONTROLLER}
        server = stage.elasticsearch
        assert not [name for name in (*server.roles_now, *server.mappings_now) if not OPERATOR.owns_name(name)]
        assert others(stage) == []

    play()


@on_stage
async def test_what_a_former_installation_left_and_nobody_declares_goes_with_the_decision(stage: Stage) -> None:
    await live_before(stage, FORMER)
    await begin(stage, *declared("orders", "billing"))
    [other] = others(stage)
    assert other["undeclared"] == 1
    assert "1 of the roles for principals that no SearchAccess here names" in message(stage)
    decide(stage, DECISION)
    await stage.quiet()
    stage.check()
    assert OPERATOR.role_name(account("search")) not in stage.elasticsearch.roles_now


@on_stage
async def test_the_decision_does_not_reach_another_controller(stage: Stage) -> None:
    await live_before(stage, FORMER)
    await begin(stage, *declared())
    decide(stage, [{"controller": "somebody-else"}])
    await stage.quiet()
    assert stamps(stage) == {FORMER.controller}
    assert stage.ready("orders") == ("False", "OwnershipConflict")


@on_stage
async def test_what_is_held_keeps_the_stamp_of_the_former_installation_and_is_still_reported(stage: Stage) -> None:
    await live_before(stage, FORMER)
    await begin(stage, *declared("orders", "billing"), access("search", grant("search-*"), mode="Observe"))
    async with nobody_refused(stage, *NAMES):
        decide(stage, DECISION)
        await stage.quiet()
    assert [other["roles"] for other in others(stage)] == [1]
    assert "spec.takeOver lists it" in message(stage)
    assert granted(stage, account("search")) == {"search-*"}


@on_stage
async def test_a_former_installation_that_restarts_meanwhile_costs_nobody_anything(stage: Stage) -> None:
    await live_before(stage, FORMER)
    await begin(stage, *declared())
    async with nobody_refused(stage, *NAMES):
        decide(stage, DECISION)
        await asyncio.sleep(0.3)
        await stage.restart()
        await stage.quiet()
    stage.check()


@on_stage
async def test_the_operator_itself_is_no_former_installation(stage: Stage) -> None:
    await begin(stage, *declared("orders"))
    for own in ({"controller": CONTROLLER}, {"controller": CONTROLLER, "instance": "default"}):
        decide(stage, [own])
        await stage.quiet()
        assert stage.cluster_ready() == ("False", "InvalidSpec")
        assert "is this operator itself" in condition_in(stage.cluster(), "Ready")["message"]
    decide(stage, [])
    await stage.quiet()
    stage.check()


@on_stage
async def test_another_instance_is_reported_and_removed_on_purpose(stage: Stage) -> None:
    await live_before(stage, ANOTHER)
    await begin(stage, *declared("orders", "billing"))
    stage.check()
    [other] = others(stage)
    assert (other["instance"], other["controller"], other["roles"], other["mappings"]) == ("blue", CONTROLLER, 3, 1)
    assert f"spec.takeOver: [{{controller: {CONTROLLER}, instance: blue}}]" in message(stage)
    assert stage.cluster_ready() == ("True", "InSync")
    assert may(stage, account("search"), "search-*"), "it stays in force"
    async with nobody_refused(stage, "orders", "billing"):
        decide(stage, GIVEN_UP)
        await stage.quiet()
    stage.check()
    assert others(stage) == []
    assert not [name for name in stage.elasticsearch.roles_now if name.startswith("searchaccess.blue")]
    assert list(stage.elasticsearch.mappings_now) == [MAPPING]


@on_stage
async def test_roles_of_another_instance_stay_until_ours_are_in_place(stage: Stage) -> None:
    await live_before(stage, ANOTHER)
    await begin(stage, *declared("orders"), access("billing", grant("billing-*"), suspend=True))
    async with nobody_refused(stage, "orders", "billing"):
        decide(stage, GIVEN_UP)
        await stage.quiet()
        blue = [name for name in stage.elasticsearch.roles_now if name.startswith("searchaccess.blue")]
        assert blue == [ANOTHER.role_name(account("billing"))]
        assert ANOTHER.mapping_name in stage.elasticsearch.mappings_now
        assert [other["roles"] for other in others(stage)] == [1]
        stage.kubernetes.change(access_key("billing"), lambda raw: raw["spec"].update(suspend=False))
        await stage.quiet()
        await asyncio.sleep(310)
    stage.check()
    assert others(stage) == []


@on_stage
async def test_nothing_of_another_instance_goes_while_a_subject_is_not_known(stage: Stage) -> None:
    await live_before(stage, ANOTHER)
    service = access("orders", grant("orders-*"))
    service["spec"]["subject"] = {"cloudRunService": {"project": "p", "location": "europe-west1", "name": "orders"}}
    await begin(stage, service)
    decide(stage, GIVEN_UP)
    await stage.quiet()
    assert may(stage, account("orders"), "orders-*")
    assert [other["roles"] for other in others(stage)] == [3]


@on_stage
async def test_objects_that_only_resemble_those_of_another_installation_are_left(stage: Stage) -> None:
    """The stamp counts with names of that installation alone: any other role that carries it is somebody's own."""
    await live_before(stage, ANOTHER)
    foreign = {"cluster": ["monitor"], "metadata": ANOTHER.stamp()}
    stage.elasticsearch.write_role("monitoring", foreign)
    stage.elasticsearch.write_mapping(
        "people", {"enabled": True, "roles": ["x"], "rules": {}, "metadata": ANOTHER.stamp()}
    )
    await begin(stage, *declared("orders"))
    decide(stage, GIVEN_UP)
    await stage.quiet()
    assert "monitoring" in stage.elasticsearch.roles_now
    assert sorted(stage.elasticsearch.mappings_now) == ["people", MAPPING]


@on_stage
async def test_a_former_installation_that_is_alive_after_all_is_reported_and_nobody_fights_with_it(
    stage: Stage,
) -> None:
    await live_before(stage, FORMER)
    before, mapping = copy.deepcopy(stage.elasticsearch.roles_now), stage.elasticsearch.mappings_now[MAPPING]
    await begin(stage, *declared("orders", "billing"))
    decide(stage, DECISION)
    await stage.quiet()
    stage.check()
    writes = len(stage.faults.writes)
    for _ in range(20):
        for name, raw in before.items():
            if stage.elasticsearch.roles_now.get(name, {}).get("metadata", {}).get("controller") != FORMER.controller:
                stage.elasticsearch.write_role(name, raw)
        stage.elasticsearch.write_mapping(MAPPING, mapping)
        await asyncio.sleep(1)
    await stage.quiet()
    later = stage.faults.writes[writes:]
    assert [call for call in later if call.side == ELASTICSEARCH] == [], "neither takes anything from the other"
    for name in ("orders", "billing"):
        assert stage.ready(name) == ("False", "ControllersFight")
    assert (
        f"controller {FORMER.controller} has written it again since: it still runs"
        in (condition_in(stage.get("orders"), "Ready")["message"])
    )
    assert [other["roles"] for other in others(stage)] == [3]
    await stage.restart()
    await stage.quiet()
    assert stage.ready("orders") == ("False", "ControllersFight")


@on_stage
async def test_a_role_mapping_of_a_former_installation_that_is_alive_is_stamped_once(stage: Stage) -> None:
    await live_before(stage, FORMER, mapping="PerPrincipal")
    await begin(stage, *declared(), mapping="PerPrincipal")
    name = OPERATOR.role_name(account("orders"))
    theirs = stage.elasticsearch.mappings_now[name]
    decide(stage, DECISION)
    await stage.quiet()
    assert stamps(stage) == {CONTROLLER}
    for _ in range(3):
        stage.elasticsearch.write_mapping(name, theirs)
        await stage.quiet()
        assert stage.elasticsearch.mappings_now[name] == theirs
    assert stage.ready("orders") == ("True", "InSync"), "it gives what ours would"
    assert [other["mappings"] for other in others(stage)] == [1]


def with_released() -> list[dict[str, Any]]:
    """Return a SearchAccess, and another one of its principal whose rights are to stay."""
    return [*declared("orders"), orphan()]


@pytest.mark.parametrize("at_once", [True, False])
def test_what_the_former_installation_released_stays_and_is_listed(*, at_once: bool) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await live_before(stage, FORMER, *with_released(), leaves="orphan", orphans=ORPHANS)
        assert granted(stage) == {"orders-*", "orphan-*"}
        async with nobody_refused(stage, "orders"):
            await begin(stage, *declared("orders"), **({"takeOver": DECISION} if at_once else {}))
            decide(stage, DECISION)
            await stage.quiet()
        assert stamps(stage) == {CONTROLLER}
        assert granted(stage) == {"orders-*", "orphan-*"}
        assert listed(stage) == [("/", "r orphan-*")]
        assert drift(stage)["detected"] == 0, "nobody changed anything"
        await stage.restart()
        await stage.reconcile_all()
        assert granted(stage) == {"orders-*", "orphan-*"}
        allow(stage, revoke=[{"role": OPERATOR.role_name(account("orders"))}])
        await stage.quiet()
        assert granted(stage) == {"orders-*"}
        assert listed(stage) == []
        assert stage.ready("orders") == ("True", "InSync")

    play()


@on_stage
async def test_a_role_is_taken_over_after_it_is_recorded_what_was_released_in_it(stage: Stage) -> None:
    await live_before(stage, FORMER, *with_released(), leaves="orphan", orphans=ORPHANS)
    await begin(stage, *declared("orders"))
    stage.faults.fail(KUBERNETES, Unreachable("down"), "replace_status")
    decide(stage, DECISION)
    await stage.sleep(60)
    assert stage.role(account("orders"))["metadata"]["controller"] == FORMER.controller
    await stage.restart()
    await stage.sleep(60)
    assert granted(stage) == {"orders-*", "orphan-*"}
    stage.faults.heal(KUBERNETES)
    await stage.quiet()
    assert listed(stage) == [("/", "r orphan-*")]
    assert stamps(stage) == {CONTROLLER}
    assert granted(stage) == {"orders-*", "orphan-*"}
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_what_was_released_of_a_former_installation_that_is_alive_is_released_once(stage: Stage) -> None:
    await live_before(stage, FORMER, *with_released(), leaves="orphan", orphans=ORPHANS)
    name = OPERATOR.role_name(account("orders"))
    theirs = stage.elasticsearch.roles_now[name]
    await begin(stage, takeOver=DECISION)
    assert stage.role(account("orders"))["metadata"]["released_by"]
    assert stage.cluster()["status"]["counts"]["roles"] == 0
    for _ in range(3):
        stage.elasticsearch.write_role(name, theirs)
        await stage.quiet()
        assert stage.elasticsearch.roles_now[name] == theirs, "neither takes anything from the other"
    assert [other["roles"] for other in others(stage)] == [1]
