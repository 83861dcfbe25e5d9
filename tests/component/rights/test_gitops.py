"""What Argo CD and Flux make of each object's status, scenario by scenario."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from searchaccess.ports.errors import LoginRefused, Unreachable
from tests.component.credentials.common import STORES, with_key
from tests.component.policies.test_approvals import approval
from tests.component.policies.test_policies import policy
from tests.support.argocd import health_of, kstatus_of, run_lua
from tests.support.loop.stage import CLUSTER_KEY, Stage, access_key, on_stage, search_cluster
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.worlds.world import access, grant

RESTRICTED = grant("orders-*", where={"term": {"a": 1}})
ORDERS = access("orders", grant("orders-*"))


async def well(_: Stage) -> None:
    """All is well."""


async def away(stage: Stage) -> None:
    stage.faults.fail(memory_elasticsearch.SIDE, Unreachable("away"))


async def refused(stage: Stage) -> None:
    stage.faults.fail(memory_elasticsearch.SIDE, LoginRefused("401"))


async def basic(stage: Stage) -> None:
    stage.elasticsearch.license = "basic"


async def no_realm(stage: Stage) -> None:
    stage.elasticsearch.realm["token_type"] = "access_token"


Scenario = tuple[Callable[[Stage], Awaitable[None]], dict[str, Any], str, str]

SCENARIOS: dict[str, Scenario] = {
    "all is well": (well, ORDERS, "Healthy", "Current"),
    "a key": (well, with_key(), "Healthy", "Current"),
    "observed, with changes": (well, access("orders", grant("x"), mode="Observe"), "Suspended", "InProgress"),
    "before its time": (
        well, access("orders", grant("x"), validFrom="2099-01-01T00:00:00Z"), "Suspended", "InProgress",
    ),
    "after its time": (
        well, access("orders", grant("x"), validUntil="2020-01-01T00:00:00Z"), "Suspended", "InProgress",
    ),
    "outside of its windows": (
        well,
        access("orders", grant("x"), schedule={"cron": "0 0 1 1 *", "timeZone": "UTC", "duration": "1m"}),
        "Suspended",
        "InProgress",
    ),
    "suspended": (well, access("orders", grant("x"), suspend=True), "Suspended", "InProgress"),
    "another cluster": (well, access("orders", grant("x"), cluster="nowhere"), "Progressing", "InProgress"),
    "a wrong query": (
        well, access("orders", grant("x", where={"nonsense": {}})), "Degraded", "Failed"
    ),
    "no such store": (well, with_key(credential={"store": "nowhere"}), "Degraded", "Failed"),
    "no license": (basic, access("orders", RESTRICTED), "Degraded", "Failed"),
    "another realm": (no_realm, ORDERS, "Degraded", "Failed"),
    "the cluster is away": (away, ORDERS, "Progressing", "InProgress"),
    "the login is refused": (refused, ORDERS, "Progressing", "InProgress"),
}  # fmt: skip


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_they_say(name: str) -> None:
    prepare, raw, health, kstatus = SCENARIOS[name]

    @on_stage
    async def play(stage: Stage) -> None:
        declared = search_cluster(secretStores=STORES)
        made = {**raw, "metadata": {**raw["metadata"], "generation": 1}}
        assert health_of(made) == ("Progressing", "The operator has not reconciled it yet")
        await prepare(stage)
        stage.apply(declared, raw)
        await stage.sleep(90)
        found = stage.get("orders")
        assert (health_of(found)[0], kstatus_of(found)) == (health, kstatus), found["status"]["conditions"]
        reason = next(item["reason"] for item in found["status"]["conditions"] if item["type"] == "Ready")
        assert reason in health_of(found)[1]
        cluster = stage.cluster()
        wanted = {
            "another realm": "Degraded",
            "the cluster is away": "Progressing",
            "the login is refused": "Progressing",
        }
        assert health_of(cluster)[0] == wanted.get(name, "Healthy" if name != "no license" else "Degraded")

    play()


@on_stage
async def test_a_newer_generation_is_awaited_and_a_deletion_too(stage: Stage) -> None:
    stage.apply(search_cluster(), ORDERS)
    await stage.quiet()
    found = stage.get("orders")
    newer = {**found, "metadata": {**found["metadata"], "generation": 2}}
    assert health_of(newer) == ("Progressing", "The operator has not reconciled the newest generation yet")
    assert kstatus_of(newer) == "InProgress"
    leaving = {**found, "metadata": {**found["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert health_of(leaving) == ("Progressing", "Its rights are being revoked")


@on_stage
async def test_an_approval_is_healthy_and_what_it_is_worth_is_said_by_the_access(stage: Stage) -> None:
    approved_by = {"by": {"users": ["bob"]}, "within": "1h", "for": "2h"}
    asked = access("orders", grant("orders-*"), annotations={"searchaccess.dev/requested-by": "ann"})
    stage.apply(search_cluster(), policy("people", require={"approval": approved_by}), asked)
    await stage.quiet()
    assert health_of(stage.get("orders"))[0] == "Suspended"
    given = approval(stage)
    stage.apply(given)
    await stage.quiet()
    assert health_of(stage.get("orders"))[0] == "Healthy"
    stage.amend("orders", grants=[grant("orders-1")])
    await stage.quiet()
    status, message = health_of(stage.get("orders"))
    assert status == "Suspended"
    assert "the approval yes does not count: it is about generation 1, not 2" in message
    assert health_of(given) == (
        "Healthy",
        "Generation 1 of the SearchAccess orders is approved here. Its condition Ready says whether that counts",
    )
    assert kstatus_of(given) == "Current"


@on_stage
async def test_actions_do_what_they_say(stage: Stage) -> None:
    stage.apply(search_cluster(secretStores=STORES), with_key())
    await stage.quiet()

    def act(name: str) -> None:
        after = run_lua(name, stage.get("orders"))

        def change(raw: dict[str, Any]) -> None:
            raw["metadata"].setdefault("annotations", {}).update(after["metadata"].get("annotations", {}))
            raw["spec"]["suspend"] = after["spec"].get("suspend", False)

        stage.kubernetes.change(access_key("orders"), change)

    def offered() -> set[str]:
        found = run_lua("discovery", stage.get("orders"))
        return {name for name, action in found.items() if not action["disabled"]}

    assert offered() == {"refresh", "rotate", "suspend"}
    first = stage.get("orders")["status"]["credential"]["keyId"]
    act("rotate")
    await stage.quiet()
    assert stage.get("orders")["status"]["credential"]["keyId"] != first
    act("refresh")
    await stage.quiet()
    asked = stage.get("orders")["metadata"]["annotations"]["searchaccess.dev/reconcile-requested-at"]
    assert stage.get("orders")["status"]["lastHandledReconcileAt"] == asked
    act("suspend")
    await stage.quiet()
    assert offered() == {"resume"}
    assert health_of(stage.get("orders"))[0] == "Suspended"
    act("resume")
    await stage.quiet()
    assert health_of(stage.get("orders"))[0] == "Healthy"
    assert "rotate" not in {name for name, action in run_lua("discovery", ORDERS).items() if not action["disabled"]}
    assert stage.kubernetes.objects[CLUSTER_KEY]
