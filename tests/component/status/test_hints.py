"""What is declared and gives nothing is told beside Ready, which stays."""

from tests.component.common import begin
from tests.support.stage import Stage, on_stage
from tests.support.world import access, condition_in, grant

HINT = "Ineffective"


@on_stage
async def test_a_grant_on_restricted_indices_says_that_it_gives_nothing_until_it_is_gone(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*"), grant(".security*")), access("others", grant("others-*")))
    stage.check()
    assert stage.ready("orders") == ("True", "InSync")
    hint = condition_in(stage.get("orders"), HINT)
    assert (hint["status"], hint["reason"]) == ("True", "RestrictedIndices")
    assert ".security* gives nothing on .security" in hint["message"]
    assert not condition_in(stage.get("others"), HINT)

    written = len(stage.faults.writes)
    await stage.sleep(1_000)
    assert len(stage.faults.writes) == written, "it does not flap"

    stage.apply(access("orders", grant("orders-*")))
    await stage.quiet()
    assert not condition_in(stage.get("orders"), HINT)
    stage.delete("orders")
    await stage.quiet()
    stage.check()


@on_stage
async def test_it_is_told_of_one_that_only_observes_too(stage: Stage) -> None:
    await begin(stage, access("orders", grant(".security-7"), mode="Observe"))
    assert condition_in(stage.get("orders"), HINT)["reason"] == "RestrictedIndices"
