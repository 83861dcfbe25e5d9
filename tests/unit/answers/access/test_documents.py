"""Whether a document matches a query, where that can be decided without Elasticsearch."""

from typing import Any

import pytest

from searchaccess.core.answers.access.documents import matches

DOCUMENT: dict[str, Any] = {
    "region": "eu",
    "total": 12.0,
    "paid": True,
    "tags": ["new", "gift"],
    "customer": {"name": "ada", "address": {"city": None}},
    "customer.tier": "gold",
    "items": [{"sku": "a"}, {"sku": "b"}],
    "empty": [],
}


@pytest.mark.parametrize(
    ("query", "matched"),
    [
        ({"match_all": {}}, True),
        ({"match_none": {}}, False),
        ({"term": {"region": "eu"}}, True),
        ({"term": {"region": {"value": "EU", "case_insensitive": True}}}, True),
        ({"term": {"region": "us"}}, False),
        ({"term": {"total": 12}}, True),
        ({"term": {"total": "12"}}, None),
        ({"term": {"paid": "true"}}, True),
        ({"term": {"paid": 1}}, None),
        ({"term": {"tags": "gift"}}, True),
        ({"term": {"customer.name": "ada"}}, True),
        ({"term": {"customer.tier": "gold"}}, True),
        ({"term": {"customer.name.keyword": "ada"}}, None),
        ({"term": {"customer": "ada"}}, None),
        ({"term": {"items.sku": "b"}}, True),
        ({"term": {"missing": "x"}}, False),
        ({"term": {"_id": "1"}}, None),
        ({"terms": {"region": ["us", "eu"], "boost": 2}}, True),
        ({"terms": {"region": {"index": "users", "id": "1", "path": "regions"}}}, None),
        ({"range": {"total": {"gte": 12, "lt": 13}}}, True),
        ({"range": {"total": {"gt": 12}}}, False),
        ({"range": {"region": {"gte": "a"}}}, None),
        ({"range": {"total": {"gte": "now-1d"}}}, None),
        ({"exists": {"field": "customer.name"}}, True),
        ({"exists": {"field": "customer"}}, True),
        ({"exists": {"field": "customer.address.city"}}, False),
        ({"exists": {"field": "empty"}}, False),
        ({"match": {"region": "eu"}}, None),
        ({"template": {"source": "{}"}}, None),
        ({"script": {}}, None),
        ({"bool": {}}, True),
        ({"bool": {"filter": [{"term": {"region": "eu"}}], "must_not": {"term": {"paid": "false"}}}}, True),
        ({"bool": {"filter": [{"term": {"region": "eu"}}], "should": [{"term": {"region": "us"}}]}}, True),
        ({"bool": {"should": [{"term": {"region": "us"}}, {"match": {"note": "x"}}]}}, None),
        ({"bool": {"should": [{"term": {"region": "us"}}]}}, False),
        ({"bool": {"must": [{"match": {"note": "x"}}, {"term": {"region": "us"}}]}}, False),
        ({"bool": {"must": {"match": {"note": "x"}}}}, None),
        ({"bool": {"should": [{"term": {"region": "eu"}}], "minimum_should_match": 2}}, False),
        ({"bool": {"should": [{"term": {"region": "eu"}}], "minimum_should_match": "50%"}}, None),
        ({"bool": {"surprise": 1}}, None),
        ({"constant_score": {"filter": {"term": {"region": "eu"}}}}, True),
        ("text", None),
        ({"term": {}, "terms": {}}, None),
    ],
)
def test_a_query_is_decided_or_said_not_to_be(query: Any, matched: bool | None) -> None:  # noqa: FBT001 - a case
    assert matches(query, DOCUMENT) is matched
