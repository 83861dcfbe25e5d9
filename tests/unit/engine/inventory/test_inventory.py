"""What events and lists leave behind, in whatever order they come."""

import itertools
import json
from typing import Any

import pytest

from searchaccess.api.constants import ANNOTATION_ADOPT, ANNOTATION_RECONCILE, FINALIZER
from searchaccess.core.model.identities.identity import resolved
from searchaccess.core.model.identities.workload import Account
from searchaccess.core.model.parsing import access_from_object
from searchaccess.engine.inventory import intake
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.ports.kubernetes import Plural
from tests.support.failures.odd import nested
from tests.support.servers.googlestate import a_workload
from tests.unit.builders import PRINCIPAL, a_search_access, a_search_cluster

OTHER = "other@acme-shop.iam.gserviceaccount.com"


def _access(version: int = 100, **more: Any) -> dict[str, Any]:
    raw = a_search_access(**more)
    raw["metadata"]["resourceVersion"] = str(version)
    return raw


def _cluster(version: int = 100, uid: str = "uid-prod", **more: Any) -> dict[str, Any]:
    raw = a_search_cluster(**more)
    raw["metadata"] |= {"resourceVersion": str(version), "uid": uid}
    return raw


@pytest.fixture
def inventory() -> Inventory:
    """Knows one cluster and one access, and nothing is left to reconcile."""
    made = Inventory()
    made.see_cluster(_cluster())
    made.see_access(_access())
    made.marks.take_dirty("prod")
    made.changed.clear()
    return made


def test_a_new_access_is_to_be_looked_at(inventory: Inventory) -> None:
    inventory.see_access(_access(name="new", service_account=OTHER))
    assert inventory.marks.dirty("prod").principals == {OTHER}
    assert inventory.marks.dirty("prod").event.is_set()
    assert not inventory.marks.dirty("prod").full
    assert inventory.count("prod") == 2
    assert set(inventory.principals("prod")) == {PRINCIPAL, OTHER}


def test_taking_what_is_to_be_looked_at_starts_afresh(inventory: Inventory) -> None:
    inventory.marks.mark("prod", PRINCIPAL)
    taken = inventory.marks.take_dirty("prod")
    assert taken.principals == {PRINCIPAL}
    assert not inventory.marks.dirty("prod")
    assert not inventory.marks.dirty("prod").event.is_set()
    assert taken.event is inventory.marks.dirty("prod").event


NEWS: list[tuple[str, dict[str, Any]]] = [
    ("another generation", {"generation": 2}),
    ("deletion", {"deleted_at": "2026-01-01T00:00:00Z"}),
    ("adoption", {"annotations": {ANNOTATION_ADOPT: "x"}}),
    ("a requested reconcile", {"annotations": {ANNOTATION_RECONCILE: "x"}}),
    ("the loss of our finalizer", {"finalizers": ()}),
    ("a status that somebody wrote", {"status": {"conditions": []}}),
]
NO_NEWS: list[tuple[str, dict[str, Any]]] = [
    ("nothing", {}),
    ("a foreign finalizer", {"finalizers": (FINALIZER, "example.com/mine")}),
    ("a foreign annotation", {"annotations": {"example.com/x": "y"}}),
]


@pytest.mark.parametrize("change", [pytest.param(change, id=text) for text, change in NEWS])
def test_news_of_an_access(inventory: Inventory, change: dict[str, Any]) -> None:
    inventory.see_access(_access(101, **change))
    assert inventory.marks.dirty("prod").principals == {PRINCIPAL}


@pytest.mark.parametrize("change", [pytest.param(change, id=text) for text, change in NO_NEWS])
def test_no_news_of_an_access(inventory: Inventory, change: dict[str, Any]) -> None:
    inventory.see_access(_access(101, **change))
    assert not inventory.marks.dirty("prod")
    assert inventory.accesses["uid-orders"].access.resource_version == "101"


