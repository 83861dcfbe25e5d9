"""What is deployed on Cloud Run: the command takes it, and YAML and Terraform say the same."""

import re
from typing import Any

import hcl2
import pytest
import typer
import yaml

from searchaccess.cli.main import app
from tests.support.operatorprocess import ROOT

FOLDER = ROOT / "deploy" / "cloudrun"
ACCOUNT = "searchaccess-operator@PROJECT.iam.gserviceaccount.com"


def container() -> dict[str, Any]:
    job = yaml.safe_load((FOLDER / "job.yaml").read_text())
    task = job["spec"]["template"]["spec"]["template"]["spec"]
    assert task["serviceAccountName"] == ACCOUNT
    return dict(task["containers"][0])


def plain(value: Any) -> Any:
    """Return what was parsed without the quotes that the parser keeps, and without its own keys."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items() if not str(key).startswith("__")}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value[1:-1] if isinstance(value, str) and re.fullmatch(r'".*"', value, re.DOTALL) else value


def module() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for file in sorted((FOLDER / "terraform").glob("*.tf")):
        with file.open() as text:
            for block, items in plain(hcl2.load(text)).items():
                found.setdefault(block, []).extend(items)
    return found


def resource(kind: str, name: str) -> dict[str, Any]:
    [one] = [item[kind][name] for item in module()["resource"] if name in item.get(kind, {})]
    return dict(one)


def only(value: Any) -> Any:
    """Return a block that may be there several times, and is there once."""
    [one] = value if isinstance(value, list) else [value]
    return one


def test_the_command_takes_the_arguments_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given = container()
    for variable in given["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    command = typer.main.get_command(app).commands[given["args"][0]]  # type: ignore[attr-defined]
    found = command.make_context("reconcile", list(given["args"][1:])).params
    assert found["once"]
    assert found["log_json"]
    assert found["gke"] == "projects/PROJECT/locations/LOCATION/clusters/CLUSTER"
    assert (found["gke_endpoint"], found["lease_namespace"]) == ("auto", "searchaccess-system")


def test_terraform_says_the_same_as_the_yaml() -> None:
    given = container()
    task = only(only(resource("google_cloud_run_v2_job", "operator")["template"])["template"])
    written = only(task["containers"])
    assert written["args"] == given["args"]
    names = [variable["name"] for variable in given["env"]]
    assert [variable["name"] for variable in written["env"]] == names
    assert only(written["resources"])["limits"] == given["resources"]["limits"]
    assert (task["max_retries"], task["timeout"]) == (0, "900s")
    role = yaml.safe_load((FOLDER / "gke-role.yaml").read_text())
    assert resource("google_project_iam_custom_role", "gke")["permissions"] == role["includedPermissions"]


def test_each_variable_is_declared_described_and_used() -> None:
    text = (FOLDER / "terraform" / "main.tf").read_text()
    declared = {name: body for item in module()["variable"] for name, body in item.items()}
    assert set(declared) == set(re.findall(r"\bvar\.(\w+)", text))
    assert all(body["description"] for body in declared.values())
    required = {name for name, body in declared.items() if "default" not in body}
    page = (ROOT / "docs" / "cloudrun.md").read_text()
    [example] = re.findall(r"```hcl\n(.*?)```", page, re.DOTALL)
    [(_, given)] = plain(hcl2.loads(example))["module"][0].items()
    assert required <= set(given) <= {"source", *declared}


def test_the_account_gets_the_roles_of_the_operator_and_no_others() -> None:
    operator = [item for item in yaml.safe_load_all((ROOT / "deploy" / "operator.yaml").read_text()) if item]
    bound = [item for item in yaml.safe_load_all((FOLDER / "rbac.yaml").read_text()) if item]

    def key(item: dict[str, Any]) -> tuple[str, str, str]:
        return item["kind"], item["metadata"].get("namespace", ""), item["roleRef"]["name"]

    assert {key(item) for item in bound} == {key(item) for item in operator if item["kind"].endswith("Binding")}
    for item in bound:
        [subject] = item["subjects"]
        assert (subject["kind"], subject["name"]) == ("User", ACCOUNT)
