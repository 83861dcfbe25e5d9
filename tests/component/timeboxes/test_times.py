"""State in, state out: rights begin with validFrom and end with validUntil, whatever happens meanwhile."""

from typing import Any

import pytest

from searchaccess.api.times.moments import moment
from searchaccess.ports.errors import Unreachable
from tests.component.common import ORPHANS, begin, granted
from tests.component.timeboxes.common import EXPIRED, IN_SYNC, NOT_YET, SOON, at, orders, validity
from tests.support.loop.clocks import EPOCH
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, account, condition_in, grant

HOUR = 3600.0


@on_stage
async def test_rights_begin_and_end_at_their_times(stage: Stage) -> None:
    begins, ends = at(stage, 600), at(stage, 1200)
    await begin(stage, orders(validFrom=begins, validUntil=ends))
    assert stage.ready("orders") == NOT_YET
    assert begins in condition_in(stage.get("orders"), "Ready")["message"]
    assert validity(stage) == {"state": "NotYetValid", "nextChange": begins}
    assert not granted(stage)
    await stage.sleep(590 - 8)
    assert not granted(stage)
    await stage.sleep(10 + SOON)
    assert granted(stage) == {"orders-*"}
    await stage.quiet()
    assert stage.ready("orders") == IN_SYNC
    assert validity(stage) == {"state": "Active", "nextChange": ends}
    await stage.sleep(600 - 8 - 2 * SOON - 8)
    assert granted(stage)
    await stage.sleep(16 + 2 * SOON)
    assert not granted(stage)
    await stage.quiet()
    assert stage.ready("orders") == EXPIRED
    assert validity(stage) == {"state": "Expired"}


@on_stage
async def test_an_end_is_an_event_once_and_neither_stalled_nor_in_progress(stage: Stage) -> None:
    await begin(stage, orders(validUntil=at(stage, 60)))
    await stage.sleep(120)
    await stage.restart()
    await stage.quiet()
    assert stage.notes("orders") == ["Expired"]
    found = stage.get("orders")
    assert not condition_in(found, "Stalled")
    assert not condition_in(found, "Reconciling")
    assert condition_in(found, "Synced")["reason"] == "Expired"
    assert "elasticsearch" not in found["status"]
    assert await stage.reconcile_all() == []


@pytest.mark.parametrize(
    "changes",
    [{"suspend": True}, {"mode": "Observe"}, {"deletionPolicy": "Disable"}, {"clusterCan": "?"}],
    ids=["suspended", "observed", "to be disabled", "invalid"],
)
def test_nothing_that_it_says_keeps_rights_past_their_end(changes: dict[str, Any]) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, orders(validUntil=at(stage, 60)), orphans=ORPHANS)
        stage.amend("orders", **changes)
        await stage.quiet()
        assert granted(stage)
        await stage.sleep(60)
        assert not granted(stage)
        await stage.quiet()
        assert stage.ready("orders") == EXPIRED

    play()


@on_stage
async def test_observing_grants_nothing_when_the_time_begins(stage: Stage) -> None:
    await begin(stage, orders(validFrom=at(stage, 60), mode="Observe"))
    await stage.sleep(120)
    await stage.quiet()
    assert not granted(stage)
    assert stage.ready("orders") == ("False", "ChangesPending")


@pytest.mark.parametrize("changes", [{"deletionPolicy": "Orphan"}, {"mode": "Observe"}], ids=["orphaned", "observed"])
def test_deletion_leaves_nothing_that_would_have_no_end(changes: dict[str, Any]) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, orders(validUntil=at(stage, HOUR)), orphans=ORPHANS)
        stage.amend("orders", **changes)
        await stage.quiet()
        assert granted(stage)
        stage.delete("orders")
        await stage.quiet()
        assert not granted(stage)
        assert not stage.cluster()["status"].get("released")

    play()


@on_stage
async def test_others_of_the_same_principal_keep_their_part(stage: Stage) -> None:
    others = access("others", grant("logs-*"), principal=account("orders"))
    await begin(stage, orders(validUntil=at(stage, 60)), others)
    assert granted(stage) == {"orders-*", "logs-*"}
    await stage.sleep(60)
    assert granted(stage) == {"logs-*"}
    await stage.quiet()
    assert stage.ready("others") == IN_SYNC


@on_stage
async def test_a_later_end_gives_the_rights_back(stage: Stage) -> None:
    await begin(stage, orders(validUntil=at(stage, 30)))
    await stage.sleep(60)
    assert not granted(stage)
    ends = at(stage, 600)
    stage.amend("orders", validUntil=ends)
    await stage.sleep(SOON)
    assert granted(stage)
    await stage.quiet()
    assert stage.ready("orders") == IN_SYNC
    assert validity(stage) == {"state": "Active", "nextChange": ends}
    await stage.sleep(600)
    assert not granted(stage)


@on_stage
async def test_an_end_that_is_moved_into_the_past_revokes_at_once(stage: Stage) -> None:
    await begin(stage, orders(validUntil=at(stage, HOUR)))
    stage.amend("orders", validUntil=at(stage, -HOUR))
    await stage.sleep(SOON)
    assert not granted(stage)
    await stage.quiet()
    assert stage.ready("orders") == EXPIRED


@on_stage
async def test_without_the_end_the_rights_stay(stage: Stage) -> None:
    await begin(stage, orders(validUntil=at(stage, 60)))
    stage.kubernetes.change(next(iter(k for k in stage.kubernetes.objects if k[2] == "orders")), _without_end)
    await stage.sleep(120)
    assert granted(stage)
    assert not validity(stage)


