"""Which queries cannot be a ``where``, and why."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.api.stores.credentials import Auth
from searchaccess.core.model.restrictions.queries import query_problem
from searchaccess.core.model.restrictions.where import where_problem
from tests.support.failures.odd import json_values
from tests.unit.builders import a_grant, an_access

WRAPPER = {"wrapper": {"query": "eyJ0ZXJtIjogeyJhIjogMX19"}}
TERM = {"term": {"region": "eu"}}
TEMPLATE = {"template": {"source": {"term": {"owner": "{{_user.username}}"}}}}
LOOKED_UP = {"terms": {"region": {"index": "regions", "id": "1", "path": "names"}}}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a wrapper": (WRAPPER, "nobody can review"),
    "a wrapper in a bool": ({"bool": {"filter": [TERM, WRAPPER]}}, "nobody can review"),
    "a wrapper in a query's only clause": ({"bool": {"must_not": WRAPPER}}, "nobody can review"),
    "a wrapper in constant_score": ({"constant_score": {"filter": WRAPPER}}, "nobody can review"),
    "a wrapper in boosting": ({"boosting": {"positive": TERM, "negative": WRAPPER}}, "nobody can review"),
    "a wrapper in dis_max": ({"dis_max": {"queries": [TERM, WRAPPER]}}, "nobody can review"),
    "a wrapper in nested": ({"nested": {"path": "a", "query": WRAPPER}}, "nobody can review"),
    "a wrapper in a function": ({"function_score": {"functions": [{"filter": WRAPPER}]}}, "nobody can review"),
    "a wrapper in what nobody knows": ({"invented": {"deep": [{"inside": WRAPPER}]}}, "nobody can review"),
    "a wrapper in a template": ({"template": {"source": WRAPPER}}, "nobody can review"),
    "a wrapper in a template's text": ({"template": {"source": '{"wrapper": {"query": "a"}}'}}, "nobody can review"),
    "terms that are looked up": (LOOKED_UP, "write the values themselves"),
    "terms that are looked up, within": ({"bool": {"should": [LOOKED_UP, TERM]}}, "write the values themselves"),
    "a shape of another index": (
        {"geo_shape": {"place": {"indexed_shape": {"index": "shapes", "id": "1"}}}}, "write the shape itself",
    ),
    "a flat shape of another index": ({"shape": {"place": {"indexed_shape": {"id": "1"}}}}, "write the shape itself"),
    "percolate": ({"percolate": {"field": "q", "document": {}}}, "does not allow percolate"),
    "has_child": ({"has_child": {"type": "a", "query": TERM}}, "does not allow has_child"),
    "has_parent": ({"bool": {"filter": {"has_parent": {"parent_type": "a", "query": TERM}}}}, "not allow has_parent"),
    "a model's vector": (
        {"knn": {"field": "v", "query_vector_builder": {"text_embedding": {}}}}, "another request",
    ),
    "a sparse vector of a model": ({"sparse_vector": {"field": "v", "inference_id": "m"}}, "write query_vector"),
    "semantic": ({"semantic": {"field": "a", "query": "b"}}, "another request"),
    "documents that others are like": (
        {"more_like_this": {"fields": ["a"], "like": [{"_index": "b", "_id": "1"}]}}, "write texts",
    ),
    "multi_match with a wildcard": ({"multi_match": {"query": "eu", "fields": ["reg*"]}}, "matches nothing"),
    "multi_match without fields": ({"multi_match": {"query": "eu"}}, "matches nothing"),
    "multi_match with no field": ({"multi_match": {"query": "eu", "fields": []}}, "matches nothing"),
    "query_string without fields": ({"query_string": {"query": "eu"}}, "matches nothing"),
    "query_string with a wildcard": ({"query_string": {"query": "eu", "default_field": "*"}}, "matches nothing"),
    "query_string on any field in its text": (
        {"query_string": {"query": "region:eu AND NOT _exists_:own*", "fields": ["region"]}}, "matches nothing",
    ),
    "simple_query_string without fields": ({"simple_query_string": {"query": "eu"}}, "matches nothing"),
    "what matches nothing, and is negated": (
        {"bool": {"must_not": {"multi_match": {"query": "us", "fields": ["reg*"]}}}}, "would hide nothing",
    ),
    "a bool that says nothing": ({"bool": {}}, "matches every document"),
    "a bool with empty lists": ({"bool": {"filter": [], "must_not": []}}, "matches every document"),
    "a bool within that says nothing": ({"bool": {"should": [TERM, {"bool": {"must": []}}]}}, "matches every document"),
    "a range without a bound": ({"range": {"day": {}}}, "without a bound"),
    "a range without a bound but a format": ({"range": {"day": {"format": "yyyy"}}}, "without a bound"),
    "the present time": ({"range": {"day": {"gte": "now-1d/d"}}}, "with now"),
    "the present time, plain": ({"range": {"day": {"lt": "now"}}}, "with now"),
    "a bound that is null": ({"range": {"day": {"gte": None}}}, "null is not a value"),
    "a null within a list": ({"terms": {"region": ["eu", None]}}, "null is not a value"),
    "a stored script": ({"script": {"script": {"id": "mine"}}}, "others may change a stored script"),
    "a stored script in terms_set": (
        {"terms_set": {"a": {"terms": ["b"], "minimum_should_match_script": {"id": "c"}}}}, "others may change",
    ),
    "a stored template": ({"template": {"id": "mine"}}, "others may change a stored script"),
    "a variable outside of a template": ({"term": {"owner": "{{_user.username}}"}}, "only within template"),
}  # fmt: skip

TAKEN: dict[str, dict[str, Any]] = {
    "a term": TERM,
    "a field named wrapper": {"match": {"wrapper": {"query": "a"}}},
    "a term of a field named wrapper": {"term": {"wrapper": "a"}},
    "fields named as queries": {"bool": {"filter": [{"term": {"percolate": 1}}, {"range": {"semantic": {"gte": 1}}}]}},
    "a value named wrapper": {"exists": {"field": "wrapper"}},
    "terms": {"terms": {"region": ["eu", "us"], "boost": 1}},
    "a shape": {"geo_shape": {"place": {"shape": {"type": "point", "coordinates": [1, 2]}}}},
    "multi_match on fields": {"multi_match": {"query": "eu", "fields": ["region^2", "area"]}},
    "query_string on fields": {"query_string": {"query": "region:eu* OR area:(a b)", "fields": ["region"]}},
    "query_string on fields of a beginning": {"query_string": {"query": r"reg\*:eu", "fields": ["region"]}},
    "exists of a beginning": {"exists": {"field": "reg*"}},
    "query_string on every document": {"query_string": {"query": "*:*", "default_field": "region"}},
    "simple_query_string on a field": {"simple_query_string": {"query": "eu*", "fields": ["region"]}},
    "a bool": {"bool": {"must_not": {"exists": {"field": "secret"}}}},
    "a range": {"range": {"day": {"gte": "2026", "format": "yyyy"}}},
    "a range of words": {"range": {"word": {"gte": "nowhere"}}},
    "a script": {"script": {"script": {"source": "true", "params": {"wrapper": {}, "id": 1}}}},
    "a vector": {"sparse_vector": {"field": "v", "query_vector": {"wrapper": 1.0}}},
    "texts that others are like": {"more_like_this": {"fields": ["a"], "like": ["b", "c"]}},
    "every document, on purpose": {"match_all": {}},
    "braces": {"term": {"a": "{{b}}"}},
    "a template": TEMPLATE,
    "a template as text": {"template": {"source": '{"term": {"owner": "{{_user.username}}"}}'}},
}


@pytest.mark.parametrize(("where", "says"), REFUSED.values(), ids=REFUSED)
def test_refused(where: dict[str, Any], says: str) -> None:
    assert says in where_problem(where)


@pytest.mark.parametrize("where", TAKEN.values(), ids=TAKEN)
def test_taken(where: dict[str, Any]) -> None:
    assert where_problem(where) == ""


@pytest.mark.parametrize("auth", [Auth.API_KEY, Auth.PASSWORD])
def test_a_template_is_refused_where_the_operator_makes_up_the_callers_name(auth: Auth) -> None:
    assert where_problem(TEMPLATE, auth).startswith(
        f"template gets the name of the caller, which with auth: {auth} is a name that the operator generated"
    )
    assert where_problem(TERM, auth) == ""


def test_it_is_said_of_the_grant_and_nothing_is_granted() -> None:
    credential = {"store": "main", "name": "orders"}
    access = an_access(grants=[a_grant(), a_grant(where=TEMPLATE)], auth="ApiKey", credential=credential)
    assert access.invalid.startswith("spec.grants[1].where: template gets the name of the caller")
    assert access.share.entries == ()


@given(
    st.dictionaries(st.sampled_from(["bool", "terms", "range", "template", "a"]), json_values, min_size=1, max_size=1)
)
def test_any_query_can_be_asked_about(where: dict[str, Any]) -> None:
    query_problem(where)
    query_problem(where, Auth.PASSWORD)
