"""State in, state out: what a SearchAccess with an end left behind in another place."""

import pytest

from searchaccess.ports.errors import Unreachable
from tests.component.credentials.common import HOUR, PLACE, store, with_key
from tests.component.moves.common import begin, key_in_secret, move, new, new_cluster, old, works
from tests.component.timeboxes.common import EXPIRED, SOON, at
from tests.support.loop.stage import Stage, on_stage


@on_stage
async def test_a_user_in_an_old_place_is_gone_at_the_end_although_its_overlap_is_longer(stage: Stage) -> None:
    password = with_key(auth="Password", credential={"overlap": "2h"}, validUntil=at(stage, HOUR))
    await begin(stage, password, new_cluster())
    move(stage, "new")
    await stage.quiet()
    assert old(stage).users_now, "consumers read the secret again within the overlap"
    assert new(stage).users_now
    await stage.sleep(HOUR)
    assert not new(stage).users_now
    assert not old(stage).users_now
    await stage.quiet()
    assert stage.ready("orders") == EXPIRED


@on_stage
async def test_a_key_in_an_old_place_is_gone_at_an_end_that_is_declared_later(stage: Stage) -> None:
    await begin(stage, with_key(credential={"overlap": "2h"}), new_cluster())
    before = key_in_secret(stage)
    move(stage, "new")
    await stage.quiet()
    assert works(old(stage), before)
    stage.amend("orders", validUntil=at(stage, 60))
    await stage.sleep(60 + SOON)
    assert not new(stage).live_keys()
    assert not old(stage).live_keys()


@on_stage
async def test_a_user_in_an_old_place_is_gone_at_the_end_although_the_store_fails(stage: Stage) -> None:
    password = with_key(auth="Password", credential={"overlap": "2h"}, validUntil=at(stage, HOUR))
    await begin(stage, password, new_cluster())
    move(stage, "new")
    await stage.quiet()
    assert old(stage).users_now
    stage.faults.fail("store", Unreachable("down"))
    await stage.sleep(HOUR)
    assert not old(stage).users_now
    assert not new(stage).users_now
    stage.faults.heal("store")


@pytest.mark.parametrize("auth", ["ApiKey", "Password"])
def test_an_invalid_spec_keeps_no_credential_past_its_end(auth: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_key(auth=auth, validUntil=at(stage, 120)))
        assert store(stage).newest(PLACE)
        stage.amend("orders", grants="odd")
        await stage.quiet()
        assert stage.elasticsearch.users_now or stage.elasticsearch.live_keys()
        await stage.sleep(120)
        assert not stage.elasticsearch.users_now
        assert not stage.elasticsearch.live_keys()

    play()
