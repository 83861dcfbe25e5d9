"""What the loop relies on from Kubernetes: in memory and for real."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import pytest

from searchaccess.api.constants import FINALIZER
from searchaccess.api.status import SearchAccessStatus, SearchClusterStatus
from searchaccess.api.vouching import OBJECTS, vouching_objects
from searchaccess.core.clusters.cluster import cluster_from_object
from searchaccess.core.clusters.sources import Source
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.policy.consent.vouching import vouching_of
from searchaccess.core.policy.decision import OPEN, decide
from searchaccess.core.status.access import AccessFacts, build_access_status
from searchaccess.core.status.cluster import ClusterReport, build_cluster_status
from searchaccess.core.status.events import Note
from searchaccess.ports.errors import Conflict, NotFound, PermissionDenied, Rejected
from searchaccess.ports.kubernetes import ObjectRef, Plural
from tests.contract.kubernetes_sides import KubernetesSide
from tests.support.loop.stage import search_cluster
from tests.support.memory.kubernetes import PAGE, ref_to
from tests.support.worlds.world import SYSTEM, access, grant

RETRIES = 60
NOW = "2026-01-01T10:00:00Z"
OTHER = "example.com/mine"

Kind: TypeAlias = Literal["Secret", "ConfigMap"]
Unique = Callable[[str], str]


def _access(objects: KubernetesSide, *finalizers: str, name: str = "orders") -> dict[str, Any]:
    raw = access(name, grant("orders-*"), namespace=objects.namespace)
    if finalizers:
        raw["metadata"]["finalizers"] = list(finalizers)
    return raw


def _status_of(raw: dict[str, Any], now: str = NOW) -> dict[str, Any]:
    one = access_from_object(raw)
    before = SearchAccessStatus.read(raw.get("status"))
    return build_access_status(AccessFacts(one, decide(one, OPEN)), before, now).to_json()


async def _all(objects: KubernetesSide, plural: Plural, following: str = "") -> list[dict[str, Any]]:
    page = await objects.port.list_page(plural, following)
    return [*page.items, *(await _all(objects, plural, page.following) if page.following else [])]


async def test_the_controllers_identity_stays_the_same(objects: KubernetesSide) -> None:
    assert await objects.port.controller_id()
    assert await objects.port.controller_id() == await objects.port.controller_id()


async def test_all_objects_of_a_kind_are_listed_with_what_the_loop_reads(objects: KubernetesSide) -> None:
    made = [objects.create(_access(objects, name=name)) for name in ("a", "b")]
    listed = {raw["metadata"]["uid"]: raw for raw in await _all(objects, Plural.ACCESSES)}
    for raw in made:
        found = listed[raw["metadata"]["uid"]]
        assert found["spec"]["subject"] == raw["spec"]["subject"]
        assert found["metadata"]["generation"] == 1
        assert int(found["metadata"]["resourceVersion"]) > 0
        assert not access_from_object(found).invalid


async def test_pages_of_a_list_show_one_moment(objects: KubernetesSide) -> None:
    made = [objects.create(_access(objects, name=f"paged-{number}")) for number in range(PAGE + 1)]
    first = await objects.port.list_page(Plural.ACCESSES)
    assert len(first.items) == PAGE
    assert first.following
    late = objects.create(_access(objects, name="late"))
    rest = await _all(objects, Plural.ACCESSES, first.following)
    uids = {raw["metadata"]["uid"] for raw in (*first.items, *rest)}
    assert uids >= {raw["metadata"]["uid"] for raw in made}
    assert late["metadata"]["uid"] not in uids


async def test_clusters_are_listed_apart(objects: KubernetesSide, unique: Unique) -> None:
    raw = objects.create(search_cluster(unique("prod")))
    listed = {item["metadata"]["name"]: item for item in await _all(objects, Plural.CLUSTERS)}
    assert cluster_from_object(listed[raw["metadata"]["name"]]).spec is not None


# Deletion


async def _deleted(objects: KubernetesSide, ref: ObjectRef, version: str, *, dry_run: bool = False) -> None:
    """Delete an object; retried while the right is new, as the API server's caches learn of it within moments."""
    for attempt in range(RETRIES):
        try:
            await objects.port.delete_object(ref, version, dry_run=dry_run)
        except PermissionDenied:
            assert attempt < RETRIES - 1
            await asyncio.sleep(0.5)
        else:
            return


async def test_an_object_is_deleted_as_long_as_nobody_edited_it(objects: KubernetesSide) -> None:
    objects.allow_deletion()
    raw = objects.create(_access(objects, FINALIZER))
    ref = ref_to(raw)
    before = await objects.port.version_of(ref, 1)
    assert before is not None
    assert before == raw["metadata"]["resourceVersion"]
    await objects.port.replace_status(ref, _status_of(raw))
    with pytest.raises(Conflict):
        await _deleted(objects, ref, before)
    version = await objects.port.version_of(ref, 1)
    assert version is not None
    assert await objects.port.version_of(ref, 2) is None, "it has not the generation that was expected"
    await _deleted(objects, ref, version, dry_run=True)
    assert "deletionTimestamp" not in objects.get(raw)["metadata"]
    await _deleted(objects, ref, version)
    assert objects.get(raw)["metadata"]["deletionTimestamp"], "its finalizer keeps it"
    assert await objects.port.version_of(ref, 1) is None
    assert await objects.port.version_of(ref, 2) is None, "its deletion began"


