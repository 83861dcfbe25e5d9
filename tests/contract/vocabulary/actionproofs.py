"""What each action lets one do, and what not, as requests: tried on each release of Elasticsearch.

This is all that an action needs beside ``api/vocabulary/actions.py``; a test names those that have nothing here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from searchaccess.api.vocabulary.actions import Action


@dataclass(frozen=True, slots=True)
class Request:
    """One request. In its path INDEX is an index with the document 1, and NEW a name that does not exist yet."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows that an action is what its row says; what is refused is tried first, in order."""

    allows: tuple[Request, ...]
    refuses: tuple[Request, ...]
    beside: tuple[Action, ...] = field(default=())
    """Actions that it needs beside it to be of any use."""


_DOCUMENT: Final = {"total": 2}
_SEARCH: Final = Request("GET", "/INDEX/_search")
_GET: Final = Request("GET", "/INDEX/_doc/1")
_MAPPING: Final = Request("GET", "/INDEX/_mapping")
_SETTINGS: Final = Request("GET", "/INDEX/_settings")
_ADD: Final = Request("PUT", "/INDEX/_create/2", _DOCUMENT)
_REPLACE: Final = Request("PUT", "/INDEX/_doc/1", _DOCUMENT)
_UPDATE: Final = Request("POST", "/INDEX/_update/1", {"doc": _DOCUMENT})
_DELETE: Final = Request("DELETE", "/INDEX/_doc/1")
_CREATE: Final = Request("PUT", "/NEW")
_FIRST_WRITE: Final = Request("POST", "/NEW/_doc", _DOCUMENT)
_CONFIGURE: Final = Request("PUT", "/INDEX/_settings", {"index": {"number_of_replicas": 0}})
_DELETE_INDEX: Final = Request("DELETE", "/INDEX")

PROOFS: Final[Mapping[Action, Proof]] = {
    Action.READ: Proof(
        (_SEARCH, _GET, Request("GET", "/INDEX/_count"), _MAPPING, _SETTINGS),
        (_ADD, _REPLACE, _UPDATE, _DELETE, _CONFIGURE, _FIRST_WRITE, _DELETE_INDEX),
    ),
    Action.APPEND: Proof((_ADD,), (_REPLACE, _UPDATE, _DELETE, _FIRST_WRITE, _SEARCH, _CONFIGURE, _DELETE_INDEX)),
    Action.WRITE: Proof((_ADD, _REPLACE, _UPDATE), (_DELETE, _FIRST_WRITE, _SEARCH, _CONFIGURE, _DELETE_INDEX)),
    Action.CREATE: Proof(
        (_FIRST_WRITE,), (_CREATE, _CONFIGURE, _REPLACE, _DELETE, _SEARCH, _DELETE_INDEX), beside=(Action.APPEND,)
    ),
    Action.DELETE: Proof((_DELETE,), (_DELETE_INDEX, _SEARCH, _ADD, _REPLACE, _CONFIGURE)),
    Action.MONITOR: Proof(
        (Request("GET", "/INDEX/_stats"), _MAPPING, _SETTINGS), (_SEARCH, _GET, _ADD, _DELETE, _CONFIGURE)
    ),
    Action.MANAGE: Proof((_CREATE, _CONFIGURE, _DELETE_INDEX), (_SEARCH, _GET)),
}


def unproven(actions: Iterable[str], proofs: Mapping[Any, Proof] = PROOFS) -> list[str]:
    """Return what is missing here, for a person."""
    return [
        f"the action {action} has no requests in tests/contract/vocabulary/actionproofs.py that it allows and refuses"
        for action in actions
        if action not in proofs or not proofs[action].allows or not proofs[action].refuses
    ]
