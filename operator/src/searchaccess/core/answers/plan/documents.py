"""Whether a ``where`` shows only documents that another one shows, by the forms of both.

Queries are not evaluated. What their forms do not show counts as more: a plan rather says once too often that a change
widens.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

_KEPT: Final = 1 << 12
_DEPTH: Final = 40
"""Queries within each other that are compared: a valid one has fewer."""
_EVERYTHING: Final[dict[str, Any]] = {"match_all": {}}
_CONJUNCTIONS: Final = ("must", "filter")


@lru_cache(_KEPT)
def shows_all_of(wide: str, narrow: str) -> bool:
    """Return whether one query certainly matches each document that another one matches.

    Args:
        wide: a query as canonical JSON; empty: every document.
        narrow: the same.
    """
    if not wide or wide == narrow:
        return True
    one, other = _read(wide), _read(narrow)
    if one == _EVERYTHING:
        return True
    return one is not None and other is not None and _within(other, one, _DEPTH)


def _read(query: str) -> Any:
    if not query:
        return None
    try:
        return json.loads(query)
    except (ValueError, RecursionError):
        return None


def _within(narrow: Any, wide: Any, depth: int) -> bool:
    if narrow == wide:
        return True
    if depth <= 0:
        return False
    # A conjunction is within each of its conditions, and within those that all hold where its own do.
    if any(_within(each, wide, depth - 1) for each in _conditions(narrow)):
        return True
    wanted = _conjunction(wide)
    if wanted and all(_within(narrow, each, depth - 1) for each in wanted):
        return True
    if any(_within(narrow, each, depth - 1) for each in _alternatives(wide)):
        return True
    field, values = _values(narrow)
    others_field, others = _values(wide)
    return bool(field) and field == others_field and values is not None and others is not None and values <= others


def _bool(query: Any) -> Mapping[str, Any]:
    body = query.get("bool") if isinstance(query, Mapping) and len(query) == 1 else None
    return body if isinstance(body, Mapping) else {}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [] if value is None else [value]


def _conditions(query: Any) -> list[Any]:
    """Return queries that each document must match that this one matches."""
    body = _bool(query)
    return [each for clause in _CONJUNCTIONS for each in _listed(body.get(clause))]


def _conjunction(query: Any) -> list[Any]:
    """Return the queries that a conjunction consists of; none: it is something else."""
    body = _bool(query)
    return _conditions(query) if body and set(body) <= {*_CONJUNCTIONS} else []


def _alternatives(query: Any) -> list[Any]:
    """Return queries of which one is enough; none: it is something else."""
    body = _bool(query)
    return _listed(body.get("should")) if body and set(body) <= {"should"} else []


def _values(query: Any) -> tuple[str, frozenset[str] | None]:
    """Return the field of a ``term`` or ``terms`` query, and its values as JSON; None: it is something else."""
    if not isinstance(query, Mapping) or len(query) != 1:
        return "", None
    [(kind, body)] = query.items()
    if kind not in {"term", "terms"} or not isinstance(body, Mapping) or len(body) != 1:
        return "", None
    [(field, given)] = body.items()
    if kind == "term":
        if isinstance(given, Mapping):
            if set(given) != {"value"}:
                return "", None
            given = given["value"]
        items = [given]
    elif isinstance(given, list):
        items = given
    else:
        return "", None
    if any(isinstance(item, Mapping | list) for item in items):
        return "", None
    return str(field), frozenset(json.dumps(item) for item in items)
