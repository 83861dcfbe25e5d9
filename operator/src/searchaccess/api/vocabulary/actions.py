"""The actions that people declare on indices, each with the Elasticsearch privileges that it stands for.

Each action is one enum member. The CRD, its messages, the ACCESS column, ``docs/actions.md`` and the README are derived
from it.
"""

from enum import StrEnum
from typing import Self


class Action(StrEnum):
    """An action that a workload may perform on indices."""

    privileges: tuple[str, ...]
    """The index privileges that it stands for."""
    letter: str
    """What the ACCESS column shows."""
    allows: str
    """What it allows."""
    refuses: str
    """What it does not allow, although one might expect so."""

    def __new__(  # noqa: D102 - the attributes above document a member
        cls, name: str, privileges: tuple[str, ...], letter: str, allows: str, refuses: str
    ) -> Self:
        action = str.__new__(cls, name)
        action._value_ = name
        action.privileges, action.letter, action.allows, action.refuses = privileges, letter, allows, refuses
        return action

    # In the order in which they are shown.
    READ = "read", ("read", "view_index_metadata"), "r", "search, get, count; see mappings and settings", "any change"
    APPEND = (
        "append",
        ("create_doc",),
        "a",
        "add new documents",
        "change or delete documents; create indices (see create)",
    )
    WRITE = (
        "write",
        ("create", "index"),
        "w",
        "add, replace and update documents",
        "delete documents; create indices (see create)",
    )
    CREATE = (
        "create",
        ("auto_configure",),
        "c",
        "let append or write create an index or data stream from its template at the first write, and add new fields",
        "create or configure indices in any other way; write",
    )
    DELETE = "delete", ("delete",), "d", "delete documents", "delete indices"
    MONITOR = (
        "monitor",
        ("monitor", "view_index_metadata"),
        "m",
        "read statistics, mappings and settings",
        "read documents",
    )
    MANAGE = (
        "manage",
        ("manage",),
        "M",
        "create, configure and delete indices, with all documents in them; give them aliases",
        "read documents, except in an index that the caller created, through an alias that another grant lets it read",
    )


ACTION_NAMES = ", ".join(Action)
"""All action names, for messages."""

RESTRICTED = "~"
"""Marks in the ACCESS column what is limited to some documents or fields."""

LETTERS = ", ".join(f"{action.letter} {action}" for action in Action)
"""What each letter of the ACCESS column stands for."""

WHAT_EACH_ALLOWS = " ".join(f"`{action}`: {action.allows}." for action in Action)
