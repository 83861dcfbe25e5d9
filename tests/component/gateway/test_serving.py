"""A caller is served as soon as its own role and user exist, and the gateway waits for nobody's."""

import asyncio
from collections.abc import Sequence

import pytest

from searchaccess.core.gateway.objects import LISTENERS
from searchaccess.core.gateway.users import NativeUser
from searchaccess.engine.rights import reconcile
from searchaccess.ports.elasticsearch import Written
from searchaccess.ports.errors import PermissionDenied, Unreachable
from tests.component.gateway.common import PLACE, begin, gateway, secret_user
from tests.support.failures.faults import Call
from tests.support.loop.stage import OPERATOR, Stage, on_stage, search_cluster
from tests.support.worlds.world import access, account, grant

COUNT = 12
CHUNK = 4


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "CHUNK", CHUNK)


def many() -> list[dict[str, object]]:
    return [access(f"a-{number:02d}", grant("orders-*")) for number in range(COUNT)]


def written(stage: Stage) -> list[Call]:
    """Return the writes of roles and users of callers, in order."""
    return [call for call in stage.faults.writes if call.method in {"put_roles", "put_user"} and "@" in call.names[0]]


@on_stage
async def test_users_follow_their_roles_and_wait_for_no_others(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.apply(*many())
    await stage.quiet()
    names = [OPERATOR.role_name(account(f"a-{number:02d}")) for number in range(COUNT)]
    calls = written(stage)
    assert [call.method for call in calls] == (["put_roles"] + ["put_user"] * CHUNK) * (COUNT // CHUNK)
    chunks = [tuple(names[start : start + CHUNK]) for start in range(0, COUNT, CHUNK)]
    assert [call.names for call in calls if call.method == "put_roles"] == chunks
    assert sorted(call.names for call in calls if call.method == "put_user") == [(name,) for name in names]
    assert stage.ready("a-00") == ("True", "InSync")


@on_stage
async def test_a_start_writes_each_new_user_once(stage: Stage) -> None:
    stage.runs_gateways = True
    await stage.stop()
    stage.apply(*many())
    stage.start()
    await begin(stage, "pod-a")
    users = [call.names for call in written(stage) if call.method == "put_user"]
    assert len(users) == len(set(users)) == COUNT
    await stage.sleep(700)
    assert stage.notes("prod").count("PasswordsReset") == 0


@on_stage
async def test_a_user_that_is_refused_is_reported_and_delays_no_other(stage: Stage) -> None:
    await begin(stage, "pod-a")
    refused, server = OPERATOR.role_name(account("a-02")), stage.elasticsearch
    put = server._put_native_user

    def refuse(user: NativeUser) -> None:
        if user.name == refused:
            raise PermissionDenied("not this one")
        put(user)

    server._put_native_user = refuse  # type: ignore[method-assign]
    stage.apply(*many())
    await stage.sleep(20)
    assert stage.ready("a-02") == ("False", "PermissionDenied")
    assert {stage.ready(f"a-{number:02d}")[0] for number in range(COUNT) if number != 2} == {"True"}
    server._put_native_user = put  # type: ignore[method-assign]
    await stage.sleep(120)
    assert stage.ready("a-02") == ("True", "InSync")


@on_stage
async def test_who_has_no_user_yet_is_not_reported_as_in_place(stage: Stage) -> None:
    await begin(stage, "pod-a")
    stage.faults.fail("elasticsearch", Unreachable("no answer"), "put_user")
    stage.apply(*many())
    await stage.sleep(5)
    assert {stage.ready(f"a-{number:02d}")[0] for number in range(COUNT)}.isdisjoint({"True"})
    stage.faults.heal("elasticsearch")
    await stage.quiet()
    assert {stage.ready(f"a-{number:02d}") for number in range(COUNT)} == {("True", "InSync")}


@on_stage
async def test_the_gateway_is_written_and_its_pods_asked_while_users_are_written(stage: Stage) -> None:
    await begin(stage, "pod-a")
    await slow_users(stage)
    stage.apply(*many(), access("limited", grant("orders-*"), limits={"requestsPerSecond": 5}))
    await stage.sleep(3 * SECONDS)
    assert len(stage.elasticsearch.users_now) < COUNT
    assert account("limited") in stage.gateways.objects[PLACE.config].data[LISTENERS]
    await stage.sleep(COUNT * SECONDS + 60)
    assert {stage.ready(f"a-{number:02d}") for number in range(COUNT)} == {("True", "InSync")}
    assert stage.ready("limited") == ("True", "InSync")


@on_stage
async def test_a_new_gateway_does_not_wait_for_users(stage: Stage) -> None:
    stage.runs_gateways = True
    await stage.restart()
    stage.gateways.run(PLACE, "pod-a")
    await slow_users(stage)
    stage.apply(*many(), search_cluster(identity={"gateway": gateway()}))
    await stage.sleep(4 * SECONDS)
    assert 0 < len(stage.elasticsearch.users_now) < COUNT
    assert secret_user(stage)
    assert PLACE.config in stage.gateways.objects


SECONDS = 2.0
"""How long a user takes."""


async def slow_users(stage: Stage) -> None:
    """Let Elasticsearch take its time for each user of a caller."""
    put = stage.elasticsearch.put_users

    async def slowly(users: Sequence[NativeUser]) -> Written:
        written = Written()
        for user in users:
            await asyncio.sleep(SECONDS)
            written.add(await put([user]))
        return written

    stage.elasticsearch.put_users = slowly  # type: ignore[method-assign]
