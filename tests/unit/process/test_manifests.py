"""Manifests from files: a file that cannot be read is named, an object that cannot be applied costs itself alone."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.operator.observing import ObservedKubernetes, read_manifests
from searchaccess.ports.errors import BadManifest
from searchaccess.ports.kubernetes import Page, Plural
from tests.support.failures.odd import json_values, queries
from tests.support.loop.clocks import run_virtually
from tests.unit.builders import a_grant, a_search_access

HEAD = "apiVersion: searchaccess.dev/v1alpha1\nkind: SearchAccess\nmetadata: {name: odd, namespace: shop}\n"


def _listed(there: list[dict[str, Any]], manifests: list[dict[str, Any]]) -> Inventory:
    """Return what a run that changes nothing sees."""

    class Real:
        async def list_page(self, plural: Plural, following: str = "") -> Page:
            return Page(there if plural is Plural.ACCESSES and not following else [], "")

    inventory = Inventory()

    async def play() -> None:
        page = await ObservedKubernetes(Real(), manifests).list_page(Plural.ACCESSES)  # type: ignore[arg-type]
        for raw in page.items:
            inventory.see_access(raw)

    run_virtually(play())
    return inventory


UNREADABLE: dict[str, str] = {
    "a time that is none": HEAD + "spec: !!timestamp x",
    "a number that is none": HEAD + "spec: !!int x",
    "an empty number": HEAD + 'spec: !!int ""',
    "a truth that is none": HEAD + "spec: !!bool x",
    "a number of 4,301 digits": HEAD + f"spec: {'9' * 4301}",
    "a list as a key": HEAD + "spec: {[1]: 2}",
    "an object of Python": HEAD + "spec: !!python/object:os.system {}",
    "an unknown anchor": HEAD + "spec: *x",
    "bytes that are no text": "\udcff",
    "no name": "apiVersion: searchaccess.dev/v1alpha1\nkind: SearchAccess\nmetadata: {}",
    "no metadata": "apiVersion: searchaccess.dev/v1alpha1\nkind: SearchAccess",
    "a name with half a character": HEAD.replace("odd", '"\\ud800"'),
    "a namespace that is a path": HEAD.replace("shop", "../shop"),
    "a namespace that is a list": HEAD.replace("shop", "[a]"),
    "an unknown kind": HEAD.replace("kind: SearchAccess", "kind: [SearchAccess]"),
    "a text": "text",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "odd.yaml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(BadManifest, match=r"odd\.yaml"):
        read_manifests([file])


@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_a_file_that_is_nested_deeper_than_yaml_is_read_is_named(tmp_path: Path, opening: str) -> None:
    file = tmp_path / "deep.yaml"
    file.write_text(HEAD + "spec: " + opening * 3000)
    with pytest.raises(BadManifest, match=r"deep\.yaml: it is nested too deep to be read"):
        read_manifests([file])


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("spec: 7", "spec: "),
        ("spec: [a]", "spec: "),
        ("status: {}", "spec.cluster: Field required"),
        ("spec: &a {cluster: *a}", "spec"),
        ("spec: {cluster: !!binary aGFsbG8=}", "spec"),
        ("spec: {cluster: .nan}", "spec"),
    ],
)
def test_an_object_that_is_odd_costs_itself_alone(tmp_path: Path, spec: str, says: str) -> None:
    (tmp_path / "odd.yaml").write_text(HEAD + spec)
    (tmp_path / "well.json").write_text(json.dumps(a_search_access()))
    inventory = _listed([a_search_access("odd")], read_manifests([tmp_path]))
    found = {record.access.name: record.access.invalid for record in inventory.accesses.values()}
    assert found["orders"] == ""
    assert found["odd"].startswith(says)


def test_a_query_in_a_file_that_is_nested_too_deep_costs_its_object_alone(tmp_path: Path) -> None:
    odd = a_search_access("odd", grants=[a_grant(where=queries(40))])
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all([odd, a_search_access()]))
    for there in ([], [a_search_access("odd")]):
        inventory = _listed(there, read_manifests([tmp_path]))
        found = {record.access.name: record.access.invalid for record in inventory.accesses.values()}
        assert found["orders"] == ""
        assert "Elasticsearch accepts at most 30 nested queries" in found["odd"]


def test_a_time_in_a_file_is_a_text_as_kubectl_reads_it(tmp_path: Path) -> None:
    grants = "[{indices: [a], can: [read], where: {range: {day: {gte: 2026-01-01}}}}]"
    subject = "{serviceAccount: a@b-c.iam.gserviceaccount.com}"
    (tmp_path / "all.yaml").write_text(f"{HEAD}spec: {{cluster: prod, subject: {subject}, grants: {grants}}}")
    [record] = _listed([], read_manifests([tmp_path])).accesses.values()
    assert record.access.invalid == ""
    assert record.access.share.entries[0].query == '{"range":{"day":{"gte":"2026-01-01"}}}'


@given(spec=json_values, annotations=json_values, more=st.dictionaries(st.text("abc", max_size=3), json_values))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_manifest_is_read_or_named(tmp_path: Path, spec: Any, annotations: Any, more: dict[str, Any]) -> None:
    raw = a_search_access("odd") | {"spec": spec} | more
    raw["metadata"] |= {"annotations": annotations}
    (tmp_path / "odd.json").write_text(json.dumps([raw] if spec is None else raw))
    try:
        manifests = read_manifests([tmp_path])
    except BadManifest:
        return
    assert _listed([], manifests).accesses
    assert _listed([a_search_access("odd")], manifests).accesses


def test_what_was_exported_of_another_object_does_not_come_with_a_new_one(tmp_path: Path) -> None:
    raw = a_search_access(name="orders", grants=[a_grant()])
    raw["metadata"] |= {"namespace": "shop", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x.dev/y"]}
    raw["status"] = {"conditions": [], "elasticsearch": {"role": "another", "clusterUuid": "another"}}
    file = tmp_path / "exported.json"
    file.write_text(json.dumps(raw))
    [record] = _listed([], read_manifests([file])).accesses.values()
    assert (record.access.deleted_at, record.status.elasticsearch) == ("", None)


def test_an_approval_in_a_file_is_the_one_that_is_stored(tmp_path: Path) -> None:
    meta = {"name": "yes", "namespace": "shop"}
    raw = {"apiVersion": "searchaccess.dev/v1alpha1", "kind": "SearchAccessApproval", "metadata": meta, "spec": {}}
    created = "2026-01-01T00:00:00Z"
    stored = raw | {"metadata": meta | {"uid": "uid-yes", "resourceVersion": "7", "creationTimestamp": created}}
    file = tmp_path / "approval.json"
    file.write_text(json.dumps(raw))

    class Real:
        async def list_page(self, plural: Plural, following: str = "") -> Page:
            return Page([stored] if plural is Plural.APPROVALS and not following else [], "")

    async def play() -> None:
        observed = ObservedKubernetes(Real(), read_manifests([file]))  # type: ignore[arg-type]
        [found] = (await observed.list_page(Plural.APPROVALS)).items
        assert found["metadata"]["creationTimestamp"] == created, "otherwise it would begin anew"

    run_virtually(play())
    with pytest.raises(
        BadManifest, match="SearchAccessApproval yes is of the namespace shop, and --namespace is other"
    ):
        read_manifests([file], "other")
    file.write_text(json.dumps(raw | {"metadata": {"name": "yes"}}))
    [given] = read_manifests([file], "shop")
    assert given["metadata"]["namespace"] == "shop"


def test_approvals_get_names_as_the_api_server_makes_them(tmp_path: Path) -> None:
    head = "apiVersion: searchaccess.dev/v1alpha1\nkind: SearchAccessApproval\n"
    one = head + "metadata: {generateName: orders-, namespace: shop}\nspec: {}\n"
    (tmp_path / "all.yaml").write_text(f"{one}---\n{one}---\n{head}metadata: {{name: mine, namespace: shop}}\n")
    found = read_manifests([tmp_path])
    names = [raw["metadata"]["name"] for raw in found]
    assert len(set(names)) == len(found)
    assert [name.rstrip("0123456789") for name in names] == ["orders-", "orders-", "mine"]
    (tmp_path / "access.yaml").write_text(HEAD.replace("name: odd", "generateName: odd-"))
    with pytest.raises(BadManifest, match="a SearchAccess has no name"):
        read_manifests([tmp_path])
