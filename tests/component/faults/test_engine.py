"""A fault in a method of the engine itself: it costs a delay, and nothing that was to be done or reported is lost."""

import pytest

from searchaccess.api.constants import FINALIZER
from searchaccess.engine.inventory.indexes.principals import Index
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.loop.reconciler import Reconciler
from searchaccess.engine.outbox import Outbox
from searchaccess.engine.rights.mappings import Mappings
from searchaccess.engine.status.publish import StatusPublisher
from searchaccess.ports.errors import Unreachable
from tests.component.credentials.common import READY, begin, live, with_key
from tests.support.failures.enginefaults import MethodBreak, breaking_method
from tests.support.loop.stage import CLUSTER_KEY, Stage, on_stage, search_cluster
from tests.support.worlds.world import access, condition_in, grant

# Statuses


@on_stage
async def test_a_first_status_that_could_not_be_queued_is_published_later(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.faults.broke = True
    with breaking_method(MethodBreak(Outbox, "put_status")) as broken:
        stage.apply(access("new", grant("new-*")))
        await stage.sleep(400)
    assert broken.raised == 1
    assert stage.ready("new") == READY


@on_stage
async def test_a_refusal_that_could_not_be_queued_does_not_leave_in_sync_behind(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.faults.broke = True
    with breaking_method(MethodBreak(Outbox, "put_status")) as broken:
        stage.amend("orders", grants=[{"indices": ["/("], "can": ["read"]}])
        await stage.sleep(400)
    assert broken.raised == 1
    assert stage.ready("orders")[1] == "InvalidSpec"


@on_stage
async def test_a_status_of_a_searchcluster_that_could_not_be_queued_is_published_later(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.faults.broke = True
    with breaking_method(MethodBreak(Outbox, "put_status")) as broken:
        stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(urls=[]))
        await stage.sleep(400)
    assert broken.raised == 1
    assert stage.cluster_ready()[1] == "InvalidSpec"


# The outbox


@pytest.mark.parametrize(
    ("method", "after", "late"),
    [
        ("_finish", 0, False),
        ("_finish", 0, True),
        ("_failed", 0, False),
        ("_release", 0, True),
        ("_delay", 0, True),
        ("_note_idle", 0, False),
        ("_ready", 3, False),
        ("_work", 0, False),
        ("_work", 3, True),
    ],
)
def test_an_outbox_with_a_fault_loses_nothing_that_waits(method: str, after: int, *, late: bool) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, *(access(name, grant(f"{name}-*")) for name in ("goes", "two", "three")))
        stage.faults.broke = True
        with breaking_method(MethodBreak(Outbox, method, after, late=late)) as broken:
            stage.faults.fail("kubernetes", Unreachable("gone"), "replace_status")
            stage.delete("goes")
            stage.amend("two", grants=[grant("b-*")])
            stage.amend("three", grants=[grant("c-*")])
            await stage.sleep(2)
            stage.faults.heal("kubernetes")
            await stage.sleep(900)
        assert broken.raised == 1
        assert not stage.get("goes")
        for name in ("two", "three"):
            found = stage.get(name)
            assert condition_in(found, "Ready")["observedGeneration"] == found["metadata"]["generation"]
        assert stage.process is not None
        assert not stage.process.host.is_busy()

    play()


# Reconcilers


@on_stage
async def test_a_reconciler_that_could_not_be_made_is_started_later(stage: Stage) -> None:
    stage.faults.broke = True
    with breaking_method(MethodBreak(Reconciler, "__init__")) as broken:
        stage.apply(search_cluster(), access("plain", grant("plain-*")))
        await stage.restart()
        await stage.sleep(20)
        assert broken.raised == 1
        assert stage.process is not None
        assert not stage.process.task.done()
    assert stage.ready("plain") == READY


@on_stage
async def test_a_key_is_revoked_while_role_mappings_cannot_be_settled(stage: Stage) -> None:
    await begin(stage, with_key(), access("plain", grant("plain-*")))
    stage.faults.broke = True
    with breaking_method(MethodBreak(Mappings, "settle", times=None)) as broken:
        stage.elasticsearch.sequence += 1
        await stage.sleep(30)
        stage.delete("orders")
        await stage.sleep(60)
        assert broken.raised
        assert not live(stage)


@on_stage
async def test_principals_that_cannot_be_settled_show_as_an_internal_error_until_they_are(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.faults.broke = True
    with breaking_method(MethodBreak(Inventory, "settle", times=None)) as broken:
        stage.apply(access("new", grant("new-*")))
        await stage.sleep(20)
        assert broken.raised
        assert stage.ready("new")[1] == stage.cluster_ready()[1] == "InternalError"
    await stage.sleep(60)
    assert stage.ready("new") == stage.cluster_ready() == READY


@on_stage
async def test_one_access_without_a_searchcluster_that_fails_delays_no_other(stage: Stage) -> None:
    gone = access("gone", grant("gone-*"))
    gone["metadata"]["finalizers"] = [FINALIZER]
    stage.faults.broke = True
    with breaking_method(MethodBreak(StatusPublisher, "release", times=None)) as broken:
        stage.apply(gone)
        stage.delete("gone")
        stage.apply(access("two", grant("two-*")))
        await stage.sleep(30)
        assert broken.raised
        assert stage.ready("two")[1] == "ClusterNotFound"
    await stage.sleep(30)
    assert not stage.get("gone")


@on_stage
async def test_a_report_that_fails_costs_one_access_alone(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.faults.broke = True
    with breaking_method(MethodBreak(StatusPublisher, "_report", times=None)) as broken:
        stage.apply(access("new", grant("new-*")))
        await stage.sleep(5)
        assert broken.raised
        assert stage.ready("new")[1] == "InternalError"
        assert stage.ready("orders") == stage.cluster_ready() == READY
    await stage.sleep(400)
    assert stage.ready("new") == READY


@on_stage
async def test_an_access_that_could_not_be_indexed_is_served_with_the_next_list(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.faults.broke = True
    with breaking_method(MethodBreak(Index, "add")) as broken:
        stage.apply(access("new", grant("new-*")))
        await stage.sleep(5)
        assert broken.raised == 1
        assert stage.ready("new")[1] == "InternalError"
    await stage.sleep(900)
    assert stage.ready("new") == READY
    stage.check()
