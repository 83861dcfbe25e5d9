"""Tests that run in several processes are reported, and fail, as if one had run them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.operatorprocess import ROOT
from tests.support.runs.spread import grouped
from tests.support.waiting import eventually

FILES = {
    "good": "def test_good(tmp_path): ...\ndef test_other(): ...\n",
    "bad": "def test_bad():\n    print('said before')\n    assert 1 == 2\n",
    "broken": "import nothing_like_this\n",
    "ended": "import os\ndef test_ended(): os._exit(0)\n",
    "left": "import pytest\n@pytest.mark.skip(reason='not here')\ndef test_left(): ...\n",
    "slow": "import time\nfrom pathlib import Path\ndef test_slow():\n    Path('begun').touch()\n    time.sleep(600)\n",
}


class Project:
    """Files with tests, each a group of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, *names: str) -> None:
        for name in names:
            (self.folder / f"test_{name}.py").write_text(FILES[name].ljust(200, "\n"))

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.support.runs.spread", "--processors=2", ".", "--", *arguments]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=120)
        return process.returncode, output


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_if_all_pass_the_sum_is_the_last_line_and_nothing_stays(project: Project) -> None:
    project.write("good", "left")
    code, output = project.run("-rs")
    assert code == 0, output
    assert output.splitlines()[-1].startswith("2 passed, 1 skipped in ")
    assert "not here" in output
    assert not list(project.folder.glob("spread-*"))


def test_each_way_to_fail_fails_the_whole_and_is_shown(project: Project) -> None:
    project.write("good", "bad")
    code, output = project.run()
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "said before" in output
    summary = output.partition("short test summary info:")[2]
    assert "FAILED test_bad.py::test_bad - assert 1 == 2" in summary
    assert "1 failed, 2 passed in " in summary

    project.write("broken")
    code, output = project.run()
    assert code == pytest.ExitCode.INTERRUPTED, "as pytest ends if it cannot collect"
    assert "ERROR test_broken.py" in output
    assert "1 failed, 1 error, 2 passed in " in output

    project.write("ended")
    code, output = project.run("-k", "good or other or ended")
    assert code != 0
    assert "ERROR test_ended.py: the process ended with 0 before pytest did" in output


def test_arguments_choose_tests_and_if_there_are_none_it_says_so(project: Project) -> None:
    project.write("good", "bad")
    code, output = project.run("-k", "other")
    assert code == 0, output
    assert "1 passed, 2 deselected in " in output
    assert project.run("-k", "nothing_like_this")[0] == pytest.ExitCode.NO_TESTS_COLLECTED
    assert project.run("--no-such-option")[0] == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("everybody", [True, False], ids=["Ctrl-C", "SIGTERM"])
def test_an_interruption_ends_all_and_is_a_failure(project: Project, *, everybody: bool) -> None:
    project.write("good", "slow")
    process = project.start()
    eventually((project.folder / "begun").exists, within=60, what="a test has begun")
    if everybody:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.terminate()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_groups_have_all_files_in_their_order_and_become_smaller(tmp_path: Path) -> None:
    files = [tmp_path / f"{number:03}" for number in range(300)]
    for file in files:
        file.write_bytes(b" " * 1000)
    groups = list(grouped(files, 2))
    assert [file for group in groups for file in group] == files
    sizes = [len(group) for group in groups[:-1]]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (50, 5)