def _without_end(raw: dict[str, Any]) -> None:
    del raw["spec"]["validUntil"]


@on_stage
async def test_a_time_that_cannot_be_read_denies(stage: Stage) -> None:
    await begin(stage, orders(validUntil=at(stage, HOUR)))
    assert granted(stage)
    stage.amend("orders", validUntil="tomorrow")
    await stage.sleep(SOON)
    assert not granted(stage)
    await stage.quiet()
    assert stage.ready("orders") == ("False", "InvalidSpec")
    assert "2027-01-31T00:00:00Z" in condition_in(stage.get("orders"), "Ready")["message"]
    assert validity(stage) == {"state": "Unreadable"}


@pytest.mark.parametrize(
    "moved",
    [
        pytest.param({"cluster": "ghost"}, id="to a SearchCluster that is not there"),
        pytest.param({"subject": {"serviceAccount": account("other")}, "mode": "Observe"}, id="to another account"),
    ],
)
def test_rights_at_a_former_place_end_too(moved: dict[str, Any]) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, orders(validUntil=at(stage, 120)))
        stage.amend("orders", **moved)
        await stage.sleep(30)
        assert granted(stage), "they wait for the new ones"
        await stage.sleep(90)
        assert not granted(stage)
        assert not granted(stage, account("other"))

    play()


@on_stage
async def test_what_could_not_be_revoked_at_the_end_is_revoked_when_elasticsearch_answers(stage: Stage) -> None:
    await begin(stage, orders(validUntil=at(stage, 60)))
    stage.faults.fail("elasticsearch", Unreachable("no route"))
    await stage.sleep(120)
    assert granted(stage)
    stage.faults.heal("elasticsearch")
    await stage.sleep(10)
    assert not granted(stage)
    await stage.quiet()
    assert stage.ready("orders") == EXPIRED


@on_stage
async def test_windows_open_and_close_by_themselves(stage: Stage) -> None:
    # The stage begins at 10:16:40.
    schedule = {"cron": "20 * * * *", "timeZone": "UTC", "duration": "10m"}
    await begin(stage, orders(schedule=schedule))
    assert stage.ready("orders") == ("False", "OutsideSchedule")
    assert validity(stage) == {"state": "OutsideSchedule", "nextChange": "2026-01-01T10:20:00Z"}
    for hour in (10, 11):
        await stage.sleep(_until(stage, f"2026-01-01T{hour}:20:00Z") + SOON)
        assert granted(stage)
        await stage.quiet()
        assert stage.ready("orders") == IN_SYNC
        assert validity(stage)["nextChange"] == f"2026-01-01T{hour}:30:00Z"
        await stage.sleep(_until(stage, f"2026-01-01T{hour}:30:00Z") - SOON)
        assert granted(stage)
        await stage.sleep(2 * SOON)
        assert not granted(stage)
    await stage.quiet()
    assert stage.ready("orders") == ("False", "OutsideSchedule")
    assert not stage.notes("orders"), "windows are no news"
    assert await stage.reconcile_all() == []


@on_stage
async def test_an_operator_that_was_down_when_a_window_closed_revokes_when_it_returns(stage: Stage) -> None:
    await begin(stage, orders(schedule={"cron": "17 * * * *", "timeZone": "UTC", "duration": "10m"}))
    await stage.sleep(60)
    assert granted(stage)
    await stage.stop()
    await stage.sleep(1200)
    stage.start()
    await stage.sleep(SOON)
    assert not granted(stage)


@on_stage
async def test_windows_that_overlap_revoke_nothing_and_write_few_statuses(stage: Stage) -> None:
    await begin(stage, orders(schedule={"cron": "* * * * *", "timeZone": "UTC", "duration": "10m"}))
    assert granted(stage)
    before = len(stage.faults.writes)
    await stage.sleep(1800)
    assert granted(stage)
    written = stage.faults.writes[before:]
    assert all(call.side == "kubernetes" for call in written)
    assert len(written) <= 4


@on_stage
async def test_windows_that_touch_write_no_status_each_time(stage: Stage) -> None:
    await begin(stage, orders(schedule={"cron": "* * * * *", "timeZone": "UTC", "duration": "1m"}))
    before = len(stage.faults.writes)
    await stage.sleep(1800)
    assert granted(stage)
    assert stage.faults.writes[before:] == []


@on_stage
async def test_what_an_older_one_would_refuse_in_its_window_is_refused_all_the_time(stage: Stage) -> None:
    """Otherwise it would lose its rights whenever the window opens."""
    schedule = {"cron": "20 * * * *", "timeZone": "UTC", "duration": "10m"}
    older = access("orders", grant("orders-*", where={"term": {"region": "eu"}}), schedule=schedule)
    await begin(stage, older)
    await stage.sleep(2)
    stage.apply(access("newer", grant("orders-1", fields={"include": ["region"]}), principal=account("orders")))
    seen = set[tuple[str, str]]()
    for _ in range(12):
        await stage.sleep(600)
        seen.add(stage.ready("newer"))
    assert seen == {("False", "RestrictionsWouldWiden")}
    assert "SearchAccess shop/orders (orders-*)" in condition_in(stage.get("newer"), "Ready")["message"]
    stage.delete("orders")
    await stage.quiet()
    assert stage.ready("newer") == IN_SYNC


def _until(stage: Stage, time: str) -> float:
    return (moment(time) or 0) - EPOCH.timestamp() - stage.clock.monotonic()
