"""The pipelines that people copy: their steps run as they are, and give nothing away."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from searchaccess.cli.commands.table import TABLE
from tests.unit.answers.plan.manifests import an_access
from tests.unit.builders import a_grant
from tests.unit.cli.program import environment

ROOT = Path(__file__).parents[4]
GITHUB: dict[Any, Any] = yaml.safe_load((ROOT / "examples" / "ci" / "github" / "access.yml").read_text())
GITLAB: dict[str, Any] = yaml.safe_load((ROOT / "examples" / "ci" / "gitlab" / "access.gitlab-ci.yml").read_text())
STEPS: dict[str, dict[str, Any]] = {
    step.get("name") or step.get("uses") or step["run"]: step for step in GITHUB["jobs"]["review"]["steps"]
}
GIT = shutil.which("git") or "git"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone with a base branch, and a proposal that opens something."""
    root = tmp_path / "checkout"
    (root / "manifests").mkdir(parents=True)

    def git(*arguments: str) -> None:
        name = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
        subprocess.run([GIT, "-C", str(root), *name, *arguments], check=True, capture_output=True)

    def write(*indices: str) -> None:
        (root / "manifests" / "orders.yaml").write_text(yaml.safe_dump(an_access(grants=[a_grant(*indices)])))
        git("add", "--all")
        git("commit", "--quiet", "--message", "change")

    git("init", "--quiet")
    write("orders-1*")
    git("update-ref", "refs/remotes/origin/main", "HEAD")
    write("orders-*")
    return root


def run(checkout: Path, script: str, **more: str) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    given = environment(checkout.parent, PATH=path, MANIFESTS="manifests", **more)
    command = ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=checkout, env=given, capture_output=True, text=True, check=False, timeout=600)


def test_the_workflow_lints_and_plans(checkout: Path) -> None:
    done = run(checkout, STEPS["Lint"]["run"])
    assert done.returncode == 0, done.stderr
    assert (checkout / "lint.sarif").stat().st_size > 0
    summary = checkout.parent / "summary.md"
    done = run(checkout, STEPS["Plan"]["run"], BASE="origin/main", GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 0, done.stderr
    assert summary.read_text() == (checkout / "plan.md").read_text()
    assert "something is newly allowed" in summary.read_text()


def test_a_base_that_is_missing_fails_the_workflow(checkout: Path) -> None:
    done = run(checkout, STEPS["Plan"]["run"], BASE="origin/other", GITHUB_STEP_SUMMARY=os.devnull)
    assert done.returncode == 1
    assert "fetch it first" in done.stderr


def test_the_jobs_of_gitlab_lint_and_plan(checkout: Path) -> None:
    for job, variables in (("access:lint", {}), ("access:plan", {"CI_MERGE_REQUEST_DIFF_BASE_SHA": "origin/main"})):
        done = run(checkout, "\n".join(GITLAB[job]["script"]), **variables)
        assert done.returncode == 0, done.stderr
    assert "something is newly allowed" in (checkout / "plan.md").read_text()


def test_what_others_name_is_never_part_of_a_script() -> None:
    """A branch or a title can be named like a command."""
    assert not [name for name, step in STEPS.items() if "${{" in step.get("run", "")]


def test_actions_are_pinned_and_rights_are_few() -> None:
    used = [step["uses"] for step in STEPS.values() if "uses" in step]
    assert used
    assert not [each for each in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", each)]
    own = yaml.safe_load((ROOT / ".github" / "workflows" / "kind.yml").read_text())["jobs"]["kind"]["steps"]
    assert set(used) <= {step.get("uses") for step in own}, "the same versions as in our own workflow"
    assert GITHUB["permissions"] == {"contents": "read"}
    assert GITHUB["jobs"]["review"]["permissions"] == {
        "contents": "read", "pull-requests": "write", "security-events": "write"
    }  # fmt: skip
    # Not pull_request_target: a job with rights never reads files of strangers.
    # YAML reads `on` as true.
    assert set(GITHUB[True]) == {"pull_request"}
    with_secrets = [name for name, step in STEPS.items() if "GH_TOKEN" in step.get("env", {})]
    for name in with_secrets:
        assert "head.repo.full_name == github.repository" in STEPS[name]["if"]
        assert "searchaccess" not in STEPS[name]["run"].replace("$GITHUB_REPOSITORY", "")


def test_no_login_is_on_a_command_line() -> None:
    scripts = [step.get("run", "") for step in STEPS.values()]
    scripts += [line for job in GITLAB.values() if isinstance(job, dict) for line in job.get("script", ())]
    assert not [text for text in scripts if re.search(r"password|token=|secrets\.", text, re.IGNORECASE)]
    assert re.findall(r"--elasticsearch-login (\S+)", "\n".join(scripts)) == ["env:OBSERVER"]


def test_the_repository_is_a_hook_of_pre_commit() -> None:
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    program, command = hook["entry"].split()
    assert (program, hook["language"], hook["pass_filenames"]) == ("searchaccess", "python", False)
    assert command in TABLE
    assert hook["args"] == ["-f", "."]
    assert [bool(re.search(hook["files"], path)) for path in ("a/b.yaml", "b.yml", "c.json", "d.py")] == [
        True, True, True, False
    ]  # fmt: skip
