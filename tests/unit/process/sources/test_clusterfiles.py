"""SearchClusters from files: what changes in them is taken in, and their statuses are kept in ConfigMaps."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from structlog.testing import capture_logs

from searchaccess.core.clusters.cluster import cluster_from_object
from searchaccess.core.clusters.sources import Source
from searchaccess.core.status.events import Note
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.operator.sources import clusterfiles
from searchaccess.operator.sources.clusterfiles import FiledClusters, read_folder
from searchaccess.ports.errors import BadManifest, Conflict, ExternalError, NotFound, PermissionDenied
from searchaccess.ports.kubernetes import ObjectRef, Page, Plural
from tests.support.loop.clocks import run_virtually
from tests.support.loop.stage import search_cluster

HOME = "team-system"
READY = {"type": "Ready", "status": "True", "reason": "InSync", "message": "all well"}


class Api:
    """The API server: it has ConfigMaps."""

    def __init__(self) -> None:
        self.maps: dict[str, dict[str, str]] = {}
        self.refuses = False

    async def controller_id(self) -> str:
        return "uid-of-home"

    async def list_page(self, plural: Plural, following: str = "") -> Page:
        assert plural is Plural.ACCESSES
        return Page([], following)

    async def read_source(self, source: Source) -> dict[str, bytes]:
        if self.refuses:
            raise PermissionDenied("403")
        if source.name not in self.maps:
            raise NotFound("404")
        return {key: text.encode() for key, text in self.maps[source.name].items()}

    async def call(self, method: str, path: str, body: Mapping[str, Any], content_type: str) -> dict[str, Any]:
        assert (method, content_type) == ("PATCH", "application/apply-patch+yaml")
        assert path == f"/api/v1/namespaces/{HOME}/configmaps/{body['metadata']['name']}?force=true"
        self.maps[body["metadata"]["name"]] = dict(body["data"])
        return {}


def write(folder: Path, name: str = "prod", **spec: Any) -> None:
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(search_cluster(name, **spec)))


def filed(api: Any, folder: Path) -> FiledClusters:
    return FiledClusters(api, folder, HOME, "blue")


async def listed(files: FiledClusters) -> dict[str, dict[str, Any]]:
    page = await files.list_page(Plural.CLUSTERS)
    return {raw["metadata"]["name"]: raw for raw in page.items}


def ref_to(raw: Mapping[str, Any]) -> ObjectRef:
    return ObjectRef(Plural.CLUSTERS, "", raw["metadata"]["name"], raw["metadata"]["uid"])


def test_a_status_outlives_the_process(tmp_path: Path) -> None:
    async def play() -> None:
        api = Api()
        write(tmp_path)
        first = filed(api, tmp_path)
        raw = (await listed(first))["prod"]
        assert raw["status"] == {}
        with capture_logs() as logs:
            sent = {"uuid": "one", "conditions": [READY]}
            stored = await first.replace_status(ref_to(raw), sent)
        assert [(line["ready"], line["reason"]) for line in logs] == [("True", "InSync")]
        assert stored.status == sent
        assert int(stored.version) > int(raw["metadata"]["resourceVersion"])
        assert json.loads(api.maps["searchaccess-blue-prod"]["status.json"])["uuid"] == "one"
        again = (await listed(filed(api, tmp_path)))["prod"]
        assert again["status"]["uuid"] == "one"
        assert again["metadata"]["uid"] == raw["metadata"]["uid"]

    asyncio.run(play())


def test_another_replica_sees_what_one_wrote(tmp_path: Path) -> None:
    async def play() -> None:
        api = Api()
        write(tmp_path)
        one, other = filed(api, tmp_path), filed(api, tmp_path)
        raw, before = (await listed(one))["prod"], (await listed(other))["prod"]
        await one.replace_status(ref_to(raw), {"uuid": "one"})
        after = (await listed(other))["prod"]
        assert after["status"] == {"uuid": "one"}
        assert int(after["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])

    asyncio.run(play())


def test_what_changes_in_the_files_is_taken_in(tmp_path: Path) -> None:
    async def play() -> None:
        write(tmp_path)
        files, inventory = filed(Api(), tmp_path), Inventory()
        await files.update(inventory)
        first = inventory.clusters["prod"].cluster
        await files.update(inventory)
        assert inventory.clusters["prod"].cluster is first
        write(tmp_path, allowedNamespaces={"names": ["shop"]})
        write(tmp_path, "more")
        await files.update(inventory)
        now = inventory.clusters["prod"].cluster
        assert now.allowed_namespaces is not None
        assert (now.uid, now.generation) != (first.uid, first.generation)
        assert now.uid == first.uid
        assert set(inventory.clusters) == {"prod", "more"}
        (tmp_path / "prod.yaml").unlink()
        await files.update(inventory)
        assert set(inventory.clusters) == {"more"}

    asyncio.run(play())


def test_one_that_returns_to_the_files_is_taken_in_again(tmp_path: Path) -> None:
    async def play() -> None:
        write(tmp_path)
        write(tmp_path, "more")
        files, inventory = filed(Api(), tmp_path), Inventory()
        await files.update(inventory)
        (tmp_path / "prod.yaml").unlink()
        await files.update(inventory)
        write(tmp_path)
        await files.update(inventory)
        assert set(inventory.clusters) == {"prod", "more"}

    asyncio.run(play())


def test_a_status_that_somebody_deletes_is_not_forgotten(tmp_path: Path) -> None:
    """What was read or written before is known still: the pin, and what was released."""

    async def play() -> None:
        api = Api()
        write(tmp_path)
        files = filed(api, tmp_path)
        raw = (await listed(files))["prod"]
        await files.replace_status(ref_to(raw), {"uuid": "one", "conditions": [READY]})
        api.maps.clear()
        with capture_logs() as logs:
            assert (await listed(files))["prod"]["status"]["uuid"] == "one"
        assert json.loads(api.maps["searchaccess-blue-prod"]["status.json"])["uuid"] == "one"
        assert [line["log_level"] for line in logs] == ["warning"]
        # One that did not write it leaves that to the other for a while.
        other = filed(api, tmp_path)
        await listed(other)
        api.maps.clear()
        for restored in (False, True):
            assert (await listed(other))["prod"]["status"]["uuid"] == "one"
            assert bool(api.maps) is restored

    asyncio.run(play())


def test_an_invalid_one_says_so_itself(tmp_path: Path) -> None:
    async def play() -> None:
        write(tmp_path, urls=[])
        inventory = Inventory()
        await filed(Api(), tmp_path).update(inventory)
        assert inventory.clusters["prod"].cluster.invalid

    asyncio.run(play())


@pytest.mark.parametrize("content", ["{", "apiVersion: searchaccess.dev/v1alpha1\nkind: SearchCluster\n"])
def test_files_that_cannot_be_read_change_nothing(tmp_path: Path, content: str) -> None:
    async def play() -> None:
        write(tmp_path)
        files, inventory = filed(Api(), tmp_path), Inventory()
        await files.update(inventory)
        (tmp_path / "other.yaml").write_text(content)
        with pytest.raises(BadManifest):
            await files.update(inventory)
        assert set(inventory.clusters) == {"prod"}
        with pytest.raises(BadManifest):
            await listed(files)

    asyncio.run(play())


def test_a_status_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    """Without it nobody knows to which Elasticsearch a SearchCluster is pinned."""

    async def play() -> None:
        write(tmp_path)
        api = Api()
        api.refuses = True
        with pytest.raises(PermissionDenied):
            await listed(filed(api, tmp_path))
        api.refuses = False
        for data in ({"status.json": "{"}, {"status.json": "[]"}, {}):
            api.maps["searchaccess-blue-prod"] = data
            files = filed(api, tmp_path)
            with capture_logs() as logs:
                raw = (await listed(files))["prod"]
                await listed(files)
            cluster = cluster_from_object(raw)
            assert cluster.spec is None, "nothing is reconciled"
            assert "is not the status" in cluster.invalid
            assert [line["log_level"] for line in logs].count("warning") == 1
            with pytest.raises(ExternalError, match="is not the status"):
                await files.replace_status(ref_to(raw), {"conditions": []})
            assert api.maps["searchaccess-blue-prod"] == data, "nothing is lost that somebody could repair"
            # Once somebody repaired or deleted it, the next list goes on.
            api.maps["searchaccess-blue-prod"] = {"status.json": '{"uuid": "one"}'}
            repaired = (await listed(files))["prod"]
            assert repaired["status"] == {"uuid": "one"}
            assert cluster_from_object(repaired).spec is not None
            assert int(repaired["metadata"]["resourceVersion"]) > int(raw["metadata"]["resourceVersion"])
            api.maps.clear()

    asyncio.run(play())


def test_a_status_that_cannot_be_read_concerns_no_other(tmp_path: Path) -> None:
    async def play() -> None:
        write(tmp_path)
        write(tmp_path, "more")
        api = Api()
        api.maps["searchaccess-blue-more"] = {"status.json": "{"}
        files = filed(api, tmp_path)
        found = await listed(files)
        assert cluster_from_object(found["prod"]).spec is not None
        assert cluster_from_object(found["more"]).spec is None
        await files.replace_status(ref_to(found["prod"]), {"uuid": "one"})
        # What is known stays, also if its status becomes unreadable.
        api.maps["searchaccess-blue-prod"] = {"status.json": "{"}
        assert (await listed(files))["prod"]["status"] == {"uuid": "one"}
        assert json.loads(api.maps["searchaccess-blue-prod"]["status.json"]) == {"uuid": "one"}, "as if it were deleted"
        api.maps.pop("searchaccess-blue-more")
        assert cluster_from_object((await listed(files))["more"]).spec is not None

    asyncio.run(play())


def test_a_write_about_another_one_is_refused(tmp_path: Path) -> None:
    async def play() -> None:
        write(tmp_path)
        files = filed(Api(), tmp_path)
        raw = (await listed(files))["prod"]
        ref = ref_to(raw)
        with pytest.raises(Conflict):
            await files.replace_status(ObjectRef(ref.plural, "", "prod", "another"), {})
        with pytest.raises(NotFound):
            await files.set_finalizers(ObjectRef(ref.plural, "", "gone", ref.uid), (), ("x",))
        await files.set_finalizers(ref, (), ("x",))
        assert (await listed(files))["prod"]["metadata"]["finalizers"] == ["x"]

    asyncio.run(play())


def test_a_folder_as_the_kubelet_mounts_it_has_each_file_once(tmp_path: Path) -> None:
    hidden = tmp_path / "..2026_11_29"
    hidden.mkdir()
    write(hidden)
    (tmp_path / "..data").symlink_to(hidden)
    (tmp_path / "prod.yaml").symlink_to(tmp_path / "..data" / "prod.yaml")
    _, found = read_folder(tmp_path)
    assert list(found) == ["prod"]


@pytest.mark.parametrize("what", ["twice", "a SearchAccess", "no folder"])
def test_what_no_folder_of_searchclusters_has_is_named(tmp_path: Path, what: str) -> None:
    write(tmp_path)
    folder = tmp_path
    if what == "twice":
        (tmp_path / "again.yaml").write_text((tmp_path / "prod.yaml").read_text())
    elif what == "a SearchAccess":
        access = {"apiVersion": "searchaccess.dev/v1alpha1", "kind": "SearchAccess", "metadata": {"name": "orders"}}
        (tmp_path / "access.yaml").write_text(json.dumps(access))
    else:
        folder = tmp_path / "missing"
    with pytest.raises(BadManifest, match=str(folder)):
        read_folder(folder)


def test_the_same_trouble_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        monkeypatch.setattr(asyncio, "to_thread", _at_once)
        files = filed(Api(), tmp_path / "missing")
        with capture_logs() as logs:
            following = asyncio.create_task(files.follow(Inventory()))
            await asyncio.sleep(3.5 * clusterfiles.READ_EVERY)
            following.cancel()
        assert [line["event"] for line in logs] == ["cannot read SearchClusters: those that are known stay"]

    run_virtually(play())


async def _at_once(work: Any, *given: Any) -> Any:
    return work(*given)


def test_an_event_about_one_is_logged_and_the_api_server_is_not_asked(tmp_path: Path) -> None:
    async def play() -> None:
        write(tmp_path)
        files = filed(Api(), tmp_path)
        raw = (await listed(files))["prod"]
        with capture_logs() as logs:
            await files.create_event(ref_to(raw), Note(warning=False, reason="DriftCorrected", message="all of it"))
        assert [(line["log_level"], line["object"], line["reason"]) for line in logs] == [
            ("info", "prod", "DriftCorrected")
        ]

    asyncio.run(play())
