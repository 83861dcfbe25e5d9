"""The realm is tested with the operator's own tokens, rarely, and the result is reported."""

from typing import Any

import pytest

from searchaccess.core.clusters.proof import undeclared
from searchaccess.engine.loop.proving import PROVE_EVERY
from searchaccess.ports.errors import LoginMissing
from tests.component.common import begin
from tests.support.loop.stage import CLUSTER_KEY, Stage, on_stage
from tests.support.memory.elasticsearch import AUDIENCE
from tests.support.memory.elasticsearch import SIDE as ELASTICSEARCH
from tests.support.worlds.world import access, condition_in, grant

NOTICED = 15.0
"""Seconds."""


def _proven(stage: Stage) -> tuple[str, str]:
    found = condition_in(stage.cluster(), "RealmProven")
    return found["status"], found["reason"]


def _tried(stage: Stage) -> list[str]:
    return [call.names[0] for call in stage.faults.calls if (call.side, call.method) == (ELASTICSEARCH, "realm_of_own")]


@on_stage
async def test_without_an_identity_it_is_not_proven_and_nothing_else_depends_on_it(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    assert _proven(stage) == ("Unknown", "RealmNotProven")
    assert stage.cluster_ready() == ("True", "InSync")
    stage.check()


@on_stage
async def test_a_realm_that_takes_the_one_and_refuses_the_other_is_proven_with_two_requests(stage: Stage) -> None:
    stage.elasticsearch.own_identity = True
    await begin(stage, access("orders", grant("orders-*")))
    assert _proven(stage) == ("True", "RealmProven")
    assert _tried(stage) == [AUDIENCE, undeclared(AUDIENCE)]
    await stage.sleep(PROVE_EVERY - 60)
    assert len(_tried(stage)) == 2
    await stage.sleep(10 * PROVE_EVERY)
    assert 2 * 10 <= len(_tried(stage)) <= 2 * 12


@on_stage
async def test_what_the_settings_do_not_show_is_reported_and_keeps_nobody_from_getting_rights(stage: Stage) -> None:
    stage.elasticsearch.own_identity = True
    stage.elasticsearch.accepts = lambda _: False
    await begin(stage, access("orders", grant("orders-*")))
    assert _proven(stage) == ("False", "RealmRefuses")
    assert condition_in(stage.cluster(), "RealmVerified")["status"] == "True"
    assert stage.ready("orders") == ("True", "InSync")
    stage.elasticsearch.accepts = lambda _: True
    stage.elasticsearch.restart()
    await stage.sleep(NOTICED)
    assert _proven(stage) == ("False", "RealmAcceptsOthers")


@on_stage
async def test_it_is_tried_again_when_a_node_was_started_or_another_audience_is_declared(stage: Stage) -> None:
    stage.elasticsearch.own_identity = True
    await begin(stage)
    stage.elasticsearch.restart()
    await stage.sleep(NOTICED)
    assert len(_tried(stage)) == 4

    def declare(raw: dict[str, Any]) -> None:
        raw["spec"]["identity"]["jwtRealm"]["audience"] = "https://other.example"

    stage.kubernetes.change(CLUSTER_KEY, declare)
    await stage.quiet()
    assert _tried(stage)[4:] == ["https://other.example", undeclared("https://other.example")]
    assert _proven(stage) == ("False", "RealmRefuses")
    # A check that finds something wrong is repeated every few seconds; this is not.
    await stage.sleep(PROVE_EVERY / 2)
    assert len(_tried(stage)) == 6


@pytest.mark.parametrize("times", [1, 2])
def test_a_token_that_is_not_to_be_had_costs_nothing_else(times: int) -> None:
    async def play(stage: Stage) -> None:
        stage.elasticsearch.own_identity = True
        tries = 0

        def accepts(_: str) -> bool:
            nonlocal tries
            tries += 1
            if tries == times:
                raise LoginMissing("there is no identity token of the operator's own")
            return True

        stage.elasticsearch.accepts = accepts
        await begin(stage, access("orders", grant("orders-*")))
        assert _proven(stage) == ("Unknown", "RealmNotProven")
        assert "no identity token" in condition_in(stage.cluster(), "RealmProven")["message"]
        assert stage.cluster_ready() == ("True", "InSync")
        stage.check()

    on_stage(play)()
