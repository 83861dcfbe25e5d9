"""Checks of a ``where`` that need no Elasticsearch: whether it is too large for it, or for our own readers."""

from collections.abc import Mapping
from typing import Any, Final

from searchaccess.api.stores.credentials import Auth
from searchaccess.core.model.canonical import canonical_query
from searchaccess.core.model.intake.bounds import NESTED, excess
from searchaccess.core.model.restrictions.queries import query_problem

QUERY_DEPTH: Final = 30
"""Nested queries that Elasticsearch accepts, with the innermost one (indices.query.bool.max_nested_depth)."""
OBJECT_DEPTH: Final = 2 * QUERY_DEPTH + 1
"""Nested objects: two for each query, one more in the innermost, as in {term: {region: {value: eu}}}."""
ALL_DEPTH: Final = 2 * OBJECT_DEPTH
"""Nested objects and lists."""
MOST_BYTES: Final = 32_766
"""Bytes of a query as compact JSON: Elasticsearch stores a role's query as one term, which Lucene limits."""
_SIZE_HINT: Final = f": Elasticsearch accepts at most {MOST_BYTES} bytes as JSON"
_LARGE: Final = ("more than", "texts of")
_DEPTH_HINT: Final = f" (objects; lists do not count): Elasticsearch accepts at most {QUERY_DEPTH} nested queries"


def where_problem(where: Mapping[str, Any] | None, auth: Auth = Auth.IDENTITY_TOKEN) -> str:
    """Return why a query cannot be a ``where``; empty: it can, as far as is checked here.

    Args:
        where: the query; None: there is none.
        auth: how the caller logs in.
    """
    if where is None:
        return ""
    # Every value takes at least one byte. Both walks stop at the limit.
    if found := excess(where, depth=OBJECT_DEPTH, nodes=MOST_BYTES, text=MOST_BYTES, lists=False):
        return found + (_DEPTH_HINT if found.startswith(NESTED) else _SIZE_HINT if found.startswith(_LARGE) else "")
    if found := excess(where, depth=ALL_DEPTH, nodes=MOST_BYTES, text=MOST_BYTES):
        return found
    size = len(canonical_query(where).encode())
    if size > MOST_BYTES:
        return f"{size} bytes as JSON{_SIZE_HINT}"
    return query_problem(where, auth)
