"""Which of several causes a status shows."""

import asyncio
from typing import Any

import pytest

from searchaccess.ports.errors import Unreachable
from searchaccess.ports.google import Workloads
from tests.component.common import begin
from tests.component.identities.common import OLD, SERVICE, declared
from tests.support.loop.stage import Stage, on_stage
from tests.support.memory.elasticsearch import SIDE as ELASTICSEARCH
from tests.support.worlds.world import access, grant

PATIENCE = 25
"""Seconds: less than after which a call to Google is given up."""


def test_an_unreachable_cluster_shows_while_google_has_not_answered_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage)
        stage.google.state.deploy(SERVICE, OLD)
        answer = stage.google.list_workloads

        async def late(*asked: Any) -> Workloads:
            await asyncio.sleep(PATIENCE)
            return await answer(*asked)

        monkeypatch.setattr(stage.google, "list_workloads", late)
        stage.faults.fail(ELASTICSEARCH, Unreachable("no answer"))
        stage.apply(declared())
        await stage.quiet()
        assert stage.ready("orders") == ("Unknown", "ClusterUnreachable")
        stage.faults.heal(ELASTICSEARCH)
        await stage.sleep(PATIENCE)
        await stage.quiet()
        assert stage.ready("orders") == ("True", "InSync")

    play()


@on_stage
async def test_what_a_person_must_act_on_shows_although_the_cluster_is_unreachable(stage: Stage) -> None:
    await begin(stage)
    stage.faults.fail(ELASTICSEARCH, Unreachable("no answer"))
    stage.apply(declared(), access("invalid", grant("Upper")))
    await stage.quiet()
    assert stage.ready("orders") == ("False", "ServiceNotFound")
    assert stage.ready("invalid") == ("False", "InvalidSpec")
