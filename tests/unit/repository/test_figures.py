"""Each counted figure in docs/scale.md is one that a test compares with."""

from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[3]
FIGURES: Final = [
    ("| 300 new SearchAccesses at once | at most 20 to", "test_requests.py", ("MANY = 300", "BUDGET = 20")),
    ("| one changed SearchAccess | at most 3 to", "test_requests.py", ("<= 3, summary(requests)",)),
    ("at most 7 reads beside the checks", "test_requests.py", ("len(work(requests)) == 4", "requests)) == 3, summary")),
    ("| at rest | at most 33 a minute", "test_requests.py", ("6 < per_minute <= 33",)),
    (
        "| 2,500 time boxes that end together | at most 4 bulk",
        "test_operator.py",
        ("MANY = many(2_500)", "BULK = 1_000", "<= MANY / BULK + 2"),
    ),
    (
        "| 1,000 SearchAccesses for 50 services | at most 60 to",
        "test_identities.py",
        ("services[number % 50]) for number in range(1000)", "<= 60"),
    ),
    ("| a rotation of an API key | 6 |", "test_credentials.py", ("test_a_rotation_costs_six_requests",)),
    ("| 500 rotations at once |", "test_paced_store.py", ("for number in range(500)",)),
    ("| 1,100 callers behind a gateway |", "test_gateway.py", ("count = 1_100", "made.total() < 40")),
]


@pytest.mark.parametrize(("says", "file", "has"), FIGURES, ids=[says for says, _, _ in FIGURES])
def test_a_figure_is_what_its_test_has(says: str, file: str, has: tuple[str, ...]) -> None:
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    [line] = [line for line in page.splitlines() if says in line]
    named = file if f"/{file})" in line else "the same"
    assert f"[{file}]" in page
    assert named in line
    tests = [path for path in (ROOT / "tests").rglob(file) if "unit" not in path.relative_to(ROOT).parts]
    texts = [path.read_text(encoding="utf-8") for path in tests]
    assert any(all(part in text for part in has) for text in texts), f"{file} has other figures"
