"""What a run that comes to an end waits for, and what it says of what could not be written."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from searchaccess.core.answers.audits import Audit
from searchaccess.core.answers.summary import Exit, Summary
from searchaccess.decorators.dryrun import DryRun
from searchaccess.operator.once import _at, _reconcile, summarize
from searchaccess.ports.errors import PermissionDenied, Rejected
from tests.component.common import begin
from tests.component.policies.test_policies import ONLY_LOGS, ONLY_ORDERS, policy
from tests.component.status_writes.common import Webhook, refused_accesses
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import CLUSTER, access, grant

REASONABLE = 20.0
"""Seconds after which nobody waits any more for what is refused."""


def summary_of(stage: Stage) -> Summary:
    """Sum up what the operator on a stage knows, as a run does in the end."""
    assert stage.process is not None
    one: Any = SimpleNamespace(context=stage.process.host._context)
    return summarize(one, "2026-01-01T00:00:00Z", {CLUSTER}, (), "")


def is_busy(stage: Stage) -> bool:
    assert stage.process is not None
    return stage.process.host.is_busy()


@on_stage
async def test_a_status_that_is_refused_for_ever_ends_a_run_as_failed(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    assert (is_busy(stage), summary_of(stage).code) == (False, Exit.IN_SYNC)
    webhook = Webhook(stage, PermissionDenied("no statuses here"), writes={"replace_status"})
    stage.apply(*refused_accesses(1))
    await stage.sleep(2)
    assert is_busy(stage), "it may be over soon"
    await stage.sleep(REASONABLE)
    busy = 0
    for _ in range(200):
        await stage.sleep(0.49)
        assert stage.process is not None
        assert not stage.process.outbox.is_busy, "although it is still tried"
        busy += is_busy(stage)
    assert busy < 20, "it reads the cluster now and then"
    summary = summary_of(stage)
    [failed] = [line for line in summary.lines if line.code is Exit.FAILED]
    assert failed.name == "billing/refused-0"
    assert failed.message == "its status cannot be written: no statuses here"
    assert summary.code is Exit.FAILED
    webhook.error = None
    await stage.quiet()
    assert summary_of(stage).code is Exit.IN_SYNC


@pytest.mark.parametrize("deleted", [False, True], ids=["cannot be put", "cannot be removed"])
def test_a_finalizer_that_is_refused_for_ever_ends_a_run_as_failed(*, deleted: bool) -> None:
    async def play(stage: Stage) -> None:
        [refused] = refused_accesses(1)
        await begin(stage, access("orders", grant("orders-*")), *([refused] if deleted else []))
        Webhook(stage, Rejected("no finalizers here"), writes={"set_finalizers"})
        if deleted:
            stage.kubernetes.delete(next(key for key in stage.kubernetes.objects if key[2] == "refused-0"))
        else:
            stage.apply(refused)
        await stage.sleep(REASONABLE)
        assert not is_busy(stage)
        [failed] = [line for line in summary_of(stage).lines if line.code is Exit.FAILED]
        assert failed.message == "its finalizer cannot be written: no finalizers here"

    on_stage(play)()


@on_stage
async def test_to_ask_whether_there_is_something_to_do_walks_over_no_access(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    assert stage.process is not None
    stage.process.inventory.accesses = None  # type: ignore[assignment]
    assert not is_busy(stage)
    stage.process.inventory.accesses = {}


@on_stage
async def test_a_run_for_a_while_ends_by_itself_when_that_is_over(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    assert stage.process is not None
    context, stop, loop = stage.process.host._context, asyncio.Event(), asyncio.get_running_loop()
    one: Any = SimpleNamespace(context=context, host=stage.process.host, leases=None)
    ends = loop.time() + 60
    running = asyncio.create_task(_reconcile(one, _until_stopped(stop), _at(one, ends), stop))
    stage.apply(access("later", grant("later-*")))
    await stage.sleep(59)
    assert not running.done(), "it goes on although there is nothing to do"
    summary = await running
    assert loop.time() == pytest.approx(ends)
    assert (summary.code, summary.unfinished) == (Exit.IN_SYNC, "")
    assert {line.name for line in summary.lines} == {CLUSTER, "shop/orders", "shop/later"}


async def _until_stopped(stop: asyncio.Event) -> None:
    await stop.wait()


@on_stage
async def test_a_dry_run_shows_what_policies_that_only_report_would_refuse(stage: Stage) -> None:
    await begin(
        stage,
        policy("audited", mode="Audit", **ONLY_LOGS),
        policy("enforced", **ONLY_ORDERS),
        access("orders", grant("orders-1")),
        access("logs", grant("logs-1")),
    )
    assert stage.process is not None
    context = stage.process.host._context
    one: Any = SimpleNamespace(context=replace(context, dry_run=DryRun()))
    found = summarize(one, "2026-01-01T00:00:00Z", {CLUSTER}, (), "")
    reason = "grants[0]: read is allowed only on logs-*, not on orders-1"
    assert found.audits == (Audit("audited", "shop/orders", CLUSTER, (reason,)),)
    assert summary_of(stage).audits == (), "the status shows it"
