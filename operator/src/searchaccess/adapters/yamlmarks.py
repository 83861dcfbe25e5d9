"""Reads objects with the positions of their parts."""

from collections.abc import Iterator
from typing import Any, Final

import yaml

from searchaccess.adapters.yamlfiles import UNREADABLE, PlainLoader
from searchaccess.api.constants import GROUP
from searchaccess.core.answers.lint.model import Broken, Manifest, Path, Position

_START: Final = Position()


def read_marked(file: str, content: bytes) -> tuple[list[Manifest], list[Broken]]:
    """Return the objects of ours in a file, and what is wrong with it; others are left out.

    Args:
        file: its path, for messages.
        content: what it contains.
    """
    found, broken = list[Manifest](), list[Broken]()
    try:
        for raw, node, prefix in _objects(content.decode()):
            version = raw.get("apiVersion")
            if isinstance(version, str) and version.partition("/")[0] == GROUP:
                found.append(Manifest(file, raw, _Places(node, prefix).at))
    except UNREADABLE as error:
        # A template, or a file of something else, is none of ours.
        if GROUP.encode() in content:
            broken.append(Broken(file, _position(error), f"it cannot be read as YAML ({type(error).__name__})"))
    return found, broken


def _objects(text: str) -> Iterator[tuple[dict[str, Any], yaml.Node, Path]]:
    loader = PlainLoader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                continue
            document = loader.construct_document(node)
            if not isinstance(document, dict):
                continue
            items = document.get("items") if document.get("kind") == "List" else None
            if not isinstance(items, list):
                yield document, node, ()
                continue
            for number, item in enumerate(items):
                if isinstance(item, dict):
                    yield item, node, ("items", number)
    finally:
        loader.dispose()


def _position(error: BaseException) -> Position:
    mark = getattr(error, "problem_mark", None)
    return Position(mark.line + 1, mark.column + 1) if mark else _START


class _Places:
    """Where the parts of one object are in its document.

    Args:
        node: of the document.
        prefix: of the object in it.
    """

    def __init__(self, node: yaml.Node, prefix: Path) -> None:
        self._node, self._prefix = node, prefix

    def at(self, path: Path) -> Position:
        """Return the position of a part, or of the nearest part around it that is there."""
        node, mark = self._node, self._node.start_mark
        for step in (*self._prefix, *path):
            inner = _step_into(node, step)
            if inner is None:
                break
            node, mark = inner
        return Position(mark.line + 1, mark.column + 1)


def _step_into(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Mark] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == step:
                return value, key.start_mark
    return None
