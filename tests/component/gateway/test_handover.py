"""A SearchCluster is renamed: the new one takes the gateway over, and its pods notice nothing."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from searchaccess.core.gateway.objects import CLUSTER, CLUSTER_UID, LISTENERS
from searchaccess.ports.errors import NamespaceEnds, PermissionDenied
from tests.component.common import ORDERS, ROLE
from tests.component.gateway.common import NAMES, PLACE, begin, gateway, secret_user, users
from tests.support.failures.faults import Call, Fault
from tests.support.loop.stage import CLUSTER_KEY, Stage, on_stage, search_cluster
from tests.support.memory.gateways import SIDE
from tests.support.worlds.world import access, condition_in, grant

YOUNGER = "younger"


def seen_by_pods(stage: Stage) -> dict[str, Mapping[str, str]]:
    """Return what pods mount."""
    return {str(target): dict(stored.data) for target, stored in stage.gateways.objects.items()}


async def renamed(stage: Stage, **spec: Any) -> None:
    """Have a limited caller; then rename the SearchCluster step by step, up to its deletion."""
    await begin(stage, "pod-a")
    stage.apply(access("orders", grant("orders-*"), limits={"requestsPerSecond": 5}))
    await stage.sleep(60)
    assert stage.ready("orders") == ("True", "InSync")
    stage.apply(search_cluster(YOUNGER, identity={"gateway": gateway(replicas=1, **spec)}))
    await stage.quiet()
    assert stage.cluster_ready(YOUNGER) == ("False", "DuplicateCluster")
    stage.amend("orders", cluster=YOUNGER)
    await stage.quiet()


@on_stage
async def test_pods_and_logins_stay_as_they_are(stage: Stage) -> None:
    await renamed(stage)
    before, user, login = seen_by_pods(stage), stage.elasticsearch.users_now[ROLE], secret_user(stage)
    password = stage.elasticsearch.passwords[login]
    gone: list[str] = []
    stage.faults.on_call = lambda call: gone.extend(call.names if "delete" in call.method else ())
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.sleep(600)
    assert stage.cluster() == {}
    assert stage.cluster_ready(YOUNGER) == ("True", "InSync")
    assert stage.ready("orders") == ("True", "InSync")
    assert seen_by_pods(stage) == before
    assert (secret_user(stage), stage.elasticsearch.passwords[login]) == (login, password)
    assert stage.elasticsearch.users_now[ROLE] == user
    assert gone == []
    found = stage.cluster(YOUNGER)
    assert condition_in(found, "GatewayInSync")["status"] == "True"
    assert not (found["status"].get("drift") or {}).get("corrected")
    assert stage.notes(YOUNGER).count("GatewayLoginRotated") == 0


@on_stage
async def test_everything_says_whose_it_is_afterwards(stage: Stage) -> None:
    await renamed(stage)
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.sleep(600)
    for stored in stage.gateways.objects.values():
        assert stored.observed.annotations[CLUSTER] == YOUNGER
        assert stored.observed.annotations[CLUSTER_UID]
    server = stage.elasticsearch
    for raw in (server.roles_now[NAMES.role], *(server.users_now[name] for name in users(stage))):
        assert raw["metadata"]["gateway"]["cluster"] == YOUNGER
        assert "heir" not in raw["metadata"]["gateway"]
    stage.delete("orders")
    await stage.quiet()
    stage.kubernetes.delete((*CLUSTER_KEY[:-1], YOUNGER))
    await stage.sleep(60)
    assert stage.gateways.objects == {}
    assert users(stage) == set()
    assert NAMES.role not in server.roles_now


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
@pytest.mark.parametrize("number", range(8))
def test_it_may_be_interrupted_anywhere(number: int, fault: Fault) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await renamed(stage)
        login = secret_user(stage)
        stage.faults.at_write(number, fault)
        stage.kubernetes.delete(CLUSTER_KEY)
        await stage.sleep(30)
        await stage.restart()
        await stage.sleep(600)
        assert stage.cluster() == {}
        assert stage.cluster_ready(YOUNGER) == ("True", "InSync")
        assert secret_user(stage) == login
        assert stage.gateways.objects[PLACE.config].observed.annotations[CLUSTER] == YOUNGER
        assert ORDERS in stage.gateways.objects[PLACE.config].data[LISTENERS]

    play()


@on_stage
async def test_what_cannot_be_handed_over_is_kept_and_told(stage: Stage) -> None:
    await renamed(stage)
    stage.faults.fail(SIDE, PermissionDenied("secrets is forbidden"), "mark")
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.sleep(60)
    assert stage.cluster_ready() == ("False", "PermissionDenied")
    assert secret_user(stage)
    stage.faults.heal(SIDE)
    await stage.sleep(300)
    assert stage.cluster() == {}
    assert secret_user(stage)


@on_stage
async def test_a_heir_that_goes_first_leaves_nothing_behind(stage: Stage) -> None:
    await renamed(stage)
    stage.amend("orders", cluster="prod")
    await stage.quiet()
    stage.faults.fail(SIDE, PermissionDenied("secrets is forbidden"), "mark")
    stage.kubernetes.delete(CLUSTER_KEY)
    stage.kubernetes.delete((*CLUSTER_KEY[:-1], YOUNGER))
    stage.delete("orders")
    await stage.sleep(60)
    stage.faults.heal(SIDE)
    await stage.sleep(300)
    assert stage.gateways.objects == {}
    assert users(stage) == set()


@on_stage
async def test_a_gateway_at_another_place_is_not_handed_over(stage: Stage) -> None:
    await renamed(stage, namespace="elsewhere")
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.sleep(600)
    assert stage.cluster() == {}
    assert {target.namespace for target in stage.gateways.objects} == {"elsewhere"}


@on_stage
async def test_a_namespace_that_ends_holds_up_no_rename(stage: Stage) -> None:
    await renamed(stage)
    stage.gateways.objects.clear()
    stage.faults.fail(SIDE, NamespaceEnds("the namespace gateways is being deleted"), "read")
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.sleep(120)
    assert stage.cluster() == {}
    assert stage.elasticsearch.users_now[ROLE]


@on_stage
async def test_a_login_that_somebody_disabled_is_replaced_and_works_no_more(stage: Stage) -> None:
    await renamed(stage)
    login = secret_user(stage)
    password = stage.elasticsearch.passwords[login]
    stage.faults.fail(SIDE, PermissionDenied("secrets is forbidden"), "mark")
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.sleep(30)
    stage.elasticsearch.users_now[login]["enabled"] = False
    worked: list[str] = []

    def look(_call: Call) -> None:
        known = stage.elasticsearch.users_now.get(login)
        if known and known["enabled"] and stage.elasticsearch.passwords.get(login) == password:
            worked.append(login)

    stage.faults.on_call = look
    stage.faults.heal(SIDE)
    await stage.sleep(600)
    assert worked == []
    assert stage.cluster() == {}
    assert secret_user(stage)
    assert stage.cluster_ready(YOUNGER) == ("True", "InSync")


@on_stage
async def test_a_heir_whose_spec_cannot_be_read_is_waited_for(stage: Stage) -> None:
    await renamed(stage)
    login = secret_user(stage)
    heir = (*CLUSTER_KEY[:-1], YOUNGER)
    stage.kubernetes.change(heir, lambda raw: raw["spec"].update(adoption="?"))
    await stage.quiet()
    assert stage.cluster_ready(YOUNGER) == ("False", "InvalidSpec")
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.sleep(60)
    assert secret_user(stage) == login
    assert stage.cluster_ready() == ("False", "InUse")
    stage.kubernetes.change(heir, lambda raw: raw["spec"].pop("adoption"))
    await stage.sleep(600)
    assert stage.cluster() == {}
    assert secret_user(stage) == login
    assert stage.cluster_ready(YOUNGER) == ("True", "InSync")


@on_stage
async def test_one_that_waits_for_its_users_does_so_quietly(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(access("orders", grant("orders-*")))
    await stage.quiet()
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.sleep(120)
    assert stage.cluster_ready() == ("False", "InUse")
    before = len(stage.faults.calls)
    await asyncio.sleep(60)
    assert len(stage.faults.calls) - before < 100
    assert secret_user(stage)
