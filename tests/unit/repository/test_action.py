"""The action of GitHub: its steps run as they are, it refuses bad inputs, and gives nothing away."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.cli.program import environment
from tests.unit.repository.documentation.test_ci_examples import checkout

__all__ = ["checkout"]

ROOT = Path(__file__).parents[3]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS: dict[str, dict[str, Any]] = {step["name"]: step for step in ACTION["runs"]["steps"] if "name" in step}
INPUTS = {"MANIFESTS": "manifests", "BASE": "", "FAIL_ON": "error", "FAIL_ON_WIDENING": "false"}


class Runner:
    """What a runner of GitHub gives to steps."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.temporary = checkout.parent / "temporary"
        programs = self.temporary / "searchaccess" / "bin"
        programs.mkdir(parents=True)
        for name in ("searchaccess", "python"):
            # A link would find another environment.
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec "{Path(sys.executable).parent / name}" "$@"\n')
            program.chmod(0o700)
        self.summary = checkout.parent / "summary.md"
        self.output = checkout.parent / "output"

    def run(self, step: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run a step, as GitHub does for `shell: bash`."""
        given = environment(
            self.checkout.parent,
            PATH=os.environ["PATH"],
            RUNNER_TEMP=str(self.temporary),
            GITHUB_OUTPUT=str(self.output),
            GITHUB_STEP_SUMMARY=str(self.summary),
            **(INPUTS | more),
        )
        command = ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[step]["run"]]
        return subprocess.run(
            command, cwd=self.checkout, env=given, capture_output=True, text=True, check=False, timeout=600
        )

    def outputs(self) -> dict[str, str]:
        """Return the outputs so far."""
        return dict(line.split("=", 1) for line in self.output.read_text().splitlines())


@pytest.fixture
def runner(checkout: Path) -> Runner:
    return Runner(checkout)


def test_the_action_lints_and_plans(runner: Runner) -> None:
    assert runner.run("Check inputs", GITHUB_BASE_REF="main").returncode == 0
    base = runner.outputs()["base"]
    assert base == "origin/main"
    done = runner.run("Lint")
    assert done.returncode == 0, done.stderr
    done = runner.run("Plan", BASE=base)
    assert done.returncode == 0, done.stderr
    outputs = runner.outputs()
    assert "something is newly allowed" in runner.summary.read_text()
    assert Path(outputs["plan"]).read_text() == runner.summary.read_text()
    assert Path(outputs["sarif"]).stat().st_size > 0
    assert (outputs["changes"], outputs["widens"]) == ("true", "true")


def test_what_opens_something_fails_on_request(runner: Runner) -> None:
    done = runner.run("Plan", BASE="origin/main", FAIL_ON_WIDENING="true")
    assert done.returncode == 2
    assert "::error::Something is newly allowed" in done.stdout
    assert runner.outputs()["widens"] == "true"


def test_without_a_change_nothing_fails(runner: Runner) -> None:
    done = runner.run("Plan", BASE="HEAD", FAIL_ON_WIDENING="true")
    assert done.returncode == 0, done.stderr
    assert runner.outputs()["changes"] == "false"
    assert runner.outputs()["widens"] == "false"


def test_a_base_that_is_missing_fails(runner: Runner) -> None:
    done = runner.run("Plan", BASE="origin/other")
    assert done.returncode == 1
    assert "fetch it first" in done.stderr


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"MANIFESTS": "--help"}, "manifests must be"),
        ({"MANIFESTS": ""}, "manifests must be"),
        ({"MANIFESTS": "$(touch injected)"}, "no file or folder"),
        ({"MANIFESTS": "a\n::warning::b"}, "line break"),
        ({"BASE": "--output=injected"}, "a revision of git"),
        ({"BASE": "live"}, "a revision of git"),
        ({"BASE": "main\nbase=other"}, "line break"),
        ({"GITHUB_BASE_REF": ""}, "no pull request"),
        ({"FAIL_ON": "error; touch injected"}, "fail-on must be"),
        ({"FAIL_ON_WIDENING": "yes"}, "fail-on-widening must be"),
    ],
    ids=str,
)
def test_an_input_that_is_none_is_refused(runner: Runner, inputs: dict[str, str], reason: str) -> None:
    done = runner.run("Check inputs", **({"GITHUB_BASE_REF": "main"} | inputs))
    assert done.returncode == 64
    assert done.stdout.startswith("::error::")
    assert reason in done.stdout
    assert done.stdout.count("\n") == 1
    assert not runner.output.exists()
    assert not (runner.checkout / "injected").exists()


def test_a_branch_that_is_named_like_a_command_is_a_name(runner: Runner) -> None:
    done = runner.run("Check inputs", GITHUB_BASE_REF="$(touch injected)")
    assert done.returncode == 0
    assert runner.outputs()["base"] == "origin/$(touch injected)"
    done = runner.run("Plan", BASE="origin/$(touch injected)")
    assert done.returncode == 1
    assert not (runner.checkout / "injected").exists()


def test_proposed_files_are_not_run(runner: Runner) -> None:
    """Python would import modules of the folder in which it starts."""
    for module in ("json", "venv", "pip", "searchaccess", "sitecustomize"):
        (runner.checkout / f"{module}.py").write_text("open('injected', 'w')\n")
    done = runner.run("Plan", BASE="origin/main")
    assert done.returncode == 0, done.stderr
    assert not (runner.checkout / "injected").exists()
    assert not [
        line
        for step in STEPS.values()
        for line in step["run"].splitlines()
        if re.search(r"python\b", line) and " -I " not in line and "#" not in line
    ]


def test_nothing_of_others_is_part_of_a_script() -> None:
    assert not [name for name, step in STEPS.items() if "${{" in step["run"]]
    assert set(ACTION["inputs"]) == {"manifests", "base", "fail-on", "fail-on-widening"}


def test_what_it_uses_and_installs_is_pinned() -> None:
    used = [step["uses"] for step in ACTION["runs"]["steps"] if "uses" in step]
    own = yaml.safe_load((ROOT / ".github" / "workflows" / "kind.yml").read_text())["jobs"]["kind"]["steps"]
    assert used
    assert set(used) <= {step.get("uses") for step in own}, "the same versions as in our own workflow"
    script = STEPS["Install"]["run"]
    files = re.findall(r'-r "\$GITHUB_ACTION_PATH/(\S+)"', script)
    assert files == ["requirements/build.txt", "requirements/runtime.txt"]
    assert all((ROOT / name).exists() for name in files)
    assert "--require-hashes" in script
    assert "--no-deps --no-build-isolation" in script


def test_the_example_uses_inputs_that_there_are() -> None:
    workflow = yaml.safe_load((ROOT / "examples" / "ci" / "github" / "review.yml").read_text())
    *_, step = workflow["jobs"]["review"]["steps"]
    assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"])
    assert set(step["with"]) <= set(ACTION["inputs"])
    assert workflow["permissions"] == {"contents": "read"}
    # YAML reads `on` as true.
    assert set(workflow[True]) == {"pull_request"}
