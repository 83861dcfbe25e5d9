"""Writes that one namespace refuses, or does not answer, hold up nobody else."""

import pytest

from searchaccess.api.constants import FINALIZER
from searchaccess.engine.status.finalizers import WITHIN
from searchaccess.engine.writer import LONGEST
from searchaccess.ports.errors import Conflict, ExternalError, PermissionDenied, Rejected, Unreachable
from searchaccess.ports.kubernetes import Plural
from tests.component.common import ORDERS, begin
from tests.component.status_writes.common import REFUSED, Webhook, refused_accesses
from tests.support.loop.stage import Stage, on_stage, search_cluster
from tests.support.worlds.world import access, account, condition_in, grant

SOON = 1.0
"""Seconds within which the stage serves a SearchAccess: a burst of declarations is let arrive."""


def calls(stage: Stage, name: str) -> list[str]:
    return [call.method for call in stage.faults.calls if call.side == "kubernetes" and name in call.names]


@pytest.mark.parametrize("error", [PermissionDenied("403"), Unreachable("500"), Conflict("409")], ids=repr)
@pytest.mark.parametrize("count", [24, 240])
def test_statuses_that_are_refused_delay_nobody_else(count: int, error: ExternalError) -> None:
    async def play(stage: Stage) -> None:
        await begin(stage, access("orders", grant("orders-*")))
        without = calls(stage, "orders")
        Webhook(stage, error, writes={"replace_status"})
        stage.apply(*refused_accesses(count))
        await stage.sleep(30)
        stage.apply(access("new", grant("new-*")))
        await stage.sleep(SOON)
        assert stage.ready("new") == ("True", "InSync")
        assert calls(stage, "new") == without, "no request more than without them"
        stage.delete("orders")
        await stage.sleep(SOON)
        assert not stage.get("orders")
        assert len([name for name in stage.elasticsearch.roles_now if "refused-" in name]) == count

    on_stage(play)()


@pytest.mark.parametrize("seconds", [0, 10], ids=["at once", "after 10 s"])
def test_finalizers_that_are_refused_delay_nobody_else_and_are_tried_again(seconds: float) -> None:
    async def play(stage: Stage) -> None:
        await begin(stage, access("orders", grant("orders-*")))
        webhook = Webhook(stage, PermissionDenied("no finalizers here"), seconds=seconds, writes={"set_finalizers"})
        stage.apply(*refused_accesses(100))
        stage.apply(access("beside", grant("beside-*")))
        await stage.sleep(SOON + (WITHIN if seconds else 0))
        assert stage.ready("beside") == ("True", "InSync")
        await stage.sleep(20)
        stage.apply(access("later", grant("later-*")))
        await stage.sleep(SOON)
        assert stage.ready("later") == ("True", "InSync"), "who is refused is known by now"
        await stage.sleep(30)
        before = len(webhook.hits)
        await stage.sleep(60)
        assert 0 < len(webhook.hits) - before <= 100 * 60 / (LONGEST / 2), "at intervals, not with every reconcile"
        assert not [name for name in stage.elasticsearch.roles_now if "refused-" in name]
        refused = stage.kubernetes.objects[Plural.ACCESSES, REFUSED, "refused-7"]
        ready = condition_in(refused, "Ready")
        assert (ready["status"], ready["reason"]) == ("False", "Pending")
        webhook.error = None
        await stage.sleep(2 * LONGEST)
        for number in range(100):
            served = stage.kubernetes.objects[Plural.ACCESSES, REFUSED, f"refused-{number}"]
            assert condition_in(served, "Ready").get("status") == "True"
            assert FINALIZER in served["metadata"]["finalizers"]

    on_stage(play)()


@pytest.mark.parametrize("error", [Rejected("422"), PermissionDenied("403")], ids=repr)
def test_a_finalizer_that_may_not_be_removed_is_reported_and_tried_until_it_may(error: ExternalError) -> None:
    async def play(stage: Stage) -> None:
        [refused] = refused_accesses(1)
        await begin(stage, refused)
        key = Plural.ACCESSES, REFUSED, "refused-0"
        webhook = Webhook(stage, error, writes={"set_finalizers"})
        stage.kubernetes.delete(key)
        await stage.sleep(30)
        assert not stage.role(account("refused-0"))
        ready = condition_in(stage.kubernetes.objects[key], "Ready")
        assert (ready["status"], ready["reason"]) == ("False", error.reason)
        assert ready["message"] == (
            f"it has no rights left in Elasticsearch; its finalizer cannot be written: {error.message}"
        )
        await stage.sleep(900)
        before = len(webhook.hits)
        await stage.sleep(300)
        assert 300 / LONGEST / 2 <= len(webhook.hits) - before <= 300 / (LONGEST / 2) + 2
        webhook.error = None
        await stage.sleep(LONGEST)
        assert key not in stage.kubernetes.objects

    on_stage(play)()


@on_stage
async def test_a_finalizer_for_what_is_deleted_meanwhile_is_not_tried_for_ever(stage: Stage) -> None:
    [refused] = refused_accesses(1)
    refused["metadata"]["finalizers"] = ["somebody.else/holds"]
    webhook = Webhook(stage, PermissionDenied("403"), writes={"set_finalizers"})
    stage.apply(search_cluster(), refused)
    await stage.sleep(10)
    assert webhook.hits
    stage.kubernetes.delete((Plural.ACCESSES, REFUSED, "refused-0"))
    await stage.sleep(2 * LONGEST)
    before = len(webhook.hits)
    await stage.sleep(300)
    assert len(webhook.hits) == before
    assert stage.process is not None
    assert not stage.process.outbox.pending


@on_stage
async def test_a_fault_of_ours_in_a_write_costs_that_object_alone_and_is_reported(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    write = stage.kubernetes.set_finalizers

    async def odd(ref, *arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN002, ANN202
        if ref.namespace == REFUSED:
            raise KeyError("quoted from a Secret")
        return await write(ref, *arguments)

    stage.kubernetes.set_finalizers = odd  # type: ignore[method-assign]
    stage.apply(*refused_accesses(2), access("new", grant("new-*")))
    await stage.sleep(SOON)
    assert stage.ready("new") == ("True", "InSync")
    assert stage.role(ORDERS)
    assert not stage.role(account("refused-0"))
    ready = condition_in(stage.kubernetes.objects[Plural.ACCESSES, REFUSED, "refused-0"], "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "InternalError")
    assert "quoted" not in str(stage.kubernetes.objects) + str(stage.logs)
    stage.kubernetes.set_finalizers = write  # type: ignore[method-assign]
    await stage.sleep(LONGEST + SOON)
    stage.check()
