"""Checks grants on remote clusters, which allow less than grants on the cluster's own indices.

Elasticsearch stores a role's entry for remote clusters without parsing its query: the remote cluster parses it at each
search. So only queries of a known form are accepted here. See docs/adr/0037.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from searchaccess.api.searchaccess import Grant
from searchaccess.api.vocabulary.remoteclusters import CLUSTER_PATTERN

REMOTELY: Final = ("read_cross_cluster",)
"""Privileges for reading on a remote cluster, in addition to those of `read`: a search can reach nodes of the remote
cluster through others, and ES|QL works."""

_ON_A_FIELD: Final = frozenset(
    {"term", "terms", "match", "match_phrase", "range", "prefix", "wildcard", "regexp", "fuzzy"}
)
_WITHOUT_FIELD: Final = {"exists": "field", "ids": "values"}
"""By query, its only key."""
_CLAUSES: Final = frozenset({"must", "filter", "should", "must_not"})
_ALL: Final = ", ".join(sorted({"bool", "match_all", *_ON_A_FIELD, *_WITHOUT_FIELD}))
_MISTAKEN: Final = "{} is not a known query, and no cluster checks it before a search: with remoteClusters write {}"
_MISSHAPEN: Final = "{} is not in its documented form, and no cluster checks it before a search: write it as documented"


def remote_clusters_problem(grant: Grant) -> str:
    """Return which of the names cannot be remote clusters; empty: all can."""
    for name in grant.remote_clusters or ():
        if not re.fullmatch(CLUSTER_PATTERN, name):
            return f"remoteClusters: {name!r} is neither the name of a remote cluster nor a prefix such as eu-*"
    return ""


def remote_where_problem(grant: Grant) -> str:
    """Return why the query of a grant cannot be one on remote clusters; empty: it can, or the grant is on none."""
    return _problem_of(grant.where) if grant.remote_clusters and grant.where else ""


def _problem_of(query: Any) -> str:
    todo = [query]
    while todo:
        here = todo.pop()
        if not isinstance(here, Mapping) or len(here) != 1:
            return _MISSHAPEN.format("a query")
        ((name, body),) = here.items()
        if name == "bool" and isinstance(body, Mapping):
            if unknown := sorted(body.keys() - _CLAUSES - {"minimum_should_match"}):
                return _MISSHAPEN.format(f"bool ({unknown[0]})")
            for clause in _CLAUSES & body.keys():
                todo.extend(body[clause] if isinstance(body[clause], list) else [body[clause]])
        elif problem := _problem_of_leaf(name, body):
            return problem
    return ""


def _problem_of_leaf(name: str, body: Any) -> str:
    if name not in {"bool", "match_all", *_ON_A_FIELD, *_WITHOUT_FIELD}:
        return _MISTAKEN.format(name, f"one of {_ALL}")
    if not isinstance(body, Mapping) or name == "bool":
        return _MISSHAPEN.format(name)
    if name in _WITHOUT_FIELD:
        return "" if set(body) == {_WITHOUT_FIELD[name]} else _MISSHAPEN.format(name)
    if name in _ON_A_FIELD:
        wrong_values = name == "terms" and not all(isinstance(value, list) for value in body.values())
        wrong_range = name == "range" and not all(isinstance(value, Mapping) for value in body.values())
        return _MISSHAPEN.format(name) if len(body) != 1 or wrong_values or wrong_range else ""
    return "" if not body else _MISSHAPEN.format(name)