async def test_another_object_of_the_same_name_is_not_deleted(objects: KubernetesSide) -> None:
    objects.allow_deletion()
    raw = objects.create(_access(objects))
    other = replace(ref_to(raw), uid="00000000-0000-4000-8000-000000000000")
    with pytest.raises(NotFound):
        await objects.port.version_of(other, 1)
    with pytest.raises(Conflict):
        await _deleted(objects, other, raw["metadata"]["resourceVersion"])
    missing = ObjectRef(Plural.ACCESSES, objects.namespace, "missing", "uid")
    with pytest.raises(NotFound):
        await objects.port.version_of(missing, 1)
    with pytest.raises(NotFound):
        await _deleted(objects, missing, "1")
    assert objects.get(raw)


async def test_without_the_right_the_refusal_says_so(objects: KubernetesSide) -> None:
    raw = objects.create(_access(objects))
    for dry_run in (True, False):
        with pytest.raises(PermissionDenied, match="cannot delete resource"):
            await objects.port.delete_object(ref_to(raw), raw["metadata"]["resourceVersion"], dry_run=dry_run)
    assert objects.get(raw)


# Status


async def test_a_status_is_replaced_as_a_whole_and_moves_no_generation(objects: KubernetesSide) -> None:
    raw = objects.create(_access(objects))
    first = _status_of(raw)
    stored = await objects.port.replace_status(ref_to(raw), first)
    found = objects.get(raw)
    assert found["status"] == stored.status == first
    assert found["metadata"]["resourceVersion"] == stored.version
    assert found["metadata"]["generation"] == 1
    second = {"conditions": [], "observedGeneration": 1}
    await objects.port.replace_status(ref_to(raw), second)
    assert objects.get(raw)["status"] == second


async def test_the_answer_to_a_status_lacks_what_the_crd_does_not_have(objects: KubernetesSide) -> None:
    raw = objects.create(_access(objects))
    status = _status_of(raw)
    stored = await objects.port.replace_status(ref_to(raw), status | {"future": {"a": 1}})
    assert objects.get(raw)["status"] == stored.status == status


async def test_a_status_that_says_the_same_makes_no_new_version(objects: KubernetesSide) -> None:
    raw = objects.create(_access(objects))
    await objects.port.replace_status(ref_to(raw), _status_of(raw))
    before = objects.get(raw)["metadata"]["resourceVersion"]
    await objects.port.replace_status(ref_to(raw), _status_of(raw))
    assert objects.get(raw)["metadata"]["resourceVersion"] == before


async def test_each_write_makes_a_higher_version(objects: KubernetesSide) -> None:
    raw = objects.create(_access(objects))
    await objects.port.replace_status(ref_to(raw), _status_of(raw))
    assert int(objects.get(raw)["metadata"]["resourceVersion"]) > int(raw["metadata"]["resourceVersion"])


async def test_the_status_of_a_cluster_is_replaced(objects: KubernetesSide, unique: Unique) -> None:
    raw = objects.create(search_cluster(unique("prod")))
    status = build_cluster_status(ClusterReport(cluster_from_object(raw)), SearchClusterStatus(), NOW).to_json()
    await objects.port.replace_status(ref_to(raw), status)
    assert objects.get(raw)["status"] == status


async def test_a_status_of_another_shape_is_rejected(objects: KubernetesSide) -> None:
    raw = objects.create(_access(objects))
    with pytest.raises(Rejected):
        await objects.port.replace_status(ref_to(raw), {"conditions": "none"})


async def test_a_status_of_a_missing_object_is_not_found(objects: KubernetesSide) -> None:
    missing = ObjectRef(Plural.ACCESSES, objects.namespace, "missing", "uid")
    with pytest.raises(NotFound):
        await objects.port.replace_status(missing, {"conditions": []})


async def test_a_status_of_another_object_of_the_same_name_is_a_conflict(objects: KubernetesSide) -> None:
    old = objects.create(_access(objects))
    objects.delete(old)
    new = objects.create(_access(objects))
    with pytest.raises(Conflict):
        await objects.port.replace_status(ref_to(old), {"conditions": []})
    assert "status" not in objects.get(new)


# Finalizers


async def test_a_finalizer_is_put_where_there_was_none(objects: KubernetesSide) -> None:
    raw = objects.create(_access(objects))
    await objects.port.set_finalizers(ref_to(raw), (), (FINALIZER,))
    assert objects.get(raw)["metadata"]["finalizers"] == [FINALIZER]
    assert objects.get(raw)["metadata"]["generation"] == 1


