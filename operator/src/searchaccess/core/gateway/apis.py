"""Which requests belong to which part of Elasticsearch's API, as regular expressions for the gateway.

``PATHS`` has the shape ``Mapping[ApiGroup, tuple[str, ...]]``: RE2 expressions, which Python reads alike. Each must
match the **whole raw path** (RE2's FullMatch, as Envoy's ``safe_regex`` does): as the caller sent it, percent-encoding
included, without the query. ``CLUSTER`` has no expressions: it is the rest. So each path is in a group, and in one
alone, but for the ambiguous ones below, which need all their groups.

A renderer needs nothing but ``rule_of``, which says what a caller with some of the groups may send:

    rule = rule_of(limits.groups)     # groups are None: there is no rule
    allowed = any(fullmatch(expression, path) for expression in rule.allow)
        and not any(fullmatch(expression, path) for expression in rule.deny)
        and not any(fullmatch(expression, path_with_query) for expression in rule.deny_targets)

Callers with the same groups have the same rule: render it once for all of them. No expression exceeds Envoy's default
limit for the size of an RE2 program (100). The method plays no part: it changes what an API does, not which API it is.

How Elasticsearch reads a path (its classes ``PathTrie`` and ``RestController``), and what follows:

- It splits the raw path at ``/`` and drops empty parts at the end: ``/i/_search//`` is ``/i/_search``.
- It percent-decodes names after that, and fixed parts not at all: ``/i/%5Fsearch`` is no search.
- The name of an index does not start with ``_``, except ``_all``.
- With ``compatible-with=7`` in ``Accept`` and ``Content-Type``, 8.x also accepts a type after the index, and prefers
  this reading: ``/i/_doc/_search`` is then a search, and otherwise the document ``_search``. So it needs both groups.
- Paths with an empty part in between (``//``), or with anything but printable ASCII, are refused to callers whose
  groups are limited.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from searchaccess.api.vocabulary.apigroups import ApiGroup

_PART = "[!-.0-~]+"
"""A part of a path: printable ASCII without ``/``."""
_NAME = "(?:[!-.0-^`-~][!-.0-~]*|_all)"
"""Names of indices, aliases or templates: none of Elasticsearch's own words, which start with ``_``."""
_TYPE = "[!-.0-^`-~][!-.0-~]*"
"""The type of a document, from the time when an index had several, other than ``_doc``."""
_BELOW = f"(?:/{_PART})*"
_MOST_WORDS = 48
"""Characters of words in one expression, so that its program stays small."""


def _at(place: str, *words: str) -> Iterator[str]:
    """Expressions of paths that consist of a place and one of some words."""
    chunk: list[str] = []
    for word in words:
        if sum(map(len, chunk)) + len(word) > _MOST_WORDS:
            yield f"{place}/(?:{'|'.join(chunk)})/*"
            chunk = []
        chunk.append(word)
    yield f"{place}/(?:{'|'.join(chunk)})/*"


def _above(words: tuple[str, ...], rest: str, place: str = "") -> Iterator[str]:
    """Expressions of paths that consist of a place, one of some words, and a rest."""
    return (path.removesuffix("/*") + rest + "/*" for path in _at(place, *words))


_INDEX = f"/{_NAME}"
_MAYBE_INDEX = f"(?:{_INDEX})?"
_MAYBE_TYPE = f"(?:{_INDEX}(?:/{_PART})?)?"
"""No index, an index, or an index and a type."""
_DOCUMENT = f"{_INDEX}/{_PART}/{_PART}"
"""An index, a type and an id."""

