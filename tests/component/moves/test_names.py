"""State in, state out: the name of a secret passes from one SearchAccess to another."""

from typing import Any

import pytest

from tests.component.credentials.common import HOUR, PLACE, READY, live, read, store, with_key
from tests.component.moves.common import begin, new, new_cluster, works
from tests.support.failures.faults import Fault
from tests.support.loop.stage import Stage, on_stage
from tests.support.runs.effort import places
from tests.support.worlds.world import condition_in

SECONDS = 5.0


def heir(**more: Any) -> dict[str, Any]:
    return with_key("heir", credential={"name": PLACE.name}, **more)


@on_stage
async def test_a_renamed_access_takes_the_secret_over_within_seconds_once_the_old_one_is_gone(stage: Stage) -> None:
    await begin(stage, with_key())
    before = read(stage)
    stage.apply(heir())
    await stage.sleep(60)
    assert stage.ready("heir") == ("False", "OwnershipConflict")
    assert read(stage) == before, "nothing of the old one is touched"
    stage.delete("orders")
    await stage.sleep(SECONDS)
    assert not stage.get("orders")
    assert stage.ready("heir") == READY
    assert [key["id"] for key in live(stage)] == [read(stage)]


@on_stage
async def test_one_on_another_cluster_takes_it_over_too(stage: Stage) -> None:
    await begin(stage, with_key(), new_cluster())
    stage.apply(heir(cluster="new"))
    await stage.sleep(60)
    assert stage.ready("heir") == ("False", "OwnershipConflict")
    stage.delete("orders")
    await stage.sleep(SECONDS)
    assert stage.ready("heir") == READY
    assert works(new(stage), read(stage))


@on_stage
async def test_a_name_that_is_given_up_is_taken_over_after_the_overlap(stage: Stage) -> None:
    await begin(stage, with_key(credential={"overlap": "1h"}))
    stage.apply(heir())
    await stage.quiet()
    stage.amend("orders", credential={"store": "main", "name": "another", "overlap": "1h"})
    await stage.sleep(0.9 * HOUR)
    assert stage.ready("heir") == ("False", "OwnershipConflict"), "its consumers still read it"
    await stage.sleep(0.2 * HOUR)
    assert stage.ready("heir") == READY
    assert stage.ready("orders") == READY


@on_stage
async def test_a_secret_of_somebody_else_is_looked_at_again_soon(stage: Stage) -> None:
    await begin(stage, with_key("other"))
    store(stage).put(PLACE, "mine")
    stage.apply(heir())
    await stage.sleep(3)
    assert stage.ready("heir") == ("False", "OwnershipConflict")
    store(stage).kept.pop(PLACE)
    await stage.sleep(8)
    assert stage.ready("heir") == READY


@on_stage
async def test_a_conflict_that_lasts_is_looked_at_more_and_more_rarely(stage: Stage) -> None:
    await begin(stage, with_key("other"))
    store(stage).put(PLACE, "mine")
    stage.apply(heir())
    await stage.sleep(HOUR)
    before = len(stage.faults.calls)
    await stage.sleep(HOUR)
    asked = [call for call in stage.faults.calls[before:] if call.side == "store"]
    assert 5 <= len(asked) <= 40
    assert condition_in(stage.get("heir"), "CredentialReady")["reason"] == "OwnershipConflict"


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("number", places(6))
def test_interrupted_anywhere_it_is_taken_over_all_the_same(number: int, fault: Fault) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_key())
        stage.apply(heir())
        await stage.quiet()
        stage.faults.at_write(number, fault)
        stage.delete("orders")
        await stage.sleep(1)
        await stage.quiet()
        await stage.sleep(60)
        assert not stage.get("orders")
        assert stage.ready("heir") == READY
        assert [key["id"] for key in live(stage)] == [read(stage)]

    play()
