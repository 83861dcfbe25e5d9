"""What leads around hidden fields and ungranted documents on a real Elasticsearch, and what no longer does.

Each way that is reported as `Bypassable` is shown to be one, so that the warning can go when Elasticsearch closes it.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.policy.copies import Copied, copied_in
from tests.contract.restrictions.fieldways import SECRET
from tests.contract.restrictions.test_fields import Callers, create, write
from tests.stack.elasticsearch import ElasticsearchServer
from tests.unit.builders import a_grant

HIDING: Final[dict[str, Any]] = {"fields": {"exclude": ["customer.ssn"]}}
KEYWORD: Final = {"type": "keyword"}
COPYING: Final = {"customer": {"properties": {"ssn": {"type": "keyword", "copy_to": ["note", "customer.note"]}}}}
DOCUMENT: Final = {"region": "eu", "customer": {"name": "Carol", "ssn": SECRET}}


class Ground:
    """Indices and callers that go at the end of a test."""

    def __init__(self, server: ElasticsearchServer, admin: httpx.Client, stack: ExitStack) -> None:
        self.admin = admin
        self.callers = Callers(server, admin, stack)
        self._stack = stack

    def index(self, name: str, properties: dict[str, Any] | None = None) -> None:
        create(self.admin, self._stack, name, properties or {})
        write(self.admin, name, "1", DOCUMENT)

    def later(self, path: str) -> None:
        """Delete something at the end."""
        self._stack.callback(self.admin.delete, path)


@pytest.fixture
def ground(elasticsearch_server: ElasticsearchServer) -> Iterator[Ground]:
    with elasticsearch_server.client() as admin, ExitStack() as stack:
        yield Ground(elasticsearch_server, admin, stack)


def values(caller: httpx.Client, index: str, field: str) -> list[str]:
    answer = caller.post(f"/{index}/_search", json={"size": 0, "aggs": {"it": {"terms": {"field": field}}}})
    answer.raise_for_status()
    return [bucket["key"] for bucket in answer.json().get("aggregations", {}).get("it", {}).get("buckets", [])]


def copies(caller: httpx.Client, index: str) -> httpx.Response:
    """Have the hidden field copied."""
    field = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}, "copy_to": "note"}
    mapping = {"properties": {"note": KEYWORD, "customer": {"properties": {"ssn": field}}}}
    return caller.put(f"/{index}/_mapping", json=mapping)


def test_a_copy_opens_a_hidden_field_unless_it_is_hidden_too(ground: Ground) -> None:
    ground.index("copied-1", {"note": KEYWORD} | COPYING)
    reader = ground.callers.add("reader", a_grant("copied-*", **HIDING))
    assert values(reader, "copied-1", "customer.ssn") == []
    assert values(reader, "copied-1", "note") == [SECRET]
    both: dict[str, Any] = {"fields": {"exclude": ["customer.ssn", "note"]}}
    assert values(ground.callers.add("better", a_grant("copied-*", **both)), "copied-1", "note") == []


def test_a_key_in_a_flattened_field_cannot_be_hidden(ground: Ground) -> None:
    ground.index("flat-1", {"customer": {"type": "flattened"}})
    reader = ground.callers.add("reader", a_grant("flat-*", **HIDING))
    assert SECRET not in reader.get("/flat-1/_search").text, "in the source it is"
    assert SECRET in values(reader, "flat-1", "customer")


def test_a_field_that_begins_with_an_underscore_counts_as_metadata(ground: Ground) -> None:
    ground.index("named-1")
    write(ground.admin, "named-1", "2", {"region": "eu", "_own": SECRET})
    including: dict[str, Any] = {"fields": {"include": ["region"]}}
    assert SECRET in ground.callers.add("one", a_grant("named-*", **including)).get("/named-1/_search").text
    excluding: dict[str, Any] = {"fields": {"exclude": ["_own"]}}
    assert SECRET not in ground.callers.add("two", a_grant("named-*", **excluding)).get("/named-1/_doc/2").text


def test_a_writer_from_whom_fields_are_hidden_writes_and_changes_no_mapping(ground: Ground) -> None:
    ground.index("written-1")
    writer = ground.callers.add("writer", a_grant("written-*", **HIDING), a_grant("written-*", can=["write"]))
    document = DOCUMENT | {"new": {"field": "x"}}
    for answer in (
        writer.put("/written-1/_doc/2?refresh=true", json=document),
        writer.put("/written-1/_doc/2?refresh=true", json=document | {"another": 1}),
        writer.put("/written-1/_create/3?refresh=true", json=document),
        writer.post("/written-1/_doc?refresh=true", json=document | {"third": {"deep": True}}),
        bulk(writer, '{"index":{"_id":"4"}}\n{"fourth":"x"}\n{"create":{"_id":"5"}}\n{"fifth":1}\n'),
    ):
        assert answer.status_code in {200, 201}, answer.text
        assert not answer.json().get("errors"), answer.text
    fields = ground.admin.get("/written-1/_mapping").json()["written-1"]["mappings"]["properties"]
    assert {"new", "another", "third", "fourth", "fifth"} <= fields.keys()
    for refused in (
        copies(writer, "written-1"),
        writer.delete("/written-1/_doc/1"),
        writer.put("/written-2", json={}),
        writer.delete("/written-1"),
    ):
        assert refused.status_code == 403, refused.text
    assert values(writer, "written-1", "note") == []


def bulk(caller: httpx.Client, lines: str) -> httpx.Response:
    headers = {"content-type": "application/x-ndjson"}
    return caller.post("/written-1/_bulk?refresh=true", content=lines, headers=headers)


@pytest.mark.parametrize("can", ["append", "manage"])
def test_who_may_change_a_mapping_can_copy_a_hidden_field(ground: Ground, can: str) -> None:
    ground.index("changed-1")
    caller = ground.callers.add("caller", a_grant("changed-*", **HIDING), a_grant("changed-*", can=[can]))
    assert copies(caller, "changed-1").status_code == 200
    write(ground.admin, "changed-1", "2", DOCUMENT)
    assert values(caller, "changed-1", "note") == [SECRET]


@pytest.mark.parametrize(
    ("writing", "status"),
    [({"can": ["append"]}, 200), ({"can": [], "privileges": ["index"]}, 200), ({"can": ["write"]}, 403)],
    ids=str,
)
def test_who_may_change_a_mapping_can_have_documents_match(
    ground: Ground, writing: dict[str, Any], status: int
) -> None:
    """A field that others fill is copied into the one that `where` names. `write` has no such right beside `where`."""
    ground.index("matched-1", {"region": KEYWORD, "country": KEYWORD})
    some = a_grant("matched-*", where={"term": {"region": "eu"}})
    caller = ground.callers.add("caller", some, a_grant("matched-*", **writing))
    mapping = {"properties": {"country": {"type": "keyword", "copy_to": "region"}}}
    assert caller.put("/matched-1/_mapping", json=mapping).status_code == status
    write(ground.admin, "matched-1", "2", {"region": "us", "country": "eu", "customer": {"ssn": "other"}})
    assert ("other" in caller.get("/matched-1/_search").text) == (status == 200)


def test_an_index_made_in_advance_leads_from_a_granted_name_to_what_others_write(ground: Ground) -> None:
    ground.index("ship-1")
    caller = ground.callers.add("caller", a_grant("ship-mine-*"), a_grant("ship-*", can=["manage"]))
    alias = {"actions": [{"add": {"index": "ship-1", "alias": "ship-mine-all"}}]}
    assert caller.post("/_aliases", json=alias).status_code == 403, "Elasticsearch sees that the alias may do more"
    assert caller.put("/ship-2", json={"aliases": {"ship-mine-all": {}}}).status_code == 200, "but not here"
    ground.later("/ship-2")
    write(ground.admin, "ship-2", "1", DOCUMENT)
    assert caller.get("/ship-2/_search").status_code == 403
    assert SECRET in caller.get("/ship-mine-all/_search").text


def test_an_alias_needs_manage_on_its_own_name_too(ground: Ground) -> None:
    ground.index("ship-1")
    caller = ground.callers.add("caller", a_grant("mine-*"), a_grant("ship-*", can=["manage"]))
    alias = {"actions": [{"add": {"index": "ship-1", "alias": "mine-all"}}]}
    assert caller.post("/_aliases", json=alias).status_code == 403
    assert caller.put("/ship-2", json={"aliases": {"mine-all": {}}}).status_code == 403


def test_a_template_leads_to_the_documents_of_indices_that_others_create(ground: Ground) -> None:
    caller = ground.callers.add("caller", a_grant("mine-*"), cluster=("manage_index_templates",))
    body = {"index_patterns": ["ship-*"], "priority": 900, "template": {"aliases": {"mine-ship": {}}}}
    assert caller.put("/_index_template/fields-ship", json=body).status_code == 200
    ground.later("/_index_template/fields-ship")
    ground.index("ship-1")
    assert SECRET in caller.get("/mine-ship/_search").text


# Reading what is copied


def client_of(server: ElasticsearchServer, username: str, password: str) -> ElasticsearchClient:
    return ElasticsearchClient(Connection((server.url,), Path(server.ca_file).read_text(), username, password))


async def test_copies_are_read_with_all_names_of_an_index(
    ground: Ground, elasticsearch_server: ElasticsearchServer
) -> None:
    ground.index("copied-1", COPYING)
    ground.index("copied-2", {"nested": {"type": "nested", "properties": {"a": KEYWORD | {"copy_to": "b"}}}})
    ground.index("copied-3")
    alias = {"actions": [{"add": {"index": "copied-1", "alias": "copies"}}]}
    ground.admin.post("/_aliases", json=alias).raise_for_status()
    first = Copied(("copied-1", "copies"), (("customer.ssn", "customer.note"), ("customer.ssn", "note")))
    second = Copied(("copied-2",), (("nested.a", "b"),))
    client = client_of(elasticsearch_server, elasticsearch_server.username, elasticsearch_server.password)
    try:
        assert copied_in(await client.copied_fields(["copied-*"]) or {}) == (first, second)
        assert copied_in(await client.copied_fields(["copies", "missing", "missing-*"]) or {}) == (first,)
        assert copied_in(await client.copied_fields(["missing-*"]) or {}) == ()
        assert {first, second} <= set(copied_in(await client.copied_fields(None) or {}))
    finally:
        await client.close()


async def test_a_login_that_may_not_read_mappings_learns_nothing(
    ground: Ground, elasticsearch_server: ElasticsearchServer
) -> None:
    ground.index("copied-1", COPYING)
    ground.callers.add("nobody", a_grant("other-*", can=["monitor"]))
    client = client_of(elasticsearch_server, "fields-nobody", "only-for-this-test")
    try:
        for patterns in (["copied-*"], ["copied-1"], None):
            assert not copied_in(await client.copied_fields(patterns) or {})
    finally:
        await client.close()
