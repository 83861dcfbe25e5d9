"""The generated files: fresh, readable, complete."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer import Typer
from typer.testing import CliRunner

from searchaccess.api.conditions.docs import REASON_DOCS
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import CONDITION_DOCS, ConditionType
from searchaccess.api.crd import custom_resource_definitions
from searchaccess.api.vocabulary.actions import Action
from searchaccess.api.vocabulary.privileges import CLUSTER_PRIVILEGES, INDEX_PRIVILEGES
from searchaccess.cli.generate import command, crd_yaml, generate, stale_files
from searchaccess.cli.pages.argo import FOLDER
from searchaccess.cli.pages.chart import CHART

ROOT = Path(__file__).parents[3]

app = Typer()
app.command()(command)


def properties(path: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, part in schema.get("properties", {}).items():
        yield f"{path}.{name}", part
        yield from properties(f"{path}.{name}", part.get("items", part))


@cache
def every_property() -> dict[str, dict[str, Any]]:
    return {
        path: schema
        for plural, crd in custom_resource_definitions().items()
        for path, schema in properties(plural, crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    }


def test_committed_files_say_what_the_code_says() -> None:
    assert stale_files(ROOT) == [], "run make generate"


def _copy_sources(root: Path) -> None:
    """Copy what is no code and something is made from."""
    (root / "README.md").write_text((ROOT / "README.md").read_text())
    (root / CHART).mkdir(parents=True)
    (root / CHART / "values.yaml").write_text((ROOT / CHART / "values.yaml").read_text())
    (root / FOLDER).mkdir(parents=True)
    for file in (ROOT / FOLDER).glob("*.lua"):
        (root / FOLDER / file.name).write_text(file.read_text())


def test_check_names_missing_and_edited_files_and_changes_nothing(tmp_path: Path) -> None:
    _copy_sources(tmp_path)
    assert CliRunner().invoke(app, [str(tmp_path)]).exit_code == 0
    edited, missing = tmp_path / "docs" / "api.md", tmp_path / "crds" / "searchaccesses.yaml"
    edited.write_text("by hand", encoding="utf-8")
    missing.unlink()

    done = CliRunner().invoke(app, [str(tmp_path), "--check"])

    assert done.exit_code == 1
    assert [line.split()[0] for line in done.output.splitlines()] == ["crds/searchaccesses.yaml", "docs/api.md"]
    assert edited.read_text(encoding="utf-8") == "by hand"
    assert not missing.exists()


def test_what_was_written_passes_the_check(tmp_path: Path) -> None:
    _copy_sources(tmp_path)
    assert CliRunner().invoke(app, [str(tmp_path)]).exit_code == 0
    done = CliRunner().invoke(app, [str(tmp_path), "--check"])
    assert (done.exit_code, done.output) == (0, "")


@pytest.mark.parametrize("plural", custom_resource_definitions())
def test_yaml_of_a_crd_reads_back_as_it_was(plural: str) -> None:
    crd = custom_resource_definitions()[plural]
    text = crd_yaml(crd)
    assert yaml.safe_load(text) == crd
    assert "Do not edit" in text.splitlines()[0]


@pytest.mark.parametrize("path", every_property())
def test_kubectl_explain_has_a_text_for_the_field(path: str) -> None:
    description = every_property()[path].get("description", "")
    assert description.endswith(".")
    assert "``" not in description


def test_pages_have_every_reason_condition_action_and_field() -> None:
    pages = {path.name: text for path, text in generate(Path()).items()}
    for word in [*Reason, *ConditionType]:
        assert f"| `{word}` |" in pages["reasons.md"]
    for word in [*Action, *INDEX_PRIVILEGES, *CLUSTER_PRIVILEGES]:
        assert f"| `{word}` |" in pages["actions.md"]
    for path in every_property():
        field = path.split(".", 1)[1]
        assert field.split(".")[-1] + "` |" in pages["api.md"]


def test_all_that_names_the_actions_is_written_from_the_one_table(tmp_path: Path) -> None:
    _copy_sources(tmp_path)
    readme = tmp_path / "README.md"
    readme.write_text(readme.read_text().replace("read, append", "read, apend"))
    assert readme in stale_files(tmp_path)
    pages = {path.relative_to(tmp_path).as_posix(): text for path, text in generate(tmp_path).items()}
    access = yaml.safe_load(pages["crds/searchaccesses.yaml"])["spec"]["versions"][0]
    column = next(item for item in access["additionalPrinterColumns"] if item["name"] == "Access")
    grant = access["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["grants"]["items"]
    can = grant["properties"]["can"]
    assert can["items"]["enum"] == list(Action)
    assert can["maxItems"] == len(Action)
    for action in Action:
        assert f"{action.letter} {action}" in column["description"]
        assert f"`{action}`: " in can["description"]
        assert any(action in rule["message"] for rule in grant["x-kubernetes-validations"])
        assert f"{action}" in next(line for line in pages["README.md"].splitlines() if " can: " in line)


def test_every_reason_and_condition_type_is_documented() -> None:
    assert set(REASON_DOCS) == set(Reason)
    assert set(CONDITION_DOCS) == set(ConditionType)


def test_the_category_is_not_the_name_of_a_kind() -> None:
    """Else `kubectl delete searchaccess --all` would delete the SearchClusters too."""
    crds = custom_resource_definitions().values()
    names = {
        name
        for crd in crds
        for name in (
            *crd["spec"]["names"]["shortNames"],
            *(crd["spec"]["names"][key] for key in ("plural", "singular")),
        )
    }
    assert names.isdisjoint({category for crd in crds for category in crd["spec"]["names"]["categories"]})
