"""The navigation of the website, from the table of contents in ``docs/README.md``."""

import json
import re
from collections.abc import Callable
from typing import Final, TypeAlias

Item: TypeAlias = dict[str, "str | list[Item]"]

_HEADING: Final = re.compile(r"^(##+) +(.+)$")
_FIRST_CELL: Final = re.compile(r"^\| *((?:[^|`]|`[^`]*`)*?) *\|")
_SECOND_CELL: Final = re.compile(r"^\|[^|]*\| *(.*?) *\|$")
_LINK: Final = re.compile(r"\[([^\]]+)\]\(([^()\s#]+)(?:#[^()\s]*)?\)")


def navigation(contents: str, place: Callable[[str], str]) -> list[Item]:
    """Read the sections of the table of contents and the pages in their tables.

    Args:
        contents: the text of the page. Headings of the second and third level are sections; in their tables the first
            column links to the page.
        place: gives the place of a page in the website's sources, for the target of a link.

    Returns:
        Sections with pages, in their order. A page whose link is a number has the second column as its name.
    """
    root: list[Item] = []
    section = subsection = root
    for line in contents.splitlines():
        if heading := _HEADING.match(line):
            within: list[Item] = []
            if heading[1] == "##":
                root.append({heading[2]: within})
                section = subsection = within
            else:
                section.append({heading[2]: within})
                subsection = within
        elif cell := _FIRST_CELL.match(line):
            for name, target in _LINK.findall(cell[1]):
                subsection.append({_name(name, line): place(target)})
    return [item for item in root if all(item.values())]


def _name(name: str, line: str) -> str:
    second = _SECOND_CELL.match(line)
    text = f"{name} {second[1]}" if name.isdigit() and second else name
    return text.replace("`", "")


def toml(items: list[Item]) -> str:
    """Write it as a value of TOML (https://toml.io/en/v1.0.0#inline-table), whose basic strings are JSON's."""
    return "[" + ", ".join(_table(item) for item in items) + "]"


def _table(item: Item) -> str:
    [(name, value)] = item.items()
    return f"{{{json.dumps(name)} = {json.dumps(value) if isinstance(value, str) else toml(value)}}}"
