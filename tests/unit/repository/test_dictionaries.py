"""No key is written twice in a dictionary: the first value would be lost. Ruff finds only names and literals."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDERS = ("client", "operator", "tests")


def doubled(text: str) -> Iterator[str]:
    """Yield the keys that a dictionary has twice, with their lines."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Dict):
            keys = Counter(written(key) for key in node.keys if key is not None)
            yield from (f"{node.lineno}: {key}" for key, number in keys.items() if number > 1)


def written(key: ast.expr) -> str:
    """Return a key as it is written; most are constants."""
    return repr(key.value) if isinstance(key, ast.Constant) else ast.unparse(key)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_dictionary_has_a_key_twice(folder: str) -> None:
    files = [file for file in (ROOT / folder).rglob("*.py") if ".venv" not in file.parts]
    assert files
    found = {str(file.relative_to(ROOT)): list(doubled(file.read_text(encoding="utf-8"))) for file in files}
    assert {name: keys for name, keys in found.items() if keys} == {}


def test_such_a_key_is_found_however_it_is_written() -> None:
    text = "x = {Kind.A: 1, Kind.B: 2,\n Kind.A: 3, 'a': 4, **other, (1, 2): 5, (1,2): 6, 'a': 7}"
    assert sorted(doubled(text)) == ["1: 'a'", "1: (1, 2)", "1: Kind.A"]
