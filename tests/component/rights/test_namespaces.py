"""State in, state out: SearchClusters that take SearchAccesses of some namespaces only."""

from typing import Any

import pytest

from searchaccess.api.constants import FINALIZER
from searchaccess.engine.inventory.namespaces import READ_EVERY
from searchaccess.ports.errors import PermissionDenied, Unreachable
from searchaccess.ports.kubernetes import Plural
from tests.component.common import ORPHANS, granted
from tests.component.identities.common import SERVICE, declared
from tests.support.loop.stage import CLUSTER_KEY, Stage, access_key, on_stage, search_cluster
from tests.support.worlds.world import access, account, condition_in, grant

BY_NAME = {"names": ["shop"]}
BY_LABEL = {"selector": {"matchLabels": {"search": "yes"}}}
NOT_ALLOWED = ("False", "NamespaceNotAllowed")


def allow(stage: Stage, **allowed: Any) -> None:
    """Say whose SearchAccesses the SearchCluster takes."""
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(allowedNamespaces=allowed))


def label(stage: Stage, **labels: str) -> None:
    """Label the namespace of all SearchAccesses."""
    stage.kubernetes.namespaces["shop"] = labels


async def begin_with(stage: Stage, allowed: dict[str, Any], *objects: dict[str, Any]) -> None:
    stage.apply(search_cluster(allowedNamespaces=allowed, orphans=ORPHANS), *objects)
    await stage.quiet()


@on_stage
async def test_an_access_of_a_namespace_that_is_named_gets_its_rights(stage: Stage) -> None:
    await begin_with(stage, BY_NAME, access("orders", grant("orders-*")))
    stage.check()
    assert not [call for call in stage.faults.calls if call.method == "list_namespaces"], "nobody asked for labels"


@on_stage
async def test_an_access_of_another_namespace_gets_none_and_is_reported(stage: Stage) -> None:
    await begin_with(stage, {"names": ["billing"]}, access("orders", grant("orders-*")))
    assert stage.ready("orders") == NOT_ALLOWED
    assert condition_in(stage.get("orders"), "Stalled")["reason"] == "NamespaceNotAllowed"
    message = condition_in(stage.get("orders"), "Ready")["message"]
    assert message == (
        "SearchCluster prod does not allow the namespace shop, and no other does; "
        "the platform team adds the namespace to spec.allowedNamespaces of prod"
    )
    assert not stage.elasticsearch.roles_now
    assert FINALIZER not in stage.get("orders")["metadata"].get("finalizers", [])
    assert stage.cluster_ready() == ("True", "InSync")
    allow(stage, **BY_NAME)
    await stage.quiet()
    stage.check()


@on_stage
async def test_it_names_the_search_clusters_that_its_namespace_may_use(stage: Stage) -> None:
    others = {"names": ["billing"]}
    stage.apply(
        search_cluster("open", url="https://open:9200"),
        search_cluster("mine", url="https://mine:9200", allowedNamespaces=BY_NAME),
        search_cluster("theirs", url="https://theirs:9200", allowedNamespaces=others),
    )
    for url, uuid in (("https://open:9200", "open"), ("https://mine:9200", "mine"), ("https://theirs:9200", "theirs")):
        stage.server(url).uuid = uuid
    await begin_with(stage, others, access("orders", grant("orders-*")))
    message = condition_in(stage.get("orders"), "Ready")["message"]
    assert "name one in spec.cluster that does (mine, open), or the platform team" in message
    assert "theirs" not in message


