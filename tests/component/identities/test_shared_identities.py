"""Who else runs as the same account: named while it is so, and no longer."""

from searchaccess.core.model.identities.workload import Place, Workload
from searchaccess.ports.errors import PermissionDenied
from searchaccess.ports.google import Workloads
from tests.component.common import begin
from tests.component.identities.common import (
    NEW,
    OLD,
    SERVICE,
    asked,
    declared,
    have_roles,
    identity,
    refreshed,
    resolved,
)
from tests.support.loop.stage import Stage, on_stage
from tests.support.memory.google import PAGE, SIDE
from tests.support.servers.googlestate import DEFAULT_ACCOUNT, a_workload

OTHER = a_workload("invoices")
ELSEWHERE = a_workload("invoices", location="us-west1")


async def _stays_shared_for_a_while_only(stage: Stage, other: Workload) -> None:
    assert identity(stage)["sharedWith"] == [other.path]
    await refreshed(stage)
    await refreshed(stage)
    await refreshed(stage)
    assert "sharedWith" not in identity(stage)
    assert resolved(stage) == ("True", "IdentityResolved")


@on_stage
async def test_a_workload_that_was_deleted_is_not_named_though_its_place_is_not_listed_any_more(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    stage.google.state.deploy(OTHER, OLD)
    for number in range(PAGE):
        stage.google.state.deploy(a_workload(f"x{number}"), NEW)
    await begin(stage, declared())
    stage.google.state.delete(OTHER)
    await _stays_shared_for_a_while_only(stage, OTHER)


@on_stage
async def test_a_workload_that_was_read_by_its_name_and_deleted_is_not_named(stage: Stage) -> None:
    stage.faults.fail(SIDE, PermissionDenied("403"), "list_workloads")
    stage.google.state.deploy(SERVICE, OLD)
    stage.google.state.deploy(OTHER, OLD)
    await begin(stage, declared(), declared("invoices", OTHER))
    await refreshed(stage)
    stage.google.state.delete(OTHER)
    await _stays_shared_for_a_while_only(stage, OTHER)


@on_stage
async def test_a_workload_of_a_place_that_nobody_names_any_more_is_not_named(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    stage.google.state.deploy(ELSEWHERE, OLD)
    await begin(stage, declared(), declared("invoices", ELSEWHERE))
    await refreshed(stage)
    stage.delete("invoices")
    await _stays_shared_for_a_while_only(stage, ELSEWHERE)


@on_stage
async def test_a_workload_that_runs_as_another_account_now_is_not_named(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    stage.google.state.deploy(OTHER, OLD)
    await begin(stage, declared())
    stage.google.state.deploy(OTHER, NEW)
    await _stays_shared_for_a_while_only(stage, OTHER)


@on_stage
async def test_a_restart_writes_nothing_though_one_of_two_places_takes_its_time(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    stage.google.state.deploy(ELSEWHERE, OLD)
    await begin(stage, declared(), declared("invoices", ELSEWHERE))
    await refreshed(stage)
    assert identity(stage)["sharedWith"] == [ELSEWHERE.path]
    assert identity(stage, "invoices")["sharedWith"] == [SERVICE.path]
    before = len(stage.faults.writes)
    healthy = stage.google.list_workloads

    async def slow(place: Place, following: str = "") -> Workloads:
        if place == ELSEWHERE.place:
            await stage.sleep(10)
        return await healthy(place, following)

    stage.google.list_workloads = slow  # type: ignore[method-assign]
    await stage.restart()
    await stage.sleep(30)
    assert stage.faults.writes[before:] == []
    stage.google.state.deploy(SERVICE, NEW)
    await refreshed(stage)
    assert have_roles(stage) == {OLD, NEW}


@on_stage
async def test_workloads_that_run_as_the_default_account_are_named_by_name_or_not(stage: Stage) -> None:
    stage.google.state.add_account(DEFAULT_ACCOUNT)
    stage.google.state.deploy(SERVICE)
    stage.google.state.deploy(OTHER)
    stage.google.state.deploy(a_workload("named"), DEFAULT_ACCOUNT)
    await begin(stage, declared())
    assert identity(stage)["sharedWith"] == [OTHER.path, a_workload("named").path]


@on_stage
async def test_a_list_that_was_refused_is_tried_again_now_and_then_and_used_when_it_is_allowed(stage: Stage) -> None:
    services = [a_workload(f"s{number}") for number in range(5)]
    for service in services:
        stage.google.state.deploy(service, OLD)
    stage.faults.fail(SIDE, PermissionDenied("403"), "list_workloads")
    await begin(stage, *[declared(service.name, service) for service in services])
    assert have_roles(stage) == {OLD}
    begun = asked(stage).count("list_workloads")
    await stage.sleep(10 * 3600)
    tried = asked(stage).count("list_workloads") - begun
    assert 8 <= tried <= 25, "not at every refresh, and not never"

    stage.faults.heal(SIDE)
    await stage.sleep(2 * 3600)
    before = len(asked(stage))
    await refreshed(stage)
    assert "get_workload" not in asked(stage)[before:]
    assert "list_workloads" in asked(stage)[before:]
