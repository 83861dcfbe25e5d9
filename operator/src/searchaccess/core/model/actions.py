"""The actions that people declare and the Elasticsearch privileges of each.

This table is the only place where the vocabulary is defined; ``docs/actions.md`` is generated from it. Privileges:
https://www.elastic.co/guide/en/elasticsearch/reference/8.19/security-privileges.html
"""

from dataclasses import dataclass
from typing import Final

from searchaccess.api.searchaccess import Action, ClusterAction


@dataclass(frozen=True, slots=True)
class ActionDoc:
    """The meaning of an action."""

    privileges: tuple[str, ...]
    letter: str
    allows: str
    refuses: str


ACTIONS: Final[dict[Action, ActionDoc]] = {
    Action.READ: ActionDoc(
        ("read", "view_index_metadata"), "r", "search, get, count; see mappings and settings", "any change"
    ),
    Action.APPEND: ActionDoc(("create_doc",), "a", "add new documents", "change or delete documents; create indices"),
    Action.WRITE: ActionDoc(
        ("create", "index"), "w", "add, replace and update documents", "delete documents; create indices"
    ),
    Action.DELETE: ActionDoc(("delete",), "d", "delete documents", "delete indices"),
    Action.MONITOR: ActionDoc(
        ("monitor", "view_index_metadata"), "m", "read statistics, mappings and settings", "read documents"
    ),
    Action.MANAGE: ActionDoc(
        ("manage",), "M", "create, configure and delete indices, with all documents in them", "read documents"
    ),
}
"""Every action, in the order in which it is shown."""

PRIVILEGE_LETTER: Final = "*"
"""Shown in the ACCESS column for raw ``privileges``."""

CLUSTER_ACTIONS: Final[dict[ClusterAction, str]] = {
    ClusterAction.MONITOR: "read the cluster's health and statistics",
    ClusterAction.READ_ILM: "read index lifecycle policies",
    ClusterAction.READ_PIPELINE: "read ingest pipelines",
    ClusterAction.MANAGE_ILM: "change index lifecycle policies (of every index)",
    ClusterAction.MANAGE_INDEX_TEMPLATES: "change index templates (of every index)",
    ClusterAction.MANAGE_INGEST_PIPELINES: "change ingest pipelines (of every index)",
}
"""Cluster privileges that may be declared, with what they allow. None can read documents or change security."""


def privileges_of(actions: tuple[Action, ...], raw: tuple[str, ...]) -> tuple[str, ...]:
    """Return the index privileges for declared actions and raw names, sorted and without duplicates.

    Elasticsearch refuses duplicate privileges in one entry (400).
    """
    names = set(raw)
    for action in actions:
        names.update(ACTIONS[action].privileges)
    return tuple(sorted(names))


def letters_of(actions: tuple[Action, ...], *, raw: bool) -> str:
    """Return the short form of the ACCESS column, such as ``rw``."""
    letters = "".join(doc.letter for action, doc in ACTIONS.items() if action in actions)
    return letters + (PRIVILEGE_LETTER if raw else "")
