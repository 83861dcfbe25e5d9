"""What the names in an event stand for: the action, and the Cloud Run revision."""

import re
from typing import Final
from urllib.parse import unquote

from searchaccess.api.vocabulary.apigroups import ApiGroup
from searchaccess.core.gateway.apis import groups_of

READ, METADATA, WRITE, APPEND, DELETE, BULK, CREATE, MONITOR, MANAGE, CLUSTER, OTHER = (
    "read",
    "metadata",
    "write",
    "append",
    "delete",
    "bulk",
    "create",
    "monitor",
    "manage",
    "cluster",
    "other",
)
"""Kinds of actions. Most are named as the actions of grants that allow them; ``read`` and ``monitor`` also allow
``metadata``. ``bulk`` is a whole bulk request; what it writes into each index has events of its own. ``other`` is a
request to the gateway whose action its path does not tell."""

_PARTS: Final = "indices:data/read/*[*"
IGNORED_FOR_INDICES: Final = ("indices:data/write/bulk*", _PARTS)
"""Actions that an event filter may leave out without losing who used which index last: whole bulk requests and their
shards, as there is an event for each index and operation in them, and parts of reads."""
IGNORED_FOR_PRINCIPALS: Final = ("indices:data/write/bulk[*", "indices:data/write/index:op_type/*", _PARTS)
"""Actions that an event filter may leave out without losing when a principal was last there, and from which revision:
also which indices a bulk request adds documents to, and whether it may."""

# The longest that matches counts. What is not here needs `manage`.
_KINDS: Final = (
    ("indices:data/read/", READ),
    ("indices:data/write/delete", DELETE),
    ("indices:data/write/index:op_type/create", APPEND),
    ("indices:data/write/", WRITE),
    ("indices:admin/auto_create", CREATE),
    ("indices:admin/mapping/auto_put", CREATE),
    ("indices:admin/get", METADATA),
    ("indices:admin/aliases/get", METADATA),
    ("indices:admin/mappings/get", METADATA),
    ("indices:admin/mappings/fields/get", METADATA),
    ("indices:admin/resolve/", METADATA),
    ("indices:admin/data_stream/get", METADATA),
    ("indices:admin/validate/query", METADATA),
    ("indices:admin/types/exists", METADATA),
    ("indices:admin/exists", METADATA),
    ("indices:monitor/", MONITOR),
    ("indices:admin/", MANAGE),
    ("indices:", MANAGE),
)
_SEARCHING: Final = frozenset({ApiGroup.SEARCH, ApiGroup.STATEFUL, ApiGroup.SQL})
_ABOUT_METADATA: Final = frozenset({"", "_alias", "_aliases", "_mapping", "_mappings", "_setting", "_settings"})
_ABOUT_STATISTICS: Final = frozenset({"_field_usage_stats", "_recovery", "_segments", "_shard_stores", "_stats"})
_OF_THE_CLUSTER: Final = frozenset({"", "_cluster", "_health_report", "_license", "_nodes", "_tasks", "_xpack"})
"""Paths that need no rights on indices, unlike those with ``_cat``."""
_REVISION: Final = re.compile(r"([a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)/([a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:/.*)?")
_OUR_KEY: Final = re.compile(r"searchaccess\.[a-z0-9-]+\.([a-z0-9-]{1,63})/([a-z0-9.-]{1,253})\.(\d{1,9})")


def kind_of(action: str) -> str:
    """Return the kind of an action.

    Args:
        action: its name in Elasticsearch, such as ``indices:data/read/search``.

    Returns:
        One of the kinds above; empty: a part of another action, whose event stands for both, such as a phase of a
        search on one shard.
    """
    if action == "indices:data/write/bulk":
        return BULK
    if action.endswith("]"):
        return ""
    for begin, kind in _KINDS:
        if action.startswith(begin):
            return kind
    return CLUSTER


def revision_of(opaque: str) -> tuple[str, str]:
    """Return the Cloud Run workload and its revision or execution that a caller claims.

    Args:
        opaque: the header ``X-Opaque-Id``: ``SERVICE/REVISION``, as docs/callers.md sets it.

    Returns:
        Both names; empty ones: it has another form. It is a claim: the caller chooses the header.
    """
    found = _REVISION.fullmatch(opaque)
    if not found or not found[2].startswith(f"{found[1]}-"):
        return "", ""
    return found[1], found[2]


def access_of_key(name: str) -> tuple[str, str]:
    """Return the namespace and the name of the SearchAccess that a key's name has; empty ones: none of ours.

    Args:
        name: of an API key. Whoever may create keys chooses it, so it is a claim.
    """
    found = _OUR_KEY.fullmatch(name)
    return (found[1], found[2]) if found else ("", "")


def of_request(method: str, path: str) -> tuple[str, tuple[str, ...]]:
    """Return the kind and the indices of a request to the gateway.

    Args:
        method: of HTTP.
        path: without its query, as the caller sent it.

    Returns:
        The kind, and the names in the path; none: those are in the body, or the request has none.
    """
    groups = groups_of(path)
    first, _, rest = path.lstrip("/").partition("/")
    first = unquote(first)
    names = tuple(filter(None, first.split(","))) if first and not first.startswith("_") else ()
    reads = method in ("GET", "HEAD")
    if len(groups) > 1:
        groups = frozenset()
    if ApiGroup.DOCUMENTS in groups:
        return _of_document(method, path), names
    if groups & _SEARCHING:
        return READ, names
    if ApiGroup.BULK in groups:
        return BULK, names
    if ApiGroup.INDICES in groups and names:
        return (_of_index(rest) if reads else MANAGE), names
    if groups == {ApiGroup.CLUSTER} and reads and not names and first in _OF_THE_CLUSTER:
        return CLUSTER, names
    return OTHER, names


def _of_index(rest: str) -> str:
    """Return the kind of a request that reads about an index: some that change it may be sent with GET, too."""
    about = rest.partition("/")[0]
    if about in _ABOUT_METADATA:
        return METADATA
    return MONITOR if about in _ABOUT_STATISTICS else OTHER


def _of_document(method: str, path: str) -> str:
    if method in ("GET", "HEAD") or path.endswith("/_mget") or "/_termvectors" in path:
        return READ
    if method == "DELETE":
        return DELETE
    return APPEND if "/_create/" in path else WRITE
