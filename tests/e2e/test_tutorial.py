"""The tutorial's commands run as they are printed, and print what it shows."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.operatorprocess import ROOT
from tests.support.shellblocks import Block, blocks, expected

pytestmark = pytest.mark.one_release

PAGE = ROOT / "docs" / "tutorial.md"
MARK = "--- block {} done ---"
PATIENCE = 600.0


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that has what the tutorial uses of a checkout."""
    for name in ("crds", "tests", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.mark.usefixtures("built_servers")
def test_each_command_of_the_tutorial_runs_and_prints_what_is_shown(checkout: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    servers = subprocess.Popen(
        [sys.executable, "-m", "tests.stack", "up"],
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert servers.stdout is not None
        started = []
        for line in servers.stdout:
            started.append(line)
            if line.startswith("# Ready"):
                break
        assert (checkout / ".stack" / "env").exists(), "".join(started)
        found = [block for block in blocks(PAGE.read_text()) if not block.not_run]
        printed = run(found, checkout, environment)
    finally:
        servers.terminate()
        servers.wait(timeout=120)
    assert len(found) > 10
    for block, output in zip(found, printed, strict=True):
        for line in expected(block):
            assert re.search(line, output, re.MULTILINE), f"{block.text}\nprinted no line {line}:\n{output}"
    assert sum(1 for block in found if block.output) >= 4


def run(found: list[Block], folder: Path, environment: dict[str, str]) -> list[str]:
    """Run the blocks one after the other in one shell; return what each printed."""
    # Each command must succeed, also those on the left of a pipe.
    script = "set -eu -o pipefail; trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + "".join(
        f"{block.text}\necho {shlex.quote(MARK.format(number))}\n" for number, block in enumerate(found)
    )
    done = subprocess.run(
        ["/bin/bash", "-c", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    log = folder / "build" / "tutorial" / "operator.log"
    assert done.returncode == 0, f"{done.stdout}\n{log.read_text() if log.exists() else ''}"
    printed, rest = [], done.stdout
    for number in range(len(found)):
        output, _, rest = rest.partition(MARK.format(number) + "\n")
        printed.append(output)
    return printed
