"""Whether a query may match every document whatever is in it: then it limits nothing that may be read.

The form of the query decides. Scripts and templates that are texts cannot be read, and count as broad. Whether a
condition on a field holds for all documents that exist depends on them, and is not asked.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

_DEPTH: Final = 200
"""Queries within each other: a valid one has fewer."""
_OWN: Final = frozenset({"_id", "_routing", "_ignored"})
"""Metadata in which documents of one index differ."""
_OPAQUE: Final = frozenset({"script", "wrapper", "knn"})
_INNER: Final[Mapping[str, str]] = {
    "constant_score": "filter",
    "function_score": "query",
    "script_score": "query",
    "boosting": "positive",
    "nested": "query",
    "template": "source",
    "pinned": "organic",
}
"""Queries that match what another one within them matches, and where that is."""
_TEXTS: Final = frozenset({"match", "match_phrase", "match_phrase_prefix", "match_bool_prefix"})
_LANGUAGES: Final = frozenset({"query_string", "simple_query_string"})
_STAR: Final = re.compile(r"(?:^|[\s(:+|])\*(?:$|[\s)|:^~])")
_METADATA: Final = re.compile(r"\b_(?!exists_:(?!_)|id:|routing:|ignored:)\w+:")


class _Extent(NamedTuple):
    """What a query may match, as far as its form says."""

    all: bool
    """Every document."""
    none: bool
    """No document."""


_EVERYTHING: Final = _Extent(all=True, none=False)
_NOTHING: Final = _Extent(all=False, none=True)
_SOME: Final = _Extent(all=False, none=False)
_UNKNOWN: Final = _Extent(all=True, none=True)


def may_match_all(where: Mapping[str, Any]) -> bool:
    """Return whether a query may match every document, by its form alone."""
    return _extent(where, _DEPTH).all


def _extent(query: Any, depth: int) -> _Extent:
    if not isinstance(query, Mapping) or len(query) != 1 or depth <= 0:
        return _UNKNOWN
    [(name, body)] = query.items()
    if name in {"match_all", "match_none"}:
        return _EVERYTHING if name == "match_all" else _NOTHING
    if name in _OPAQUE or not isinstance(body, Mapping):
        return _UNKNOWN
    if name in _INNER:
        return _extent(body.get(_INNER[name], {"match_all": {}}), depth - 1)
    of_compound = _COMPOUND.get(name)
    return of_compound(body, depth - 1) if of_compound else _of_leaf(name, body)


def _of_dis_max(body: Mapping[str, Any], depth: int) -> _Extent:
    found = [_extent(each, depth) for each in _listed(body.get("queries"))]
    return _Extent(any(one.all for one in found), all(one.none for one in found))


def _of_leaf(name: str, body: Mapping[str, Any]) -> _Extent:
    if name == "exists":
        field = str(body.get("field", ""))
        metadata = field.startswith("_") and field not in _OWN - {"_id"}
        return _EVERYTHING if metadata or field == "*" else _SOME
    if name in _LANGUAGES:
        text = str(body.get("query", ""))
        return _UNKNOWN if _is_everything(text) else _of_text(text)
    if name in {"multi_match", "combined_fields"}:
        return _of_words(body)
    return _of_field(name, body)


def _of_field(name: str, body: Mapping[str, Any]) -> _Extent:
    if any(field.startswith("_") and field not in {"_name", *_OWN} for field in body):
        # Of the index, not of the document.
        return _UNKNOWN
    if name in _TEXTS:
        return next((_of_words(text) for text in body.values()), _UNKNOWN)
    if name == "terms_set" and "script" in str(body):
        return _UNKNOWN
    return _NOTHING if name in {"terms", "ids"} and [] in body.values() else _SOME


def _of_words(body: Any) -> _Extent:
    given = body if isinstance(body, Mapping) else {"query": body}
    if str(given.get("zero_terms_query", "")).lower() == "all":
        return _EVERYTHING
    return _of_text(str(given.get("query", "")))


def _of_text(text: str) -> _Extent:
    return _SOME if text.strip() else _NOTHING


def _is_everything(text: str) -> bool:
    """Return whether a text of the query language has a word that every document matches, or names metadata."""
    return bool(_STAR.search(text) or _METADATA.search(text) or "/" in text)


def _of_bool(body: Mapping[str, Any], depth: int) -> _Extent:
    must = [_extent(each, depth) for clause in ("must", "filter") for each in _listed(body.get(clause))]
    must_not = [_extent(each, depth) for each in _listed(body.get("must_not"))]
    should = [_extent(each, depth) for each in _listed(body.get("should"))]
    # Where nothing else must match, one of them must, whatever is asked for.
    least = 0 if must or not should else 1
    low, high = (max(least, number) for number in _least(body.get("minimum_should_match"), len(should), least))
    return _Extent(
        all=all(one.all for one in must)
        and all(one.none for one in must_not)
        and sum(one.all for one in should) >= low,
        none=any(one.none for one in must)
        or any(one.all for one in must_not)
        or sum(not one.none for one in should) < high,
    )


def _least(given: Any, number: int, default: int) -> tuple[int, int]:
    """Return how many of so many queries must match, at least and at most: other forms than numbers are not read.

    https://www.elastic.co/docs/reference/query-languages/query-dsl/query-dsl-minimum-should-match
    """
    if given is None:
        return default, default
    found = re.fullmatch(r"\s*(-?)(\d{1,9})(%?)\s*", str(given))
    if found is None:
        return 0, number + 1
    least = int(found[2]) * number // 100 if found[3] else int(found[2])
    least = max(0, number - least) if found[1] else least
    return least, least


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


_COMPOUND: Final[Mapping[str, Callable[[Mapping[str, Any], int], _Extent]]] = {
    "bool": _of_bool,
    "dis_max": _of_dis_max,
}
