"""State in, state out: approvals that cannot be listed, and ends that concern nobody's rights."""

from searchaccess.core.model.watched import Watched
from searchaccess.engine.lister import RESYNC_PERIOD
from tests.component.common import begin, granted
from tests.component.policies.test_approvals import HOUR, PENDING, RULE, approval, approval_key, orders, people
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import grant


@on_stage
async def test_a_namespace_that_cannot_be_listed_concerns_no_other(stage: Stage) -> None:
    stage.kubernetes.watched = Watched(frozenset({"shop", "billing"}), frozenset({"billing"}))
    await begin(stage, orders())
    stage.apply(people())
    await stage.quiet()
    assert not granted(stage)
    stage.apply(approval(stage))
    await stage.quiet()
    assert granted(stage)
    assert stage.process is not None
    stage.process.watch.down = True
    stage.kubernetes.delete(approval_key())
    await stage.sleep(2 * RESYNC_PERIOD)
    assert not granted(stage)


@on_stage
async def test_a_policy_that_audits_reports_the_end_of_an_approval(stage: Stage) -> None:
    await begin(stage, people() | {"spec": {"mode": "Audit", "require": {"approval": RULE}}}, orders())
    stage.apply(approval(stage))
    await stage.quiet()
    assert stage.get("orders")["status"]["effectivePolicy"][0]["outcome"] == "Accepted"
    await stage.sleep(2 * HOUR)
    await stage.quiet()
    assert stage.get("orders")["status"]["effectivePolicy"][0]["outcome"] == "WouldDeny"
    assert granted(stage)


@on_stage
async def test_an_approval_in_advance_is_noticed_though_no_policy_requires_one_yet(stage: Stage) -> None:
    """Otherwise it would count for an edit that its author did not see, once a policy requires approvals."""
    await begin(stage, orders())
    generation = stage.get("orders")["metadata"]["generation"]
    lists = sum(call.method == "list_page" for call in stage.faults.calls)
    stage.apply(approval(stage, generation=generation + 1))
    await stage.quiet()
    assert sum(call.method == "list_page" for call in stage.faults.calls) == lists, "nobody's approvals cause lists"
    await stage.sleep(2 * RESYNC_PERIOD)
    assert stage.get("orders")["status"]["prematureApprovals"] == [
        stage.kubernetes.objects[approval_key()]["metadata"]["uid"]
    ]
    stage.apply(people())
    await stage.quiet()
    stage.amend("orders", grants=[grant("orders-*"), grant("bills-*")])
    await stage.quiet()
    assert stage.get("orders")["metadata"]["generation"] == generation + 1
    assert stage.ready("orders") == PENDING
    assert not granted(stage)
