"""Writes of the operator that were done and not answered reset no password loudly, and hide none that somebody set."""

import pytest

from searchaccess.ports.errors import Unreachable
from tests.component.common import ROLE
from tests.component.credentials.common import STORES, with_key
from tests.component.gateway.common import PLACE, begin, declare, users
from tests.component.rights.test_gateway import BILLS, MINE, SIDE, behind, user
from tests.component.rights.test_gateway_keys import resets
from tests.support.failures.faults import Call
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, on_stage
from tests.support.worlds.world import access, account, grant

LONG = 1500.0
"""Seconds in which a reset that had to wait takes place as well."""
NEW = [access(f"new-{number}", grant("new-*")) for number in range(4)]


def drifts(stage: Stage) -> int:
    """Return how often drift was reported on anything."""
    return sum(event.startswith("Drift") for name in ("prod", "orders", "bills") for event in stage.notes(name))


def loses(stage: Stage, method: str, nth: int = 0) -> list[Call]:
    """Lose the reply to the n-th write of a kind from now on; return that write when it is done."""
    lost, seen = list[Call](), list[Call]()

    def lose(call: Call) -> None:
        if call.side == SIDE and call.method == method and not lost:
            seen.append(call)
            if len(seen) > nth:
                lost.append(call)
                raise Unreachable("the reply was lost")

    stage.faults.on_call = lose
    return lost


def changes(stage: Stage, method: str) -> None:
    """Declare what needs a write of a kind."""
    if method in {"put_roles", "put_user"}:
        stage.apply(*NEW)
    elif method == "create_key":
        stage.apply(with_key("keyed"))
    else:
        stage.delete("bills")


async def changes_unanswered(stage: Stage, method: str, nth: int) -> list[Call]:
    """Declare something for which a write is not answered; the result has that write once it was made."""
    await behind(stage, MINE, BILLS, secretStores=STORES)
    await stage.sleep(30)
    lost = loses(stage, method, nth)
    changes(stage, method)
    return lost


EACH = [("put_roles", 0), ("put_user", 0), ("put_user", 3), ("delete_roles", 0), ("remove_user", 0), ("create_key", 0)]


@pytest.mark.parametrize(("method", "nth"), EACH)
def test_a_write_of_ours_that_was_not_answered_is_nobody_elses(method: str, nth: int) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        lost = await changes_unanswered(stage, method, nth)
        await stage.sleep(LONG)
        assert lost
        assert (resets(stage), drifts(stage)) == (0, 0)
        # Nothing of it explains a password that somebody sets later.
        stage.elasticsearch.set_password(ROLE)
        await stage.sleep(LONG)
        assert stage.elasticsearch.passwords == {}
        assert resets(stage) == 1

    play()


@pytest.mark.parametrize(("method", "nth"), [each for each in EACH if each != ("put_user", 0)])
def test_a_password_that_somebody_sets_meanwhile_is_reset_loudly(method: str, nth: int) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        lost = await changes_unanswered(stage, method, nth)
        while not lost:
            await stage.sleep(0.1)
        stage.elasticsearch.set_password(ROLE)
        await stage.sleep(LONG)
        assert stage.elasticsearch.passwords == {}
        assert resets(stage) == 1

    play()


@on_stage
async def test_a_password_is_reset_that_was_set_while_nothing_of_ours_arrived(stage: Stage) -> None:
    await behind(stage, MINE)
    await stage.sleep(30)
    stage.faults.fail(SIDE, Unreachable("no answer"), "put_user")
    stage.apply(*NEW)
    await stage.sleep(20)
    assert not user(stage, OPERATOR.role_name(account("new-0")))
    stage.elasticsearch.set_password(ROLE)
    stage.faults.heal(SIDE)
    await stage.sleep(LONG)
    assert stage.elasticsearch.passwords == {}, "it may have been one of those, so nobody is accused"


@on_stage
async def test_a_reset_whose_answers_are_lost_is_reported_once(stage: Stage) -> None:
    names = [f"new-{number}" for number in range(4)]
    await behind(stage, MINE, *NEW)
    await stage.sleep(30)
    stage.elasticsearch.set_password(ROLE)
    lost = loses(stage, "put_user", 2)
    await stage.sleep(LONG)
    assert lost
    assert stage.elasticsearch.passwords == {}
    assert resets(stage) == 1
    assert all(user(stage, OPERATOR.role_name(account(name))) for name in names)


@on_stage
async def test_a_user_whose_write_was_not_answered_gets_another_hash(stage: Stage) -> None:
    await behind(stage, MINE)
    await stage.sleep(30)
    lost = loses(stage, "put_user")
    stage.apply(BILLS)
    while not lost:
        await stage.sleep(0.1)
    before = len(stage.faults.writes)
    stage.elasticsearch.set_password(lost[0].names[0])
    await stage.sleep(10)
    assert stage.elasticsearch.passwords == {}
    again = next(call for call in stage.faults.writes[before:] if call.method == "put_user")
    assert again.names == lost[0].names


@pytest.mark.parametrize(("side", "method"), [("gateway", "write"), ("store", "find")])
def test_what_fails_elsewhere_explains_no_password_that_somebody_set(side: str, method: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, "pod-a")
        stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(secretStores=STORES))
        stage.apply(MINE, with_key("keyed"))
        await stage.sleep(30)
        stage.faults.fail(side, Unreachable("no answer"), method)
        declare(stage, limits={"requestsPerSecond": 7})
        stage.amend("keyed", grants=[grant("other-*")])
        await stage.sleep(LONG)
        stage.elasticsearch.set_password(ROLE)
        await stage.sleep(LONG)
        assert stage.elasticsearch.passwords.keys() == users(stage)
        assert resets(stage) == 1

    play()


@pytest.mark.parametrize("method", ["put_gateway_user", "replace_roles", "delete_user"])
def test_a_write_of_a_gateways_login_that_was_not_answered_is_nobody_elses(method: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, "pod-a")
        stage.apply(MINE)
        await stage.sleep(30)
        lost = loses(stage, method)
        if method == "replace_roles":
            declare(stage, iap={"audience": "/projects/1/global/backendServices/2", "allowPeople": ["a@example.com"]})
        else:
            del stage.gateways.objects[PLACE.login]
        await stage.sleep(LONG)
        assert lost
        assert resets(stage) == 0

    play()
