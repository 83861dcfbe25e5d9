"""What a namespace may not name: it learns nothing of a workload, or of a secret, by naming it."""

import json
from typing import Any

import pytest

from searchaccess.ports.errors import Unreachable
from searchaccess.ports.stores import Place
from tests.component.common import begin
from tests.component.credentials.common import STORES, store, with_key
from tests.component.identities.common import OLD, SERVICE, by_sub, declared, have_roles, identity, resolved, subject
from tests.component.policies.test_policies import ONLY_LOGS, REFUSED, change, policy, policy_key
from tests.support.loop.stage import Stage, on_stage
from tests.support.memory.elasticsearch import SIDE
from tests.support.servers.googlestate import PROJECT, a_workload
from tests.support.worlds.world import access, account, condition_in, grant

OWN: dict[str, Any] = {"subjects": [{"projects": ["acme-{namespace}-own"]}]}
"""The workloads of the tests are of another project."""
BY_ACCOUNT: dict[str, Any] = {"subjects": [{"serviceAccounts": ["{namespace}-*@*"]}]}
NEIGHBOUR = a_workload("neighbour")
BANKS = Place("bank", "bank-orders")


def deploy(stage: Stage) -> str:
    """Deploy a workload, and another one that runs as the same account; return its revision."""
    stage.google.state.deploy(NEIGHBOUR, OLD)
    return stage.google.state.deploy(SERVICE, OLD)


def told(stage: Stage, name: str = "orders") -> str:
    """Return all that somebody who reads the namespace can see."""
    return json.dumps(stage.get(name)["status"]) + "".join(stage.notes(name))


REFUSING: dict[str, list[dict[str, Any]]] = {
    "by its project": [policy(**OWN)],
    "by its account": [policy(**BY_ACCOUNT)],
    "by a policy that keeps rights": [policy(onViolation="Keep", **OWN)],
    "by a fourth policy, whose reasons are not shown": [
        *[policy(f"a-{number}", **ONLY_LOGS) for number in range(3)],
        policy("z", **OWN),
    ],
    "by a policy that cannot be read": [policy(allow=[{"indices": ["/(/"], "can": ["read"]}])],
}


@pytest.mark.parametrize("key", [False, True], ids=["token", "key"])
@pytest.mark.parametrize("case", REFUSING)
def test_who_may_not_name_a_workload_learns_nothing_of_it(case: str, *, key: bool) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        revision = deploy(stage)
        more = {"auth": "ApiKey", "credential": with_key()["spec"]["credential"]} if key else {}
        await begin(stage, *REFUSING[case], declared(**more), secretStores=STORES)
        await stage.sleep(30)
        assert stage.ready("orders") == REFUSED
        assert not have_roles(stage)
        assert stage.get("orders")["status"]["subject"].startswith("orders."), "what was written is there"
        for secret in (OLD, stage.google.state.accounts[OLD], revision, NEIGHBOUR.name):
            assert secret not in told(stage)
        assert not condition_in(stage.get("orders"), "IdentityResolved")

    play()


def test_nor_whether_there_is_one() -> None:
    answers = []
    for exists in (False, True):

        @on_stage
        async def play(stage: Stage, exists: bool = exists) -> None:  # noqa: FBT001 - by the loop
            if exists:
                deploy(stage)
            await begin(stage, policy(**OWN), declared())
            answers.append(told(stage))

        play()
    assert answers[0] == answers[1]


@on_stage
async def test_nor_the_id_of_an_account(stage: Stage) -> None:
    number = stage.google.state.add_account(OLD)
    stage.apply(policy(**OWN), by_sub(), access("orders", grant("orders-*"), principal=OLD))
    await stage.quiet()
    assert stage.ready("orders") == REFUSED
    assert number not in told(stage)


@on_stage
async def test_where_a_searchcluster_wants_a_policy_nothing_is_told_without_one(stage: Stage) -> None:
    deploy(stage)
    await begin(stage, declared(), policies={"unmatched": "Deny"})
    assert stage.ready("orders") == REFUSED
    assert OLD not in told(stage)