@pytest.mark.parametrize(
    "changes",
    [{}, {"suspend": True}, {"mode": "Observe"}, {"deletionPolicy": "Orphan"}, {"grants": [grant("/[/")]}],
    ids=["plain", "suspended", "observed", "orphaning", "invalid"],
)  # fmt: skip
def test_who_is_not_allowed_any_more_loses_its_rights_whatever_it_says(changes: dict[str, Any]) -> None:
    async def play(stage: Stage) -> None:
        await begin_with(stage, BY_NAME, access("orders", grant("orders-*")), access("rest", grant("rest-*")))
        assert granted(stage)
        stage.amend("orders", **changes)
        await stage.quiet()
        allow(stage, names=["billing"])
        await stage.quiet()
        assert stage.ready("orders") == NOT_ALLOWED
        assert not granted(stage)
        assert "elasticsearch" not in stage.get("orders")["status"]
        assert stage.notes("orders")[-1] == "NamespaceNotAllowed"
        for name in ("orders", "rest"):
            stage.delete(name)
        await stage.quiet()
        assert not stage.get("orders")
        assert not stage.elasticsearch.roles_now

    on_stage(play)()


@on_stage
async def test_who_is_deleted_where_it_is_not_allowed_leaves_nothing_behind(stage: Stage) -> None:
    await begin_with(stage, BY_NAME, access("orders", grant("orders-*"), deletionPolicy="Orphan"))
    stage.faults.fail("elasticsearch", Unreachable("away"))
    allow(stage, names=["billing"])
    stage.delete("orders")
    await stage.sleep(30)
    assert stage.get("orders")
    stage.faults.heal("elasticsearch")
    await stage.quiet()
    assert not stage.get("orders")
    assert not stage.elasticsearch.roles_now


