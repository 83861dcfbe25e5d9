"""Which rights a login with delegated rights (``global.role.manage``) may put into roles.

Elasticsearch decides by the languages of index patterns and by the actions of privileges. The table of implied
privileges was read from Elasticsearch, privilege by privilege; a contract test verifies it. What is not known here is
left to Elasticsearch.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from searchaccess.api.vocabulary.privileges import INDEX_PRIVILEGES
from searchaccess.core.model.canonical import Entry
from searchaccess.core.model.grants.actions import CONFINED_WRITE, in_short
from searchaccess.core.patterns.marks import is_mark
from searchaccess.core.patterns.meeting import can_meet
from searchaccess.core.patterns.namesets import Names, outside
from searchaccess.core.patterns.parsed import PatternError
from searchaccess.core.patterns.restricted import RESTRICTED

AUTO_PUT: Final = "indices:admin/mapping/auto_put*"
"""The action by which a write adds fields. No privilege to write has it, as far as delegation is concerned."""
IMPLIED: Final[dict[str, frozenset[str]]] = {
    "create": frozenset({
        "create_doc", "indices:data/write/bulk*", "indices:data/write/index*", "indices:data/write/simulate/bulk*",
    }),
    "create_doc": frozenset({"indices:data/write/bulk*", "indices:data/write/simulate/bulk*"}),
    "delete": frozenset({"indices:data/write/bulk*"}),
    "index": frozenset({
        "create", "create_doc", "indices:data/write/bulk*", "indices:data/write/index*",
        "indices:data/write/simulate/bulk*", "indices:data/write/update*",
    }),
    "write": frozenset({
        "create", "create_doc", "delete", "index", "indices:data/write/bulk*", "indices:data/write/index*",
        "indices:data/write/simulate/bulk*", "indices:data/write/update*",
    }),
    "manage": frozenset({
        "auto_configure", "create_index", "delete_index", "indices:admin/mapping/auto_put", "maintenance",
        "manage_data_stream_lifecycle", "manage_failure_store", "manage_follow_index", "manage_ilm",
        "manage_leader_index", "monitor", "view_index_metadata",
    }),
    AUTO_PUT: frozenset({"indices:admin/mapping/auto_put"}),
}  # fmt: skip
"""By privilege, the other privileges that a login may also grant if this one is delegated to it."""
KNOWN: Final = frozenset({*INDEX_PRIVILEGES, *CONFINED_WRITE, AUTO_PUT})
STEPS: Final = 20_000
"""How many expressions are examined to find a name that was not delegated: some ten milliseconds, once."""
_KEPT: Final = 1 << 12


@dataclass(frozen=True, slots=True)
class Delegation:
    """One delegated entry: these privileges on these indices."""

    names: Names
    privileges: tuple[str, ...]


def implies(delegated: str, wanted: str) -> bool | None:
    """Return whether the delegation of one privilege allows granting another; None: only Elasticsearch knows."""
    if delegated in {wanted, "all"} or wanted == "none" or wanted in IMPLIED.get(delegated, ()):
        return True
    return False if {delegated, wanted} <= KNOWN else None


@lru_cache(_KEPT)
def is_open(pattern: str) -> bool:
    """Return whether delegating an index pattern delegates one of Elasticsearch's own indices as well.

    Access to these depends on a flag of the written role (``allow_restricted_indices``), which its writer can set.
    """
    return any(can_meet(pattern, each).yes for each in RESTRICTED)


def lacking(delegated: tuple[Delegation, ...], entries: Iterable[Entry]) -> str:
    """Return which rights cannot be granted, such as ``write on orders-*``; empty: none, as far as is known.

    Args:
        delegated: what was delegated to the login.
        entries: of a role.
    """
    return next(filter(None, (_lacking(delegated, entry) for entry in entries)), "")


@lru_cache(_KEPT)
def _lacking(delegated: tuple[Delegation, ...], entry: Entry) -> str:
    for name in entry.names:
        missing = [privilege for privilege in entry.privileges if _is_outside(delegated, privilege.lower(), name)]
        if missing:
            shown = "the names that keep restricted grants apart" if is_mark(name) else name
            return f"{in_short(missing)} on {shown}"
    return ""


@lru_cache(_KEPT)
def _is_outside(delegated: tuple[Delegation, ...], privilege: str, name: str) -> bool:
    """Return whether a privilege on a name certainly cannot be granted."""
    # To Elasticsearch a mark is a pattern like others.
    wanted = name[1:-1] if is_mark(name) else name
    names = tuple(
        pattern
        for each in delegated
        if any(implies(given.lower(), privilege) is not False for given in each.privileges)
        for pattern in each.names
        if can_meet(pattern, wanted).yes
    )
    try:
        return not names or outside(names, (wanted,), STEPS)
    except PatternError:
        return False
