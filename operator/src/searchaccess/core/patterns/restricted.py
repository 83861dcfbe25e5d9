"""Index patterns that name Elasticsearch's own indices, which no role reaches.

Elasticsearch denies access to restricted indices, such as ``.security``, for every role entry without
``allow_restricted_indices``, and ours never have it. It still accepts a role with ``.security*``.
"""

from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache, reduce
from typing import Final

from searchaccess.core.patterns.expressions import (
    ANY_STRING,
    EMPTY,
    Expression,
    char,
    complement,
    concat,
    derivative,
    intersection,
)
from searchaccess.core.patterns.marks import is_mark
from searchaccess.core.patterns.parsed import PatternError, find_name, parse_index_pattern

RESTRICTED: Final = (
    ".security", ".security-7*", ".security-tokens", ".security-tokens-7*", ".security-profile", ".security-profile-8*",
    ".tasks*", ".synonyms*", ".async-search*", ".kibana", ".kibana_*", ".reporting-*", ".apm-agent-configuration*",
    ".apm-custom-link*", ".ml-config*", ".ml-meta*", ".ml-inference*", ".transform-internal-*",
    ".data-frame-internal-*", ".enrich-*", ".watches*", ".triggered_watches*", ".logstash*", ".fleet-agents*",
    ".fleet-artifacts*", ".fleet-policies*", ".fleet-secrets*", ".fleet-servers*", ".fleet-actions*",
    ".geoip_databases*", ".snapshot-blob-cache*", ".inference*", ".secrets-inference*", ".connector-secrets*",
    ".search-app*", ".query-rules*",
)  # fmt: skip
"""Names of restricted indices of Elasticsearch's modules. Test servers confirm those of the security and core modules.
The others are listed as far as known, for hints only. A module that is not installed restricts nothing."""

_STEPS: Final = 2_000
_KNOWN: Final = 4_096
_HIDDEN: Final = concat((char("."), ANY_STRING))


@lru_cache(_KNOWN)
def restricted_name(pattern: str) -> str:
    """Return a restricted index that a pattern names; empty: none, or not known.

    Nobody expects a general pattern, such as ``*``, to include restricted indices. So a pattern counts only if all of
    its names begin with a dot.
    """
    if not pattern.startswith((".", "/")) or is_mark(pattern):
        return ""
    with suppress(PatternError):
        expression = parse_index_pattern(pattern).expression
        if pattern.startswith(".") or find_name(intersection((expression, complement(_HIDDEN))), _STEPS) is None:
            return next(filter(None, (_name_in(expression, each) for each in RESTRICTED)), "")
    return ""


def _name_in(expression: Expression, restricted: str) -> str:
    """Return a name of an expression that is this one, or begins so where it ends with a ``*``; empty: none."""
    begin = restricted.removesuffix("*")
    rest = reduce(derivative, map(ord, begin), expression)
    more = find_name(rest if restricted != begin else intersection((rest, EMPTY)), _STEPS)
    return "" if more is None else begin + more


def restricted_among(patterns: Iterable[str]) -> list[tuple[str, str]]:
    """Return those of some patterns that name restricted indices, each with one of them."""
    return [(pattern, name) for pattern in sorted(set(patterns)) if (name := restricted_name(pattern))]
