"""Subjects that are Cloud Run workloads: whose rights follow what Google says, and stay when it says nothing."""

from typing import Any

import pytest

from searchaccess.api.conditions.docs import doc_of
from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.model.identities.workload import Serving, WorkloadKind
from searchaccess.ports.errors import ExternalError, PermissionDenied, Throttled, Unreachable
from tests.component.common import begin
from tests.component.identities.common import (
    GRACE,
    JOB,
    NEW,
    OLD,
    REFRESH,
    SERVICE,
    asked,
    declared,
    have_roles,
    identity,
    refreshed,
    resolved,
)
from tests.support.loop.stage import OPERATOR, Stage, access_key, on_stage
from tests.support.memory.google import SIDE
from tests.support.servers.googlestate import DEFAULT_ACCOUNT, LOCATION, PROJECT, a_workload
from tests.support.worlds.world import access, condition_in, grant


@pytest.mark.parametrize("kind", WorkloadKind)
def test_a_workload_has_the_rights_by_its_service_account(kind: WorkloadKind) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        workload = a_workload("orders", kind)
        stage.google.state.deploy(workload, OLD)
        await begin(stage, declared(workload=workload))
        assert have_roles(stage) == {OLD}
        assert stage.ready("orders") == ("True", "InSync")
        assert resolved(stage) == ("True", "IdentityResolved")
        found = identity(stage)
        assert found["principal"] == found["serviceAccount"] == OLD
        assert found["uniqueId"] == stage.google.state.accounts[OLD]
        assert found["workload"] == workload.path
        assert stage.get("orders")["status"]["subject"].endswith("orders.europe-west1.acme-shop")
        assert stage.notes("orders") == []

    play()


@on_stage
async def test_the_status_names_the_revisions_that_serve(stage: Stage) -> None:
    first = stage.google.state.deploy(SERVICE, OLD)
    second = stage.google.state.deploy(SERVICE, OLD)
    stage.google.state.workloads[SERVICE].serving  # noqa: B018 - as deployed.
    stage.google.state.serve(SERVICE, **{first.replace("-", "_"): 10, second.replace("-", "_"): 90})
    await begin(stage, declared())
    assert identity(stage)["revisions"] == [{"name": second, "percent": 90}, {"name": first, "percent": 10}]
    assert identity(stage)["latestReadyRevision"] == second
    assert "outgoing" not in identity(stage)


