"""Each command in the documentation is run by a test, or says why none does."""

import re
from pathlib import Path

import pytest

from tests.support.howto.preparations import PREPARATIONS
from tests.support.howto.session import reads
from tests.support.howto.stage import PAGES as FOLLOWED
from tests.support.shellblocks import Block, File, blocks, expected, missing, parts

ROOT = Path(__file__).parents[4]
DOCS = ROOT / "docs"
RUN = {"docs/tutorial.md", *FOLLOWED}
"""By tests/e2e/test_tutorial.py and tests/e2e/test_howto.py."""
PAGES = sorted(page for page in DOCS.rglob("*.md") if page.parent.name != "adr")
_FENCE = re.compile(r"^ *```(\w*) *\n.*?^ *```$", re.DOTALL | re.MULTILINE)
_NO_COMMANDS = {"go", "hcl", "java", "js", "json", "mermaid", "python", "text", "xml", "yaml", "csharp"}
_LISTED = {"docs/callers/shell.md": "bash"}
"""A page that shows a whole script, and the language of that block."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_what_no_test_runs_says_why(page: Path) -> None:
    run = [block.text for block in blocks(page.read_text()) if not block.not_run]
    assert bool(run) == (str(page.relative_to(ROOT)) in RUN), run


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_commands_are_in_blocks_that_a_test_finds(page: Path) -> None:
    found = set(_FENCE.findall(page.read_text())) - _NO_COMMANDS - {"sh", "console"}
    assert found == {_LISTED[name] for name in [str(page.relative_to(ROOT))] if name in _LISTED}


def test_what_the_readme_shows_is_run_or_says_why_not() -> None:
    before, mark, after = (ROOT / "README.md").read_text().partition("## Example output")
    assert mark
    assert [block.text for block in blocks(before) if not block.not_run] == []
    assert len(blocks(after)) == 2, "tests/e2e/test_howto.py runs these"


def test_what_is_prepared_is_for_a_page_that_is_followed() -> None:
    assert PREPARATIONS.keys() <= set(FOLLOWED)


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


def test_times_ages_and_uids_may_be_others() -> None:
    shown = "shop  a  5m\nuntil 2027-01-31T09:00:00Z, 4c3f5d2e-7a51-4b0e-9d0a-2f6f5f0c1b7e"
    printed = "shop   a   12s\nuntil 2026-11-30T02:00:01Z, 0c3f5d2e-7a51-4b0e-9d0a-2f6f5f0c1b70"
    assert not missing(Block("", shown, ""), printed)
    assert missing(Block("", shown, ""), printed.replace("shop", "hop"))
    assert missing(Block("", shown, ""), printed.replace("until", "from"))


def test_lines_are_expected_in_their_order() -> None:
    assert not missing(Block("", "one\ntwo", ""), "one\nother\ntwo\n")
    assert missing(Block("", "one\ntwo", ""), "two\none\n") == "two"


def test_marks_say_how_a_block_is_run() -> None:
    page = (
        "Save this:\n\n<!-- file: a/b.yaml -->\n```yaml\na: b\n```\n\n"
        "<!-- as: jane@example.com -->\n<!-- exit code: 3 -->\n```sh\none\n```\n"
    )
    assert parts(page) == [File("a/b.yaml", "a: b\n"), Block("one", "", "", 3, "jane@example.com")]
    with pytest.raises(ValueError, match="no such mark of a block: not ran"):
        parts("<!-- not ran: why -->\n```sh\none\n```\n")


def test_only_what_reads_is_repeated() -> None:
    assert reads("kubectl get pods  # all\nsearchaccess status -A \\\n  --drifted")
    assert not reads("kubectl get pods\nkubectl delete pod a")
    assert not reads("searchaccess rotate a")
