"""Rules of ``searchaccess lint``, and what they find."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from searchaccess.core.model.canonical import canonical_json, digest

FORMAT: Final = "searchaccess.dev/lint/v1"
"""Says in the JSON which fields it has; they stay within one version."""
Step = str | int
Path = tuple[Step, ...]
"""Names of fields and numbers of items, from the object on."""


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """It cannot be applied, or gets no rights."""
    WARNING = "warning"
    """It should be changed, or the reason be written down by ignoring the rule."""
    NOTE = "note"
    """A reviewer should know it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is looked for.

    Args:
        id: it stays the same.
        name: in words, joined by dashes.
        severity: how bad it is.
        finds: what it finds, as a sentence.
        instead: what to do about it.
        page: of the documentation that has more.
        ignorable: whether an annotation may ignore it: not what the API server refuses anyway.
    """

    id: str
    name: str
    severity: Severity
    finds: str
    instead: str
    page: str = "lint.md"
    ignorable: bool = True


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where something is in a file, counted from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """An object of ours in a file.

    Args:
        file: its path, with slashes, as it was named.
        raw: the object.
        where: returns the position of one of its parts, or of the nearest that it has.
    """

    file: str
    raw: Mapping[str, Any]
    where: Callable[[Path], Position]


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that cannot be read.

    Args:
        file: its path.
        position: of what is wrong.
        message: what is wrong.
    """

    file: str
    position: Position
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One place at which a rule applies.

    Args:
        rule: the rule.
        message: what is wrong there, and what to write instead.
        file: the file.
        position: where in it.
        kind: of the object; empty: the file cannot be read.
        name: of the object, ``namespace/name`` if it has a namespace.
        path: of the part, such as ``spec.grants[0].indices``.
        ignored: whether the object's annotation ignores the rule.
    """

    rule: Rule
    message: str
    file: str
    position: Position
    kind: str = ""
    name: str = ""
    path: str = ""
    ignored: bool = False

    @property
    def fingerprint(self) -> str:
        """Identify it across versions of the file: lines may move."""
        text = canonical_json([self.rule.id, self.file, self.kind, self.name, self.path, self.message])
        return digest(text)

    def to_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "rule": self.rule.id, "name": self.rule.name, "severity": str(self.rule.severity),
            "message": self.message, "file": self.file, "line": self.position.line, "column": self.position.column,
            "kind": self.kind, "object": self.name, "path": self.path, "ignored": self.ignored,
        }  # fmt: skip


def in_text(path: Path) -> str:
    """Return a path as people write it: ``spec.grants[0].indices``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")
