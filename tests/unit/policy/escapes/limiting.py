"""Queries that limit what may be read: the contrary of those in the table."""

from typing import Any, Final

_EU: Final[dict[str, Any]] = {"term": {"region": "eu"}}
_US: Final[dict[str, Any]] = {"term": {"region": "us"}}
_ALL: Final[dict[str, Any]] = {"match_all": {}}

LIMITING: Final[list[dict[str, Any]]] = [
    _EU,
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
    {"constant_score": {"filter": _EU}},
    {"function_score": {"query": _EU}},
    {"nested": {"path": "customer", "query": {"term": {"customer.region": "eu"}}}},
    {"dis_max": {"queries": [_EU, _US]}},
    {"template": {"source": {"term": {"region": "{{_user.metadata.region}}"}}}},
    {"bool": {"filter": [_EU, _ALL]}},
    {"bool": {"should": [_EU, _US]}},
    {"bool": {"should": [_EU, _US, _ALL], "minimum_should_match": 2}},
    {"bool": {"should": [_EU, _US, _ALL], "minimum_should_match": "-1"}},
    {"bool": {"should": [_EU, _US], "minimum_should_match": "50%"}},
    {"bool": {"should": [_EU], "minimum_should_match": 0}},
    {"bool": {"should": [_EU], "must_not": _US, "minimum_should_match": "0%"}},
    {"bool": {"must_not": [_EU]}},
    {"bool": {"must_not": {"exists": {"field": "secret"}}}},
    {"bool": {"must": _ALL, "must_not": [_EU]}},
]