def test_the_arrival_of_our_own_finalizer_is_no_news() -> None:
    inventory = Inventory()
    inventory.see_access(_access(finalizers=()))
    inventory.marks.take_dirty("prod")
    inventory.see_access(_access(101))
    assert not inventory.marks.dirty("prod")
    assert inventory.accesses["uid-orders"].access.has_finalizer


@pytest.mark.parametrize(
    ("version", "written", "writing", "changed"),
    [
        pytest.param(101, 0, False, True, id="somebody's change"),
        pytest.param(101, 101, False, False, id="our own last write"),
        pytest.param(101, 102, False, False, id="older than our last write"),
        pytest.param(103, 102, False, True, id="somebody's after ours"),
        pytest.param(101, 0, True, False, id="ours that is on its way"),
        pytest.param(100, 0, False, False, id="known already"),
        pytest.param(99, 0, False, False, id="older than known"),
    ],
)
def test_events_of_our_own_writes_can_be_left_out(
    inventory: Inventory, version: int, written: int, *, writing: bool, changed: bool
) -> None:
    inventory.wrote("uid-orders", str(written))
    if writing:
        inventory.writing.add("uid-orders")
    event = _access(version, status={"access": "r"})
    assert inventory.may_have_changed(event) is changed
    # What else may have changed before counts all the same.
    if version > 100:
        for change in ({"generation": 2}, {"annotations": {ANNOTATION_ADOPT: "x"}}, {"finalizers": ()}):
            assert inventory.may_have_changed(_access(version, **change))
        assert inventory.may_have_changed(_access(version, deleted_at="2026-01-01T00:00:00Z"))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the SearchAccesses whose spec was read."""
    names, actual = list[str](), access_from_object

    def reading(raw: dict[str, Any]) -> Any:
        names.append(raw["metadata"]["name"])
        return actual(raw)

    monkeypatch.setattr(intake, "access_from_object", reading)
    return names


@pytest.mark.parametrize("writing", [False, True])
def test_a_list_reads_no_spec_again_of_which_we_wrote_the_status(
    inventory: Inventory, read: list[str], *, writing: bool
) -> None:
    status = {"access": "r"}
    inventory.accesses["uid-orders"].status_json = json.dumps(status, separators=(",", ":"))
    inventory.wrote("uid-orders", "101")
    if writing:
        # Another one follows.
        inventory.writing.add("uid-orders")
        status = {"access": "w"}
    for version in (101, 101, 102):
        inventory.see_access(_access(version, status=status))
        assert inventory.accesses["uid-orders"].access.resource_version == str(version)
    assert not read
    assert not inventory.marks.dirty("prod")
    assert inventory.accesses["uid-orders"].status.access == "r"


APPLIED = {
    "kubectl.kubernetes.io/last-applied-configuration": json.dumps(
        {"spec": {"validUntil": None}}, separators=(",", ":")
    )
}


@pytest.mark.parametrize("change", [pytest.param(change, id=text) for text, change in [*NEWS[:-1], *NO_NEWS[1:]]])
def test_a_list_reads_a_spec_again_if_anything_else_differs(
    inventory: Inventory, read: list[str], change: dict[str, Any]
) -> None:
    inventory.wrote("uid-orders", "101")
    inventory.see_access(_access(101, **change))
    assert read == ["orders"]


def test_a_spec_is_read_again_that_changed_without_its_generation(inventory: Inventory, read: list[str]) -> None:
    """A restored etcd counts generations again, and another CRD shows other fields of what is stored."""
    inventory.see_access(_access(101))
    restored = _access(102)
    restored["spec"]["grants"][0]["indices"] = ["invoices"]
    inventory.see_access(restored)
    assert read == ["orders"]
    assert inventory.accesses["uid-orders"].access.share.local_indices == ["invoices"]
    assert inventory.marks.dirty("prod").principals == {PRINCIPAL}
    inventory.see_access(restored | {"metadata": restored["metadata"] | {"resourceVersion": "103"}})
    assert read == ["orders"], "now it is known"


@pytest.mark.parametrize(
    "spec", [None, [], "orders", nested(100_000, lambda inner: [inner])], ids=["null", "list", "text", "deep"]
)
def test_a_spec_that_is_none_can_be_told_apart(inventory: Inventory, read: list[str], spec: Any) -> None:
    inventory.see_access(_access(101) | {"spec": spec})
    assert read == ["orders"]


def test_a_null_that_kubectl_dropped_is_read_whatever_we_wrote_since(inventory: Inventory, read: list[str]) -> None:
    inventory.see_access(_access(101, annotations=APPLIED))
    assert "null is not a value" in inventory.accesses["uid-orders"].access.invalid
    inventory.wrote("uid-orders", "103")
    corrected = _access(103, annotations=dict.fromkeys(APPLIED, "{}"))
    assert inventory.may_have_changed(corrected)
    inventory.see_access(corrected)
    assert not inventory.accesses["uid-orders"].access.invalid
    inventory.wrote("uid-orders", "105")
    again = _access(104, annotations=APPLIED)
    assert inventory.may_have_changed(again)
    inventory.see_access(again)
    assert "null is not a value" in inventory.accesses["uid-orders"].access.invalid
    assert read == ["orders"] * 3


def test_an_unknown_access_is_news(inventory: Inventory) -> None:
    assert inventory.may_have_changed(_access(name="new"))


def test_our_own_status_is_no_news(inventory: Inventory) -> None:
    inventory.accesses["uid-orders"].status_json = '{"access":"r"}'
    inventory.see_access(_access(101, status={"access": "r"}))
    assert not inventory.marks.dirty("prod")


def test_while_a_status_is_on_its_way_an_older_one_is_not_believed(inventory: Inventory) -> None:
    inventory.accesses["uid-orders"].status_json = '{"access":"r"}'
    inventory.writing.add("uid-orders")
    inventory.see_access(_access(101, status={"access": "old"}))
    assert inventory.accesses["uid-orders"].status.access == "r"
    assert not inventory.marks.dirty("prod")
    inventory.writing.clear()
    inventory.see_access(_access(102, status={"access": "old"}))
    assert inventory.marks.dirty("prod")


@pytest.mark.parametrize("version", [99, 100])
def test_an_older_or_known_version_is_ignored(inventory: Inventory, version: int) -> None:
    inventory.see_access(_access(version, generation=7))
    assert inventory.accesses["uid-orders"].access.generation == 1
    assert not inventory.marks.dirty("prod")


def test_another_principal_marks_both(inventory: Inventory) -> None:
    inventory.see_access(_access(101, generation=2, service_account=OTHER))
    assert inventory.marks.dirty("prod").principals == {PRINCIPAL, OTHER}
    assert inventory.principals("prod") == [OTHER]
    assert inventory.of_principal("prod", PRINCIPAL) == []


def test_another_cluster_marks_both(inventory: Inventory) -> None:
    inventory.see_access(_access(101, generation=2, cluster="else"))
    assert inventory.marks.dirty("prod").principals == {PRINCIPAL}
    assert inventory.marks.dirty("else").principals == {PRINCIPAL}
    assert inventory.changed.is_set()
    assert (inventory.count("prod"), inventory.count("else")) == (0, 1)


def test_an_access_that_went_is_looked_at_unless_that_is_settled(inventory: Inventory) -> None:
    inventory.see_access(_access(name="settled", service_account=OTHER))
    inventory.accesses["uid-settled"].confirmed = True
    inventory.marks.take_dirty("prod")
    inventory.forget_access("uid-settled")
    assert not inventory.marks.dirty("prod")
    inventory.forget_access("uid-orders")
    assert inventory.marks.dirty("prod").principals == {PRINCIPAL}
    assert inventory.count("prod") == 0


def test_an_access_that_went_does_not_come_back_by_a_late_event(inventory: Inventory) -> None:
    inventory.forget_access("uid-orders")
    inventory.see_access(_access(101, generation=2))
    assert not inventory.accesses


def test_events_of_one_access_end_the_same_in_any_order() -> None:
    events = [_access(number, generation=number - 100) for number in (101, 102, 103)]
    for order in itertools.permutations(events * 2, 4):
        inventory = Inventory()
        for event in (*order, events[-1]):
            inventory.see_access(event)
        assert inventory.accesses["uid-orders"].access.generation == 3
        assert inventory.count("prod") == 1


# Full lists


async def test_what_a_list_lacks_is_gone(inventory: Inventory) -> None:
    inventory.see_access(_access(name="kept"))
    known = frozenset(inventory.accesses)
    inventory.marks.take_dirty("prod")
    await inventory.keep_accesses({"uid-kept"}, known)
    assert set(inventory.accesses) == {"uid-kept"}
    assert inventory.marks.dirty("prod").principals == {PRINCIPAL}


async def test_what_came_after_the_list_was_asked_for_is_kept(inventory: Inventory) -> None:
    known = frozenset(inventory.accesses)
    inventory.see_access(_access(name="newer"))
    inventory.see_access(_access())
    await inventory.keep_accesses({"uid-orders"}, known)
    assert set(inventory.accesses) == {"uid-orders", "uid-newer"}


async def test_what_went_after_the_list_was_asked_for_stays_away(inventory: Inventory) -> None:
    known = frozenset(inventory.accesses)
    inventory.forget_access("uid-orders")
    inventory.see_access(_access())
    await inventory.keep_accesses({"uid-orders"}, known)
    assert not inventory.accesses


def test_a_cluster_that_a_list_lacks_is_gone(inventory: Inventory) -> None:
    inventory.keep_clusters(set(), {"prod": "uid-prod"})
    assert not inventory.clusters
    assert inventory.changed.is_set()


# SearchClusters


def test_a_new_cluster_is_to_be_looked_at_as_a_whole(inventory: Inventory) -> None:
    inventory.see_cluster(_cluster(uid="uid-else", name="else"))
    assert inventory.marks.dirty("else").full
    assert inventory.changed.is_set()


def test_a_changed_cluster_is_to_be_looked_at_as_a_whole(inventory: Inventory) -> None:
    inventory.see_cluster(_cluster(101, generation=2))
    assert inventory.marks.dirty("prod").full
    assert inventory.marks.dirty("prod").cluster


def test_another_status_of_a_cluster_reconciles_it_alone(inventory: Inventory) -> None:
    inventory.see_cluster(_cluster(101) | {"status": {"conditions": []}})
    assert inventory.marks.dirty("prod").cluster
    assert not inventory.marks.dirty("prod").full


def test_our_finalizer_on_a_cluster_is_no_news(inventory: Inventory) -> None:
    inventory.see_cluster(_cluster(101, finalizers=(FINALIZER, "example.com/mine")))
    assert not inventory.marks.dirty("prod")


def test_a_cluster_made_anew_under_its_name_is_another_one(inventory: Inventory) -> None:
    inventory.see_cluster(_cluster(200, uid="uid-new"))
    assert inventory.clusters["prod"].cluster.uid == "uid-new"
    assert inventory.marks.dirty("prod").full
    inventory.forget_cluster("prod", "uid-prod")
    assert "prod" in inventory.clusters
    inventory.forget_cluster("prod", "uid-new")
    assert "prod" not in inventory.clusters


def test_late_news_of_an_earlier_cluster_of_the_name_is_ignored(inventory: Inventory) -> None:
    inventory.see_cluster(_cluster(200, uid="uid-new"))
    inventory.see_cluster(_cluster(150))
    assert inventory.clusters["prod"].cluster.uid == "uid-new"


def test_a_cluster_that_went_after_the_list_was_asked_for_stays_away(inventory: Inventory) -> None:
    inventory.forget_cluster("prod", "uid-prod")
    inventory.see_cluster(_cluster())
    inventory.keep_clusters({"uid-prod"}, {"prod": "uid-prod"})
    assert not inventory.clusters


# Marks by uid


def test_a_uid_marks_its_access_or_cluster_and_nothing_when_it_is_gone(inventory: Inventory) -> None:
    inventory.mark_uid("unheard-of")
    assert not inventory.marks.dirty("prod")
    assert not inventory.knows("unheard-of")
    inventory.mark_uid("uid-orders")
    assert inventory.marks.dirty("prod").principals == {PRINCIPAL}
    inventory.mark_uid("uid-prod")
    assert inventory.marks.dirty("prod").cluster
    assert inventory.knows("uid-orders")
    assert inventory.knows("uid-prod")


def test_an_access_of_an_unknown_cluster_wakes_the_host(inventory: Inventory) -> None:
    inventory.see_access(_access(name="homeless", cluster="nowhere"))
    assert inventory.changed.is_set()


def test_a_late_event_from_before_our_own_write_says_nothing_of_status_and_finalizers(inventory: Inventory) -> None:
    uid = _access()["metadata"]["uid"]
    record = inventory.accesses[uid]
    record.status_json = '{"access":"r orders-*"}'
    inventory.wrote(uid, "105")
    late = _access(103)
    late["metadata"]["finalizers"] = []
    late.pop("status", None)
    inventory.see_access(late)
    assert inventory.accesses[uid].status_json == '{"access":"r orders-*"}'
    assert not inventory.marks.dirty("prod").principals


def test_a_late_event_from_before_our_own_write_still_brings_a_new_spec(inventory: Inventory) -> None:
    uid = _access()["metadata"]["uid"]
    inventory.wrote(uid, "105")
    late = _access(103)
    late["metadata"]["generation"] = 99
    inventory.see_access(late)
    assert inventory.accesses[uid].access.generation == 99
    assert inventory.marks.dirty("prod").principals == {PRINCIPAL}


def test_how_an_access_stands_follows_its_status(inventory: Inventory) -> None:
    record = inventory.accesses["uid-orders"]
    assert (record.status_summary.generation, record.status_summary.ready) == (None, False)
    ready = '{"type":"Ready","status":"True","reason":"InSync"}'
    record.status_json = f'{{"observedGeneration":3,"conditions":[{ready}]}}'
    assert (record.status_summary.generation, record.status_summary.ready) == (3, True)
    assert record.status_summary is record.status_summary, "it is read once"


def test_how_many_were_recalled_from_their_status_only_is_counted() -> None:
    inventory, workload = Inventory(), a_workload("orders")
    inventory.see_cluster(_cluster())
    status = {"identity": {"workload": workload.path, "serviceAccount": OTHER, "uniqueId": "1"}}

    def declared(uid: str, version: int, **spec: Any) -> dict[str, Any]:
        raw = _access(version, generation=version)
        raw["metadata"]["uid"] = uid
        place = workload.place
        reference = {"project": place.project, "location": place.location, "name": workload.name}
        return raw | {"spec": raw["spec"] | {"subject": {"cloudRunService": reference}} | spec, "status": status}

    for number in range(3):
        inventory.see_access(declared(f"uid-{number}", 200 + number))
    assert inventory.recalled("prod") == 3
    inventory.see_access(declared("uid-0", 300, cluster="other"))
    assert (inventory.recalled("prod"), inventory.recalled("other")) == (2, 1)
    inventory.forget_access("uid-1")
    assert inventory.recalled("prod") == 1
    inventory.identify(workload, resolved(None, [Account(OTHER)], [], ""), force=False)
    assert (inventory.recalled("prod"), inventory.recalled("other")) == (0, 0)


def test_what_thousands_of_accesses_have_in_common_is_in_memory_once() -> None:
    inventory = Inventory()
    for number in range(2):
        raw = _access(name=f"a-{number}", finalizers=(FINALIZER,))
        raw["metadata"]["uid"] = f"uid-{number}"
        inventory.see_access(json.loads(json.dumps(raw)))
    one, two = (record.access for record in inventory.accesses.values())
    assert one.namespace is two.namespace
    assert one.cluster is two.cluster
    assert one.finalizers is two.finalizers
    assert one.share.entries[0].privileges is two.share.entries[0].privileges


async def test_an_earlier_state_counts_once_a_list_shows_that_history_went_back(inventory: Inventory) -> None:
    earlier = _access(50, service_account=OTHER)
    inventory.see_access(earlier)
    assert not inventory.may_have_changed(earlier)
    assert inventory.accesses["uid-orders"].access.principals == (PRINCIPAL,)
    assert inventory.latest(Plural.ACCESSES).contradicts(earlier)
    inventory.begin_anew()
    assert inventory.rewatch.is_set(), "watches began at versions that are yet to come"
    assert inventory.relist.is_set()
    assert inventory.may_have_changed(earlier)
    inventory.see_access(earlier)
    assert inventory.accesses["uid-orders"].access.principals == (OTHER,)
    inventory.see_access(_access(49))
    assert inventory.accesses["uid-orders"].access.principals == (OTHER,), "within one history, versions count again"


def test_what_does_not_contradict_what_is_known(inventory: Inventory) -> None:
    latest = inventory.latest(Plural.ACCESSES)
    odd: list[dict[str, Any]] = [{}, {"metadata": []}]
    for listed in (_access(100), _access(101), _access(1, name="new"), *odd):
        assert not latest.contradicts(listed)
    assert not inventory.latest(Plural.CLUSTERS).contradicts(_cluster(100))
    assert inventory.latest(Plural.CLUSTERS).contradicts(_cluster(99))


def test_a_list_that_is_older_than_our_own_write_contradicts_it(inventory: Inventory) -> None:
    inventory.wrote("uid-orders", "103")
    assert inventory.latest(Plural.ACCESSES).contradicts(_access(102))
    assert not inventory.latest(Plural.ACCESSES).contradicts(_access(103))


def test_what_is_gone_contradicts_a_later_list_that_has_it(inventory: Inventory) -> None:
    inventory.forget_access("uid-orders")
    assert inventory.latest(Plural.ACCESSES).contradicts(_access(100))
    inventory.begin_anew()
    inventory.see_access(_access(100))
    assert "uid-orders" in inventory.accesses


def test_an_approval_that_is_back_does_not_count_before_its_searchaccess_is(inventory: Inventory) -> None:
    approvals = inventory.approvals
    inventory.begin_anew()
    spec = {"name": "orders", "uid": "uid-orders", "generation": 1, "approvedBy": {"username": "bob"}}
    metadata = {"uid": "uid-yes", "namespace": "shop", "name": "yes", "resourceVersion": "50"}
    approvals.see({"metadata": metadata, "spec": spec})
    assert approvals.suspects == {"uid-yes": "uid-orders"}
    inventory.see_access(_access(50) | {"status": {"prematureApprovals": ["uid-yes"]}})
    approvals.settle(dict(approvals.suspects), inventory.generation_of)
    assert not approvals.suspects
    assert approvals.premature("uid-orders") == ("uid-yes",)


def test_what_was_deleted_and_is_back_as_before_may_have_rights(inventory: Inventory) -> None:
    inventory.see_access(_access(101, deleted_at="2026-01-01T00:00:00Z"))
    inventory.accesses["uid-orders"].confirmed = True
    inventory.see_access(_access(102, deleted_at="2026-01-01T00:00:00Z", finalizers=()))
    assert inventory.accesses["uid-orders"].confirmed
    inventory.begin_anew()
    inventory.see_access(_access(100))
    assert not inventory.accesses["uid-orders"].confirmed
