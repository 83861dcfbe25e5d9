"""Which privileges come to a caller by others.

What is not known here counts as not implied: a plan rather says once too often that a change widens.
"""

from typing import Final

from searchaccess.core.model.canonical import Entry
from searchaccess.core.model.restrictions.union import reads
from searchaccess.core.patterns.containment import contained
from searchaccess.core.policy import delegation

_AUTO_PUT: Final = "indices:admin/mapping/auto_put"
"""A write adds new fields by it."""
_WRITES_ADD_FIELDS: Final = frozenset({"create", "create_doc", "index"})
"""Elasticsearch lets these privileges add fields at a write although none of their actions says so."""
_ON_INDICES: Final[dict[str, frozenset[str]]] = {
    "auto_configure": frozenset({_AUTO_PUT}),
    "manage": frozenset({_AUTO_PUT}),
    "write": frozenset({_AUTO_PUT}),
    **{name: frozenset({_AUTO_PUT}) for name in _WRITES_ADD_FIELDS},
}
"""Beside those in `searchaccess.core.policy.delegation`. A contract test compares both with Elasticsearch."""
ON_CLUSTER: Final[dict[str, frozenset[str]]] = {
    "monitor": frozenset({
        "monitor_esql", "monitor_inference", "monitor_ml", "monitor_rollup", "monitor_stats", "monitor_text_structure",
        "monitor_transform", "monitor_watcher",
    }),
    "manage_ilm": frozenset({"read_ilm"}),
    "manage_ingest_pipelines": frozenset({"read_pipeline"}),
}  # fmt: skip
"""By cluster privilege that may be declared, those of the others that it includes."""
_ACTION: Final = "indices:"


def implies(given: str, wanted: str) -> bool:
    """Return whether whoever has an index privilege also has another one.

    Args:
        given: a privilege by its name, or an action or pattern of actions.
        wanted: the same.
    """
    given, wanted = given.lower(), wanted.lower()
    if delegation.implies(given, wanted) or wanted in _ON_INDICES.get(given, ()):
        return True
    are_actions = given.startswith(_ACTION) and wanted.startswith(_ACTION)
    # To Elasticsearch an action is a prefix: indices:data/read/search is also indices:data/read/search[phase].
    return are_actions and contained(f"{wanted}*", (f"{given}*",)).contained


def implies_on_cluster(given: str, wanted: str) -> bool:
    """Return whether whoever has a cluster privilege also has another one."""
    return given in {wanted, "all"} or wanted in ON_CLUSTER.get(given, ())


def shows(privilege: str) -> bool:
    """Return whether an index privilege shows documents, so that it matters which of them, and which fields."""
    return reads(Entry((), (privilege,)))
