"""State in, state out: another subject, or another kind of login. Whoever had the rights keeps them until then."""

from typing import Any

import pytest

from tests.component.credentials.common import READY, live, read, with_key, with_password
from tests.component.moves.common import ORDERS, begin, held, held_message, names_in, no_gap, old
from tests.support.failures.faults import Fault
from tests.support.loop.stage import OPERATOR, Stage, access_key, on_stage
from tests.support.runs.effort import places
from tests.support.servers.googlestate import LOCATION, PROJECT, a_workload
from tests.support.worlds.world import access, account, condition_in, grant

HEIR = account("heir")
TOKENS: dict[str, Any] = {"auth": "IdentityToken", "credential": None}


def service(name: str) -> dict[str, Any]:
    return {"cloudRunService": {"project": PROJECT, "location": LOCATION, "name": name}}


def orders(**spec: Any) -> dict[str, Any]:
    return access("orders", grant("orders-*"), **spec)


def set_spec(stage: Stage, **spec: Any) -> None:
    def change(raw: dict[str, Any]) -> None:
        raw["spec"] = {key: value for key, value in (raw["spec"] | spec).items() if value is not None}

    stage.kubernetes.change(access_key("orders"), change)


# A subject that is not there


@pytest.mark.parametrize("restart", [False, True])
def test_a_service_that_does_not_exist_leaves_the_rights_with_the_account_of_before(*, restart: bool) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, orders())
        set_spec(stage, subject=service("ordres"))
        await stage.sleep(20)
        if restart:
            await stage.restart()
        await stage.sleep(3600)
        assert names_in(old(stage)) == {"orders-*"}
        assert stage.ready("orders") == ("False", "ServiceNotFound")
        assert held(stage) == ("True", "ServiceNotFound")
        assert f"{ORDERS} keeps the rights" in held_message(stage)
        assert condition_in(stage.get("orders"), "Held")["lastTransitionTime"] < stage.clock.now()
        stage.google.state.deploy(a_workload("ordres"), HEIR)
        await stage.sleep(700)
        assert stage.ready("orders") == READY
        assert names_in(old(stage), HEIR) == {"orders-*"}
        assert not names_in(old(stage))
        assert held(stage) == ("", "")

    play()


@on_stage
async def test_a_service_that_ends_loses_its_own_rights_all_the_same(stage: Stage) -> None:
    stage.google.state.deploy(a_workload("orders"), ORDERS)
    await begin(stage, orders(subject=service("orders")))
    assert names_in(old(stage)) == {"orders-*"}
    stage.google.state.workloads.clear()
    await stage.sleep(7200)
    await stage.quiet()
    assert not names_in(old(stage))
    assert held(stage) == ("", "")


@on_stage
async def test_one_that_is_deleted_while_it_is_held_takes_the_rights_along(stage: Stage) -> None:
    await begin(stage, orders())
    set_spec(stage, subject=service("ordres"))
    await stage.sleep(1000)
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")
    assert not old(stage).roles_now


# Another account


@on_stage
async def test_another_account_takes_over_without_a_gap(stage: Stage) -> None:
    await begin(stage, orders(), access("other", grant("other-*"), principal=ORDERS))
    async with no_gap(stage, ORDERS, HEIR):
        set_spec(stage, subject={"serviceAccount": HEIR})
        await stage.quiet()
    assert names_in(old(stage), HEIR) == {"orders-*"}
    assert names_in(old(stage)) == {"other-*"}
    assert stage.ready("orders") == READY
    stage.check()


@on_stage
async def test_an_account_whose_role_is_somebody_elses_leaves_it_with_the_one_before(stage: Stage) -> None:
    foreign = {"indices": [{"names": ["x"], "privileges": ["all"]}], "metadata": {"made_by": "hand"}}
    stage.elasticsearch.write_role(OPERATOR.role_name(HEIR), foreign)
    await begin(stage, orders())
    set_spec(stage, subject={"serviceAccount": HEIR})
    await stage.sleep(700)
    assert stage.ready("orders") == ("False", "OwnershipConflict")
    assert names_in(old(stage)) == {"orders-*"}
    assert held(stage) == ("True", "OwnershipConflict")
    stage.elasticsearch.remove_role(OPERATOR.role_name(HEIR))
    await stage.quiet()
    assert stage.ready("orders") == READY
    assert not names_in(old(stage))


@on_stage
async def test_a_change_that_is_refused_leaves_it_with_the_one_before(stage: Stage) -> None:
    await begin(stage, orders())
    set_spec(stage, subject={"serviceAccount": HEIR}, grants=[grant("a", where={"nonsense": {}})])
    await stage.sleep(700)
    if stage.ready("orders") != READY:
        assert names_in(old(stage)) == {"orders-*"}


# Another kind of login


@pytest.mark.parametrize("make", [with_key, with_password], ids=["key", "user"])
def test_a_key_instead_of_a_token(make: Any) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, orders())
        set_spec(stage, **{field: make()["spec"][field] for field in ("auth", "credential")})
        await stage.quiet()
        assert stage.ready("orders") == READY
        assert not old(stage).roles_now or make is with_password
        assert not names_in(old(stage))
        assert live(stage) or stage.elasticsearch.users_now

    play()


@on_stage
async def test_the_role_stays_until_the_key_can_be_read(stage: Stage) -> None:
    await begin(stage, orders())
    set_spec(stage, auth="ApiKey", credential={"store": "nowhere", "name": "orders-elasticsearch"})
    await stage.sleep(700)
    assert stage.ready("orders") == ("False", "StoreNotFound")
    assert names_in(old(stage)) == {"orders-*"}
    assert held(stage) == ("True", "StoreNotFound")
    set_spec(stage, credential={"store": "main", "name": "orders-elasticsearch"})
    await stage.quiet()
    assert stage.ready("orders") == READY
    assert read(stage)
    assert not names_in(old(stage))


@on_stage
async def test_the_key_stays_until_the_role_is_there(stage: Stage) -> None:
    await begin(stage, with_key())
    before = read(stage)
    set_spec(stage, subject=service("nowhere"), **TOKENS)
    await stage.sleep(1000)
    assert stage.ready("orders") == ("False", "ServiceNotFound")
    assert [key["id"] for key in live(stage)] == [before]
    assert read(stage) == before
    assert held(stage) == ("True", "ServiceNotFound")
    set_spec(stage, subject={"serviceAccount": ORDERS})
    await stage.quiet()
    assert stage.ready("orders") == READY
    assert not live(stage)
    assert names_in(old(stage)) == {"orders-*"}


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("number", places(6))
def test_interrupted_anywhere_each_change_comes_to_its_end(number: int, fault: Fault) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, orders())
        changes: list[dict[str, Any]] = [
            {"subject": {"serviceAccount": HEIR}},
            {field: with_key()["spec"][field] for field in ("auth", "credential")},
            TOKENS,
        ]
        for change in changes:
            stage.faults.at_write(number, fault)
            set_spec(stage, **change)
            await stage.sleep(60)
            await stage.quiet()
            assert stage.ready("orders") == READY
            assert held(stage) == ("", "")
            assert bool(live(stage)) != bool(names_in(old(stage), HEIR))
            assert not names_in(old(stage))

    play()
