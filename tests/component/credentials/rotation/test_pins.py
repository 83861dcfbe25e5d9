"""Old keys stay for as long as Cloud Run hands them out."""

from typing import Any

import pytest

from searchaccess.core.model.identities.workload import SecretUse, Workload, WorkloadKind
from searchaccess.ports.errors import PermissionDenied
from tests.component.credentials.common import (
    HOUR,
    begin,
    credential,
    days_pass,
    live,
    overlap_passes,
    read,
    said,
    with_key,
)
from tests.support.loop.stage import Stage, access_key, on_stage
from tests.support.memory.google import SIDE
from tests.support.memory.store import MemoryStore
from tests.support.servers.googlestate import LOCATION, PROJECT, a_workload
from tests.support.worlds.world import condition_in

SUBJECTS = {
    WorkloadKind.SERVICE: "cloudRunService",
    WorkloadKind.JOB: "cloudRunJob",
    WorkloadKind.WORKER_POOL: "cloudRunWorkerPool",
}
SERVICE = a_workload()


def pinned(version: int | str) -> tuple[SecretUse, ...]:
    return (SecretUse("orders-elasticsearch", str(version)),)


def declared(workload: Workload = SERVICE, **more: Any) -> dict[str, Any]:
    place = {"project": PROJECT, "location": LOCATION, "name": workload.name}
    return with_key(subject={SUBJECTS[workload.place.kind]: place}, **more)


async def two_keys(stage: Stage, raw: dict[str, Any]) -> tuple[str, str]:
    """Return the ids of the first key and of the one that takes its place."""
    stage.stores.by_name["main"] = MemoryStore(stage.faults)
    await begin(stage, raw)
    first = read(stage)
    stage.annotate(access_key("orders"), "searchaccess.dev/rotate-requested-at", "now")
    await stage.quiet()
    return first, read(stage)


@pytest.mark.parametrize("kind", WorkloadKind)
def test_a_version_by_number_keeps_its_key(kind: WorkloadKind) -> None:
    @on_stage
    async def run(stage: Stage) -> None:
        state, workload = stage.google.state, a_workload(kind=kind)
        revision = state.deploy(workload, uses=pinned(1))
        execution = state.execute(workload) if kind is WorkloadKind.JOB else ""
        first, second = await two_keys(stage, declared(workload))
        await overlap_passes(stage)
        assert {key["id"] for key in live(stage)} == {first, second}
        assert said(stage) == ("True", "RevokeDeferred")
        message = condition_in(stage.get("orders"), "CredentialReady")["message"]
        assert f"version 1: {f'execution {execution}' if execution else f'revision {revision}'}" in message
        assert stage.ready("orders") == ("True", "InSync")
        assert credential(stage)["phase"] == "Overlap"

        state.deploy(workload, uses=pinned(2))
        await stage.sleep(700)
        if execution:
            assert said(stage) == ("True", "RevokeDeferred"), "the execution still runs"
            state.complete(workload, execution)
            await stage.sleep(700)
        assert [key["id"] for key in live(stage)] == [second]
        assert said(stage) == ("True", "CredentialActive")

    run()


@on_stage
async def test_the_old_revision_keeps_it_while_it_has_a_share_of_the_traffic(stage: Stage) -> None:
    state = stage.google.state
    old = state.deploy(SERVICE, uses=pinned(1))
    first, second = await two_keys(stage, declared())
    new = state.deploy(SERVICE, uses=pinned(2))
    state.serve(SERVICE, **{old.replace("-", "_"): 1, new.replace("-", "_"): 99})
    await overlap_passes(stage)
    assert {key["id"] for key in live(stage)} == {first, second}
    assert f"revision {old}" in condition_in(stage.get("orders"), "CredentialReady")["message"]
    state.serve(SERVICE, **{new.replace("-", "_"): 100})
    await stage.sleep(700)
    assert [key["id"] for key in live(stage)] == [second]


@on_stage
async def test_latest_is_no_pin(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, uses=pinned("latest"))
    _, second = await two_keys(stage, declared())
    await overlap_passes(stage)
    assert [key["id"] for key in live(stage)] == [second]