async def test_others_finalizers_are_kept(objects: KubernetesSide) -> None:
    raw = objects.create(_access(objects, OTHER))
    await objects.port.set_finalizers(ref_to(raw), (OTHER,), (OTHER, FINALIZER))
    await objects.port.set_finalizers(ref_to(raw), (OTHER, FINALIZER), (OTHER,))
    assert objects.get(raw)["metadata"]["finalizers"] == [OTHER]


@pytest.mark.parametrize("before", [(), (FINALIZER,), (OTHER, FINALIZER)], ids=["none", "another", "one more"])
async def test_finalizers_that_are_not_as_before_are_a_conflict(
    objects: KubernetesSide, before: tuple[str, ...]
) -> None:
    raw = objects.create(_access(objects, OTHER))
    with pytest.raises(Conflict):
        await objects.port.set_finalizers(ref_to(raw), before, (*before, "example.com/new"))
    assert objects.get(raw)["metadata"]["finalizers"] == [OTHER]


async def test_finalizers_that_were_expected_and_are_not_there_are_a_conflict(objects: KubernetesSide) -> None:
    raw = objects.create(_access(objects))
    with pytest.raises(Conflict):
        await objects.port.set_finalizers(ref_to(raw), (FINALIZER,), ())


async def test_a_finalizer_keeps_a_deleted_object_until_it_is_taken_away(objects: KubernetesSide) -> None:
    raw = objects.create(_access(objects, FINALIZER))
    objects.delete(raw)
    assert objects.get(raw)["metadata"]["deletionTimestamp"]
    await objects.port.replace_status(ref_to(raw), _status_of(raw))
    await objects.port.set_finalizers(ref_to(raw), (FINALIZER,), ())
    assert objects.get(raw) == {}


async def test_a_finalizer_cannot_be_put_on_an_object_that_is_being_deleted(objects: KubernetesSide) -> None:
    raw = objects.create(_access(objects, OTHER))
    objects.delete(raw)
    with pytest.raises(Rejected):
        await objects.port.set_finalizers(ref_to(raw), (OTHER,), (OTHER, FINALIZER))


async def test_finalizers_of_a_missing_object_are_not_found(objects: KubernetesSide) -> None:
    missing = ObjectRef(Plural.ACCESSES, objects.namespace, "missing", "uid")
    with pytest.raises(NotFound):
        await objects.port.set_finalizers(missing, (), (FINALIZER,))


async def test_finalizers_of_another_object_of_the_same_name_are_a_conflict(objects: KubernetesSide) -> None:
    old = objects.create(_access(objects))
    objects.delete(old)
    objects.create(_access(objects))
    with pytest.raises(Conflict):
        await objects.port.set_finalizers(ref_to(old), (), (FINALIZER,))


async def test_the_finalizer_of_a_cluster(objects: KubernetesSide, unique: Unique) -> None:
    raw = objects.create(search_cluster(unique("prod")))
    await objects.port.set_finalizers(ref_to(raw), (), (FINALIZER,))
    objects.delete(raw)
    assert objects.get(raw)["metadata"]["deletionTimestamp"]
    await objects.port.set_finalizers(ref_to(raw), (FINALIZER,), ())
    assert objects.get(raw) == {}


# Events and Secrets


async def test_events_about_both_kinds_are_written(objects: KubernetesSide, unique: Unique) -> None:
    mine = objects.create(_access(objects, name=unique("orders")))
    cluster = objects.create(search_cluster(unique("prod")))
    for raw in (mine, cluster):
        await objects.port.create_event(ref_to(raw), Note(warning=True, reason="DriftDetected", message="it drifted"))
        assert objects.event_reasons(raw["metadata"]["name"]) == ["DriftDetected"]


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
async def test_a_secret_or_config_map_is_read_decoded(objects: KubernetesSide, unique: Unique, kind: Kind) -> None:
    source = Source(kind, SYSTEM, unique("login"))
    objects.write_source(source, {"username": "operator", "password": "pä ss"})
    found = await objects.port.read_source(source)
    assert found == {"username": b"operator", "password": "pä ss".encode()}


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
async def test_a_missing_secret_or_config_map_is_not_found(objects: KubernetesSide, kind: Kind) -> None:
    with pytest.raises(NotFound):
        await objects.port.read_source(Source(kind, SYSTEM, "missing"))


async def test_the_admission_policies_for_approvals_are_stored_as_they_are_generated(objects: KubernetesSide) -> None:
    objects.vouch()
    found = {each: await objects.port.read_admission(each) for each in OBJECTS}
    assert {each: raw["spec"] for each, raw in found.items()} == {
        each: manifest["spec"] for each, manifest in vouching_objects().items()
    }
    assert vouching_of(found).since


async def test_namespaces_are_listed_with_their_labels(objects: KubernetesSide) -> None:
    found: dict[str, dict[str, str]] = {}
    following = ""
    while True:
        page = await objects.port.list_namespaces(following)
        found |= page.labels
        following = page.following
        if not following:
            break
    assert objects.namespace in found
    # Every API server labels namespaces with their names; the one in memory does not.
    assert found[objects.namespace] in ({}, {"kubernetes.io/metadata.name": objects.namespace})
