"""Walks over all SearchAccesses let others run, and what must hold at once does."""

import asyncio
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.policy.decision import OPEN, Do, decide
from searchaccess.core.rights.ownership import Role
from searchaccess.engine.concurrency.chunks import CHUNK, Pace
from searchaccess.engine.host import Host
from searchaccess.engine.inventory import records
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.replicas.ownership import Ownership
from searchaccess.engine.rights.members import Members
from searchaccess.engine.rights.observe import Observed
from searchaccess.engine.rights.ownership.released import ReleasedLedger
from searchaccess.engine.rights.plan import Planner
from searchaccess.engine.rights.rejections import Rejections
from searchaccess.engine.rights.work import names_all
from searchaccess.operator.telemetry import metrics as metrics_module
from searchaccess.operator.telemetry.metrics import Declared, Metrics
from tests.support.worlds.world import access, account, grant
from tests.unit.builders import OPERATOR, a_search_cluster
from tests.unit.engine.test_publish import MANY, Field, most_at_once

BY_LABEL: dict[str, Any] = {"selector": {"matchLabels": {"team": "shop"}}}
BY_SUBJECT: dict[str, Any] = {"jwtRealm": {"name": "g", "audience": "a", "principal": "sub"}}


def counting(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> Callable[[], int]:
    """Count the calls of a function."""
    counted: Counter[str] = Counter()
    work = getattr(owner, name)

    def count(*arguments: Any, **more: Any) -> Any:
        counted[name] += 1
        return work(*arguments, **more)

    monkeypatch.setattr(owner, name, count)
    return lambda: counted[name]


def change_cluster(inventory: Inventory, version: int, **spec: Any) -> None:
    raw = a_search_cluster(**spec)
    raw["metadata"] |= {"resourceVersion": str(version), "uid": "uid-prod", "generation": version}
    inventory.see_cluster(raw)


def enforced(inventory: Inventory) -> int:
    return sum(decide(record.access, OPEN).do is Do.ENFORCE for record in inventory.accesses.values())


# Namespaces


def test_a_namespace_that_is_refused_now_is_refused_to_all_at_once_and_nothing_is_copied_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inventory = Field(MANY).inventory
    copies = counting(monkeypatch, records, "replace")
    change_cluster(inventory, 2, allowedNamespaces=BY_LABEL)
    inventory.see_namespaces({"shop": {"team": "shop"}})
    assert inventory.marks.take_dirty("prod").principals == set(inventory.principals("prod"))
    inventory.see_namespaces({"shop": {"team": "else"}})
    assert copies() == 0
    assert inventory.marks.dirty("prod").principals == set(inventory.principals("prod"))
    assert {decide(record.access, OPEN).reason for record in inventory.accesses.values()} == {
        Reason.NAMESPACE_NOT_ALLOWED
    }
    assert copies() == MANY
    assert enforced(inventory) == 0
    assert copies() == MANY, "it is copied once"


def test_a_namespace_that_comes_back_before_anybody_read_it_is_allowed() -> None:
    inventory = Field(3).inventory
    change_cluster(inventory, 2, allowedNamespaces={"names": ["else"]})
    change_cluster(inventory, 3, allowedNamespaces={"names": ["shop", "else"]})
    assert enforced(inventory) == 3


def test_labels_that_change_nothing_for_anybody_are_no_news() -> None:
    inventory = Field(3).inventory
    change_cluster(inventory, 2, allowedNamespaces=BY_LABEL)
    inventory.see_namespaces({"shop": {"team": "shop"}})
    inventory.marks.take_dirty("prod")
    inventory.see_namespaces({"shop": {"team": "shop", "more": "labels"}})
    assert not inventory.marks.dirty("prod")


def test_a_new_version_of_a_refused_access_stays_refused() -> None:
    inventory = Field(1).inventory
    change_cluster(inventory, 2, allowedNamespaces={"names": ["else"]})
    raw = access("a-0", grant("y-*"), principal=account("a-0"))
    raw["metadata"] |= {"uid": "uid-0", "generation": 2, "resourceVersion": "2"}
    inventory.see_access(raw)
    assert enforced(inventory) == 0


# Claims


def waiting(inventory: Inventory) -> int:
    """Count those whose principals are worked out by the claim ``sub``: Google has to be asked for them."""
    return sum(not record.access.principals for record in inventory.accesses.values())


async def begun(inventory: Inventory) -> None:
    """Let a walk come to its middle."""
    for _ in range(3):
        await asyncio.sleep(0)
    assert 0 < waiting(inventory) < MANY


def test_another_claim_is_worked_out_in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = Field(MANY).inventory
    change_cluster(inventory, 2, identity=BY_SUBJECT)
    seen = counting(monkeypatch, inventory.subjects, "register")
    assert 0 < asyncio.run(most_at_once(lambda: inventory.settle("prod"), seen)) <= CHUNK
    assert waiting(inventory) == seen() == MANY
    asyncio.run(inventory.settle("prod"))
    assert seen() == MANY, "once is enough"


def test_a_claim_that_changes_while_it_is_worked_out_is_worked_out_again() -> None:
    inventory = Field(MANY).inventory
    change_cluster(inventory, 2, identity=BY_SUBJECT)

    async def play() -> None:
        settling = asyncio.ensure_future(inventory.settle("prod"))
        await begun(inventory)
        change_cluster(inventory, 3)
        change_cluster(inventory, 4, identity=BY_SUBJECT)
        change_cluster(inventory, 5)
        await settling

    asyncio.run(play())
    assert waiting(inventory) == 0


def test_what_is_cut_off_while_a_claim_is_worked_out_is_done_later() -> None:
    inventory = Field(MANY).inventory
    change_cluster(inventory, 2, identity=BY_SUBJECT)

    async def play() -> None:
        settling = asyncio.ensure_future(inventory.settle("prod"))
        await begun(inventory)
        settling.cancel()
        await asyncio.wait({settling})
        assert waiting(inventory) < MANY
        await inventory.settle("prod")

    asyncio.run(play())
    assert waiting(inventory) == MANY


def test_an_access_that_goes_while_a_claim_is_worked_out_stays_away() -> None:
    inventory = Field(MANY).inventory
    change_cluster(inventory, 2, identity=BY_SUBJECT)

    async def play() -> None:
        settling = asyncio.ensure_future(inventory.settle("prod"))
        await begun(inventory)
        for uid in [uid for uid, record in inventory.accesses.items() if record.access.principals]:
            inventory.forget_access(uid)
        await settling

    asyncio.run(play())
    assert 0 < inventory.count("prod") == len(inventory.accesses) == len(inventory.subjects.all()) < MANY


# Lists, metrics and planning


def test_thousands_that_are_gone_are_forgotten_in_small_parts() -> None:
    inventory = Field(MANY).inventory
    everybody = frozenset(inventory.accesses)

    async def play() -> None:
        most = await most_at_once(
            lambda: inventory.keep_accesses({"uid-7"}, everybody), lambda: MANY - len(inventory.accesses)
        )
        assert 0 < most <= CHUNK

    asyncio.run(play())
    assert set(inventory.accesses) == {"uid-7"}


def test_a_scrape_reads_statuses_in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    inventory, metrics = Field(MANY).inventory, Metrics()
    outside: Any = SimpleNamespace(reconcilers=dict, pending=0, failing=0, policies=SimpleNamespace(found=()))
    metrics.register(Declared(inventory, outside, outside, Ownership()))
    read = counting(monkeypatch, metrics_module, "state_of")

    async def play() -> None:
        most = await most_at_once(metrics.scrape, read)
        assert 0 < most <= CHUNK
        assert read() == MANY
        text = (await metrics.scrape()).decode()
        assert f'searchaccess_accesses{{cluster="prod",ready="Unknown",reason=""}} {MANY}.0' in text
        assert read() == MANY, "each status is read once"

    asyncio.run(play())


def test_accesses_of_no_cluster_hear_of_it_in_small_parts() -> None:
    field = Field(MANY)
    field.inventory.forget_cluster("prod", "uid-prod")
    connector: Any = None
    host = Host(field.context, connector)

    async def play() -> None:
        most = await most_at_once(host._publish_without_cluster, lambda: field.kept.puts)
        assert 0 < most <= CHUNK

    asyncio.run(play())
    assert field.kept.puts == MANY


def test_principals_with_many_accesses_each_are_planned_in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    field = Field(0)
    for number in range(MANY):
        raw = access(f"a-{number}", grant("x-*"), principal=account(f"p-{number % 30}"))
        raw["metadata"] |= {"uid": f"uid-{number}", "generation": 1, "resourceVersion": "1"}
        field.inventory.see_access(raw)
    members = Members(field.context, "prod", OPEN, Rejections())
    observed = Observed(full=True, roles={}, mappings={}, all_mappings=True)
    planner = Planner(field.context, "prod", "u", members, observed, {}, ReleasedLedger(field.context, "prod"))
    principals = field.inventory.principals("prod")
    decided = counting(monkeypatch, Members, "decision")

    async def held(work: Callable[[], Any]) -> int:
        before = decided()
        return await most_at_once(work, lambda: decided() - before)

    async def play() -> None:
        assert 0 < await held(lambda: planner.plan(principals)) <= 2 * CHUNK
        assert decided() == MANY
        assert 0 < await held(lambda: planner.in_order(principals)) <= 2 * CHUNK
        assert 0 < await held(lambda: members.without_finalizer(principals)) <= 2 * CHUNK

    asyncio.run(play())


@pytest.mark.parametrize(("sizes", "turns"), [([1] * 95, 9), ([10] * 5, 5), ([0] * 20, 2), ([1000], 1), ([9], 0)])
def test_a_pace_lets_others_run_after_so_much_work(sizes: list[int], turns: int) -> None:
    async def work() -> int:
        taken = 0
        loop = asyncio.get_running_loop()

        def tick() -> None:
            nonlocal taken
            taken += 1
            loop.call_soon(tick)

        loop.call_soon(tick)
        pace = Pace(10)
        for size in sizes:
            await pace.spent(size)
        return taken

    assert asyncio.run(work()) == turns


def test_who_has_rights_in_a_role_is_found_without_comparing_each_with_each() -> None:
    compared = Counter[str]()

    class Uid(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            compared["uids"] += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    owners = [{"uid": f"uid-{number}"} for number in range(300)]
    role = Role("role", RoleBody(), OPERATOR.stamp() | {"owners": [*owners, {"uid": ["odd"]}, "odd"]})
    assert names_all(OPERATOR, role, {Uid(owner["uid"]) for owner in owners})
    assert compared["uids"] <= len(owners)
    assert not names_all(OPERATOR, role, {"uid-0", "uid-another"})
