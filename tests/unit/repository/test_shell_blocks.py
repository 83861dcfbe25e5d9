"""Each command in the documentation is run by a test, or says why none does."""

from pathlib import Path

import pytest

from tests.support.shellblocks import Block, blocks, expected

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
RUN = {"tutorial.md": "tests/e2e/test_tutorial.py"}
PAGES = sorted(page for page in DOCS.rglob("*.md") if page.parent.name != "adr")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_what_no_test_runs_says_why(page: Path) -> None:
    if page.name in RUN:
        assert page.name in (ROOT / RUN[page.name]).read_text()
        return
    assert [block.text for block in blocks(page.read_text()) if not block.not_run] == []


def test_commands_and_what_they_print_are_told_apart() -> None:
    page = (
        "```sh\none\n```\n\ntext\n\n```text\nout … put\n```\n\n```yaml\na: b\n```\n\n"
        "<!-- not run: why -->\n```sh\ntwo\n```\n"
        "   ```console\n   $ three \\\n       more\n   printed\n   $ four\n   ```\n```text\nnot its output\n```\n"
    )
    assert blocks(page) == [
        Block("one", "out … put", ""),
        Block("two", "", "why"),
        Block("three \\\n    more\nfour", "printed", ""),
    ]


def test_columns_may_be_wider_than_shown() -> None:
    assert expected(Block("", "NAME  AGE.\n…\nx … y", "")) == [r"NAME\s+AGE\.", r"x.*y"]
