"""Every link of the finished website leads to a page or a heading that exists."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

_ATTRIBUTES: Final = {"a": "href", "link": "href", "img": "src", "script": "src", "iframe": "src"}
_LOADED: Final = ("img", "script", "iframe")


@dataclass
class Page:
    """What one page has and names."""

    anchors: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    loaded: set[str] = field(default_factory=set)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.page.anchors |= {value for name in ("id", "name") if (value := given.get(name))}
        target = given.get(_ATTRIBUTES.get(tag, ""))
        if target and given.get("rel") != "canonical":
            self.page.links.add(target)
            if tag in _LOADED or given.get("rel") == "stylesheet":
                self.page.loaded.add(target)


def read(html: str) -> Page:
    """Read the anchors and the links of a page."""
    reader = _Reader()
    reader.feed(html)
    return reader.page


def read_site(folder: Path) -> dict[str, Page]:
    """Read all pages of a finished website, by their paths from its root."""
    return {path.relative_to(folder).as_posix(): read(path.read_text()) for path in folder.rglob("*.html")}


def broken(pages: Mapping[str, Page], files: Iterable[str], base: str = "/") -> list[str]:
    """Return the links that lead nowhere, and what pages load from elsewhere.

    Args:
        pages: all pages, by their paths from the root of the website.
        files: the paths of all files of the website.
        base: the path at which the website is served, with a slash at its end.

    Returns:
        Sentences, sorted: page, and target.
    """
    known = set(files)
    wrong = []
    for path, page in pages.items():
        for target in page.links:
            url = urlsplit(target)
            if url.scheme or url.netloc:
                if target in page.loaded:
                    wrong.append(f"{path}: loads {target}, which is not part of the website")
                continue
            there = _file_of(path, unquote(url.path), base)
            if there not in known:
                wrong.append(f"{path}: {target} leads to no page")
            elif url.fragment and there in pages and unquote(url.fragment) not in pages[there].anchors:
                wrong.append(f"{path}: {target} leads to no heading")
    return sorted(wrong)


def _file_of(page: str, path: str, base: str) -> str:
    if not path:
        return page
    # A page that reports an error is served at any address: its links begin with the base.
    start = PurePosixPath("/" if path.startswith(base) else f"/{page}").parent
    parts: list[str] = []
    for part in (start / path.removeprefix(base)).parts[1:]:
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    return "/".join([*parts, "index.html"] if path.endswith(("/", "..")) or path == "." else parts)
