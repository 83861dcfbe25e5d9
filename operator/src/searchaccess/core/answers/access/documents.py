"""Whether a document of a file matches a query, where that can be decided without Elasticsearch.

Texts are compared as keywords. What depends on how a field is analyzed, on scripts or on dates is not decided.
"""

from collections.abc import Callable, Iterator, Mapping
from operator import ge, gt, le, lt
from typing import Any, Final

_RANGE: Final[dict[str, Callable[[Any, Any], bool]]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
_NO_MATTER: Final = frozenset({"boost", "_name"})
_CASE: Final = "case_insensitive"
Verdict = bool | None
"""None: it cannot be decided."""


def matches(query: Any, document: Mapping[str, Any]) -> Verdict:  # noqa: PLR0911 - reads as a table
    """Return whether a document matches a query; None: it cannot be decided here.

    Args:
        query: of Elasticsearch, as JSON.
        document: its source.
    """
    if not isinstance(query, Mapping) or len(query) != 1:
        return None
    [(kind, inner)] = query.items()
    match kind:
        case "match_all":
            return True
        case "match_none":
            return False
        case "bool" if isinstance(inner, Mapping):
            return _bool(inner, document)
        case "constant_score" if isinstance(inner, Mapping):
            return matches(inner.get("filter"), document)
        case "exists" if isinstance(inner, Mapping) and isinstance(inner.get("field"), str):
            return _exists(inner["field"], document)
        case "term" | "terms" | "range" if isinstance(inner, Mapping):
            return _of_field(kind, {key: value for key, value in inner.items() if key not in _NO_MATTER}, document)
    return None


def any_of(found: Iterator[Verdict]) -> Verdict:
    """Return whether any of some is true; None: none is, and some cannot be decided."""
    known = list(found)
    return True if True in known else (None if None in known else False)


def all_of(found: Iterator[Verdict]) -> Verdict:
    """Return whether all of some are true; None: none is false, and some cannot be decided."""
    known = list(found)
    return False if False in known else (None if None in known else True)


def _opposite(found: Verdict) -> Verdict:
    return None if found is None else not found


def _bool(inner: Mapping[str, Any], document: Mapping[str, Any]) -> Verdict:
    if not inner.keys() <= {"must", "filter", "should", "must_not", "minimum_should_match", "adjust_pure_negative"} | (
        _NO_MATTER
    ):
        return None
    must = [matches(one, document) for kind in ("must", "filter") for one in _list(inner.get(kind))]
    must += [_opposite(matches(one, document)) for one in _list(inner.get("must_not"))]
    should = [matches(one, document) for one in _list(inner.get("should"))]
    least = inner.get("minimum_should_match", 1 if should and not _requires(inner) else 0)
    if isinstance(least, bool) or not isinstance(least, int) or least < 0:
        return None
    return all_of(iter([*must, _at_least(least, should)]))


def _requires(inner: Mapping[str, Any]) -> bool:
    return bool(_list(inner.get("must")) or _list(inner.get("filter")))


def _at_least(least: int, found: list[Verdict]) -> Verdict:
    if found.count(True) >= least:
        return True
    return None if found.count(True) + found.count(None) >= least else False


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value is not None else []


def _exists(field: str, document: Mapping[str, Any]) -> Verdict:
    found = list(_values(document, field))
    if any(value is not None for value in found):
        return True
    # What is not in the source may come from another field, a script or a default.
    return None if _may_be_made(field, document) else False


def _of_field(kind: str, inner: Mapping[str, Any], document: Mapping[str, Any]) -> Verdict:  # noqa: PLR0911 - reads as a table
    if len(inner) != 1:
        return None
    [(field, wanted)] = inner.items()
    values = [value for value in _values(document, field) if value is not None]
    if not values:
        return None if _may_be_made(field, document) else False
    if kind == "range":
        return any_of(_within(value, wanted) for value in values)
    if kind == "terms":
        if not isinstance(wanted, list):
            return None
        return any_of(_equal(value, one, fold=False) for value in values for one in wanted)
    more = wanted if isinstance(wanted, Mapping) else {"value": wanted}
    if not more.keys() <= {"value", _CASE} | _NO_MATTER:
        return None
    return any_of(_equal(value, more.get("value"), fold=more.get(_CASE) is True) for value in values)


def _equal(value: Any, wanted: Any, *, fold: bool) -> Verdict:
    if isinstance(value, Mapping) or isinstance(wanted, Mapping | list) or wanted is None:
        return None
    if isinstance(value, bool) or isinstance(wanted, bool):
        shown = [str(each).lower() if isinstance(each, bool) else each for each in (value, wanted)]
        return shown[0] == shown[1] if all(isinstance(each, str) for each in shown) else None
    if isinstance(value, str) and isinstance(wanted, str):
        return value.lower() == wanted.lower() if fold else value == wanted
    if _is_number(value) and _is_number(wanted):
        return bool(value == wanted)
    # A number as a text: that depends on the field's type.
    return None


def _within(value: Any, limits: Any) -> Verdict:
    if not isinstance(limits, Mapping) or not limits or not limits.keys() <= _RANGE.keys() | _NO_MATTER:
        return None
    found = [(compare, limits[key]) for key, compare in _RANGE.items() if key in limits]
    if not (_is_number(value) and all(_is_number(limit) for _, limit in found)):
        return None
    return all(compare(value, limit) for compare, limit in found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _values(value: Any, field: str) -> Iterator[Any]:
    """Yield what a document has in a field: objects may be nested or have dots in their names, and values be lists."""
    if isinstance(value, list):
        for one in value:
            yield from _values(one, field)
    elif not field:
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name == field:
                yield from _values(inner, "")
            elif field.startswith(f"{name}."):
                yield from _values(inner, field[len(name) + 1 :])


def _may_be_made(field: str, document: Mapping[str, Any]) -> bool:
    """Return whether a field may be one of the index alone: of its metadata, or a multi-field of one that is there."""
    if field.startswith("_"):
        return True
    parent = field.rpartition(".")[0]
    return bool(parent) and any(
        value is not None and not isinstance(value, Mapping) for value in _values(document, parent)
    )
