"""Findings: what they are about, and by what they are told apart."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from searchaccess.core.answers.findings.kinds import Kind, Severity
from searchaccess.core.model.canonical import canonical_json, digest

FORMAT: Final = "searchaccess.dev/findings/v1"
"""Says in the JSON which fields it has; they stay within one version."""


@dataclass(frozen=True, slots=True, order=True)
class About:
    """The object that a finding is about.

    Args:
        kind: ``SearchAccess`` or ``SearchCluster``; or ``Caller``: somebody in an audit log whom no object names.
        namespace: empty: it has none.
        name: of it.
    """

    kind: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """Its name, with its namespace if it has one."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def __str__(self) -> str:
        return f"{self.kind} {self.path}"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that needs attention.

    Args:
        kind: what is wrong.
        about: the object.
        what: which part of it: by this, the kind and the object it differs from all others. Names alone: no message,
            time, number or position, so that it stays the same as long as the problem does.
        title: what is wrong, for people.
        evidence: what was seen, for people.
        first_seen: when it was first seen, as far as is known (RFC 3339, UTC); empty: not known.
    """

    kind: Kind
    about: About
    what: tuple[str, ...]
    title: str
    evidence: tuple[str, ...] = ()
    first_seen: str = ""

    @property
    def id(self) -> str:
        """The same in each run, as long as the problem is the same: ``f-`` and 16 hexadecimal digits.

        With the letter, no reader of YAML takes it for a number.
        """
        about = self.about
        return f"f-{digest(canonical_json([self.kind, about.kind, about.namespace, about.name, *self.what]))}"

    @property
    def content(self) -> str:
        """What changes with the evidence, as the same object may give more than before: ``c-`` and 16 digits."""
        return f"c-{digest(canonical_json(sorted(self.evidence)))}"

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.kind.doc.severity

    @property
    def next_step(self) -> str:
        """What to do about it."""
        return self.kind.doc.next_step


class State(StrEnum):
    """What is to be done about a finding."""

    OPEN = "Open"
    SUPPRESSED = "Suppressed"
    """Somebody decided that it stays, until a time."""
    FIXED = "Fixed"
    """An earlier run had it, and it is gone."""


class Change(StrEnum):
    """How a finding compares with an earlier run."""

    NEW = "New"
    UNCHANGED = "Unchanged"
    REOPENED = "Reopened"
    """It was fixed."""
    FIXED = "Fixed"
    NOT_EXAMINED = "NotExamined"
    """This run could not have seen it, so that it is not known whether it is fixed."""
