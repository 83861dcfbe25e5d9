"""State in, state out: API keys and users of a SearchAccess that begins and ends."""

import json
from typing import Any

import pytest

from searchaccess.core.credentials.ending import SLACK
from searchaccess.ports.errors import Unreachable
from tests.component.credentials.common import (
    DAY,
    HOUR,
    PLACE,
    STORES,
    begin,
    credential,
    days_pass,
    live,
    read,
    said,
    store,
    with_password,
)
from tests.component.credentials.common import with_key as key_of
from tests.component.timeboxes.common import EXPIRED, IN_SYNC, NOT_YET, SOON, at
from tests.support.loop.clocks import EPOCH
from tests.support.loop.stage import Stage, on_stage, search_cluster


def left(stage: Stage) -> list[float]:
    """Return for how many seconds keys are valid yet, by Elasticsearch's clock."""
    return [raw["expiration"] / 1000 - stage.elasticsearch.now() for raw in live(stage)]


@on_stage
async def test_a_key_expires_with_its_access(stage: Stage) -> None:
    await begin(stage, key_of(validUntil=at(stage, HOUR)))
    [seconds] = left(stage)
    assert HOUR - 60 < seconds + 10 <= HOUR
    assert stage.ready("orders") == IN_SYNC
    assert said(stage) == ("True", "CredentialActive")
    expires = credential(stage)["expires"]
    assert json.loads(store(stage).newest(PLACE) or "")["expires"] == expires
    await stage.stop()
    await stage.sleep(HOUR)
    assert not live(stage), "Elasticsearch ends it although there is no operator"


@on_stage
async def test_at_the_end_keys_are_invalidated_and_the_secret_is_gone(stage: Stage) -> None:
    await begin(stage, key_of(validUntil=at(stage, 120)))
    assert live(stage)
    made = len(stage.elasticsearch.keys_now)
    await stage.sleep(120)
    assert not live(stage)
    await stage.quiet()
    assert stage.ready("orders") == EXPIRED
    assert store(stage).newest(PLACE) is None
    assert len(stage.elasticsearch.keys_now) == made, "no other was made on the way"


@on_stage
async def test_a_user_is_gone_at_the_end(stage: Stage) -> None:
    await begin(stage, with_password(validUntil=at(stage, 120)))
    assert stage.elasticsearch.users_now
    await stage.sleep(120)
    assert not stage.elasticsearch.users_now
    assert not stage.elasticsearch.roles_now
    await stage.quiet()
    assert stage.ready("orders") == EXPIRED


@pytest.mark.parametrize("auth", ["ApiKey", "Password"])
def test_nothing_is_issued_before_the_beginning(auth: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, key_of(auth=auth, validFrom=at(stage, 600)))
        assert stage.ready("orders") == NOT_YET
        assert store(stage).newest(PLACE) is None
        await stage.sleep(600)
        assert read(stage)
        await stage.quiet()
        assert stage.ready("orders") == IN_SYNC

    play()


@on_stage
async def test_an_earlier_end_cuts_a_key_short_in_place(stage: Stage) -> None:
    await begin(stage, key_of())
    before = read(stage)
    [seconds] = left(stage)
    assert seconds > 30 * DAY
    stage.amend("orders", validUntil=at(stage, HOUR))
    await stage.sleep(SOON)
    [seconds] = left(stage)
    assert seconds <= HOUR
    assert read(stage) == before


@on_stage
async def test_a_later_end_prolongs_a_key_in_place(stage: Stage) -> None:
    await begin(stage, key_of(validUntil=at(stage, HOUR)))
    before = read(stage)
    stage.amend("orders", validUntil=at(stage, DAY))
    await stage.quiet()
    [seconds] = left(stage)
    assert DAY - 60 < seconds <= DAY
    await stage.sleep(2 * HOUR)
    assert live(stage)
    assert read(stage) == before


@on_stage
async def test_after_an_end_another_key_is_issued_if_it_goes_on(stage: Stage) -> None:
    await begin(stage, key_of(validUntil=at(stage, 60)))
    first = read(stage)
    await stage.sleep(90)
    stage.amend("orders", validUntil=at(stage, HOUR))
    await stage.quiet()
    assert read(stage)
    assert read(stage) != first
    assert stage.ready("orders") == IN_SYNC


