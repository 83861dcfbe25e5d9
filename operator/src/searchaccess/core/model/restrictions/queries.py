"""Finds queries that cannot be a ``where``, although Elasticsearch may accept them in a role.

Elasticsearch only parses a role's query when the role is written. A query that is refused here would match no document
or all of them, would fail every search of the caller, or cannot be reviewed.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from searchaccess.api.stores.credentials import Auth

TEMPLATE: Final = "template"

_FIELDS_WITHIN: Final = frozenset({
    "term", "terms", "terms_set", "match", "match_phrase", "match_phrase_prefix", "match_bool_prefix", "range",
    "prefix", "wildcard", "regexp", "fuzzy", "intervals", "span_term", "geo_bounding_box", "geo_distance", "geo_grid",
    "geo_polygon", "geo_shape", "shape", "weighted_tokens",
    # Decay functions, what a script is given, and a sparse vector.
    "gauss", "linear", "exp", "params", "query_vector",
})  # fmt: skip
"""Below these, keys are names of fields or other things, but not of queries."""

_REFUSED: Final = "Elasticsearch does not allow {name} in a role's query"
_REQUESTS: Final = (
    "{name}: Elasticsearch would have to make another request for it, which it refuses in a role's query, so every "
    "search would fail: {instead}"
)
_BY_NAME: Final[Mapping[str, str]] = {
    "wrapper": "wrapper hides a query, which nobody can review: write the query itself",
    **{name: _REFUSED.format(name=name) for name in ("percolate", "has_child", "has_parent")},
    **{
        name: _REQUESTS.format(name=name, instead="write a query on the documents' own fields")
        for name in ("semantic", "text_expansion", "query_vector_builder", "rule", "rule_query")
    },
}
_OUTSIDE: Final = "{{{{_user.…}}}} is filled in only within template: write {{template: {{source: {{…}}}}}}"
_STORED: Final = "others may change a stored script, and with it who can read what: write it here, as source"
_NO_FIELDS: Final = (
    "{name} without fields, or with a wildcard in them, matches nothing in a role's query if its text names no field, "
    "because Elasticsearch does not know the fields of an index there. Under must_not it would hide nothing: name the "
    "fields one by one"
)
_OTHERS_LOGIN: Final = (
    "template gets the name of the caller, which with auth: {auth} is a name that the operator generated: write the "
    "value itself, or use auth: IdentityToken"
)
_BOUNDS: Final = frozenset({"gt", "gte", "lt", "lte", "from", "to"})
_NOW: Final = re.compile(r"now(?:$|[-+/]|\|\|)")
"""The present time as a bound of a date range."""
_CLAUSES: Final = frozenset({"must", "filter", "should", "must_not"})
_ANY_EXISTS: Final = re.compile(r"_exists_\s*:\s*\S*\*")
"""In the text of a query_string: a wildcard that matches nothing, unlike that of the query ``exists``."""
_USER: Final = re.compile(r"\{\{[^}]*_user\b")


def query_problem(where: Mapping[str, Any], auth: Auth = Auth.IDENTITY_TOKEN) -> str:
    """Return why a query cannot be a ``where``; empty: nothing is known against it.

    Args:
        where: one query, within the bounds of ``where``.
        auth: how the caller logs in.
    """
    template = where.get(TEMPLATE)
    if template is None:
        return next((_OUTSIDE.format() for text in _texts(where) if _USER.search(text)), "") or _problem_within(where)
    if auth is not Auth.IDENTITY_TOKEN:
        return _OTHERS_LOGIN.format(auth=auth)
    source = template.get("source") if isinstance(template, Mapping) else template
    if isinstance(template, Mapping) and "id" in template:
        return f"template: {_STORED}"
    if isinstance(source, str):
        return _BY_NAME["wrapper"] if "wrapper" in source else ""
    return _problem_within(source) if isinstance(source, Mapping) else ""


def _problem_within(query: Mapping[str, Any]) -> str:
    if _has_null(query):
        return "null is not a value, and may widen the query: write a value, or remove it"
    return next((problem for name, body in _queries(query) if (problem := _problem_of(name, body))), "")


def _queries(query: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield everything in a query that may be a query, with its name."""
    todo: list[Any] = [query]
    while todo:
        here = todo.pop()
        if isinstance(here, list | tuple):
            todo.extend(here)
        elif isinstance(here, Mapping):
            for name, body in here.items():
                yield name, body
                if name not in _FIELDS_WITHIN:
                    todo.append(body)


