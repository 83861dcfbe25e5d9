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
        ("manage",),
        "M",
        "create, configure and delete indices, with all documents in them; give them aliases",
        "read documents, except in an index that it made, by an alias that another grant lets it read",
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
    ClusterAction.MANAGE_INDEX_TEMPLATES: "change index templates (of every index): with `read` on any index also read "
    "documents of indices that are created later, by an alias that their template gives them",
    ClusterAction.MANAGE_INGEST_PIPELINES: "change ingest pipelines (of every index): with `read` on any index also "
    "read documents that others write through a pipeline, by copying or redirecting them",
}
"""Cluster privileges that may be declared, with what they allow. None can change security."""


def privileges_of(actions: tuple[Action, ...], raw: tuple[str, ...]) -> tuple[str, ...]:
    """Return the index privileges for declared actions and raw names, sorted and without duplicates.

    Elasticsearch refuses duplicate privileges in one entry (400).
    """
    names = set(raw)
    for action in actions:
        names.update(ACTIONS[action].privileges)
    return tuple(sorted(names))


WRITE_WITHOUT_MAPPING: Final = (
    "indices:admin/mapping/auto_put",
    "indices:data/write/bulk*",
    "indices:data/write/index*",
    "indices:data/write/simulate/bulk*",
    "indices:data/write/update*",
)
"""What `write` stands for beside `fields`: the actions of its privileges, without these privileges' names.

By their names Elasticsearch also accepts explicit changes of the mapping, with which a hidden field can be copied to a
visible one.
"""


def without_mapping_changes(actions: tuple[Action, ...], raw: tuple[str, ...]) -> tuple[str, ...]:
    """Return the privileges for actions and raw names as ``privileges_of``, but none by which `write` changes mappings.

    What is declared by `append` alone or as a raw name stays as it is: it has no such form.
    """
    if Action.WRITE not in actions:
        return privileges_of(actions, raw)
    # `write` includes all that `append` may do.
    others = tuple(action for action in actions if action not in {Action.WRITE, Action.APPEND})
    return tuple(sorted({*privileges_of(others, raw), *WRITE_WITHOUT_MAPPING}))


def letters_of(actions: tuple[Action, ...], *, raw: bool) -> str:
    """Return the short form of the ACCESS column, such as ``rw``."""
    letters = "".join(doc.letter for action, doc in ACTIONS.items() if action in actions)
    return letters + (PRIVILEGE_LETTER if raw else "")
