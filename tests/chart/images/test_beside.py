"""Tests in kind and others run side by side, and each can fail the whole."""

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually


def start(folder: Path, in_kind: str, other: str, gigabytes: int = 0) -> "subprocess.Popen[str]":
    command = [str(ROOT / "tests/kind/beside.sh"), "log", "bash", "-c", in_kind, "--", "bash", "-c", other]
    environment = os.environ | {"SEARCHACCESS_TEST_BESIDE_GB": str(gigabytes)}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


@pytest.mark.parametrize("gigabytes", [0, 1_000_000], ids=["beside", "after"])
@pytest.mark.parametrize(("in_kind", "other", "code"), [(0, 0, 0), (3, 0, 3), (0, 4, 4), (3, 4, 3)])
def test_each_can_fail_the_whole_and_both_are_shown(
    tmp_path: Path, in_kind: int, other: int, code: int, gigabytes: int
) -> None:
    process = start(tmp_path, f"echo in kind; exit {in_kind}", f"echo elsewhere; exit {other}", gigabytes)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert {"in kind", "elsewhere"} <= set(output.splitlines())


def test_they_run_at_the_same_time(tmp_path: Path) -> None:
    wait_for = "for _ in {1..600}; do [[ -e %s ]] && exit 0; sleep 0.1; done; exit 1"
    process = start(tmp_path, f"touch one; {wait_for % 'other'}", f"touch other; {wait_for % 'one'}")
    process.communicate(timeout=120)
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_interrupts_one_ends_the_other(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path, "echo $$ >pid; exec sleep 600", "touch begun; exec sleep 600")
    eventually(lambda: (tmp_path / "begun").exists() and (tmp_path / "pid").exists() and pid(tmp_path), within=60)
    os.killpg(process.pid, number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert not psutil.pid_exists(pid(tmp_path))


def pid(folder: Path) -> int:
    return int((folder / "pid").read_text().strip() or 0)
