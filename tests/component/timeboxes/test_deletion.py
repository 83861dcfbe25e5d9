"""State in, state out: what expired is deleted after ttlAfterExpired, once nothing of it is left; nothing else is."""

from typing import Any, Final

import pytest

from searchaccess.ports.errors import PermissionDenied, Unreachable
from searchaccess.ports.kubernetes import Plural
from tests.component.common import ORPHANS, begin, granted
from tests.component.credentials.common import PLACE, STORES, live, store, with_key
from tests.component.timeboxes.common import EXPIRED, IN_SYNC, SOON, at, orders, validity
from tests.support.failures.faults import Call
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, condition_in, grant

KEY: Final = (Plural.ACCESSES, "shop", "orders")
MINUTE: Final = 60.0
DELETES: Final = {"version_of", "dry_delete", "delete"}


def asked(stage: Stage, *methods: str) -> list[str]:
    """Return which methods of deletions were called."""
    return [call.method for call in stage.faults.calls if call.method in (methods or DELETES)]


@on_stage
async def test_what_expired_is_deleted_after_its_time_with_an_event_before(stage: Stage) -> None:
    ends, gone = at(stage, MINUTE), at(stage, 3 * MINUTE)
    await begin(stage, orders(validUntil=ends, ttlAfterExpired="2m"))
    assert validity(stage) == {"state": "Active", "nextChange": ends, "deletedAfter": gone}
    await stage.sleep(MINUTE + SOON)
    await stage.quiet()
    assert stage.ready("orders") == EXPIRED
    assert f"it is deleted after {gone}" in condition_in(stage.get("orders"), "Ready")["message"]
    assert validity(stage) == {"state": "Expired", "deletedAfter": gone}
    await stage.sleep(2 * MINUTE - 4 * 8)
    assert KEY in stage.kubernetes.objects
    assert not asked(stage)
    await stage.sleep(4 * 8)
    await stage.quiet()
    assert KEY not in stage.kubernetes.objects
    assert stage.notes("orders") == ["Expired", "ExpiredDeleted"]
    assert asked(stage) == ["version_of", "dry_delete", "delete"]
    events = [(number, call.names) for number, call in enumerate(stage.faults.writes) if call.method == "create_event"]
    deletion = next(number for number, call in enumerate(stage.faults.writes) if call.method == "delete")
    assert events[-1][1] == ("orders", "ExpiredDeleted")
    assert events[-1][0] < deletion


@on_stage
async def test_waiting_for_that_time_asks_the_servers_nothing(stage: Stage) -> None:
    await begin(stage, orders(validUntil=at(stage, MINUTE), ttlAfterExpired="20h"))
    await stage.sleep(2 * MINUTE)
    await stage.quiet()
    before = len(stage.faults.writes)
    await stage.sleep(19 * 60 * MINUTE)
    assert len(stage.faults.writes) == before
    assert not asked(stage)
    await stage.sleep(60 * MINUTE)
    await stage.quiet()
    assert KEY not in stage.kubernetes.objects
    assert asked(stage) == ["version_of", "dry_delete", "delete"]


@on_stage
async def test_a_credential_is_ended_first(stage: Stage) -> None:
    await begin(stage, with_key(validUntil=at(stage, MINUTE), ttlAfterExpired="0s"), secretStores=STORES)
    await stage.sleep(2 * MINUTE)
    await stage.quiet()
    assert KEY not in stage.kubernetes.objects
    assert not live(stage)
    assert store(stage).newest(PLACE) is None
    order = [call.method for call in stage.faults.writes]
    assert order.index("remove") < order.index("delete"), "its secret"


@on_stage
async def test_it_is_deleted_as_by_a_person(stage: Stage) -> None:
    await begin(stage, orders(validUntil=at(stage, MINUTE), ttlAfterExpired="0s", deletionPolicy="Disable"))
    await stage.sleep(MINUTE + SOON)
    await stage.quiet()
    assert KEY not in stage.kubernetes.objects
    assert not granted(stage)


@pytest.mark.parametrize(
    "changes",
    [
        {"suspend": True},
        {"mode": "Observe"},
        {"clusterCan": "?"},
        {"ttlAfterExpired": "soon"},
    ],
    ids=["suspended", "observed", "invalid", "a time that cannot be read"],
)
def test_nothing_is_deleted_that_is_paused_or_invalid(changes: dict[str, Any]) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, orders(validUntil=at(stage, MINUTE), ttlAfterExpired="1m"), orphans=ORPHANS)
        stage.amend("orders", **changes)
        await stage.sleep(10 * MINUTE)
        await stage.quiet()
        assert KEY in stage.kubernetes.objects
        assert not granted(stage)
        assert not asked(stage)

    play()