@on_stage
async def test_a_revocation_that_does_not_arrive_is_not_told_as_done(stage: Stage) -> None:
    await begin_with(stage, BY_NAME, access("orders", grant("orders-*")))
    stage.faults.fail("elasticsearch", PermissionDenied("may not"), "delete_roles")
    allow(stage, names=["billing"])
    await stage.sleep(30)
    ready = condition_in(stage.get("orders"), "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "PermissionDenied")
    assert "the revocation of its rights is not confirmed" in ready["message"]
    assert stage.get("orders")["status"]["elasticsearch"]
    stage.faults.heal("elasticsearch")
    await stage.quiet()
    assert stage.ready("orders") == NOT_ALLOWED
    assert not granted(stage)


@on_stage
async def test_labels_are_followed(stage: Stage) -> None:
    label(stage, search="yes")
    await begin_with(stage, BY_LABEL, access("orders", grant("orders-*")))
    stage.check()
    label(stage, search="no")
    await stage.sleep(READ_EVERY + 5)
    await stage.quiet()
    assert stage.ready("orders") == NOT_ALLOWED
    assert not granted(stage)
    label(stage, search="yes")
    await stage.sleep(READ_EVERY + 5)
    await stage.quiet()
    stage.check()


@on_stage
async def test_a_new_namespace_does_not_wait_for_the_next_list(stage: Stage) -> None:
    await begin_with(stage, BY_LABEL)
    stage.kubernetes.namespaces["new"] = {"search": "yes"}
    stage.apply(access("orders", grant("orders-*"), namespace="new"))
    await stage.sleep(3)
    assert granted(stage)


@on_stage
async def test_labels_that_cannot_be_read_revoke_nothing_and_grant_nothing(stage: Stage) -> None:
    label(stage, search="yes")
    await begin_with(stage, BY_LABEL, access("orders", grant("orders-*")))
    stage.faults.fail("kubernetes", PermissionDenied("may not"), "list_namespaces")
    await stage.restart()
    stage.apply(access("late", grant("late-*")))
    await stage.sleep(60)
    assert granted(stage) == {"orders-*"}
    assert not granted(stage, account("late"))
    for name in ("orders", "late"):
        assert stage.ready(name) == ("False", "Pending")
        assert "labels of the namespace shop are not known" in condition_in(stage.get(name), "Ready")["message"]
    stage.faults.heal("kubernetes")
    await stage.sleep(60)
    stage.check()


@on_stage
async def test_a_restart_tells_nobody_anything(stage: Stage) -> None:
    label(stage, search="yes")
    await begin_with(stage, BY_LABEL, access("orders", grant("orders-*")))
    writes = len(stage.faults.writes)
    await stage.restart()
    await stage.sleep(60)
    assert len(stage.faults.writes) == writes


@on_stage
async def test_it_costs_one_list_in_fifteen_seconds_at_most(stage: Stage) -> None:
    label(stage, search="yes")
    await begin_with(stage, BY_LABEL, access("orders", grant("orders-*")))

    def lists() -> int:
        return sum(call.method == "list_namespaces" for call in stage.faults.calls)

    before = lists()
    await stage.sleep(600)
    assert lists() - before <= 600 / READ_EVERY


@on_stage
async def test_another_searchcluster_of_the_same_name_decides_anew(stage: Stage) -> None:
    await begin_with(stage, {"names": ["billing"]}, access("orders", grant("orders-*")))
    assert stage.ready("orders") == NOT_ALLOWED
    stage.delete("orders")
    stage.kubernetes.delete(CLUSTER_KEY)
    await stage.quiet()
    assert (Plural.CLUSTERS, "", "prod") not in stage.kubernetes.objects
    stage.apply(access("orders", grant("orders-*")))
    await stage.quiet()
    stage.apply(search_cluster())
    await stage.quiet()
    stage.check()


@on_stage
async def test_of_a_workload_that_is_not_known_yet_rights_go_too(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, account("orders"))
    await begin_with(stage, BY_NAME, declared())
    assert granted(stage)
    stage.faults.fail("google", Unreachable("away"))
    await stage.stop()
    stage.kubernetes.change(access_key("orders"), lambda raw: raw.update(status={}))
    allow(stage, names=["billing"])
    stage.start()
    await stage.sleep(60)
    assert stage.ready("orders") == NOT_ALLOWED
    assert not granted(stage)


@on_stage
async def test_a_fault_while_namespaces_are_read_ends_nothing_and_is_tried_again(stage: Stage) -> None:
    label(stage, search="yes")
    await begin_with(stage, BY_LABEL, access("orders", grant("orders-*")))
    healthy, tried = stage.kubernetes.list_namespaces, []

    async def broken(following: str = "") -> Any:
        tried.append(following)
        raise ValueError("SECRET")

    stage.kubernetes.list_namespaces = broken  # type: ignore[method-assign]
    label(stage, search="no")
    await stage.sleep(600)
    assert granted(stage), "what was known stays in force"
    assert 600 / READ_EVERY / 2 <= len(tried) <= 120
    faults = [entry for logs in stage.logs for entry in logs if entry["event"] == "internal error"]
    assert {entry["place"] for entry in faults} == {"namespaces"}
    assert "SECRET" not in str(faults)
    stage.kubernetes.list_namespaces = healthy  # type: ignore[method-assign]
    await stage.sleep(2 * READ_EVERY)
    await stage.quiet()
    assert stage.ready("orders") == NOT_ALLOWED


@pytest.mark.parametrize("key", ["allowedNamespaces", "adoption"])
def test_nobody_wakes_for_labels_that_nobody_needs_and_who_comes_to_need_them_has_them_at_once(key: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        label(stage, search="yes")
        await begin_with(stage, BY_LABEL, access("orders", grant("orders-*")))
        allow(stage, **BY_NAME)
        await stage.sleep(2 * READ_EVERY)
        before = len(stage.faults.calls)
        label(stage, search="no")
        await stage.sleep(10 * READ_EVERY)
        asked = [call.method for call in stage.faults.calls[before:]]
        assert "list_namespaces" not in asked
        spec = BY_LABEL if key == "allowedNamespaces" else {"namespaces": BY_LABEL}
        stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update({key: spec}))
        await stage.sleep(3)
        assert "list_namespaces" in [call.method for call in stage.faults.calls[before:]]
        assert (stage.ready("orders") == NOT_ALLOWED) is (key == "allowedNamespaces")

    play()
