"""Subjects that go and come again: nothing of what was known of them before is in the way."""

from typing import Any

from tests.component.common import begin
from tests.component.identities.common import NEW, OLD, SERVICE, asked, declared, have_roles, resolved, subject
from tests.support.loop.stage import Stage, access_key, on_stage
from tests.support.servers.googlestate import a_workload
from tests.support.worlds.world import account, condition_in

OTHER = a_workload("invoices")
BLUE = account("blue")
SOON = 5


@on_stage
async def test_an_access_that_is_deleted_and_applied_again_has_its_rights_within_seconds(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    stage.delete("orders")
    await stage.sleep(SOON)
    assert not stage.get("orders")
    stage.apply(declared())
    await stage.sleep(SOON)
    assert have_roles(stage) == {OLD}
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_an_access_that_is_replaced_at_once_has_its_rights_within_seconds(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    stage.delete("orders")
    while stage.get("orders"):
        await stage.sleep(0.01)
    stage.apply(declared())
    await stage.sleep(SOON)
    assert have_roles(stage) == {OLD}
    assert resolved(stage) == ("True", "IdentityResolved")


@on_stage
async def test_a_recreated_access_is_pending_at_once_while_google_takes_its_time(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    stage.delete("orders")
    await stage.sleep(SOON)
    healthy = stage.google.list_workloads

    async def slow(*arguments: Any) -> Any:
        await stage.sleep(10)
        return await healthy(*arguments)

    stage.google.list_workloads = slow  # type: ignore[method-assign, assignment]
    stage.apply(declared())
    await stage.sleep(2)
    assert stage.ready("orders") == ("False", "Pending")
    await stage.sleep(10 + SOON)
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_a_subject_that_is_changed_there_and_back_is_resolved_within_seconds(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    stage.google.state.deploy(OTHER, NEW)
    await begin(stage, declared())
    stage.google.state.deploy(SERVICE, BLUE)
    stage.amend("orders", subject=subject(OTHER))
    await stage.sleep(0.05)
    stage.amend("orders", subject=subject(SERVICE))
    await stage.sleep(SOON)
    assert have_roles(stage) == {BLUE}
    assert resolved(stage)[0] == "True"
    stage.google.state.deploy(a_workload("orders", project="acme-bill"), NEW)
    stage.amend("orders", subject=subject(a_workload("orders", project="acme-bill")))
    await stage.sleep(SOON)
    assert have_roles(stage) == {NEW}


@on_stage
async def test_one_that_is_recreated_while_it_is_read_is_resolved_by_a_read_of_its_own(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    healthy = stage.google.list_workloads

    async def slow(*arguments: Any) -> Any:
        await stage.sleep(1)
        answer = await healthy(*arguments)
        await stage.sleep(1)
        return answer

    stage.google.list_workloads = slow  # type: ignore[method-assign, assignment]
    stage.apply(declared())
    await begin(stage)
    stage.delete("orders")
    await stage.sleep(SOON)
    stage.apply(declared())
    await stage.sleep(1.5)
    before = asked(stage).count("list_workloads")
    stage.google.state.deploy(SERVICE, NEW)
    stage.delete("orders")
    while stage.get("orders"):
        await stage.sleep(0.01)
    stage.apply(declared())
    await stage.sleep(SOON)
    assert asked(stage).count("list_workloads") > before
    assert have_roles(stage) == {NEW}, "the old answer was to somebody else's question"


@on_stage
async def test_a_request_made_while_its_subject_is_read_is_served_by_another_read(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    healthy = stage.google.list_workloads

    async def slow(*arguments: Any) -> Any:
        answer = await healthy(*arguments)
        await stage.sleep(2)
        return answer

    stage.google.list_workloads = slow  # type: ignore[method-assign, assignment]
    stage.annotate(access_key("orders"), "searchaccess.dev/reconcile-requested-at", "one")
    await stage.sleep(1)
    stage.google.state.deploy(SERVICE, NEW)
    stage.annotate(access_key("orders"), "searchaccess.dev/reconcile-requested-at", "two")
    await stage.sleep(SOON)
    await stage.quiet()
    assert have_roles(stage) == {NEW}
    assert stage.get("orders")["status"]["lastHandledReconcileAt"] == "two"
    assert condition_in(stage.get("orders"), "Ready")["status"] == "True"
