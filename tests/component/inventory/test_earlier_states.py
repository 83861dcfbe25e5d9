"""An etcd that was restored from a backup: objects come back with versions and generations that there were before."""

from collections.abc import Callable
from typing import Any

from searchaccess.core.model.canonical import role_from_json
from searchaccess.engine.pacing.periods import RESYNC
from searchaccess.ports.errors import Rejected
from tests.component.common import begin, granted
from tests.component.credentials.common import STORES, live, with_key
from tests.component.policies.test_approvals import PENDING, advance, approval_key, orders, people
from tests.component.policies.test_policies import ONLY_LOGS, ONLY_ORDERS, policy, policy_key
from tests.support.loop.stage import CLUSTER_KEY, Stage, on_stage
from tests.support.worlds.world import access, account, grant


async def restored(stage: Stage, since: Callable[[], None], then: Callable[[], None] = lambda: None) -> None:
    """Change something, restore what was before it, change something else, and let the operator list.

    Watches begin after the version that is known last: they report nothing until that comes again.
    """
    backup = stage.kubernetes.backup()
    since()
    await stage.quiet()
    process = stage.process
    assert process is not None
    process.watch.down = True
    stage.kubernetes.go_back_to(backup)
    then()
    await stage.sleep(RESYNC + 30)
    await stage.quiet()


def indices(stage: Stage) -> list[list[str]]:
    """Return the indices of each working API key."""
    rights = [role_from_json(raw["role_descriptors"]["searchaccess"]) for raw in live(stage)]
    return [[name for entry in body.entries for name in entry.names] for body in rights]


def at_generation(stage: Stage, name: str, generation: int, **spec: Any) -> None:
    """Change a SearchAccess until it has a generation."""
    while stage.get(name)["metadata"]["generation"] < generation - 1:
        stage.amend(name, suspend=not stage.get(name)["spec"].get("suspend", False))
    stage.amend(name, suspend=False, **spec)
    assert stage.get(name)["metadata"]["generation"] == generation


@on_stage
async def test_what_was_widened_after_the_backup_is_narrow_again(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    await restored(stage, lambda: stage.amend("orders", grants=[grant("orders-*"), grant("payroll-*")]))
    assert granted(stage) == {"orders-*"}
    assert stage.ready("orders") == ("True", "InSync")
    stage.check()


@on_stage
async def test_what_was_deleted_after_the_backup_has_its_rights_again(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")), access("other", grant("other-*")))
    await restored(stage, lambda: stage.delete("orders"))
    assert granted(stage) == {"orders-*"}
    stage.check()


@on_stage
async def test_what_was_created_after_the_backup_has_no_rights(stage: Stage) -> None:
    await begin(stage, access("other", grant("other-*")))
    await restored(stage, lambda: stage.apply(access("orders", grant("orders-*"))))
    assert not granted(stage)
    assert granted(stage, account("other")) == {"other-*"}
    stage.check()


@on_stage
async def test_a_searchcluster_and_a_policy_are_as_in_the_backup(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-1")))
    stage.apply(policy(**ONLY_LOGS))
    await stage.quiet()
    assert not granted(stage)

    def since() -> None:
        stage.kubernetes.change(policy_key(), lambda raw: raw.update(spec=ONLY_ORDERS))
        stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(drift={"probeEvery": "1h"}))

    await restored(stage, since)
    assert not granted(stage)
    process = stage.process
    assert process is not None
    spec = process.inventory.clusters["prod"].cluster.spec
    assert spec is not None
    assert spec.drift.probe_every != "1h"


@on_stage
async def test_a_key_has_the_rights_of_the_other_spec_of_the_same_generation(stage: Stage) -> None:
    await begin(stage, with_key(), secretStores=STORES)
    await restored(
        stage,
        lambda: at_generation(stage, "orders", 3, grants=[grant("payroll-*")]),
        lambda: at_generation(stage, "orders", 3, grants=[grant("invoices-*")]),
    )
    assert indices(stage) == [["invoices-*"]]
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_what_elasticsearch_refused_says_nothing_of_another_spec_of_the_same_generation(stage: Stage) -> None:
    await begin(stage, with_key(), access("plain", grant("plain-*")), secretStores=STORES)

    def since() -> None:
        stage.faults.fail("elasticsearch", Rejected("no such privilege"), "update_keys")
        at_generation(stage, "orders", 3, grants=[grant("payroll-*")])

    def then() -> None:
        assert "RejectedByElasticsearch" in stage.notes("orders")
        stage.faults.heal("elasticsearch")
        at_generation(stage, "orders", 3, grants=[grant("invoices-*")])

    await restored(stage, since, then)
    assert indices(stage) == [["invoices-*"]]
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_an_approval_that_never_counted_is_back_and_does_not_count(stage: Stage) -> None:
    await begin(stage, people(), orders())
    stage.apply(advance(stage))
    await stage.sleep(30)
    stage.amend("orders", grants=[grant("*")])
    await stage.quiet()
    await restored(stage, lambda: stage.kubernetes.delete(approval_key()))
    assert "put_roles" not in {call.method for call in stage.faults.writes}
    assert not granted(stage)
    assert stage.ready("orders") == PENDING
    assert stage.get("orders")["status"]["prematureApprovals"]