def _texts(value: Any) -> Iterator[str]:
    todo = [value]
    while todo:
        here = todo.pop()
        if isinstance(here, str):
            yield here
        elif isinstance(here, Mapping):
            todo.extend((*here, *here.values()))
        elif isinstance(here, list | tuple):
            todo.extend(here)


def _has_null(value: Any) -> bool:
    todo = [value]
    while todo:
        here = todo.pop()
        if here is None:
            return True
        if isinstance(here, Mapping | list | tuple):
            todo.extend(here.values() if isinstance(here, Mapping) else here)
    return False


def _problem_of(name: str, body: Any) -> str:
    if name in _BY_NAME:
        return _BY_NAME[name]
    check = _CHECKS.get(name)
    return check(name, body) if check and isinstance(body, Mapping) else ""


_Body: TypeAlias = Mapping[str, Any]


def _terms(name: str, body: _Body) -> str:
    looks_up = any(isinstance(value, Mapping) for value in body.values())
    instead = "write the values themselves"
    return _REQUESTS.format(name=f"{name} with a lookup", instead=instead) if looks_up else ""


def _shape(name: str, body: _Body) -> str:
    indexed = any(isinstance(value, Mapping) and "indexed_shape" in value for value in body.values())
    return _REQUESTS.format(name=f"{name} with indexed_shape", instead="write the shape itself") if indexed else ""


def _sparse(name: str, body: _Body) -> str:
    return "" if "query_vector" in body else _REQUESTS.format(name=name, instead="write query_vector")


def _several_fields(name: str, body: _Body) -> str:
    given = body.get("fields", body.get("default_field"))
    fields = given if isinstance(given, list | tuple) else [given] if given else []
    text = body.get("query") if name == "query_string" else ""
    if not fields or any("*" in str(field) for field in fields):
        return _NO_FIELDS.format(name=name)
    return _NO_FIELDS.format(name=name) if isinstance(text, str) and _ANY_EXISTS.search(text) else ""


def _like(name: str, body: _Body) -> str:
    liked = [body.get("like"), body.get("unlike")]
    if any(isinstance(item, Mapping) for one in liked for item in (one if isinstance(one, list) else [one])):
        return _REQUESTS.format(name=f"{name} with documents", instead="write texts")
    return _several_fields(name, body)


def _bool(_: str, body: _Body) -> str:
    says_something = any(body.get(clause) not in ([], {}, None) for clause in _CLAUSES)
    return "" if says_something else "bool without a query in it matches every document: add a query"


def _range(name: str, body: _Body) -> str:
    open_ended = any(isinstance(value, Mapping) and not _BOUNDS & value.keys() for value in body.values())
    if open_ended:
        return f"{name} without a bound matches every document that has the field: add a bound"
    bounds = (bound for value in body.values() if isinstance(value, Mapping) for bound in value.values())
    dated = any(isinstance(bound, str) and _NOW.match(bound) for bound in bounds)
    text = f"{name} with now: Elasticsearch gives a role's query no current time, so every search would fail"
    return text if dated else ""


def _terms_set(_: str, body: _Body) -> str:
    scripts = (value.get("minimum_should_match_script") for value in body.values() if isinstance(value, Mapping))
    return next((problem for one in scripts if isinstance(one, Mapping) and (problem := _script("", one))), "")


def _script(_: str, body: _Body) -> str:
    return f"script: {_STORED}" if "id" in body else ""


_CHECKS: Final[Mapping[str, Callable[[str, _Body], str]]] = {
    "terms": _terms,
    "terms_set": _terms_set,
    "geo_shape": _shape,
    "shape": _shape,
    "sparse_vector": _sparse,
    "multi_match": _several_fields,
    "combined_fields": _several_fields,
    "query_string": _several_fields,
    "simple_query_string": _several_fields,
    "more_like_this": _like,
    "bool": _bool,
    "range": _range,
    "script": _script,
}
