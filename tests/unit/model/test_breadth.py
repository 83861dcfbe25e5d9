"""Which queries count as limiting what may be read: what is broad is in the escapes' table."""

from typing import Any

import pytest

from searchaccess.core.model.restrictions.breadth import may_match_all

EU: dict[str, Any] = {"term": {"region": "eu"}}
US: dict[str, Any] = {"term": {"region": "us"}}


@pytest.mark.parametrize(
    "where",
    [
        EU,
        {"terms": {"region": ["eu", "us"]}},
        {"range": {"at": {"gte": "2026-01-01"}}},
        {"exists": {"field": "region"}},
        {"ids": {"values": ["1"]}},
        {"term": {"_id": "1"}},
        {"term": {"_routing": "eu"}},
        {"match": {"region": "eu"}},
        {"match": {"region": {"query": "eu", "zero_terms_query": "none"}}},
        {"multi_match": {"query": "eu", "fields": ["region"]}},
        {"query_string": {"query": "region:eu", "fields": ["region"]}},
        {"query_string": {"query": "region:e* OR _exists_:region", "fields": ["region"]}},
        {"constant_score": {"filter": EU}},
        {"function_score": {"query": EU}},
        {"nested": {"path": "customer", "query": {"term": {"customer.region": "eu"}}}},
        {"dis_max": {"queries": [EU, US]}},
        {"template": {"source": {"term": {"region": "{{_user.metadata.region}}"}}}},
        {"bool": {"filter": [EU, {"match_all": {}}]}},
        {"bool": {"should": [EU, US]}},
        {"bool": {"should": [EU, US, {"match_all": {}}], "minimum_should_match": 2}},
        {"bool": {"should": [EU, US, {"match_all": {}}], "minimum_should_match": "-1"}},
        {"bool": {"should": [EU, US], "minimum_should_match": "50%"}},
        {"bool": {"must_not": [EU]}},
        {"bool": {"must_not": {"exists": {"field": "secret"}}}},
        {"bool": {"must": {"match_all": {}}, "must_not": [EU]}},
    ],
    ids=str,
)
def test_a_query_on_fields_of_the_documents_is_not_broad(where: dict[str, Any]) -> None:
    assert not may_match_all(where)


def test_what_is_too_deep_to_read_is_broad() -> None:
    deep: Any = EU
    for _ in range(5_000):
        deep = {"bool": {"filter": deep}}
    assert may_match_all(deep)
