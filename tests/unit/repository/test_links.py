"""Every relative link in the documentation leads to a file that exists, and every anchor to a heading."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
FOLDERS: Final = ("docs", "charts", "deploy", "examples", "tests", ".github")
PAGES: Final = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])

_FENCE: Final = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.DOTALL | re.MULTILINE)
_CODE: Final = re.compile(r"`[^`\n]*`")
_LINK: Final = re.compile(r"\]\(([^()\s]*)\)")
_HEADING: Final = re.compile(r"^#+ +(.*?) *#*$", re.MULTILINE)


def slug(heading: str) -> str:
    """Give the anchor that GitHub makes of a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def anchors(page: str) -> set[str]:
    """Give the anchors of a page; headings of the same name are numbered."""
    seen: dict[str, int] = {}
    found = set()
    for heading in _HEADING.findall(_FENCE.sub("", page)):
        name = slug(heading)
        seen[name] = seen.get(name, -1) + 1
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
    return found


def links(page: str) -> Iterator[str]:
    """Give the relative links of a page, without those in code."""
    for target in _LINK.findall(_CODE.sub("", _FENCE.sub("", page))):
        if not re.match(r"[a-z][a-z0-9+.-]*:", target):
            yield target


def broken(page: Path, root: Path = ROOT) -> list[str]:
    """Give the links of a page that lead nowhere."""
    wrong = []
    for target in links(page.read_text()):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        exists = file.exists() and file.is_relative_to(root)
        if not exists or (anchor and (file.suffix != ".md" or anchor not in anchors(file.read_text()))):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_every_page_of_the_docs_is_listed_in_the_table_of_contents() -> None:
    contents = ROOT / "docs" / "README.md"
    listed = {(contents.parent / target.partition("#")[0]).resolve() for target in links(contents.read_text())}
    assert {*(ROOT / "docs").rglob("*.md")} - listed == {contents}


def test_a_file_or_a_heading_that_is_missing_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# There\n\n## Twice\n\n## Twice\n\n```\n# Not a heading\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# A `page`, read\n\n[a](there.md) [b](#a-page-read) [c](there.md#twice-1) [d](https://example.com/#x)\n"
        "[e](gone.md) [f](#gone) [g](there.md#twice-2) [h](there.md#not-a-heading) [i](../outside.md) `[j](code.md)`\n"
    )
    assert broken(page, tmp_path) == ["gone.md", "#gone", "there.md#twice-2", "there.md#not-a-heading", "../outside.md"]
