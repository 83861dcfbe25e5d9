"""What is judged, counted: a change concerns those that it can concern, and nobody's number delays others."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from searchaccess.core.model.access import Access
from searchaccess.core.model.verdict import PolicyVerdict
from searchaccess.core.policy.guardrails.aliases import Aliases
from searchaccess.engine.inventory.inventory import Inventory
from tests.component.common import begin, granted
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, account, grant

TEAMS = 100
MANY = 10_000
"""Grants of one tenant."""
GRANTS = 50
"""Of one SearchAccess, at most."""


def policy(name: str, version: int = 1, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "uid": name, "generation": version, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": spec or {"allow": [{"indices": ["{namespace}-*"], "can": ["read"]}]}}


def of_team(number: int, version: int = 1, **spec: Any) -> dict[str, Any]:
    names = {"match": {"namespaces": {"names": [f"team-{number}"]}}}
    return policy(f"limits-{number}", version, allow=[{"indices": ["{namespace}-*"], "can": ["read"]}], **names, **spec)


def declared(number: int, index: str = "orders", version: int = 1) -> dict[str, Any]:
    team = f"team-{number % TEAMS}"
    raw = access(f"a-{number}", grant(f"{team}-{index}-{number}"), namespace=team)
    raw["metadata"] |= {"uid": f"a-{number}", "generation": version, "resourceVersion": str(version)}
    return raw


class Judged:
    """SearchAccesses that were judged, in order."""

    def __init__(self, inventory: Inventory) -> None:
        self.uids: list[str] = []
        self._judge = inventory.policies.judge
        inventory.policies.judge = self._counted  # type: ignore[method-assign]

    def _counted(
        self, access: Access, labels: Mapping[str, str] | None, aliases: Aliases | None, *, wanted: bool
    ) -> PolicyVerdict:
        self.uids.append(access.uid)
        return self._judge(access, labels, aliases, wanted=wanted)

    @contextmanager
    def afresh(self) -> Iterator[None]:
        self.uids.clear()
        yield


async def settled(number: int) -> Inventory:
    """Return an inventory of so many SearchAccesses of a hundred teams, each with a policy of its own, all judged."""
    inventory = Inventory()
    for team in range(TEAMS):
        inventory.policies.see(of_team(team))
    inventory.policies.keep({f"limits-{team}" for team in range(TEAMS)}, frozenset())
    for each in range(number):
        inventory.see_access(declared(each))
    await inventory.judge_all()
    return inventory


def test_a_change_has_judged_only_what_it_can_concern() -> None:
    async def play() -> None:
        inventory = await settled(1_000)
        judged = Judged(inventory)
        inventory.see_access(declared(7, "others", version=2))
        assert judged.uids == ["a-7"], "one that changed"
        with judged.afresh():
            inventory.policies.see(of_team(3, version=2, mode="Audit"))
            await inventory.judge_all()
            assert set(judged.uids) == {f"a-{number}" for number in range(3, 1_000, TEAMS)}, "those of its namespace"
            assert len(judged.uids) == 1_000 // TEAMS
        with judged.afresh():
            moved = of_team(3, version=3)
            moved["spec"]["match"]["namespaces"]["names"] = ["team-4"]
            inventory.policies.see(moved)
            await inventory.judge_all()
            assert len(judged.uids) == 2 * 1_000 // TEAMS, "those where it applied, and where it applies now"
        with judged.afresh():
            inventory.policies.forget("limits-3")
            await inventory.judge_all()
            assert len(judged.uids) == 1_000 // TEAMS
        with judged.afresh():
            inventory.policies.see(policy("everywhere"))
            await inventory.judge_all()
            assert len(judged.uids) == 1_000, "all to which it may apply"
        with judged.afresh():
            await inventory.judge_all()
            assert judged.uids == [], "nothing changed"

    asyncio.run(play())


def test_labels_have_all_judged_where_a_policy_selects_by_them() -> None:
    async def play() -> None:
        inventory = await settled(200)
        judged = Judged(inventory)
        inventory.see_namespaces({"team-1": {"tier": "prod"}})
        await inventory.judge_all()
        assert judged.uids == []
        selector = {"namespaces": {"selector": {"matchLabels": {"tier": "prod"}}}}
        inventory.policies.see(policy("by-labels", match=selector, deny=[{"indices": ["x"]}]))
        await inventory.judge_all()
        with judged.afresh():
            inventory.see_namespaces({"team-1": {"tier": "test"}})
            await inventory.judge_all()
            assert len(judged.uids) == 200

    asyncio.run(play())


@on_stage
async def test_thousands_of_one_tenant_hold_up_nobody_else(stage: Stage) -> None:
    """While one tenant's are judged and written, another one's change is in force after few reconciles."""
    limits = {"metadata": {"name": "limits"}, "spec": {"allow": [{"indices": ["{namespace}-*"], "can": ["read"]}]}}
    kind = {"apiVersion": "searchaccess.dev/v1alpha1", "kind": "SearchAccessPolicy"}
    await begin(stage, kind | limits)
    for number in range(MANY // GRANTS):
        grants = [grant(f"shop-{number}-{each}") for each in range(GRANTS)]
        stage.apply(access(f"many-{number}", *grants))
    await stage.sleep(0.2)
    before = sum(call.method == "put_roles" for call in stage.faults.calls)
    stage.apply(access("other", grant("bank-1"), namespace="bank"))
    while not granted(stage, account("other")):
        await stage.sleep(0.1)
    writes = sum(call.method == "put_roles" for call in stage.faults.calls) - before
    assert writes <= 3