@on_stage
async def test_without_an_end_a_key_is_replaced_before_it_expires(stage: Stage) -> None:
    await begin(stage, key_of(validUntil=at(stage, HOUR)))
    first = read(stage)

    def endless(raw: dict[str, Any]) -> None:
        del raw["spec"]["validUntil"]

    stage.kubernetes.change(next(key for key in stage.kubernetes.objects if key[2] == "orders"), endless)
    await stage.quiet()
    assert read(stage) != first
    assert max(left(stage)) > 30 * DAY
    assert min(left(stage)) >= DAY, "consumers of the former key have the whole overlap"
    await stage.sleep(2 * DAY)
    assert len(live(stage)) == 1, "and no more"


@on_stage
async def test_a_rotation_close_to_the_end_makes_no_longer_key(stage: Stage) -> None:
    await begin(stage, key_of(validUntil=at(stage, 2 * DAY), credential={"rotateEvery": "24h", "overlap": "1h"}))
    await days_pass(stage, 1.5)
    assert len(stage.elasticsearch.keys_now) == 2
    assert all(seconds <= DAY / 2 for seconds in left(stage))
    await days_pass(stage, 0.5)
    assert not live(stage)


@on_stage
async def test_where_elasticsearchs_clock_is_ahead_the_key_ends_by_it(stage: Stage) -> None:
    ahead = 1200
    stage.elasticsearch.now = lambda: EPOCH.timestamp() + stage.clock.monotonic() + ahead
    await begin(stage, key_of(validUntil=at(stage, ahead + 120)))
    [seconds] = left(stage)
    assert seconds <= 120 - SLACK
    await stage.sleep(500)
    assert not live(stage)
    assert stage.ready("orders")[0] == "False"
    assert "Elasticsearch's clock" in str(stage.get("orders")["status"]["conditions"])
    await stage.sleep(ahead)
    assert stage.ready("orders") == EXPIRED


@pytest.mark.parametrize("auth", ["ApiKey", "Password"])
def test_what_overlaps_in_a_former_cluster_ends_too(auth: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        another = stage.server("https://two:9200")
        another.wipe("uuid-of-two")
        stage.apply(search_cluster("two", "https://two:9200", secretStores=STORES))
        await begin(stage, key_of(auth=auth))
        stage.amend("orders", cluster="two")
        await stage.quiet()
        assert stage.ready("orders") == IN_SYNC
        assert another.live_keys() or another.users_now
        assert live(stage) or stage.elasticsearch.users_now, "consumers may still use it"
        stage.amend("orders", validUntil=at(stage, 60))
        await stage.sleep(30)
        # So that the revocation in the new cluster is not confirmed.
        stage.faults.fail("store", Unreachable("no route"))
        await stage.sleep(30 + 2 * SOON)
        for server in (another, stage.elasticsearch):
            assert not server.live_keys()
            assert not server.users_now

    play()


HELD: dict[str, dict[str, Any]] = {
    "suspended": {"suspend": True},
    "observed": {"mode": "Observe"},
    "invalid": {"grants": "odd"},
}


@pytest.mark.parametrize("changes", HELD.values(), ids=HELD)
def test_an_earlier_end_cuts_a_key_short_that_is_held(changes: dict[str, Any]) -> None:
    """So that Elasticsearch ends it although the operator is down then."""

    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, key_of())
        before = read(stage)
        await stage.stop()
        stage.amend("orders", validUntil=at(stage, HOUR), **changes)
        stage.start()
        await stage.quiet()
        [seconds] = left(stage)
        assert seconds <= HOUR
        assert read(stage) == before, "nothing else changes"
        assert await stage.reconcile_all() == []
        stage.amend("orders", validUntil=at(stage, DAY))
        await stage.quiet()
        assert left(stage)[0] <= HOUR, "what is held gets nothing new"

    play()


@on_stage
async def test_an_earlier_end_cuts_keys_short_at_a_former_place(stage: Stage) -> None:
    another = stage.server("https://two:9200")
    another.wipe("uuid-of-two")
    stage.apply(search_cluster("two", "https://two:9200", secretStores=STORES))
    await begin(stage, key_of())
    stage.amend("orders", cluster="two")
    await stage.quiet()
    stage.amend("orders", validUntil=at(stage, HOUR))
    await stage.quiet()
    [seconds] = left(stage)
    assert seconds <= HOUR
