"""``searchaccess import`` from files: what it prints and writes, and what it refuses."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml
from typer.testing import CliRunner

from searchaccess.cli.importing import material_of
from searchaccess.cli.main import app
from searchaccess.core.answers.importing.material import Material
from searchaccess.ports.errors import PermissionDenied
from tests.support.operatorprocess import ROOT
from tests.unit.answers.importing.having import ORDERS, a_mapping, a_role, an_entry
from tests.unit.cli.program import refused

if TYPE_CHECKING:
    from searchaccess.adapters.elasticsearch.client import ElasticsearchClient

ONLY_FILES = (
    "Elasticsearch was not read, only files, which have no native users and no API keys: who else needs a role cannot"
    " be seen, so keep the old roles"
)
ROLES: dict[str, Any] = {"orders": a_role(an_entry("orders-*")), "hr": a_role(an_entry("people"), run_as=["jane"])}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "have"
    folder.mkdir()
    (folder / "roles.yml").write_text(yaml.safe_dump(ROLES))
    (folder / "mappings.json").write_text(json.dumps({"team": a_mapping("orders", "hr")}))
    return folder


def imported(*arguments: object, code: int = 2) -> str:
    command = ["import", "--cluster", "prod", "-n", "shop", *map(str, arguments)]
    done = CliRunner().invoke(app, command, env={"COLUMNS": "120"})
    assert done.exit_code == code, done.output
    return done.output


def test_people_see_what_is_imported_what_is_left_and_what_to_do_next(files: Path) -> None:
    text = imported("--from", files)
    assert ["shop/orders", ORDERS, "role", "orders"] in [line.split() for line in text.splitlines()]
    assert "RunAs: keep the old role for it" in text
    assert f"role hr run_as for {ORDERS}: it may act as jane" in text
    assert "2 new SearchAccesses, 0 declared already; 1 part is left." in text


def test_files_do_not_show_who_else_needs_a_role_so_none_is_said_to_be_unneeded(files: Path) -> None:
    text = imported("--from", files)
    assert "nobody needs" not in text
    assert "only files, which have no native users and no API keys: who else needs a role cannot be seen" in text
    (files / "more.yml").write_text(yaml.safe_dump({"alone": a_role(an_entry("alone-*"))}))
    text = imported("--from", files)
    assert "role alone: no role mapping and no user gives it" in text
    assert not re.search(r"delete|remove them|removed", text.partition("3. Remove mode: Observe")[0]), text


def test_nothing_left_is_zero(tmp_path: Path) -> None:
    (tmp_path / "roles.yml").write_text(yaml.safe_dump({"orders": ROLES["orders"]}))
    (tmp_path / "who.yaml").write_text(yaml.safe_dump({"roles": {"orders": ORDERS}}))
    text = imported("--from", tmp_path / "roles.yml", "--subject-map", tmp_path / "who.yaml", code=0)
    assert "1 new SearchAccess, 0 declared already; 0 parts are left." in text


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_scripts_get_a_list_that_kubectl_accepts(files: Path, output: str) -> None:
    found = yaml.safe_load(imported("--from", files, "-o", output))
    assert (found["apiVersion"], found["kind"]) == ("v1", "List")
    assert [item["metadata"]["name"] for item in found["items"]] == ["hr", "orders"]
    assert {item["spec"]["mode"] for item in found["items"]} == {"Observe"}
    assert found["report"] == {
        "imported": [
            {"searchAccess": f"shop/{name}", "declared": False, "source": f"role {name}", "subject": ORDERS,
             "by": ["role mapping team"]}
            for name in ("hr", "orders")
        ],
        "replaced": [],
        "leftovers": [
            {"source": "role hr", "part": "run_as", "subject": ORDERS, "reason": "RunAs",
             "message": "it may act as jane",
             "next": "keep the old role for it: no SearchAccess lets a workload act as somebody else"}
        ],
        "alreadyManaged": 0,
        "notes": [ONLY_FILES],
    }  # fmt: skip


def test_each_search_access_gets_a_file_and_none_is_overwritten(files: Path, tmp_path: Path) -> None:
    into = tmp_path / "manifests"
    imported("--from", files, "--directory", into)
    assert sorted(path.name for path in into.iterdir()) == ["hr.yaml", "orders.yaml"]
    text = (into / "orders.yaml").read_text()
    assert text.startswith(f"# Imported from role orders, which {ORDERS} has by role mapping team.\n")
    assert yaml.safe_load(text)["spec"]["grants"] == [{"indices": ["orders-*"], "can": ["read"]}]
    again = imported("--from", files, "--directory", into)
    assert "Review 0 new files" in again
    (into / "orders.yaml").write_text("mine")
    (into / "hr.yaml").unlink()
    assert "orders.yaml is there with other content" in imported("--from", files, "--directory", into, code=1)
    assert [path.name for path in into.iterdir()] == ["orders.yaml"]
    assert (into / "orders.yaml").read_text() == "mine"


def test_a_folder_may_have_other_files_but_a_file_that_is_named_is_known(files: Path) -> None:
    other = files / "values.yaml"
    other.write_text("image: {tag: v1}")
    assert "values.yaml is left out" in imported("--from", files)
    assert "values.yaml: it is not known: give an answer of" in imported("--from", other, code=1)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.yaml", "a: [", "a.yaml, line 1: it cannot be read as YAML or JSON"),
        ("a.json", "[" * 5000, "a.json: it cannot be read as YAML or JSON (RecursionError)"),
        ("a.yml", "- 1", "a.yml: it is not an object"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content)
    assert says in imported("--from", tmp_path / name, code=1)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("roles: {orders: jane@acme.com}", "who.yaml: roles.orders: 'jane@acme.com' is not the e-mail address"),
        ("a: 1\n---\nb: 1", "who.yaml: it is not an object"),
    ],
)
def test_a_wrong_subject_map_is_named(files: Path, tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "who.yaml").write_text(content)
    assert says in imported("--from", files, "--subject-map", tmp_path / "who.yaml", code=1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--from", ".", "-n", "../../etc"), "write the name of a namespace"),
        (("--from", ".", "-A"), "SearchAccesses of one namespace are written: use --namespace"),
        (("--from", ".", "--elasticsearch-login", "env:X"), "excludes --elasticsearch and --elasticsearch-login"),
    ],
)
def test_what_excludes_what(arguments: tuple[str, ...], says: str) -> None:
    assert says in refused("import", "--cluster", "prod", *arguments)


def test_the_cluster_is_named() -> None:
    assert "name the SearchCluster of the manifests" in refused("import", "--from", str(ROOT / "tests" / "fixtures"))


def test_names_from_files_do_not_move_the_cursor(tmp_path: Path) -> None:
    strange = "x\x1b[2J\nkind: Secret"
    (tmp_path / "roles.json").write_text(json.dumps({strange: ROLES["orders"]}))
    (tmp_path / "mappings.json").write_text(json.dumps({"team": a_mapping(strange)}))
    into = tmp_path / "out"
    text = imported("--from", tmp_path, "--directory", into, code=0)
    assert "\x1b" not in text
    [path] = into.iterdir()
    assert path.read_text().count("\nkind: ") == 1
    assert "\x1b" not in path.read_text()


class Cluster:
    """What an Elasticsearch answers, or the error that it answers with."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def _give(self, what: str) -> Any:
        self.asked.append(what)
        found = self.answers.get(what, {})
        if isinstance(found, Exception):
            raise found
        return found

    async def roles(self, names: Any) -> Any:
        return self._give("roles") if names is None else {}

    async def mappings(self, names: Any) -> Any:
        return self._give("mappings") if names is None else {}

    async def users(self, prefix: str) -> Any:
        return list(self._give("users")) if prefix == "" else []

    async def keys_of_users(self, prefix: str) -> Any:
        return self._give("keys") if prefix == "" else []


async def read(cluster: Cluster) -> tuple[Material, list[str]]:
    return await material_of(cast("ElasticsearchClient", cluster))


async def test_a_cluster_is_read_with_four_requests() -> None:
    keys = [{"id": "1", "name": "k", "invalidated": False}]
    cluster = Cluster(roles=ROLES, mappings={"team": a_mapping("orders")}, users=[{"username": "jane"}], keys=keys)
    found, gaps = await read(cluster)
    assert cluster.asked == ["roles", "mappings", "users", "keys"]
    assert (sorted(found.roles), len(found.mappings), len(found.users), len(found.keys)) == (["hr", "orders"], 1, 1, 1)
    assert (gaps, found.partial) == ([], False)


async def test_what_may_not_be_read_is_said_and_then_nothing_counts_as_replaced() -> None:
    found, gaps = await read(Cluster(roles=ROLES, users=PermissionDenied("user is not permitted"), keys=None))
    assert [gap.partition(" cannot be read")[0] for gap in gaps] == ["native users", "API keys"]
    assert "user is not permitted" in gaps[0]
    assert found.partial
    with pytest.raises(PermissionDenied, match=r"needs the cluster privilege read_security"):
        await read(Cluster(roles=PermissionDenied("no")))
