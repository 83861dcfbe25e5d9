"""New versions of a secret are rolled out to Cloud Run, once each."""

from typing import Any

import pytest

from searchaccess.core.model.identities.workload import WorkloadKind
from searchaccess.ports.errors import PermissionDenied, Unreachable
from tests.component.credentials.common import begin, live, overlap_passes, read, said, with_key
from tests.component.credentials.rotation.test_pins import SERVICE, declared, pinned, two_keys
from tests.support.failures.faults import Fault
from tests.support.loop.stage import Stage, access_key, on_stage
from tests.support.memory.google import SIDE
from tests.support.servers.googlestate import a_workload
from tests.support.worlds.world import condition_in

ROLL = {"rollout": "NewRevision"}


def rolls(stage: Stage) -> list[str]:
    """Return the numbers that were rolled out."""
    return [call.names[1] for call in stage.faults.calls if (call.side, call.method) == (SIDE, "roll")]


def template(stage: Stage) -> str:
    [use] = stage.google.state.workloads[SERVICE].uses
    return use.version


def message(stage: Stage) -> str:
    return str(condition_in(stage.get("orders"), "CredentialReady")["message"])


@pytest.mark.parametrize("first", [1, "latest"])
def test_a_new_version_gets_a_new_revision_and_then_the_old_key_goes(first: int | str) -> None:
    @on_stage
    async def run(stage: Stage) -> None:
        old = stage.google.state.deploy(SERVICE, uses=pinned(first))
        _, second = await two_keys(stage, declared(credential=ROLL))
        assert template(stage) == "2"
        [serving] = stage.google.state.workloads[SERVICE].serving
        assert serving.revision != old
        await overlap_passes(stage)
        assert [key["id"] for key in live(stage)] == [second]
        assert said(stage) == ("True", "CredentialActive")
        assert rolls(stage) == ["2"] if first == 1 else ["1", "2"]

    run()


@on_stage
async def test_without_it_nothing_is_rolled_out(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, uses=pinned(1))
    await two_keys(stage, declared())
    assert rolls(stage) == []
    assert template(stage) == "1"


@pytest.mark.parametrize("first", [1, "latest"])
def test_a_revision_that_cannot_serve_leaves_the_old_key(first: int | str) -> None:
    @on_stage
    async def run(stage: Stage) -> None:
        state = stage.google.state
        state.deploy(SERVICE, uses=pinned(first))
        state.broken = "the container did not start"
        old, new = await two_keys(stage, declared(credential=ROLL))
        await stage.sleep(60)
        assert said(stage) == ("True", "RolloutFailed")
        assert "services/orders does not use it: the container did not start" in message(stage)
        await overlap_passes(stage, 3)
        assert {key["id"] for key in live(stage)} == {old, new}
        assert "the previous one stays (version 1: revision" in message(stage)
        assert len(rolls(stage)) == (1 if first == 1 else 2), "it is not tried again and again"
        # Somebody mends it, and deploys.
        state.broken = ""
        state.deploy(SERVICE, uses=pinned(2))
        await stage.sleep(700)
        assert [key["id"] for key in live(stage)] == [new]
        assert said(stage) == ("True", "CredentialActive")

    run()


@on_stage
async def test_traffic_that_stays_where_it_is_keeps_the_old_key(stage: Stage) -> None:
    state = stage.google.state
    old = state.deploy(SERVICE, uses=pinned(1))
    state.held.add(SERVICE)
    first, second = await two_keys(stage, declared(credential=ROLL))
    await overlap_passes(stage)
    assert {key["id"] for key in live(stage)} == {first, second}
    assert said(stage) == ("True", "RevokeDeferred")
    assert f"version 1: revision {old}" in message(stage)
    assert [serving.revision for serving in state.workloads[SERVICE].serving] == [old]


@on_stage
async def test_a_job_gets_it_for_its_next_execution(stage: Stage) -> None:
    job = a_workload(kind=WorkloadKind.JOB)
    stage.google.state.deploy(job, uses=pinned(1))
    execution = stage.google.state.execute(job)
    first, second = await two_keys(stage, declared(job, credential=ROLL))
    assert stage.google.state.workloads[job].uses == pinned(2)
    await overlap_passes(stage)
    assert {key["id"] for key in live(stage)} == {first, second}, "the one that runs has the old one"
    stage.google.state.complete(job, execution)
    await stage.sleep(700)
    assert [key["id"] for key in live(stage)] == [second]


@pytest.mark.parametrize("fault", Fault)
def test_a_start_rolls_nothing_and_what_was_cut_off_is_done_once(fault: Fault) -> None:
    @on_stage
    async def run(stage: Stage) -> None:
        stage.google.state.deploy(SERVICE, uses=pinned(1))
        await two_keys(stage, declared(credential=ROLL))
        revision = stage.google.state.workloads[SERVICE].latest_created
        await stage.restart()
        await stage.quiet()
        assert stage.google.state.workloads[SERVICE].latest_created == revision
        await overlap_passes(stage)

        # Key, value and note come before it.
        stage.faults.at_write(4, fault)
        stage.annotate(access_key("orders"), "searchaccess.dev/rotate-requested-at", "again")
        await stage.quiet()
        await stage.sleep(700)
        assert template(stage) == "3"
        assert len({name for _, name in stage.google.state.revisions}) == 3

    run()


@pytest.mark.parametrize("error", [PermissionDenied("Cloud Run: may not"), Unreachable("Cloud Run: away")], ids=repr)
def test_what_cloud_run_refuses_is_reported_and_tried_again(error: Exception) -> None:
    @on_stage
    async def run(stage: Stage) -> None:
        stage.google.state.deploy(SERVICE, uses=pinned(1))
        stage.faults.fail(SIDE, error, "roll")
        first, second = await two_keys(stage, declared(credential=ROLL))
        assert said(stage) == ("True", "RolloutFailed")
        assert str(error) in message(stage)
        await overlap_passes(stage)
        assert {key["id"] for key in live(stage)} == {first, second}
        stage.faults.heal(SIDE)
        await stage.sleep(700)
        assert template(stage) == "2"
        assert [key["id"] for key in live(stage)] == [second]

    run()


@on_stage
async def test_a_template_that_does_not_name_the_secret_is_reported(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE)
    await two_keys(stage, declared(credential=ROLL))
    assert said(stage) == ("True", "RolloutFailed")
    assert "the workload's template does not name the secret" in message(stage)
    assert rolls(stage) == []


@on_stage
async def test_another_store_than_secret_manager_is_reported(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, uses=pinned(1))
    raw: dict[str, Any] = declared(credential=ROLL)
    await begin(stage, raw, with_key("other"))
    assert said(stage) == ("True", "RolloutFailed")
    assert "only to secrets of Secret Manager" in message(stage)
    assert read(stage)