@on_stage
async def test_rights_move_to_the_new_account_in_one_pass_new_first(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    before = len(stage.faults.writes)
    stage.google.state.deploy(SERVICE, NEW)
    await refreshed(stage)
    assert have_roles(stage) == {NEW}
    writes = [call for call in stage.faults.writes[before:] if call.side == "elasticsearch"]
    assert [(call.method, call.names) for call in writes] == [
        ("put_roles", (OPERATOR.role_name(NEW),)),
        ("delete_roles", (OPERATOR.role_name(OLD),)),
    ]
    assert resolved(stage) == ("True", "ServiceAccountChanged")
    assert identity(stage)["changed"]["serviceAccount"] == OLD
    assert stage.notes("orders") == ["ServiceAccountChanged"]
    assert stage.get("orders")["status"]["drift"]["detected"] == 0


@on_stage
async def test_the_old_account_keeps_its_rights_while_its_revision_serves(stage: Stage) -> None:
    old = stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    new = stage.google.state.deploy(SERVICE, NEW, traffic=False)
    await refreshed(stage)
    assert have_roles(stage) == {OLD, NEW}
    assert resolved(stage) == ("True", "ServiceAccountChanged")
    assert identity(stage)["principal"] == NEW
    assert [item["serviceAccount"] for item in identity(stage)["outgoing"]] == [OLD]

    # Another declaration reaches both.
    stage.amend("orders", grants=[grant("orders-*", can=["read", "write"])])
    await stage.quiet()
    assert stage.role(OLD)["indices"] == stage.role(NEW)["indices"]
    assert stage.ready("orders") == ("True", "InSync")

    stage.google.state.serve(SERVICE, **{new.replace("-", "_"): 100})
    await refreshed(stage)
    assert have_roles(stage) == {NEW}
    assert old not in str(identity(stage)["revisions"])


@on_stage
async def test_a_running_execution_keeps_the_rights_of_its_account(stage: Stage) -> None:
    stage.google.state.deploy(JOB, OLD)
    await begin(stage, declared(workload=JOB))
    execution = stage.google.state.execute(JOB)
    stage.google.state.deploy(JOB, NEW)
    await refreshed(stage)
    assert have_roles(stage) == {OLD, NEW}
    stage.google.state.complete(JOB, execution)
    await refreshed(stage)
    assert have_roles(stage) == {NEW}


@on_stage
async def test_drift_in_either_role_is_reported_and_corrected(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    stage.google.state.deploy(SERVICE, NEW, traffic=False)
    await refreshed(stage)
    for number, principal in enumerate((OLD, NEW), start=1):
        stage.elasticsearch.write_role(OPERATOR.role_name(principal), stage.role(principal) | {"cluster": ["all"]})
        await stage.quiet()
        assert stage.role(principal)["cluster"] == []
        assert stage.get("orders")["status"]["drift"]["corrected"] == number


@on_stage
async def test_deleting_takes_the_rights_of_both_accounts(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    stage.google.state.deploy(SERVICE, NEW, traffic=False)
    await refreshed(stage)
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")
    assert have_roles(stage) == set()


@pytest.mark.parametrize("error", [Unreachable("away"), PermissionDenied("403"), Throttled("429")], ids=repr)
def test_nothing_is_revoked_while_google_does_not_say(error: ExternalError) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        stage.google.state.deploy(SERVICE, OLD)
        await begin(stage, declared())
        stage.google.state.deploy(SERVICE, NEW)
        stage.faults.fail(SIDE, error)
        await refreshed(stage)
        assert have_roles(stage) == {OLD}
        assert resolved(stage) == ("Unknown", "IdentityUnknown")
        assert stage.ready("orders") == ("True", "InSync")

        await stage.restart()
        await stage.quiet()
        assert have_roles(stage) == {OLD}
        stage.amend("orders", grants=[grant("orders-*", can=["write"])])
        await stage.quiet()
        assert "index" in stage.role(OLD)["indices"][0]["privileges"], "it stays in force, and follows declarations"

        stage.faults.heal(SIDE)
        await refreshed(stage)
        assert have_roles(stage) == {NEW}
        assert resolved(stage) == ("True", "ServiceAccountChanged")

    play()


@on_stage
async def test_nothing_is_granted_on_the_word_of_a_status(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    await stage.stop()
    stage.faults.fail(SIDE, Unreachable("away"))

    def forge(raw: dict[str, Any]) -> None:
        raw["status"]["identity"]["serviceAccount"] = NEW

    stage.kubernetes.change(access_key("orders"), forge)
    stage.start()
    await stage.quiet()
    assert NEW not in have_roles(stage)
    stage.faults.heal(SIDE)
    await refreshed(stage)
    assert have_roles(stage) == {OLD}


@on_stage
async def test_a_status_that_was_wiped_costs_nobody_its_rights(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    await stage.stop()
    stage.faults.fail(SIDE, Unreachable("away"))
    stage.kubernetes.change(access_key("orders"), lambda raw: raw.update(status={}))
    stage.start()
    await stage.quiet()
    await stage.reconcile_all()
    assert have_roles(stage) == {OLD}
    assert resolved(stage) == ("Unknown", "IdentityUnknown")
    stage.faults.heal(SIDE)
    await refreshed(stage)
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_a_restart_writes_nothing(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    before = len(stage.faults.writes)
    await stage.restart()
    await stage.quiet()
    assert stage.faults.writes[before:] == []


@on_stage
async def test_a_workload_that_is_not_there_gets_nothing_until_it_is(stage: Stage) -> None:
    await begin(stage, declared())
    assert have_roles(stage) == set()
    assert stage.ready("orders") == ("False", "ServiceNotFound")
    stage.google.state.deploy(SERVICE, OLD)
    await refreshed(stage)
    assert have_roles(stage) == {OLD}
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_a_deleted_workload_keeps_its_rights_for_the_grace_period(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    stage.google.state.delete(SERVICE)
    await refreshed(stage)
    assert have_roles(stage) == {OLD}
    assert resolved(stage) == ("False", "ServiceNotFound")
    assert stage.ready("orders") == ("True", "InSync")
    since = identity(stage)["missingSince"]

    await stage.restart()
    await stage.quiet()
    assert identity(stage)["missingSince"] == since
    await stage.sleep(GRACE + REFRESH * 1.2)
    await stage.quiet()
    assert have_roles(stage) == set()
    assert stage.ready("orders") == ("False", "ServiceNotFound")

    stage.google.state.deploy(SERVICE, OLD)
    await refreshed(stage)
    assert have_roles(stage) == {OLD}
    assert stage.get("orders")["status"]["drift"]["detected"] == 0, "to have them again is no drift"


@on_stage
async def test_an_account_that_was_recreated_is_reported(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    old = stage.google.state.accounts[OLD]
    stage.google.state.add_account(OLD)
    await refreshed(stage)
    await refreshed(stage)
    assert stage.notes("orders") == ["ServiceAccountRecreated"]
    assert identity(stage)["changed"]["uniqueId"] == old
    assert have_roles(stage) == {OLD}


@on_stage
async def test_the_default_account_earns_a_warning(stage: Stage) -> None:
    stage.google.state.add_account(DEFAULT_ACCOUNT)
    stage.google.state.deploy(SERVICE)
    await begin(stage, declared())
    assert have_roles(stage) == {DEFAULT_ACCOUNT}
    assert resolved(stage) == ("True", "DefaultServiceAccount")
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_workloads_that_run_as_the_same_account_are_named(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    stage.google.state.deploy(a_workload("invoices"), OLD)
    await begin(stage, declared())
    assert resolved(stage) == ("True", "SharedIdentity")
    assert identity(stage)["sharedWith"] == [a_workload("invoices").path]


@on_stage
async def test_somebody_may_request_a_reconcile_now(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    stage.google.state.deploy(SERVICE, NEW)
    stage.annotate(access_key("orders"), "searchaccess.dev/reconcile-requested-at", "now")
    await stage.quiet()
    assert have_roles(stage) == {NEW}
    assert stage.get("orders")["status"]["lastHandledReconcileAt"] == "now"


@on_stage
async def test_a_thousand_accesses_over_fifty_services_cost_few_requests(stage: Stage) -> None:
    places = [(project, f"{region}-west1") for project in ("acme-shop", "acme-bill") for region in ("europe", "us")]
    services = [
        a_workload(f"s{number}", project=places[number % 4][0], location=places[number % 4][1]) for number in range(50)
    ]
    for number, service in enumerate(services):
        stage.google.state.deploy(service, f"s{number}@{service.place.project}.iam.gserviceaccount.com")
    await begin(stage, *[declared(f"a{number}", services[number % 50]) for number in range(1000)])
    assert len(have_roles(stage)) == 50
    assert len(asked(stage)) <= 60
    before = len(asked(stage))
    await stage.sleep(REFRESH * 1.2)
    assert 0 < len(asked(stage)) - before <= 60


@on_stage
async def test_fifty_services_in_fifty_places_cost_at_most_sixty_requests_a_refresh(stage: Stage) -> None:
    services = [a_workload("s", project=f"acme-shop-{number:02}") for number in range(50)]
    for number, service in enumerate(services):
        stage.google.state.deploy(service, f"s@acme-shop-{number:02}.iam.gserviceaccount.com")
    await begin(stage, *[declared(f"a{number}", service) for number, service in enumerate(services)])
    for _ in range(3):
        before = len(asked(stage))
        await stage.sleep(REFRESH * 1.15)
        assert 50 <= len(asked(stage)) - before <= 60


@on_stage
async def test_a_fault_of_ours_ends_nothing(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    healthy = stage.google.list_workloads

    async def broken(*_: Any) -> Any:
        raise ValueError("a fault")

    stage.google.list_workloads = broken  # type: ignore[method-assign, assignment]
    stage.google.state.deploy(SERVICE, NEW)
    await refreshed(stage)
    assert have_roles(stage) == {OLD}
    stage.google.list_workloads = healthy  # type: ignore[method-assign]
    await refreshed(stage)
    assert have_roles(stage) == {NEW}


@on_stage
async def test_without_workloads_google_is_not_asked(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    assert asked(stage) == []
    assert not condition_in(stage.get("orders"), "IdentityResolved")


def test_reasons_of_identities_are_no_dead_ends() -> None:
    assert not doc_of(Reason.SERVICE_NOT_FOUND).terminal
    assert not doc_of(Reason.IDENTITY_UNKNOWN).terminal
    assert (PROJECT, LOCATION, Serving("x").percent) == ("acme-shop", "europe-west1", 0)
