"""Every relative link in the documentation leads to a file or a heading that exists, and so do the modules it names."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[4]
PACKAGE: Final = ROOT / "operator" / "src" / "searchaccess"
FOLDERS: Final = ("docs", "client", "charts", "deploy", "examples", "tests", ".github")
PAGES: Final = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])

_FENCE: Final = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.DOTALL | re.MULTILINE)
_CODE: Final = re.compile(r"`[^`\n]*`")
_LINK: Final = re.compile(r"\]\(([^()\s]*)\)")
_HEADING: Final = re.compile(r"^#+ +(.*?) *#*$", re.MULTILINE)
_MODULE: Final = re.compile(r"`((?:[a-z_]+/)+[a-z_]+\.py)`")
_TREE: Final = re.compile(r"```text\noperator/src/searchaccess/\n(.*?)```", re.DOTALL)


def slug(heading: str) -> str:
    """Return the anchor that GitHub makes of a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def anchors(page: str) -> set[str]:
    """Return the anchors of a page; headings of the same name are numbered."""
    seen: dict[str, int] = {}
    found = set()
    for heading in _HEADING.findall(_FENCE.sub("", page)):
        name = slug(heading)
        seen[name] = seen.get(name, -1) + 1
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
    return found


def links(page: str) -> Iterator[str]:
    """Yield the relative links of a page, without those in code."""
    for target in _LINK.findall(_CODE.sub("", _FENCE.sub("", page))):
        if not re.match(r"[a-z][a-z0-9+.-]*:", target):
            yield target


def broken(page: Path, root: Path = ROOT) -> list[str]:
    """Return the links of a page that lead nowhere."""
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_modules_that_a_page_names_exist(page: Path) -> None:
    named = _MODULE.findall(page.read_text())
    assert [name for name in named if not (ROOT / name).exists() and not (PACKAGE / name).exists()] == []


def test_the_tree_of_the_architecture_names_each_package_and_nothing_else() -> None:
    [tree] = _TREE.findall((ROOT / "docs" / "architecture.md").read_text())
    drawn, parents = set(), list[str]()
    for indent, name in re.findall(r"^((?: {2})+)([a-z_]+(?:/|\.py))(?= )", tree, re.MULTILINE):
        del parents[len(indent) // 2 - 1 :]
        parents.append(name)
        drawn.add("".join(parents))
    assert [name for name in sorted(drawn) if not (PACKAGE / name).exists()] == []
    packages = {f"{path.parent.relative_to(PACKAGE)}/" for path in PACKAGE.rglob("__init__.py")} - {"./"}
    assert {name for name in packages if not name.startswith("adapters/")} <= drawn
