"""Changes of the cluster itself are reported within seconds, at the cost of few requests."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

import pytest

from searchaccess.engine.loop.schedule import CHECK_EVERY
from tests.component.common import begin
from tests.support.loop.clocks import EPOCH
from tests.support.loop.stage import Stage, on_stage, search_cluster
from tests.support.memory.elasticsearch import SIDE as ELASTICSEARCH
from tests.support.memory.elasticsearch import MemoryElasticsearch
from tests.support.worlds.world import access, condition_in, grant

NOTICED: Final = 15.0
"""Seconds."""
MINUTE: Final = 60.0

Change: TypeAlias = Callable[[MemoryElasticsearch], object]
Play: TypeAlias = Callable[[Stage], Coroutine[Any, Any, None]]


def _license(kind: str) -> Change:
    return lambda server: setattr(server, "license", kind)


CHANGES = [
    pytest.param(_license("basic"), _license("trial"), "LicenseInsufficient", id="another license"),
    pytest.param(
        lambda server: server.restart(allowed_audiences=["https://other.example"]),
        lambda server: server.restart(allowed_audiences=["https://es.example.com"]),
        "RealmMismatch",
        id="another audience, with a restart",
    ),
    pytest.param(
        lambda server: server.restart("8.14.3"),
        lambda server: server.restart("8.19.0"),
        "VersionUnsupported",
        id="an older version",
    ),
]


@pytest.mark.parametrize("after", [0.0, 1.0, 6.0, 11.0, 12.9])
@pytest.mark.parametrize(("change", "back", "reason"), CHANGES)
def test_it_is_reported_on_every_access_within_seconds(change: Change, back: Change, reason: str, after: float) -> None:
    async def play(stage: Stage) -> None:
        await begin(stage, access("orders", grant("orders-*")), access("bills", grant("bills-*")))
        await stage.sleep(MINUTE + after)
        change(stage.elasticsearch)
        await stage.sleep(NOTICED)
        assert stage.cluster_ready() == ("False", reason)
        assert [stage.ready(name) for name in ("orders", "bills")] == [("False", reason)] * 2
        await stage.sleep(after)
        back(stage.elasticsearch)
        await stage.sleep(NOTICED)
        assert stage.cluster_ready() == ("True", "InSync")
        assert [stage.ready(name) for name in ("orders", "bills")] == [("True", "InSync")] * 2

    on_stage(play)()


@on_stage
async def test_another_version_is_shown_within_seconds(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.elasticsearch.restart("9.1.0")
    await stage.sleep(NOTICED)
    assert stage.cluster()["status"]["version"] == "9.1.0"
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_a_license_that_expires_is_reported_although_nothing_changes(stage: Stage) -> None:
    server = stage.elasticsearch
    server.license_ends = EPOCH.timestamp() + 30 * MINUTE + 7
    await begin(stage, access("orders", grant("orders-*")))
    await stage.sleep(server.license_ends - server.now() - 1)
    assert stage.ready("orders") == ("True", "InSync")
    await stage.sleep(1 + NOTICED)
    assert stage.ready("orders") == ("False", "LicenseInsufficient")


@on_stage
async def test_a_license_that_expires_is_reported_in_time_by_a_clock_that_is_fast(stage: Stage) -> None:
    server = stage.elasticsearch
    stage.clock.offset = 5 * MINUTE
    server.license_ends = EPOCH.timestamp() + 30 * MINUTE
    await begin(stage, access("orders", grant("orders-*")))
    await stage.sleep(server.license_ends - server.now() + NOTICED)
    assert stage.ready("orders") == ("False", "LicenseInsufficient")


@on_stage
async def test_a_license_that_is_prolonged_is_believed(stage: Stage) -> None:
    server = stage.elasticsearch
    server.license_ends = EPOCH.timestamp() + 10 * MINUTE
    await begin(stage, access("orders", grant("orders-*")))
    server.license_ends += 60 * MINUTE
    await stage.sleep(20 * MINUTE)
    assert stage.ready("orders") == ("True", "InSync")
    # It is not checked again and again, as if it were about to expire.
    before = _asked(stage)
    await stage.sleep(10 * MINUTE)
    assert (_asked(stage) - before)["facts"] <= 2


def _asked(stage: Stage) -> Counter[str]:
    return Counter(call.method for call in stage.faults.calls if call.side == ELASTICSEARCH)


async def _in_ten_minutes(stage: Stage) -> Counter[str]:
    await begin(stage, access("orders", grant("orders-*")))
    before = _asked(stage)
    await asyncio.sleep(CHECK_EVERY)  # With all probes.
    return _asked(stage) - before


@on_stage
async def test_at_rest_it_costs_less_than_two_requests_a_minute_more_than_probes_alone(stage: Stage) -> None:
    asked = await _in_ten_minutes(stage)
    # Without an identity of its own, the operator asks nobody about it.
    del asked["realm_of_own"]
    in_sweeps = {"roles", "mappings", "owned_keys", "holders"}
    assert set(asked) <= {"probe", "fingerprint", "facts", "login_rights", "hidden", *in_sweeps}, asked
    assert {asked[method] for method in in_sweeps} == {2}, "every five minutes"
    # What a login may do that may do everything is asked with a check alone.
    assert asked["login_rights"] <= asked["facts"]
    assert asked["hidden"] <= 1, "what the login may see is asked every ten minutes"
    # A check is three requests, and every two seconds there was a probe.
    assert asked.total() + 2 * asked["facts"] <= (30 + 2) * 10 + 3 * 2 + 3 * 1 + 2 * 2
    assert asked["probe"] >= 26 * 10


@on_stage
async def test_where_indices_come_and_go_the_license_alone_is_read_again(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    before = _asked(stage)
    for number in range(60):
        stage.elasticsearch.indices_made.add(f"orders-{number}")
        await stage.sleep(10)
    asked = _asked(stage) - before
    assert asked["facts"] <= 1
    assert asked["license"] == asked["fingerprint"] - asked["facts"]


@on_stage
async def test_who_wants_few_probes_gets_few_fingerprints(stage: Stage) -> None:
    stage.apply(search_cluster(drift={"probeEvery": "1m", "sweepEvery": "5m"}), access("orders", grant("orders-*")))
    await stage.quiet()
    before = _asked(stage)
    await stage.sleep(CHECK_EVERY)
    assert (_asked(stage) - before)["fingerprint"] <= 3


@on_stage
async def test_a_login_that_may_not_look_is_checked_now_and_then(stage: Stage) -> None:
    stage.elasticsearch.fingerprint_works = False
    asked = await _in_ten_minutes(stage)
    assert asked["facts"] <= 1
    stage.elasticsearch.license = "basic"
    await stage.sleep(CHECK_EVERY)
    assert stage.ready("orders") == ("False", "LicenseInsufficient")
    assert condition_in(stage.cluster(), "Licensed")["status"] == "False"
