"""Plans against a real API server and Elasticsearch: what they say, and that nothing is written."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.commands.observers import READER, READER_PASSWORD
from tests.integration.commands.test_observe import command_of, kubeconfig, writes
from tests.support.worlds.arena import Arena
from tests.support.worlds.world import CLUSTER, access, account, grant

pytestmark = pytest.mark.timeout(300)
__all__ = ["kubeconfig"]

EU = {"term": {"region": "eu"}}
ONLY_SHOP = {
    "apiVersion": "searchaccess.dev/v1alpha1",
    "kind": "SearchAccessPolicy",
    "metadata": {"name": "only-orders"},
    "spec": {"allow": [{"indices": ["orders-*"], "can": ["read", "write"]}]},
}


def plan(field: Arena, command: list[str]) -> tuple[int, Any]:
    """Plan; return the exit code and what it says. Nothing is written anywhere."""
    marks = [(proxy, proxy.mark()) for proxy in (field.api, field.elasticsearch)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    (field.folder / "plan.log").write_text(done.stderr)
    assert done.stdout, done.stderr
    assert "running" not in done.stderr, "it is no operator that runs"
    assert [seen for proxy, mark in marks for seen in proxy.since(mark, writes)] == []
    if "json" not in command:
        return done.returncode, done.stdout
    found = json.loads(done.stdout)
    assert found["exitCode"] == done.returncode
    return done.returncode, found


def live(field: Arena, kubeconfig: Path, *arguments: str) -> tuple[int, Any]:
    login = ("--elasticsearch-login", f"file:{field.folder / 'login'}")
    command = command_of(field, kubeconfig, *login, *arguments)
    command[command.index("reconcile")] = "plan"
    return plan(field, [each for each in command if each not in {"--once", "--observe"}])


def by_caller(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["caller"].partition("@")[0]: each for each in found["callers"]}


def write(folder: Path, *objects: dict[str, Any]) -> str:
    (folder / "all.yaml").write_text(yaml.safe_dump_all(objects))
    return str(folder)


@pytest.fixture
def planned(field: Arena) -> Arena:
    """Three SearchAccesses in sync."""
    field.world.apply(
        field.cluster(),
        access("wide", grant("wide-*", where=EU)),
        access("narrow", grant("narrow-*", can=["read", "write"])),
        access("same", grant("same-*")),
    )
    with field.running():
        field.until_in_sync(3)
    return field


def test_what_manifests_open_and_close_in_the_clusters(planned: Arena, kubeconfig: Path, tmp_path: Path) -> None:
    roles = {name: planned.world.role(name) for name in ("wide", "narrow", "same")}
    folder = write(
        tmp_path,
        access("wide", grant("wide-*")),
        access("narrow", grant("narrow-1*", can=["read"]), validUntil="2099-01-01T00:00:00Z"),
        access("same", grant("same-*")),
        access("new", grant("new-*")),
    )
    code, found = live(planned, kubeconfig, "-o", "json", "-f", folder)
    assert (code, found["widens"], found["against"]) == (2, True, "live")
    callers = by_caller(found)
    assert {name: each["change"] for name, each in callers.items()} == {
        "wide": "widened", "narrow": "narrowed", "new": "added"
    }  # fmt: skip
    (opened,) = callers["wide"]["opens"]
    assert (opened["indices"], opened["because"], opened["where"]) == ("wide-*", "documents", "")
    assert f"-  query: {json.dumps(EU, separators=(',', ':'))}" in callers["wide"]["diff"]
    assert callers["wide"]["for"] == ["shop/wide"]
    assert {each["name"].removeprefix("shop/"): each["change"] for each in found["manifests"]} == {
        "new": "added",
        "wide": "changed",
        "narrow": "changed",
    }
    assert {name: planned.world.role(name) for name in roles} == roles
    assert set(planned.listed()) == set(roles)


def test_a_policy_of_a_pull_request_shows_who_loses_rights(planned: Arena, kubeconfig: Path, tmp_path: Path) -> None:
    folder = write(tmp_path, ONLY_SHOP, access("same", grant("same-*"), grant("orders-1")))
    code, found = live(planned, kubeconfig, "-o", "json", "-f", folder)
    assert code == 1, "what it refuses in the files fails"
    assert {name: each["change"] for name, each in by_caller(found).items()} == {
        "wide": "removed", "narrow": "removed", "same": "removed"
    }  # fmt: skip
    said = {each["name"]: each for each in found["manifests"]}
    assert said["shop/same"]["problem"].startswith("PolicyViolation")
    assert [each["policy"] for each in said["shop/same"]["policies"]] == ["only-orders"]
    assert found["widens"] is False


def test_drift_that_would_be_corrected_is_part_of_the_plan(planned: Arena, kubeconfig: Path, tmp_path: Path) -> None:
    role = planned.world.role("same")
    role["indices"][0]["privileges"] = ["all"]
    planned.world.write_role("same", role)
    folder = write(tmp_path, access("wide", grant("wide-*", where=EU), mode="Enforce"))
    code, text = live(planned, kubeconfig, "-f", folder)
    assert code == 2
    assert f"{account('same')} gets fewer rights (cluster {CLUSTER})" in text
    assert "  - all on same-*" in text
    assert text.endswith("Nothing is newly allowed.\n")
    code, text = live(planned, kubeconfig, "-f", folder, "-o", "markdown")
    assert (code, text.startswith("<!-- searchaccess plan -->")) == (2, True)
    assert "| narrowed |" in text


def test_without_kubernetes_files_are_compared_with_the_roles(planned: Arena, tmp_path: Path) -> None:
    server = planned.world.elasticsearch
    planned.world.make_login(READER, READER, READER_PASSWORD, {"cluster": ["read_security", "monitor"]})
    mounted = tmp_path / "login"
    mounted.mkdir()
    (mounted / "username").write_text(READER)
    (mounted / "password").write_text(READER_PASSWORD)
    planned.tokens.add(READER_PASSWORD)
    files = tmp_path / "files"
    files.mkdir()
    folder = write(
        files, ONLY_SHOP, access("wide", grant("orders-*")), access("new", grant("orders-1")), access("no", grant("x"))
    )
    start = [*planned.operator()._command]
    command = [*start[: start.index("run")], "plan", "--instance", planned.world.instance, "-o", "json", "-f", folder]
    command += ["--elasticsearch", server.url, "--ca-file", str(server.ca_file), "--cluster", CLUSTER]
    code, found = plan(planned, [*command, "--elasticsearch-login", f"file:{mounted}"])
    assert (code, found["against"], found["widens"]) == (1, "elasticsearch", True)
    callers = by_caller(found)
    assert {name: each["change"] for name, each in callers.items()} == {
        "wide": "widened-and-narrowed", "new": "added"
    }, "what is not in the files stays as it is"  # fmt: skip
    assert [each["name"] for each in found["manifests"]] == ["shop/no"]
