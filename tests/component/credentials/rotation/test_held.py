"""A key that is held is not rotated: its status says so, and when it is due and ends, from the beginning."""

from collections.abc import Callable

import pytest

from tests.component.credentials.common import begin, credential, days_pass, live, said, with_key, with_password
from tests.support.loop.stage import CLUSTER_KEY, Stage, access_key, on_stage
from tests.support.worlds.world import condition_in, grant


def suspend(stage: Stage) -> None:
    stage.amend("orders", suspend=True)


def ask_too_much(stage: Stage) -> None:
    stage.amend("orders", grants=[grant("/[/")])


def lose_the_store(stage: Stage) -> None:
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(secretStores=[]))


def lose_the_cluster(stage: Stage) -> None:
    stage.kubernetes.change(access_key("orders"), lambda raw: raw["spec"].update(cluster="nowhere"))


def message(stage: Stage) -> str:
    return str(condition_in(stage.get("orders"), "CredentialReady")["message"])


@pytest.mark.parametrize(
    ("hold", "reason"),
    [
        (suspend, "Suspended"),
        (ask_too_much, "InvalidSpec"),
        (lose_the_store, "StoreNotFound"),
        (lose_the_cluster, "ClusterNotFound"),
    ],
)
def test_a_key_that_is_not_rotated_says_when_it_is_due_and_when_it_ends(
    hold: Callable[[Stage], None], reason: str
) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_key(credential={"rotateEvery": "24h", "overlap": "1h"}))
        known, keys = credential(stage), live(stage)
        hold(stage)
        await stage.sleep(20)
        assert said(stage)[1] == reason
        text = (
            f"; key {known['keyId']} is not rotated meanwhile, although it is due at {known['nextRotation']}; "
            f"it expires at {known['expires']}"
        )
        assert message(stage).endswith(text)
        await days_pass(stage, 1.2)
        assert [key["id"] for key in live(stage)] == [key["id"] for key in keys], "it is held"
        assert message(stage).endswith(text)

    play()


@on_stage
async def test_of_a_password_it_is_said_as_well(stage: Stage) -> None:
    await begin(stage, with_password())
    suspend(stage)
    await stage.sleep(20)
    known = credential(stage)
    assert f"; user {known['username']} is not rotated meanwhile, although it is due at" in message(stage)
    assert "expires" not in message(stage)


@on_stage
async def test_where_none_was_issued_nothing_is_said(stage: Stage) -> None:
    await begin(stage, with_key(suspend=True))
    assert "rotated" not in message(stage)
