"""Faults of our own while identities are resolved, and places that do not answer: each costs its own subject alone."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from searchaccess.engine.identities.follow import CHUNK
from searchaccess.ports.errors import PermissionDenied
from tests.component.common import begin
from tests.component.identities.common import NEW, OLD, SERVICE, asked, declared, have_roles, refreshed, resolved
from tests.support.loop.stage import Stage, access_key, on_stage, search_cluster
from tests.support.memory.google import SIDE
from tests.support.servers.googlestate import a_workload
from tests.support.worlds.world import account, condition_in

ODD = a_workload("odd")
AWAY = a_workload("odd", location="us-west1")
SOON = 10


def faulty(stage: Stage, method: str, odd: Callable[[Any], bool], work: Callable[[], Any]) -> Callable[[], None]:
    """Let a method of Google do something else about some of what it is asked for; return what heals it."""
    healthy = getattr(stage.google, method)

    async def call(first: Any, *rest: Any) -> Any:
        if odd(first):
            await work()
        return await healthy(first, *rest)

    setattr(stage.google, method, call)
    return lambda: setattr(stage.google, method, healthy)


async def _raise() -> None:
    raise ValueError("SECRET")


def _internal_errors(stage: Stage) -> list[Any]:
    return [entry for logs in stage.logs for entry in logs if entry["event"] == "internal error"]


def _unknown(stage: Stage, name: str) -> str:
    found = condition_in(stage.get(name), "IdentityResolved")
    assert (found["status"], found["reason"]) == ("Unknown", "IdentityUnknown")
    return str(found["message"])


@pytest.mark.parametrize(
    ("method", "odd"),
    [
        pytest.param("revision_template", lambda workload: workload == ODD, id="what it runs"),
        pytest.param("get_workload", lambda workload: workload == ODD, id="the workload"),
        pytest.param("get_account", lambda email: email == account("odd"), id="its account"),
    ],
)
def test_one_that_cannot_be_concluded_is_reported_and_others_are_resolved(
    method: str, odd: Callable[[Any], bool]
) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        stage.google.state.deploy(SERVICE, OLD)
        stage.google.state.deploy(ODD, account("odd"))
        stage.google.state.deploy(ODD, account("odd"), traffic=False)
        # So they are read one by one.
        stage.faults.fail(SIDE, PermissionDenied("403"), "list_workloads", "list_accounts")
        heal = faulty(stage, method, odd, _raise)
        await begin(stage, declared(), declared("odd", ODD))
        assert OLD in have_roles(stage)
        assert stage.ready("orders") == ("True", "InSync")
        if method != "get_account":
            assert "unexpected ValueError" in _unknown(stage, "odd")
            assert account("odd") not in have_roles(stage)
        else:
            assert "unexpected ValueError" in condition_in(stage.get("odd"), "IdentityResolved")["message"]
        assert _internal_errors(stage)
        assert "SECRET" not in str(stage.logs) + str(stage.kubernetes.objects)
        heal()
        await stage.sleep(60 + SOON)
        await stage.quiet()
        assert have_roles(stage) == {OLD, account("odd")}
        assert resolved(stage, "odd")[0] == "True"

    play()


@on_stage
async def test_a_list_that_cannot_be_read_costs_its_place_alone(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    stage.google.state.deploy(AWAY, account("odd"))
    await begin(stage, declared(), declared("odd", AWAY))
    heal = faulty(stage, "list_workloads", lambda place: place == AWAY.place, _raise)
    stage.google.state.deploy(SERVICE, NEW)
    await refreshed(stage)
    assert have_roles(stage) == {NEW, account("odd")}, "nothing is revoked on a guess"
    assert resolved(stage) == ("True", "ServiceAccountChanged")
    assert "keeps its rights" in _unknown(stage, "odd")
    heal()
    await stage.sleep(60 + SOON)
    await stage.quiet()
    assert resolved(stage, "odd")[0] == "True"


@on_stage
async def test_an_answer_that_the_inventory_cannot_take_in_is_not_lost(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    stage.google.state.deploy(ODD, account("odd"))
    await begin(stage, declared(), declared("odd", ODD))
    assert stage.process is not None
    inventory = stage.process.inventory
    healthy = inventory.identify

    def broken(subject: Any, *arguments: Any, **more: Any) -> None:
        if subject == ODD:
            raise KeyError("SECRET")
        healthy(subject, *arguments, **more)

    inventory.identify = broken  # type: ignore[method-assign]
    stage.google.state.deploy(SERVICE, NEW)
    for name in ("orders", "odd"):
        stage.annotate(access_key(name), "searchaccess.dev/reconcile-requested-at", "now")
    await stage.sleep(SOON)
    assert NEW in have_roles(stage)
    assert stage.get("orders")["status"]["lastHandledReconcileAt"] == "now"
    assert "lastHandledReconcileAt" not in stage.get("odd")["status"]
    inventory.identify = healthy  # type: ignore[method-assign]
    await stage.sleep(60 + SOON)
    assert stage.get("odd")["status"]["lastHandledReconcileAt"] == "now"


@on_stage
async def test_an_odd_searchcluster_costs_its_subjects_alone(stage: Stage) -> None:
    stage.faults.broke = True
    stage.server("https://two:9200")
    stage.google.state.deploy(SERVICE, OLD)
    stage.google.state.deploy(AWAY, account("odd"))
    stage.apply(search_cluster("strange", "https://two:9200"))
    await begin(stage, declared(), declared("odd", AWAY, cluster="strange"))
    assert stage.process is not None
    spec = stage.process.inventory.clusters["strange"].cluster.spec
    assert spec is not None
    spec.identity.__dict__["cloud_run"] = None
    stage.google.state.deploy(SERVICE, NEW)
    await refreshed(stage)
    assert have_roles(stage) == {NEW}
    assert resolved(stage) == ("True", "ServiceAccountChanged")
    assert "unexpected AttributeError" in _unknown(stage, "odd")


@on_stage
async def test_a_place_that_does_not_answer_delays_nobody_else(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    stage.google.state.deploy(AWAY, account("odd"))

    async def hang() -> None:
        await stage.sleep(1e6)

    heal = faulty(stage, "list_workloads", lambda place: place == AWAY.place, hang)
    stage.apply(declared("odd", AWAY))
    await begin(stage, declared())
    assert stage.ready("orders") == ("True", "InSync")
    stage.google.state.deploy(SERVICE, NEW)
    stage.annotate(access_key("orders"), "searchaccess.dev/reconcile-requested-at", "now")
    await stage.sleep(SOON)
    assert have_roles(stage) == {NEW}
    await stage.sleep(60)
    assert "did not answer within" in _unknown(stage, "odd")
    heal()
    await stage.sleep(100)
    assert have_roles(stage) == {NEW, account("odd")}


@on_stage
async def test_many_that_do_not_answer_leave_room_for_other_namespaces(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)

    async def hang() -> None:
        await stage.sleep(1e6)

    faulty(stage, "list_workloads", lambda place: place.project != SERVICE.place.project, hang)
    flood = [declared(f"f{n}", a_workload("s", project=f"acme-{n:03}")) for n in range(50)]
    for raw in flood:
        raw["metadata"]["namespace"] = "flood"
    await begin(stage, *flood)
    stage.apply(declared())
    await stage.sleep(SOON)
    assert have_roles(stage) == {OLD}


@on_stage
async def test_many_subjects_of_one_namespace_do_not_delay_the_first_answer_for_another(stage: Stage) -> None:
    many = 400
    stage.google.state.deploy(SERVICE, OLD)
    flood = [declared(f"f{n}", a_workload("s", project=f"acme-{n:03}")) for n in range(many)]
    for raw in flood:
        raw["metadata"]["namespace"] = "flood"
    stage.kubernetes.namespaces["flood"] = {}
    await begin(stage)
    stage.apply(*flood)
    await stage.sleep(2)
    assert 100 <= len(asked(stage)) < many / 2, "the flood waits for its requests"
    before = len(asked(stage))
    stage.apply(declared())
    while not have_roles(stage):
        await stage.sleep(0.1)
    assert len(asked(stage)) - before <= 50, "a list and an account, by turns"


@on_stage
async def test_a_fault_while_the_operator_finds_out_what_is_due_ends_nothing(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, OLD)
    await begin(stage, declared())
    assert stage.process is not None
    subjects = stage.process.inventory.subjects
    healthy = subjects.all

    def broken() -> Any:
        raise RuntimeError("SECRET")

    subjects.all = broken  # type: ignore[method-assign]
    stage.google.state.deploy(SERVICE, NEW)
    stage.annotate(access_key("orders"), "searchaccess.dev/reconcile-requested-at", "now")
    await stage.sleep(600)
    assert have_roles(stage) == {OLD}
    assert 100 <= len(_internal_errors(stage)) <= 300, "with back-off"
    subjects.all = healthy  # type: ignore[method-assign]
    await stage.sleep(SOON)
    await stage.quiet()
    assert have_roles(stage) == {NEW}
    assert stage.get("orders")["status"]["lastHandledReconcileAt"] == "now"


@on_stage
async def test_many_subjects_of_one_place_that_are_read_one_by_one_delay_no_other_namespace(stage: Stage) -> None:
    stage.faults.fail(SIDE, PermissionDenied("403"), "list_workloads", "list_accounts")
    stage.google.state.deploy(SERVICE, OLD)
    flood = [declared(f"f{n}", a_workload(f"f{n}")) for n in range(300)]
    for raw in flood:
        raw["metadata"]["namespace"] = "flood"
    await begin(stage)
    stage.apply(*flood, declared())
    while not have_roles(stage):
        await stage.sleep(0.1)
    assert len(asked(stage)) <= 150, "all could be read at once but for the pace"


@on_stage
async def test_a_thousand_subjects_are_concluded_in_small_parts(stage: Stage) -> None:
    await begin(stage)
    assert stage.process is not None
    loop, inventory = asyncio.get_running_loop(), stage.process.inventory
    healthy = inventory.identify
    turns = [0]

    def counted(*arguments: Any, **more: Any) -> None:
        if not turns[-1]:
            loop.call_soon(turns.append, 0)
        turns[-1] += 1
        healthy(*arguments, **more)

    inventory.identify = counted  # type: ignore[method-assign]
    many = [declared(f"f{n}", a_workload(f"f{n}")) for n in range(1000)]
    for number, raw in enumerate(many):
        raw["metadata"]["namespace"] = f"team-{number % 50}"
    stage.apply(*many)
    await stage.sleep(60)
    assert sum(turns) >= 1000
    assert max(turns) <= CHUNK
