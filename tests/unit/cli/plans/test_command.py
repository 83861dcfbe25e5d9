"""``searchaccess plan`` against a revision, in this process: what it prints, and how it ends."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from searchaccess.cli.main import app
from tests.unit.answers.plan.manifests import a_policy, an_access
from tests.unit.builders import a_grant
from tests.unit.cli.program import refused

GIT = shutil.which("git") or "git"


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    """A repository with one SearchAccess."""
    folder = tmp_path / "repository" / "manifests"
    folder.mkdir(parents=True)
    write(folder, an_access(grants=[a_grant("orders-1*")]))
    name = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    for arguments in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "first")):
        subprocess.run([GIT, "-C", str(folder), *name, *arguments], check=True, capture_output=True)
    return folder


def write(folder: Path, *objects: object, name: str = "orders.yaml") -> None:
    (folder / name).write_text(yaml.safe_dump_all(objects))


def plan(folder: Path, *arguments: str, code: int) -> str:
    return refused("plan", "-f", str(folder), "--against", "HEAD", *arguments, code=code)


def test_nothing_changes(manifests: Path) -> None:
    assert "Nothing changes for any caller. Nothing is newly allowed." in " ".join(plan(manifests, code=0).split())


def test_what_changes_ends_with_2(manifests: Path) -> None:
    write(manifests, an_access(grants=[a_grant("orders-*")]))
    text = plan(manifests, code=2)
    assert "WIDENS orders@acme-shop.iam.gserviceaccount.com gets more rights (cluster prod)" in text
    assert "+++ after" in text
    assert "+++ after" not in plan(manifests, "--no-diff", code=2)
    data = json.loads(printed(manifests, "json"))
    assert (data["widens"], data["exitCode"], data["against"]) == (True, 2, "HEAD")
    assert yaml.safe_load(printed(manifests, "yaml")) == data
    assert "### SearchAccess plan: something is newly allowed" in plan(manifests, "-o", "markdown", code=2)


def printed(folder: Path, output: str) -> str:
    """Return what is printed on standard output, as it is."""
    return CliRunner().invoke(app, ["plan", "-f", str(folder), "--against", "HEAD", "-o", output]).stdout


def test_a_deleted_manifest_counts(manifests: Path) -> None:
    (manifests / "orders.yaml").unlink()
    assert "loses all rights" in plan(manifests, code=2)


def test_a_new_refusal_ends_with_1(manifests: Path) -> None:
    write(manifests, an_access(), a_policy(allow=[{"indices": ["x"], "can": ["read"]}]))
    assert "SearchAccessPolicy limits refuses it" in plan(manifests, code=1)


@pytest.mark.parametrize(("content", "says"), [("a: [", "cannot be read as YAML"), ("- 1", "not an object")])
def test_a_file_that_cannot_be_read_ends_with_1(manifests: Path, content: str, says: str) -> None:
    (manifests / "bad.yaml").write_text(content)
    assert says in plan(manifests, code=1)


def test_an_object_that_is_declared_twice_and_differently_ends_with_1(manifests: Path) -> None:
    """Whoever applies the files may apply the wide one last, or for a moment."""
    write(manifests, an_access(grants=[a_grant("*")]), name="first.yaml")
    assert "is declared twice, and differently" in plan(manifests, code=1)
    write(manifests, an_access(grants=[a_grant("orders-1*")]), name="first.yaml")
    plan(manifests, code=0)


def test_a_revision_that_is_missing_ends_with_1(manifests: Path) -> None:
    text = refused("plan", "-f", str(manifests), "--against", "origin/main", code=1)
    assert "has no revision origin/main: fetch it first" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-f", "-", "--against", "main"), "standard input has no revisions"),
        (("-f", ".", "--against", "main", "--trust-files"), "no server is asked"),
        (("-f", ".", "--against", "main", "--elasticsearch", "https://x"), "no server is asked"),
        (("-f", ".", "--against", "main", "--cluster", "prod"), "requires --against live"),
        (("-f", ".", "--ca-file", __file__), "requires --elasticsearch"),
        (("-f", ".", "--elasticsearch", "https://x", "--trust-files"), "excludes --elasticsearch"),
        (("--against", "main"), "--filename"),
        (("-f", "nowhere"), "does not exist"),
        (("-f", ".", "--timeout", "soon"), "write a duration"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(arguments: tuple[str, ...], says: str) -> None:
    assert says in refused("plan", *arguments, code=64)