@on_stage
async def test_what_was_told_is_taken_back_with_the_rights_and_told_again_with_them(stage: Stage) -> None:
    deploy(stage)
    await begin(stage, policy(subjects=[{"projects": [PROJECT]}]), declared())
    assert have_roles(stage) == {OLD}
    assert identity(stage)["serviceAccount"] == OLD
    change(stage, OWN)
    await stage.quiet()
    assert not have_roles(stage)
    assert OLD not in json.dumps(stage.get("orders")["status"])
    await stage.restart()
    await stage.quiet()
    assert OLD not in json.dumps(stage.get("orders")["status"])
    stage.kubernetes.delete(policy_key())
    await stage.quiet()
    assert have_roles(stage) == {OLD}
    assert identity(stage)["serviceAccount"] == OLD
    assert resolved(stage)[0] == "True"


@on_stage
async def test_who_keeps_rights_is_still_named(stage: Stage) -> None:
    deploy(stage)
    await begin(stage, declared())
    stage.apply(policy(onViolation="Keep", **OWN))
    await stage.quiet()
    assert stage.ready("orders") == REFUSED
    assert have_roles(stage) == {OLD}
    assert identity(stage)["serviceAccount"] == OLD


@on_stage
async def test_rights_that_stay_are_no_way_to_ask_about_another_workload(stage: Stage) -> None:
    foreign = account("foreign")
    other = a_workload("other")
    stage.google.state.deploy(other, foreign)
    deploy(stage)
    own: dict[str, Any] = {"subjects": [{"projects": [PROJECT], "serviceAccounts": [OLD]}]}
    await begin(stage, policy(onViolation="Keep", **own), declared())
    assert have_roles(stage) == {OLD}
    stage.amend("orders", subject=subject(other))
    await stage.sleep(60)
    assert stage.ready("orders") == REFUSED
    assert have_roles(stage) == {OLD}, "they stay"
    assert foreign not in told(stage)


@on_stage
async def test_it_is_named_until_its_rights_are_gone(stage: Stage) -> None:
    deploy(stage)
    await begin(stage, declared())
    stage.faults.fail(SIDE, Unreachable("away"))
    stage.apply(policy(**OWN))
    await stage.sleep(30)
    assert have_roles(stage) == {OLD}
    assert identity(stage)["serviceAccount"] == OLD, "it has rights still"
    stage.faults.heal(SIDE)
    await stage.sleep(120)
    assert not have_roles(stage)
    assert OLD not in json.dumps(stage.get("orders")["status"])


@on_stage
async def test_what_is_refused_for_its_grants_alone_is_told_who_it_is(stage: Stage) -> None:
    deploy(stage)
    await begin(stage, policy(subjects=[{"projects": [PROJECT]}], **ONLY_LOGS), declared())
    assert stage.ready("orders") == REFUSED
    assert identity(stage)["serviceAccount"] == OLD


def asks_for_banks(name: str, namespace: str) -> dict[str, Any]:
    raw = with_key(name, credential={"name": "bank-orders"})
    raw["metadata"]["namespace"] = namespace
    return raw


SECRETS = policy(limits={"secretNames": ["{namespace}-*"]})


@on_stage
async def test_a_secret_of_another_namespace_is_not_taken(stage: Stage) -> None:
    own = with_key("own", credential={"name": "shop-orders"})
    await begin(stage, SECRETS, asks_for_banks("squatter", "shop"), own, secretStores=STORES)
    assert stage.ready("squatter") == REFUSED
    said = condition_in(stage.get("squatter"), "Ready")["message"]
    assert said == "SearchAccessPolicy limits: credential.name: bank-orders is not accepted: write shop-*"
    assert stage.ready("own") == ("True", "InSync")
    assert {place.name for place in store(stage).kept} == {"shop-orders"}
    calls = [call for call in stage.faults.calls if call.side == "store" and "bank-orders" in call.names]
    assert {call.method for call in calls} <= {"find"}, "neither read nor written"
    stage.apply(asks_for_banks("orders", "bank"))
    await stage.quiet()
    assert store(stage).newest(BANKS), "its name was not taken by the other"


def test_nobody_learns_whether_there_is_a_secret_of_another_namespace() -> None:
    answers = []
    for value in ("", "there is one"):

        @on_stage
        async def play(stage: Stage, value: str = value) -> None:
            await begin(stage, SECRETS, with_key("own", credential={"name": "shop-own"}), secretStores=STORES)
            if value:
                # As in a store outside of Kubernetes, which knows no namespaces.
                store(stage).put(Place("shop", "bank-orders"), value, owner="of-the-bank")
            stage.apply(asks_for_banks("orders", "shop"))
            await stage.quiet()
            assert stage.ready("orders") == REFUSED
            answers.append(told(stage))

        play()
    assert answers[0] == answers[1]
