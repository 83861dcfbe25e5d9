"""What is refused as a ``where`` is what Elasticsearch takes, or refuses, and why: on each of its releases."""

import json
import ssl
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from searchaccess.core.model.restrictions.where import where_problem
from tests.stack.elasticsearch import ElasticsearchServer

NAME = "contract.queries"
INDEX = "contract-queries-1"
PASSWORD = "long enough"

LOOKED_UP = {"terms": {"region": {"index": INDEX, "id": "1", "path": "region"}}}
HIDDEN = {"wrapper": {"query": b64encode(json.dumps(LOOKED_UP).encode()).decode()}}

NOTHING: dict[str, dict[str, Any]] = {
    "multi_match with a wildcard": {"multi_match": {"query": "eu", "fields": ["reg*"]}},
    "multi_match without fields": {"multi_match": {"query": "eu"}},
    "query_string without fields": {"query_string": {"query": "eu"}},
    "query_string with a wildcard": {"query_string": {"query": "eu", "default_field": "*"}},
    "query_string on any field in its text": {"query_string": {"query": "_exists_:reg*", "fields": ["region"]}},
    "combined_fields with a wildcard": {"combined_fields": {"query": "eu", "fields": ["reg*"]}},
    "simple_query_string without fields": {"simple_query_string": {"query": "eu"}},
}
EVERYTHING: dict[str, dict[str, Any]] = {
    "an empty bool": {"bool": {}},
    "a bool of empty lists": {"bool": {"filter": []}},
    "a range without a bound": {"range": {"number": {}}},
    "a range with null as bound": {"range": {"number": {"gte": None}}},
    "what matches nothing, negated": {"bool": {"must_not": {"multi_match": {"query": "us", "fields": ["reg*"]}}}},
}
UNWRITTEN: dict[str, dict[str, Any]] = {
    "terms that are looked up": LOOKED_UP,
    "a shape of another index": {"geo_shape": {"place": {"indexed_shape": {"index": INDEX, "id": "1"}}}},
}
ONE_REGION: dict[str, dict[str, Any]] = {
    "term": {"term": {"region": "eu"}},
    "multi_match": {"multi_match": {"query": "eu", "fields": ["region"]}},
    "query_string": {"query_string": {"query": "region:eu", "fields": ["region"]}},
    "query_string on fields of a beginning": {"query_string": {"query": r"reg\*:eu", "fields": ["region"]}},
    "simple_query_string": {"simple_query_string": {"query": "eu", "fields": ["region"]}},
    "exists with a wildcard": {"bool": {"filter": [{"exists": {"field": "reg*"}}, {"term": {"region": "eu"}}]}},
    "a template": {"template": {"source": {"term": {"region": "{{_user.metadata.region}}"}}}},
}


@pytest.fixture(scope="module")
def admin(elasticsearch_server: ElasticsearchServer) -> Iterator[httpx.Client]:
    with elasticsearch_server.client() as client:
        fields = {"region": {"type": "keyword"}, "number": {"type": "long"}}
        client.put(f"/{INDEX}", json={"mappings": {"properties": fields}}).raise_for_status()
        for key, region in (("1", "eu"), ("2", "us")):
            document = {"region": region, "number": 1}
            client.put(f"/{INDEX}/_doc/{key}?refresh=true", json=document).raise_for_status()
        yield client
        client.delete(f"/{INDEX}")
        client.delete(f"/_security/role/{NAME}")
        client.delete(f"/_security/user/{NAME}")


def write(admin: httpx.Client, where: dict[str, Any]) -> httpx.Response:
    entries = [{"names": [INDEX], "privileges": ["read"], "query": where}]
    return admin.put(f"/_security/role/{NAME}", json={"indices": entries})


def search(server: ElasticsearchServer, admin: httpx.Client) -> httpx.Response:
    user = {"password": PASSWORD, "roles": [NAME], "metadata": {"region": "eu"}}
    admin.put(f"/_security/user/{NAME}", json=user).raise_for_status()
    trusted = ssl.create_default_context(cafile=str(server.ca_file))
    with httpx.Client(base_url=server.url, auth=(NAME, PASSWORD), verify=trusted, timeout=60) as caller:
        return caller.get(f"/{INDEX}/_search")


def seen(server: ElasticsearchServer, admin: httpx.Client, where: dict[str, Any]) -> list[str]:
    write(admin, where).raise_for_status()
    answer = search(server, admin)
    assert answer.is_success, answer.text
    return sorted(hit["_source"]["region"] for hit in answer.json()["hits"]["hits"])


@pytest.mark.parametrize("where", NOTHING.values(), ids=NOTHING)
def test_what_matches_nothing_is_refused(
    elasticsearch_server: ElasticsearchServer, admin: httpx.Client, where: dict[str, Any]
) -> None:
    assert where_problem(where)
    assert seen(elasticsearch_server, admin, where) == []


@pytest.mark.parametrize("where", EVERYTHING.values(), ids=EVERYTHING)
def test_what_matches_everything_without_saying_so_is_refused(
    elasticsearch_server: ElasticsearchServer, admin: httpx.Client, where: dict[str, Any]
) -> None:
    assert where_problem(where)
    assert seen(elasticsearch_server, admin, where) == ["eu", "us"]


@pytest.mark.parametrize("where", UNWRITTEN.values(), ids=UNWRITTEN)
def test_what_elasticsearch_does_not_write_is_refused_before(admin: httpx.Client, where: dict[str, Any]) -> None:
    assert where_problem(where)
    assert write(admin, where).is_client_error


def test_what_elasticsearch_writes_and_cannot_use_is_refused(
    elasticsearch_server: ElasticsearchServer, admin: httpx.Client
) -> None:
    assert "nobody can review" in where_problem(HIDDEN)
    write(admin, HIDDEN).raise_for_status()
    assert "role queries are not allowed to execute additional requests" in search(elasticsearch_server, admin).text


@pytest.mark.parametrize("where", ONE_REGION.values(), ids=ONE_REGION)
def test_what_is_taken_shows_what_it_says(
    elasticsearch_server: ElasticsearchServer, admin: httpx.Client, where: dict[str, Any]
) -> None:
    assert where_problem(where) == ""
    assert seen(elasticsearch_server, admin, where) == ["eu"]