@on_stage
async def test_after_the_overlap_if_that_is_wished(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, uses=pinned(1))
    _, second = await two_keys(stage, declared(credential={"revoke": "AfterOverlap"}))
    await overlap_passes(stage)
    assert [key["id"] for key in live(stage)] == [second]
    assert not [call for call in stage.faults.calls if call.side == SIDE]


@on_stage
async def test_what_cannot_be_found_out_keeps_it(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, uses=pinned(2))
    first, second = await two_keys(stage, declared())
    stage.faults.fail(SIDE, PermissionDenied("Cloud Run: may not"))
    await overlap_passes(stage)
    assert {key["id"] for key in live(stage)} == {first, second}
    message = condition_in(stage.get("orders"), "CredentialReady")["message"]
    assert "version 1: it is not known who uses it (Cloud Run: may not)" in message
    stage.faults.heal(SIDE)
    await stage.sleep(700)
    assert [key["id"] for key in live(stage)] == [second]


@on_stage
async def test_a_workload_that_does_not_exist_has_nothing(stage: Stage) -> None:
    _, second = await two_keys(stage, declared())
    await overlap_passes(stage)
    assert [key["id"] for key in live(stage)] == [second]


@on_stage
async def test_a_pinned_key_and_the_newest_one_live_on_and_then_the_rotation_that_waited_is_done(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, uses=pinned(1))
    stage.google.state.deploy(SERVICE, uses=pinned(1))
    first, second = await two_keys(stage, declared(credential={"rotateEvery": "48h", "overlap": "2h"}))
    await days_pass(stage, 8)
    assert {key["id"] for key in live(stage)} == {first, second}
    assert said(stage) == ("True", "RevokeDeferred")
    message = condition_in(stage.get("orders"), "CredentialReady")["message"]
    assert "the next is created when the old one is revoked" in message
    written = [call for call in stage.faults.writes if call.method == "prolong_keys"]
    assert 3 <= len(written) <= 10, "once a day"
    stage.google.state.deploy(SERVICE, uses=pinned(2))
    await stage.sleep(700)
    assert {key["id"] for key in live(stage)} == {second, read(stage)} != {second}
    await stage.sleep(3 * HOUR)
    assert said(stage) == ("True", "RevokeDeferred"), "the version that is deployed is the old one now"
    stage.google.state.deploy(SERVICE, uses=pinned(3))
    await stage.sleep(700)
    assert [key["id"] for key in live(stage)] == [read(stage)]


@on_stage
async def test_a_revision_that_vanished_is_none_and_the_others_count(stage: Stage) -> None:
    state = stage.google.state
    kept = state.deploy(SERVICE, uses=pinned(1))
    gone = state.deploy(SERVICE, uses=pinned(2))
    state.serve(SERVICE, **{gone.replace("-", "_"): 50, kept.replace("-", "_"): 50})
    del state.revisions[SERVICE, gone]
    first, second = await two_keys(stage, declared())
    await overlap_passes(stage)
    assert {key["id"] for key in live(stage)} == {first, second}
    assert f"revision {kept}" in condition_in(stage.get("orders"), "CredentialReady")["message"]


@pytest.mark.parametrize("more", [{}, {"rollout": "NewRevision"}], ids=["read again", "rolled out"])
def test_what_is_only_observed_is_not_looked_at_all_the_time(more: dict[str, str]) -> None:
    @on_stage
    async def run(stage: Stage) -> None:
        stage.google.state.deploy(SERVICE, uses=pinned(1))
        stage.stores.by_name["main"] = MemoryStore(stage.faults)
        await begin(stage, declared(credential={"rotateEvery": "6h", "overlap": "2h", **more}))
        stage.amend("orders", mode="Observe")
        await days_pass(stage, 0.5)
        before = len(stage.faults.calls)
        await stage.sleep(3600)
        reads = [call for call in stage.faults.calls[before:] if call.method == "keys"]
        # By each sweep, and once on its own in between.
        assert len(reads) <= 2 * 3600 / 300 + 2

    run()


@on_stage
async def test_deleting_does_not_wait(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, uses=pinned(1))
    await two_keys(stage, declared())
    stage.delete("orders")
    await stage.quiet()
    assert not live(stage)