PATHS: Mapping[ApiGroup, tuple[str, ...]] = MappingProxyType(
    {
        ApiGroup.DOCUMENTS: (
            *_at(_MAYBE_TYPE, "_mget", "_mtermvectors", "_termvectors"),
            *_at(_DOCUMENT, "_create", "_update", "_source", "_termvectors"),
            *_at(_INDEX, "_doc"),
            *_above(("_doc", "_create", "_update", "_source", "_termvectors"), f"/{_PART}", _INDEX),
            f"{_INDEX}/{_TYPE}(?:/{_TYPE})?/*",
        ),
        ApiGroup.SEARCH: (
            *_at(_MAYBE_TYPE, "_search", "_msearch", "_count", "_validate/query", "_rollup_search", "_graph/explore"),
            *_at(_DOCUMENT, "_explain"),
            *_at(_MAYBE_INDEX, "_search_shards", "_field_caps", "_terms_enum", "_rank_eval", "_knn_search"),
            *_at(_MAYBE_INDEX, "_fleet/_fleet_search", "_fleet/_fleet_msearch"),
            *_above(("_explain",), f"/{_PART}", _INDEX),
            *_above(("_mvt",), f"/{_PART}/{_PART}/{_PART}/{_PART}", _INDEX),
        ),
        ApiGroup.BULK: (
            *_at(_MAYBE_TYPE, "_bulk", "_delete_by_query", "_update_by_query"),
            *_at("", "_reindex", "_arrow/_bulk"),
            *_above(("_reindex", "_delete_by_query", "_update_by_query"), f"/{_PART}/_rethrottle"),
        ),
        ApiGroup.STATEFUL: (
            *_at(_MAYBE_INDEX, "_pit", "_async_search"),
            *_above(("_search/scroll",), f"(?:/{_PART})?"),
            *_above(("_async_search",), f"(?:/status)?/{_PART}"),
        ),
        ApiGroup.SQL: (
            *_above(("_sql", "_esql", "_query", "_eql"), _BELOW),
            *_at(_INDEX, "_eql/search"),
        ),
        ApiGroup.SCRIPTS: (
            *_at(_MAYBE_TYPE, "_search/template", "_msearch/template"),
            *_above(("_scripts", "_script_context", "_script_language", "_render"), _BELOW),
        ),
        ApiGroup.INDICES: (
            *_at(_MAYBE_TYPE, "_mapping", "_mappings"),
            f"{_INDEX}/*",
            *_at(
                _MAYBE_INDEX,
                *("_alias", "_aliases", "_analyze", "_cache/clear", "_close", "_disk_usage", "_field_usage_stats"),
                *("_flush", "_flush/synced", "_forcemerge", "_freeze", "_open", "_recovery", "_refresh"),
                *("_reload_search_analyzers", "_rollover", "_segments", "_setting", "_settings", "_shard_stores"),
                *("_stats", "_unfreeze", "_upgrade"),
            ),
            *_above(("_alias", "_aliases", "_rollover", "_setting", "_settings", "_stats"), f"/{_NAME}", _MAYBE_INDEX),
            *_above(("_mapping", "_mappings"), f"/(?:_doc|{_NAME})", _MAYBE_INDEX),
            *_above(("_mapping/field", "_mappings/field"), f"/{_NAME}", _MAYBE_INDEX),
            *_above(("_block", "_clone", "_downsample", "_shrink", "_split"), f"/{_NAME}", _INDEX),
            *_above(("_ccr", "_fleet", "_ilm", "_lifecycle", "_migration", "_rollup"), f"/{_TYPE}", _INDEX),
            *_above(("_searchable_snapshots",), f"/{_TYPE}(?:/{_TYPE})?", _INDEX),
            *_above(("_component_template", "_data_stream", "_index_template", "_template"), _BELOW),
            *_above(("_create_from", "_resolve"), _BELOW),
        ),
        ApiGroup.CLUSTER: (),
    }
)
"""The expressions of each group. ``CLUSTER`` is what none of them match."""

_SPELLING = f"{_BELOW}/*"
"""Paths as clients send them: printable ASCII, with empty parts at the end alone."""


def _encoded(name: str) -> str:
    """A parameter's name, each letter of which may be percent-encoded."""
    return "".join(f"(?:{letter}|%(?i:{ord(letter):02x}))" for letter in name)


SCROLLS = f"[!-~]*/_search(?:/template)?/*[?](?:[!-~]*[&;])?{_encoded('scroll')}(?:[=&;][!-~]*)?"
"""Paths with a query that opens a scroll, which needs ``STATEFUL`` besides the path's own group. Elasticsearch
separates parameters by ``&`` and ``;``, and decodes their names after that."""


@dataclass(frozen=True, slots=True)
class PathRule:
    """What a caller may send. Each expression matches the whole of a text."""

    allow: tuple[str, ...]
    """Of paths without query, of which one must match. Empty: every request is refused."""
    deny: tuple[str, ...]
    """Of paths without query, of which none may match."""
    deny_targets: tuple[str, ...]
    """Of paths with their query, of which none may match."""


def rule_of(groups: frozenset[ApiGroup]) -> PathRule:
    """Say what a caller may send that may use these groups alone. They may be none."""
    allow = (_SPELLING,) if ApiGroup.CLUSTER in groups else _all_paths(group for group in ApiGroup if group in groups)
    deny = _all_paths(group for group in ApiGroup if group not in groups)
    return PathRule(allow, deny, () if ApiGroup.STATEFUL in groups else (SCROLLS,))


def _all_paths(groups: Iterable[ApiGroup]) -> tuple[str, ...]:
    return tuple(path for group in groups for path in PATHS[group])


def groups_of(path: str) -> frozenset[ApiGroup]:
    """List the groups that a request needs. The gateway matches the expressions itself; this is for explanations.

    Args:
        path: as sent, without the query.
    """
    found = frozenset(
        group for group, paths in _COMPILED.items() if any(expression.fullmatch(path) for expression in paths)
    )
    return found or frozenset({ApiGroup.CLUSTER})


_COMPILED = {group: tuple(re.compile(path) for path in paths) for group, paths in PATHS.items()}
