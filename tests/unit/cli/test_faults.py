"""What a command says when it ends by an error that nobody expected: one line, and no traceback."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from searchaccess.cli import main as program
from tests.unit.builders import a_search_access
from tests.unit.cli.program import environment

SECRET = "the-password"


def test_a_fault_is_one_line_with_its_places_and_without_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> NoReturn:
        raise KeyError(SECRET)

    monkeypatch.setattr("searchaccess.cli.main.app", lambda **_: fail())
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("searchaccess: internal error: KeyError (")
    assert f"{Path(__file__).name}:" in said
    assert said.count("\n") == 1
    assert SECRET not in said


@pytest.mark.parametrize("arguments", [("--help",), ("crds",)])
def test_a_full_disk_is_said(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "searchaccess.cli.main", *arguments],
            env=environment(tmp_path), stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=600,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "searchaccess: the answer cannot be written: No space left on device\n"


def test_names_of_other_languages_are_printed_in_each_locale(tmp_path: Path) -> None:
    manifest = tmp_path / "access.yaml"
    manifest.write_text(json.dumps(a_search_access(grants=[{"indices": ["\u6771*"], "can": ["read"]}])))
    done = subprocess.run(
        [sys.executable, "-m", "searchaccess.cli.main", "lint", "-o", "yaml", "-f", str(manifest)],
        env=environment(tmp_path, PYTHONIOENCODING="latin-1"), capture_output=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.stderr == b""
    assert "\u6771* begins with" in done.stdout.decode()
