"""The quick run tries a part of the examples, and what CI runs tries all of them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.runs.effort import ALL, QUICK, examples, places, some

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("number", "quick"), [(1000, 50), (100, 5), (20, 3), (2, 2)])
def test_a_quick_run_tries_a_twentieth_and_at_least_some(
    monkeypatch: pytest.MonkeyPatch, number: int, quick: int
) -> None:
    assert settings.get_profile("thorough").max_examples == ALL
    assert settings.get_profile("quick").max_examples == QUICK
    for profile, tried in (("thorough", number), ("quick", quick)):
        monkeypatch.setattr("tests.support.runs.effort.settings", lambda profile=profile: settings.get_profile(profile))
        assert examples(number) == tried
        assert list(places(8)) == (list(range(8)) if profile == "thorough" else [0, 5])
        assert some("abcdefgh") == ("abcdefgh" if profile == "thorough" else "af")


def test_only_the_targets_for_one_change_are_quick() -> None:
    make, chosen = shutil.which("make"), {"HYPOTHESIS_PROFILE", "MAKEFLAGS", "PYTEST"}
    assert make
    environment = {key: value for key, value in os.environ.items() if key not in chosen}

    def commands(target: str) -> list[str]:
        done = subprocess.run(
            [make, "--dry-run", target], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        return [line for line in done.stdout.splitlines() if "-m pytest" in line]

    assert commands("test")
    assert not [line for line in commands("test") if re.search(r"quick|hypothesis", line, re.IGNORECASE)]
    for target in ("test-unit", "test-component"):
        [quick] = commands(target)
        assert quick.startswith("HYPOTHESIS_PROFILE=quick ")
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_no_test_without_servers_sets_a_number_by_itself() -> None:
    tests = [*(ROOT / "tests/unit").rglob("test_*.py"), *(ROOT / "tests/component").rglob("test_*.py")]
    assert [str(path) for path in tests if re.search(r"max_examples=\w+[,)]", path.read_text())] == []