@on_stage
async def test_an_end_that_is_set_later_in_the_last_moment_keeps_it(stage: Stage) -> None:
    await begin(stage, orders(validUntil=at(stage, MINUTE), ttlAfterExpired="1m"))
    later = at(stage, 60 * MINUTE)

    def edit(call: Call) -> None:
        if call.method == "dry_delete":
            stage.amend("orders", validUntil=later)

    stage.faults.on_call = edit
    await stage.sleep(3 * MINUTE)
    await stage.quiet()
    assert asked(stage, "dry_delete") == ["dry_delete"]
    assert stage.ready("orders") == IN_SYNC
    assert granted(stage) == {"orders-*"}


@on_stage
async def test_a_clock_that_was_ahead_deletes_nothing_afterwards(stage: Stage) -> None:
    await begin(stage, orders(validUntil=at(stage, MINUTE), ttlAfterExpired="1h"))
    stage.faults.fail("kubernetes", Unreachable("down"), "version_of")
    stage.clock.offset += 2 * 3600.0
    await stage.sleep(MINUTE)
    assert "version_of" in asked(stage)
    stage.clock.offset -= 2 * 3600.0
    await stage.sleep(15)
    stage.faults.heal("kubernetes")
    await stage.quiet()
    assert KEY in stage.kubernetes.objects


@on_stage
async def test_what_is_created_again_after_its_end_stays_as_long_as_any_other(stage: Stage) -> None:
    declared = orders(validUntil=at(stage, MINUTE), ttlAfterExpired="5m")
    await begin(stage, declared)
    await stage.sleep(7 * MINUTE)
    await stage.quiet()
    assert KEY not in stage.kubernetes.objects
    stage.kubernetes.create(declared)
    await stage.sleep(4 * MINUTE)
    assert stage.ready("orders") == EXPIRED
    await stage.sleep(2 * MINUTE)
    assert KEY not in stage.kubernetes.objects


@on_stage
async def test_an_end_that_is_not_confirmed_deletes_nothing(stage: Stage) -> None:
    await begin(stage, orders(validUntil=at(stage, MINUTE), ttlAfterExpired="0s"))
    stage.faults.fail("elasticsearch", Unreachable("down"))
    await stage.sleep(10 * MINUTE)
    assert not asked(stage)
    stage.faults.heal("elasticsearch")
    await stage.sleep(MINUTE)
    assert KEY not in stage.kubernetes.objects
    assert not granted(stage)


@on_stage
async def test_without_the_right_each_says_so_and_one_try_in_a_while_serves_all(stage: Stage) -> None:
    names = [f"orders-{number}" for number in range(60)]
    ends = at(stage, MINUTE)
    stage.kubernetes.may_delete = False
    some = [access(name, grant(f"{name}-*"), validUntil=ends, ttlAfterExpired="0s") for name in names]
    await begin(stage, *some, access("other", grant("other-*")))
    await stage.sleep(2 * MINUTE)
    await stage.quiet()
    for name in names:
        message = condition_in(stage.get(name), "Ready")["message"]
        assert message.startswith(f"its rights ended at {ends}: the operator could not delete it")
        assert "cannot delete resource" in message
        assert "rbac.deleteExpired: true" in message
        assert stage.notes(name) == ["Expired"]
    assert stage.ready("other") == IN_SYNC
    before = len(asked(stage, "dry_delete"))
    assert before <= 24
    written = len(stage.faults.writes)
    await stage.sleep(25 * MINUTE)
    assert len(asked(stage, "dry_delete")) == before + 2
    assert len(stage.faults.writes) == written
    assert await stage.reconcile_all() == []
    stage.kubernetes.may_delete = True
    await stage.sleep(11 * MINUTE)
    await stage.quiet()
    assert [key[2] for key in stage.kubernetes.objects if key[0] is Plural.ACCESSES] == ["other"]


@on_stage
async def test_one_that_a_webhook_refuses_delays_no_other(stage: Stage) -> None:
    ends = at(stage, MINUTE)
    some = [access(name, grant(f"{name}-*"), validUntil=ends, ttlAfterExpired="0s") for name in ("orders", "other")]

    def refuse(call: Call) -> None:
        if call.method == "version_of" and call.names == ("orders",):
            raise PermissionDenied('admission webhook "keep" denied the request')

    stage.faults.on_call = refuse
    await begin(stage, *some)
    await stage.sleep(3 * MINUTE)
    await stage.quiet()
    assert [key[2] for key in stage.kubernetes.objects if key[0] is Plural.ACCESSES] == ["orders"]
    assert "denied the request" in condition_in(stage.get("orders"), "Ready")["message"]


@on_stage
async def test_a_dry_run_says_what_it_would_delete(stage: Stage) -> None:
    await begin(stage, orders(validUntil=at(stage, MINUTE), ttlAfterExpired="1h"))
    await stage.sleep(5 * MINUTE)
    await stage.stop()
    assert [each.object for each in await stage.dry_run()] == []
    await stage.sleep(3600)
    changes = await stage.dry_run()
    assert [(str(each.action), each.object) for each in changes] == [("delete", "searchaccess/shop/orders")]
    assert KEY in stage.kubernetes.objects
    assert not asked(stage)
