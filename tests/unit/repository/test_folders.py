"""A folder has few modules, so that its list can be read: more of them are grouped by what they are about."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[3]
TREES: Final = ("client/src", "operator/src", "release", "tests", "website")
AT_MOST: Final = 14
"""About a dozen: one or two more are no reason to move others."""
ONE_EACH: Final = {"operator/src/searchaccess/cli/commands": "a module for each command"}
NO_PART: Final = {"__init__.py", "__main__.py", "conftest.py"}


def too_full(files: Iterable[Path]) -> dict[str, int]:
    """Return the folders that have too many modules, and how many they have."""
    counts = Counter(str(file.parent) for file in files if file.name not in NO_PART)
    return {folder: count for folder, count in counts.items() if count > AT_MOST and folder not in ONE_EACH}


def test_no_folder_has_too_many_modules() -> None:
    files = [file.relative_to(ROOT) for tree in TREES for file in (ROOT / tree).rglob("*.py")]
    assert len(files) > AT_MOST
    assert too_full(files) == {}, "group them into packages, and say so in docs/architecture.md"


def test_a_folder_that_has_too_many_is_found() -> None:
    files = [Path("tests/full") / f"test_{number}.py" for number in range(AT_MOST + 1)]
    assert too_full(files) == {"tests/full": AT_MOST + 1}
    assert too_full([*files[1:], Path("tests/full/conftest.py")]) == {}
