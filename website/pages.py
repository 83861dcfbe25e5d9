"""From the repository's files to the pages of the website: what is shown where, and where each link leads."""

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

HOME: Final = "README.md"
CONTENTS: Final = "docs/README.md"
_FENCED: Final = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.DOTALL | re.MULTILINE)
_CODE: Final = re.compile(r"`[^`\n]+`")
_LINK: Final = re.compile(r"\]\(([^()\s]+)\)")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:")
_LANGUAGES: Final = {".yaml": "yaml", ".yml": "yaml", ".py": "python", ".json": "json", ".sh": "sh", ".tf": "terraform"}


class BrokenLink(ValueError):
    """A link leads to no file of the repository."""


@dataclass(frozen=True, slots=True)
class Repository:
    """The files and folders of the repository.

    Attributes:
        files: the text of each file, by its path from the root with ``/``.
    """

    files: Mapping[str, str]

    def children(self, folder: str) -> list[str]:
        """Return the paths of the files in a folder and below; empty if there is no such folder."""
        return sorted(path for path in self.files if path.startswith(f"{folder}/"))


def place_of(path: str, repository: Repository) -> str:
    """Return the place of a file or folder in the website's sources.

    Args:
        path: of the file or folder, from the root of the repository.
        repository: all files.

    Returns:
        The path of a Markdown file. Pages of ``docs/`` are at the top, all others below ``repository/``.

    Raises:
        BrokenLink: there is no such file or folder.
    """
    if path == HOME:
        return "index.md"
    if path == CONTENTS:
        return "contents.md"
    if path not in repository.files:
        if not repository.children(path):
            raise BrokenLink(path)
        readme = f"{path}/README.md"
        return place_of(readme, repository) if readme in repository.files else f"repository/{path}/index.md"
    folder, name = posixpath.split(path)
    if name == "README.md":
        return f"repository/{folder}/index.md"
    shown = path if name.endswith(".md") else f"{path}.md"
    return shown.removeprefix("docs/") if path.startswith("docs/") else f"repository/{shown}"


def assemble(repository: Repository) -> dict[str, str]:
    """Make the website's sources: all pages of the documentation, and all that they link to.

    Args:
        repository: all files.

    Returns:
        The text of each Markdown file, by its path.

    Raises:
        BrokenLink: a link leads to no file.
    """
    waiting = [HOME, *(path for path in repository.files if path.startswith("docs/") and path.endswith(".md"))]
    pages: dict[str, str] = {}
    while waiting:
        path = waiting.pop()
        place = place_of(path, repository)
        if place not in pages:
            found: list[str] = []
            pages[place] = _text_of(path, place, repository, found)
            waiting += found
    return pages


def _text_of(path: str, place: str, repository: Repository, found: list[str]) -> str:
    text = repository.files.get(path)
    if text is None:
        readme = f"{path}/README.md"
        return _text_of(readme, place, repository, found) if readme in repository.files else _listing(path, repository)
    if not path.endswith(".md"):
        return f"# {path}\n\n````{_LANGUAGES.get(posixpath.splitext(path)[1], 'text')}\n{text.rstrip()}\n````\n"

    def moved(target: str) -> str:
        return _moved(target, path, place, repository, found)

    return rewritten(text, moved)


def _listing(folder: str, repository: Repository) -> str:
    lines = [
        f"- [{path.removeprefix(f'{folder}/')}]({path.removeprefix(f'{folder}/')}.md)"
        for path in repository.children(folder)
    ]
    return f"# {folder}\n\n" + "\n".join(lines) + "\n"


def _moved(target: str, path: str, place: str, repository: Repository, found: list[str]) -> str:
    if _SCHEME.match(target) or target.startswith("#"):
        return target
    name, mark, anchor = target.partition("#")
    there = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
    try:
        where = place_of(there, repository)
    except BrokenLink:
        raise BrokenLink(f"{path}: {target} leads to no file of the repository") from None
    found.append(there)
    if there not in repository.files and f"{there}/README.md" not in repository.files:
        found += repository.children(there)
    return posixpath.relpath(where, posixpath.dirname(place) or ".") + mark + anchor


def rewritten(text: str, moved: Callable[[str], str]) -> str:
    """Change the targets of the links of a Markdown text, but not those in code.

    Args:
        text: of the page.
        moved: gives the new target for a target.
    """
    parts, end = [], 0
    for fenced in _FENCED.finditer(text):
        parts += [_outside_code(text[end : fenced.start()], moved), fenced[0]]
        end = fenced.end()
    return "".join([*parts, _outside_code(text[end:], moved)])


def _outside_code(text: str, moved: Callable[[str], str]) -> str:
    parts, end = [], 0
    # A link's text may contain code: only the code itself is left out, not the target after it.
    for code in _CODE.finditer(text):
        parts += [_LINK.sub(lambda link: f"]({moved(link[1])})", text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*parts, _LINK.sub(lambda link: f"]({moved(link[1])})", text[end:])])
