"""What a caller with several reading grants sees is what each of them allows by itself, on a real Elasticsearch.

Otherwise they are refused (docs/adr/0029).
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from searchaccess.core.model.access import Share
from searchaccess.core.model.canonical import Entry
from searchaccess.core.model.restrictions.union import reads
from searchaccess.core.patterns.meeting import can_meet
from tests.stack.elasticsearch import ElasticsearchServer
from tests.support.indexpatterns.patterns import expressions, names, text_of, wildcards
from tests.unit.builders import a_grant, an_access

NAME = "contract-widening"
MOST = 3
"""Grants in one example."""
INDICES = ["widening-a1", "widening-a2", "widening-b1"]
DOCUMENTS: list[dict[str, Any]] = [
    {"region": "eu", "tier": "gold", "customer": {"name": "ada", "ssn": "s-1"}},
    {"region": "eu", "tier": "iron", "customer": {"name": "bob", "ssn": "s-2"}},
    {"region": "us", "tier": "gold", "customer": {"name": "cyd", "ssn": "s-3"}},
    {"region": "us", "tier": "iron", "customer": {"name": "dot", "ssn": "s-4"}},
]
KEYWORD = {"type": "keyword"}
MAPPING = {"region": KEYWORD, "tier": KEYWORD, "customer": {"properties": {"name": KEYWORD, "ssn": KEYWORD}}}

EU: dict[str, Any] = {"where": {"term": {"region": "eu"}}}
REGION: dict[str, Any] = {"fields": {"include": ["region"]}}

Cell = tuple[str, str, str, str]
"""Index, id, field and value; without a field: the document itself."""


def cells_of(index: str, key: str, value: Any, path: str = "") -> Iterator[Cell]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from cells_of(index, key, inner, f"{path}.{name}" if path else name)
    else:
        yield index, key, path, str(value)


class Callers:
    """Users with one role each: of one grant, or of all of an example."""

    def __init__(self, admin: httpx.Client) -> None:
        self._admin = admin
        self._names = [f"{NAME}-{number}" for number in range(MOST + 2)]
        self.write([()] * (MOST + 1))
        for name in self._names:
            user = {"password": "long enough", "roles": [name]}
            admin.put(f"/_security/user/{name}", json=user).raise_for_status()
        for index in INDICES:
            admin.put(f"/{index}", json={"mappings": {"properties": MAPPING}}).raise_for_status()
            for key, document in enumerate(DOCUMENTS):
                admin.put(f"/{index}/_doc/{key}", json=document).raise_for_status()
        admin.post("/widening-*/_refresh").raise_for_status()

    def write(self, several: Sequence[Sequence[Entry]]) -> None:
        """Give each caller the role with these entries."""
        roles = {name: Share(tuple(each)).body.to_json() for name, each in zip(self._names, several, strict=False)}
        answer = self._admin.post("/_security/role", json={"roles": roles})
        answer.raise_for_status()
        assert "errors" not in answer.json(), answer.text

    def ask(self, number: int, method: str, path: str, *body: dict[str, Any]) -> httpx.Response:
        """Ask as one of the callers; several bodies are lines of one."""
        headers = {"es-security-runas-user": self._names[number], "content-type": "application/x-ndjson"}
        lines = "\n".join(map(json.dumps, body)) + "\n"
        return self._admin.request(method, path, content=lines, headers=headers)

    def sees(self, number: int, target: str = "widening-*") -> set[Cell]:
        """Return all that a caller sees, in sources, in fields and in aggregations."""
        fields = ["region", "tier", "customer.name", "customer.ssn"]
        values = {name: {"terms": {"field": name, "size": 100}} for name in fields}
        question = {"size": 100, "fields": fields, "aggs": values}
        answer = self.ask(number, "POST", f"/{target}/_search", question)
        assert answer.is_success, answer.text
        found: set[Cell] = set()
        for hit in answer.json()["hits"]["hits"]:
            place = hit["_index"], hit["_id"]
            found |= {(*place, "", ""), *cells_of(*place, hit.get("_source", {}))}
            found |= {(*place, name, str(value)) for name, some in hit.get("fields", {}).items() for value in some}
        counted = {
            (name, bucket["key"])
            for name, result in answer.json().get("aggregations", {}).items()
            for bucket in result["buckets"]
        }
        assert counted == {(name, value) for _, _, name, value in found if name}
        return found

    def remove(self) -> None:
        """Remove all that was made."""
        for name in self._names:
            self._admin.delete(f"/_security/user/{name}").raise_for_status()
            self._admin.delete(f"/_security/role/{name}").raise_for_status()
        for index in INDICES:
            self._admin.delete(f"/{index}").raise_for_status()


@pytest.fixture(scope="module")
def callers(elasticsearch_server: ElasticsearchServer) -> Iterator[Callers]:
    with elasticsearch_server.client() as admin:
        made = Callers(admin)
        yield made
        made.remove()


patterns = st.sampled_from(
    ["widening-*", "widening-a*", "widening-a1", "widening-b?", "*1", "/widening-[a-b]2/", "/widening-~(a.*)/"]
)
wheres = st.sampled_from([{}, {}, EU, {"where": {"term": {"region": "us"}}}, {"where": {"term": {"tier": "gold"}}}])
fields = st.sampled_from(
    [
        {},
        {},
        REGION,
        {"fields": {"include": ["region", "customer.*"]}},
        {"fields": {"exclude": ["customer.ssn"]}},
        {"fields": {"include": ["customer.*"], "exclude": ["customer.ssn"]}},
    ]
)
grants = st.builds(
    lambda several, can, where, some: a_grant(*several, can=can, **where, **some),
    st.lists(patterns, min_size=1, max_size=2, unique=True),
    st.sampled_from([("read",), ("read",), ("read", "delete")]),
    wheres,
    fields,
)


def seen_alone_and_together(callers: Callers, entries: Sequence[Entry]) -> tuple[set[Cell], set[Cell]]:
    callers.write([entries, *([each] for each in entries)])
    return set().union(*(callers.sees(number) for number in range(1, len(entries) + 1))), callers.sees(0)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(grants, min_size=2, max_size=MOST).filter(lambda each: not an_access(grants=each).widens))
def test_whoever_has_several_grants_sees_exactly_what_each_allows(
    callers: Callers, several: list[dict[str, Any]]
) -> None:
    alone, together = seen_alone_and_together(callers, an_access(grants=several).share.entries)
    assert together == alone


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(grants, min_size=2, max_size=2).filter(lambda each: bool(an_access(grants=each).widens)))
def test_what_is_refused_would_show_at_least_what_each_allows(callers: Callers, several: list[dict[str, Any]]) -> None:
    access = an_access(grants=several)
    alone, together = seen_alone_and_together(callers, access.share.entries)
    # Whether two patterns meet is decided for all names that an index may have, not for those of today.
    assert alone <= together


def test_two_grants_that_are_refused_would_show_what_neither_allows(callers: Callers) -> None:
    access = an_access(grants=[a_grant("widening-*", **EU), a_grant("widening-a1", **REGION)])
    assert "spec.grants[1] (widening-a1) and spec.grants[0] (widening-*)" in access.widens
    alone, together = seen_alone_and_together(callers, access.share.entries)
    assert ("widening-a1", "2", "customer.ssn", "s-3") in together - alone


# Names beside the index's own


def test_an_alias_joins_grants_whose_patterns_do_not_meet_when_a_request_names_both(
    elasticsearch_server: ElasticsearchServer, callers: Callers
) -> None:
    """What no pattern shows: documented in docs/adr/0029 and SECURITY.md. When it changes, so do these."""
    access = an_access(grants=[a_grant("widening-a1", **EU), a_grant("other-name", **REGION)])
    assert not access.widens
    with elasticsearch_server.client() as admin:
        admin.put("/widening-a1/_alias/other-name").raise_for_status()
        callers.write([access.share.entries])
        by_name, by_alias = callers.sees(0, "widening-a1"), callers.sees(0, "other-name")
        both, all_of_them = callers.sees(0, "widening-a1,other-name"), callers.sees(0, "*")
        admin.delete("/widening-a1/_alias/other-name").raise_for_status()
    assert {key for _, key, _, _ in by_name} == {"0", "1"}
    assert {field for _, _, field, _ in by_alias} == {"", "region"}
    assert both == all_of_them
    assert ("widening-a1", "2", "customer.ssn", "s-3") in both - by_name - by_alias


# Which privileges read

READING = [
    "indices:data/read/search", "indices:data/read/get", "indices:data/read/mget[shard]", "indices:data/read/msearch",
    "indices:data/read/scroll", "indices:data/read/async_search/submit", "indices:data/read/esql",
    "indices:data/read/sql", "indices:data/read/eql", "indices:data/read/tv", "indices:data/read/explain",
    "indices:data/read/open_point_in_time", "indices:data/read/xpack/termsenum/list",
    "indices:data/read/xpack/ccr/shard_changes", "indices:data/read/search[phase/query]",
    "internal:transport/proxy/indices:data/read/search", "indices:data/write/update",
]  # fmt: skip


def test_each_privilege_of_elasticsearch_that_reads_documents_is_known_to(
    elasticsearch_server: ElasticsearchServer, callers: Callers
) -> None:
    with elasticsearch_server.client() as admin:
        known = admin.get("/_security/privilege/_builtin").json()["index"]
    places = {name: f"p-{number}" for number, name in enumerate(sorted(known))}
    callers.write([[Entry((place,), (name,)) for name, place in places.items()]])
    question = {"index": [{"names": list(places.values()), "privileges": READING}]}
    answer = callers.ask(0, "POST", "/_security/user/_has_privileges", question)
    assert answer.is_success, answer.text
    found = answer.json()["index"]
    reading = {name for name, place in places.items() if any(found[place].values())}
    assert {"read", "all"} <= reading
    assert not {name for name in reading if not reads(Entry(("x",), (name,)))}


def test_whoever_may_write_reads_a_document_by_its_id_unless_the_same_access_restricts_it(callers: Callers) -> None:
    """An update that changes nothing returns the document: reported as `Bypassable`, or not granted."""
    nothing: dict[str, Any] = {"doc": {}}
    writing = a_grant("widening-a1", can=("write",))
    by_name = a_grant("widening-a1", can=(), privileges=["index"])
    accesses = [
        an_access(grants=[writing]),
        an_access(grants=[a_grant("widening-a1", **EU), by_name]),
        an_access(grants=[a_grant("widening-a1", **EU), writing]),
        an_access(grants=[a_grant("widening-a1", can=("read", "write"), **EU)]),
        an_access(grants=[a_grant("widening-a1", can=("append", "delete"))]),
    ]
    callers.write([access.share.entries for access in accesses])
    numbers = range(len(accesses))
    answers = [callers.ask(number, "POST", "/widening-a1/_update/2?_source=true", nothing) for number in numbers]
    assert [answer.status_code for answer in answers] == [200, 200, 403, 403, 403]
    assert all(answer.json()["get"]["_source"]["customer"]["ssn"] == "s-3" for answer in answers[:2])
    item = {"update": {"_index": "widening-a1", "_id": "2"}}
    items = [callers.ask(number, "POST", "/_bulk", item, nothing | {"_source": True}).text for number in numbers]
    assert ["s-3" in text for text in items] == [True, True, False, False, False]


# Patterns


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.one_of(wildcards, expressions.map(lambda each: f"/{text_of(each)}/")).filter(lambda text: len(text) < 256),
        min_size=20,
        max_size=20,
        unique=True,
    ),
    st.lists(names, min_size=20, max_size=20, unique=True),
)
def test_patterns_that_elasticsearch_matches_with_one_name_can_meet(
    callers: Callers, several: list[str], indices: list[str]
) -> None:
    privileges = [f"indices:data/read/widening{number:04}" for number in range(len(several))]
    callers.write([[Entry((text,), (name,)) for text, name in zip(several, privileges, strict=True)]])
    question = {"index": [{"names": indices, "privileges": privileges}]}
    answer = callers.ask(0, "POST", "/_security/user/_has_privileges", question)
    assert answer.is_success, answer.text
    for found in answer.json()["index"].values():
        matching = [text for text, name in zip(several, privileges, strict=True) if found[name]]
        assert all(can_meet(one, another).yes for one in matching for another in matching)
