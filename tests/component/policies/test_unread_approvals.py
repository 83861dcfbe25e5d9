"""State in, state out: approvals that cannot be listed, and ends that concern nobody's rights."""

from searchaccess.core.model.watched import Watched
from searchaccess.engine.lister import RESYNC_PERIOD
from tests.component.common import begin, granted
from tests.component.policies.test_approvals import HOUR, RULE, approval, approval_key, orders, people
from tests.support.stage import Stage, on_stage


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
