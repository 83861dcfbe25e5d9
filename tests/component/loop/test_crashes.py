"""The process dies before or after any single write, and starts again: all ends as declared.

For each history the writes of an undisturbed run are counted; then the history is played again once for each of them.
"""

from collections.abc import Awaitable, Callable

import pytest

from searchaccess.ports.kubernetes import Plural
from tests.support.failures.faults import Fault
from tests.support.loop.clocks import run_virtually
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, search_cluster
from tests.support.runs.effort import places
from tests.support.worlds.world import access, account, grant

ORDERS = account("orders")
ROLE = OPERATOR.role_name(ORDERS)
FOREIGN_ROLE = {"indices": [{"names": ["*"], "privileges": ["all"]}], "metadata": {"made_by": "hand"}}
FOREIGN_MAPPING = {"enabled": True, "roles": ["hand"], "rules": {"field": {"username": "x"}}, "metadata": {}}

History = Callable[[Stage], Awaitable[None]]


async def _grow_and_shrink(stage: Stage) -> None:
    stage.apply(search_cluster(), access("orders", grant("orders-*")), access("billing", grant("billing-*")))
    await stage.quiet()
    stage.apply(access("audit", grant("audit", can=["append"]), principal=ORDERS, clusterCan=["monitor"]))
    stage.amend("orders", grants=[grant("orders-new", can=["read", "write"])])
    await stage.quiet()
    stage.delete("orders")
    stage.amend("billing", subject={"serviceAccount": account("invoices")})
    await stage.quiet()


async def _tampering(stage: Stage) -> None:
    stage.apply(
        search_cluster(), access("orders", grant("orders-*")), access("audit", grant("audit"), principal=ORDERS)
    )
    await stage.quiet()
    stage.elasticsearch.write_role(ROLE, stage.role(ORDERS) | {"cluster": ["all"], "indices": []})
    stage.elasticsearch.remove_mapping(OPERATOR.mapping_name)
    await stage.quiet()
    stage.elasticsearch.remove_role(ROLE)
    stage.delete("audit")
    await stage.quiet()


async def _per_principal(stage: Stage) -> None:
    stage.apply(search_cluster(mapping="PerPrincipal"), access("orders", grant("orders-*")))
    await stage.quiet()
    stage.apply(access("audit", grant("audit"), principal=ORDERS), access("billing", grant("billing-*")))
    stage.delete("orders")
    await stage.quiet()
    stage.delete("audit")
    await stage.quiet()
    stage.apply(search_cluster())
    await stage.quiet()


async def _refused(stage: Stage) -> None:
    stage.apply(search_cluster(), access("orders", grant("orders-*")))
    stage.apply(access("bad", grant("bad", privileges=["nonsense"]), principal=ORDERS))
    await stage.quiet()
    stage.amend("orders", grants=[grant("orders-new")])
    await stage.quiet()
    stage.amend("bad", grants=[grant("good")])
    await stage.quiet()


async def _taken_down(stage: Stage) -> None:
    stage.apply(
        search_cluster(), access("orders", grant("orders-*")), access("audit", grant("audit"), principal=ORDERS)
    )
    await stage.quiet()
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.quiet()
    stage.delete("orders")
    stage.delete("audit")
    await stage.quiet()
    assert not stage.elasticsearch.mappings_now.keys() & {OPERATOR.mapping_name}
    assert not [key for key in stage.kubernetes.objects if key[0] is Plural.CLUSTERS]


async def _left_behind(stage: Stage) -> None:
    """Rights that stay when their SearchAccess goes, next to some that do not."""
    stage.apply(search_cluster(orphans={"allowed": True}), access("orders", grant("orders-*")))
    stage.apply(access("kept", grant("kept"), principal=ORDERS, deletionPolicy="Orphan"))
    stage.apply(access("alone", grant("alone"), deletionPolicy="Orphan"))
    await stage.quiet()
    stage.delete("kept")
    stage.delete("alone")
    await stage.quiet()
    assert {name for entry in stage.role(ORDERS)["indices"] for name in entry["names"]} == {"kept", "orders-*"}
    assert stage.role(account("alone"))["indices"][0]["names"] == ["alone"]
    stage.delete("orders")
    await stage.quiet()
    assert {name for entry in stage.role(ORDERS)["indices"] for name in entry["names"]} == {"kept"}


HISTORIES: list[History] = [_grow_and_shrink, _tampering, _per_principal, _refused, _taken_down, _left_behind]


async def _play(history: History, number: int | None, fault: Fault) -> int:
    stage = Stage()
    stage.elasticsearch.write_role("somebody-elses", FOREIGN_ROLE)
    stage.elasticsearch.write_role(OPERATOR.role_name(account("hand-made")), FOREIGN_ROLE)
    stage.elasticsearch.write_mapping("somebody-elses", FOREIGN_MAPPING)
    foreign = (dict(stage.elasticsearch.roles_now), dict(stage.elasticsearch.mappings_now))
    if number is not None:
        stage.faults.at_write(number, fault)
    stage.start()
    await history(stage)
    if history not in {_left_behind, _per_principal, _taken_down}:
        stage.check()
    stage.check_rules()
    await stage.reconcile_all()  # A released role is counted as foreign.
    assert await stage.reconcile_all() == []
    assert stage.elasticsearch.roles_now.items() >= foreign[0].items()
    assert stage.elasticsearch.mappings_now.items() >= foreign[1].items()
    if number is not None and fault is not Fault.LOSE_REPLY:
        # What is jittered may need one write less.
        assert stage.restarts == (number < len(stage.faults.writes))
    writes = len(stage.faults.writes)
    await stage.stop()
    return writes


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name.lower().replace("_", " "))
@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__.strip("_").replace("_", " "))
def test_a_crash_at_any_write_changes_nothing_in_the_end(history: History, fault: Fault) -> None:
    writes = run_virtually(_play(history, None, fault))
    assert writes > 8
    for number in places(writes):
        try:
            run_virtually(_play(history, number, fault))
        except AssertionError as error:
            raise AssertionError(f"{fault.name} at write {number} of {writes}: {error}") from error
