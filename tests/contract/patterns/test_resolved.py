"""Which names a wildcard matches is what Elasticsearch resolves an index expression to.

Index expressions have other rules beside: a leading ``-`` excludes, ``<...>`` is date math, ``?`` is a character like
any other, and there are no regular expressions. These are left out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from random import Random
from typing import Final
from urllib.parse import quote

import httpx
import pytest

from searchaccess.core.patterns.containment import contained
from searchaccess.core.patterns.parsed import matches, parse_index_pattern
from searchaccess.core.policy.presence import matching
from tests.contract.patterns.test_patterns import is_accepted
from tests.stack.elasticsearch import ElasticsearchServer
from tests.support.indexpatterns.families import SIGNS, families

BEHIND: Final = "contract-resolved"
INDICES: Final = 20
NAMES: Final = 300
"""Indices and aliases of them: an expression matches both by name."""
PATTERNS: Final = 80
IN_ONE: Final = 8
"""Expressions of one request."""
PAIRS: Final = 10_000


@cache
def some_names() -> list[str]:
    """Return names as Elasticsearch accepts them; the same in each run."""
    random, found = Random(7), dict[str, None]()  # noqa: S311 - examples, no secrets
    while len(found) < NAMES:
        name = "".join(random.choice(SIGNS) for _ in range(random.randint(1, 7)))
        if not name.startswith("-") and set(name) != {"."} and not name.startswith((".ds-", ".fs-")):
            found[name] = None
    return list(found)


@cache
def some_patterns() -> list[str]:
    """Return wildcards that index expressions have too, of many families, and some names."""
    every = [text for family in families(800) for text in family]
    usable = dict.fromkeys(text for text in every if is_accepted(text) and not text.startswith("/") and "?" not in text)
    names = some_names()
    edited = [f"{name[:2]}*{name[-1]}" for name in names[:40] if not name.startswith("-")]
    return list(dict.fromkeys([*list(usable)[: PATTERNS - 50], *names[:10], *edited]))[:PATTERNS]


@pytest.fixture(scope="module")
def admin(elasticsearch_server: ElasticsearchServer) -> Iterator[httpx.Client]:
    names = some_names()
    indices = [f"{BEHIND}-{number}" for number in range(INDICES)]
    with elasticsearch_server.client() as client:
        body = {"settings": {"number_of_shards": 1, "number_of_replicas": 0}}
        for index in [*indices, *names[:INDICES]]:
            client.put(f"/{index}", json=body).raise_for_status()
        actions = [{"add": {"index": indices[at % INDICES], "alias": name}} for at, name in enumerate(names[INDICES:])]
        client.post("/_aliases", json={"actions": actions}).raise_for_status()
        yield client
        for index in [*indices, *names[:INDICES]]:
            client.delete(f"/{index}").raise_for_status()


def resolved(admin: httpx.Client, expressions: Sequence[str]) -> set[str]:
    """Return which of our names Elasticsearch finds for some expressions in one request."""
    path = quote(",".join(expressions), safe=",")
    answer = admin.get(f"/_resolve/index/{path}", params={"expand_wildcards": "all", "ignore_unavailable": "true"})
    if answer.status_code == httpx.codes.NOT_FOUND and len(expressions) == 1:
        return set()
    found = answer.raise_for_status().json()
    names = {item["name"] for kind in ("indices", "aliases", "data_streams") for item in found[kind]}
    return names.intersection(some_names())


def test_each_pattern_matches_what_an_index_expression_resolves_to(admin: httpx.Client) -> None:
    names, patterns = some_names(), some_patterns()
    wrong, seen = [], Counter[bool]()
    for pattern in patterns:
        theirs, parsed = resolved(admin, [pattern]), parse_index_pattern(pattern)
        ours = {name for name in names if matches(parsed, name)}
        assert set(matching(pattern, sorted(names))) == ours
        seen.update(name in ours for name in names)
        wrong += [(pattern, name) for name in ours ^ theirs]
        # A name and a pattern compare as a pattern does with another.
        wrong += [(pattern, name) for name in names if contained(name, (pattern,)).contained != (name in theirs)]
    assert wrong == []
    assert seen.total() >= PAIRS
    assert min(seen.values()) > 500


def test_several_expressions_resolve_to_all_that_each_matches(admin: httpx.Client) -> None:
    patterns, names = [text for text in some_patterns() if "*" in text], some_names()
    for at in range(0, len(patterns), IN_ONE):
        several = patterns[at : at + IN_ONE]
        parsed = [parse_index_pattern(text) for text in several]
        assert resolved(admin, several) == {name for name in names if any(matches(one, name) for one in parsed)}


def test_what_is_contained_resolves_to_no_more(admin: httpx.Client) -> None:
    patterns = [text for text in some_patterns() if "*" in text]
    found = {pattern: resolved(admin, [pattern]) for pattern in patterns}
    seen = Counter[bool]()
    for one in patterns:
        for other in patterns:
            verdict = contained(one, (other,))
            assert not verdict.undecided
            seen[verdict.contained] += 1
            if verdict.contained:
                assert found[one] <= found[other], (one, other)
    assert min(seen.values()) > len(patterns)
