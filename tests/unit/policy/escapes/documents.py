"""Escapes from what a policy requires of documents and fields, a line each."""

from collections.abc import Iterator
from typing import Any, Final

from tests.unit.builders import a_grant
from tests.unit.policy.escapes.cases import NARROW, PRIVATE, Escape

_BROAD: Final = "grants[0]: where may match every document"
_TERM: Final = {"term": {"region": "eu"}}
_ALL: Final[dict[str, Any]] = {"match_all": {}}


def _where(name: str, where: Any, says: str = _BROAD) -> Escape:
    return Escape(name, {"grants": [NARROW | {"where": where}]}, says, PRIVATE)


def _bool(name: str, says: str = _BROAD, **clauses: Any) -> Escape:
    return _where(name, {"bool": clauses}, says)


_LOOKED_UP: Final = {"terms": {"region": {"index": "bank-orders", "id": "1", "path": "region"}}}
_SHAPE: Final = {"geo_shape": {"place": {"indexed_shape": {"index": "bank-places", "id": "1"}}}}
_LIKE: Final = {"more_like_this": {"fields": ["region"], "like": [{"_index": "bank-orders", "_id": "1"}]}}


def _nested(depth: int) -> Any:
    deep: Any = _TERM
    for _ in range(depth):
        deep = {"bool": {"filter": deep}}
    return deep


QUERIES: Final = (
    Escape(
        "no query", {"grants": [a_grant("shop-orders", fields={"include": ["region"]})]}, "where is required", PRIVATE
    ),
    _where("match_all", _ALL),
    _where("match_all with a boost", {"match_all": {"boost": 2}}),
    _bool("match_all within a bool", filter=[_ALL]),
    _bool("match_all three deep", must={"bool": {"should": [{"bool": {"filter": _ALL}}]}}),
    _bool("match_all beside a term, either of which matches", should=[_TERM, _ALL]),
    _bool("terms that only add to the score", must=_ALL, should=[_TERM]),
    _bool("terms of which none must match", must=_ALL, should=[_TERM], minimum_should_match=0),
    _bool("terms of which none must match, in percent", filter=[_ALL], should=[_TERM], minimum_should_match="0%"),
    _bool("terms of which all but one must match, of one", must=_ALL, should=[_TERM], minimum_should_match=-1),
    _bool("terms of which none must match, by a condition", must=_ALL, should=[_TERM], minimum_should_match="0<0"),
    _bool("one of two that must match matches anyway", should=[_TERM, _ALL], minimum_should_match=1),
    _bool("what matches nothing, negated", must_not={"match_none": {}}),
    _bool("an empty list, negated", must_not={"terms": {"region": []}}),
    _bool("no words, negated", must_not=[{"match": {"region": " "}}]),
    _bool("more than there are, negated", must_not={"bool": {"should": [_TERM], "minimum_should_match": 2}}),
    _bool("another index's name, negated", must_not={"term": {"_index": "bank-orders"}}),
    _bool("a negation of a negation", must_not={"bool": {"must_not": _ALL}}),
    _where("a bool without clauses", {"bool": {}}, "bool without a query in it matches every document"),
    _bool("a bool whose clauses are empty", "matches every document", filter=[], must=[]),
    _where("a constant score of everything", {"constant_score": {"filter": _ALL}}),
    _where("a score function without a query", {"function_score": {"boost": 5}}),
    _where("a score function of everything", {"function_score": {"query": _ALL, "functions": []}}),
    _where("a score by a script", {"script_score": {"query": _ALL, "script": {"source": "1"}}}),
    _where("the best of a term and everything", {"dis_max": {"queries": [_TERM, _ALL]}}),
    _where(
        "everything, of which some score less", {"boosting": {"positive": _ALL, "negative": _TERM, "negative_boost": 0}}
    ),
    _where("every nested document", {"nested": {"path": "customer", "query": _ALL}}),
    _where("documents that have an id", {"exists": {"field": "_id"}}),
    _where("documents that have any field", {"exists": {"field": "*"}}),
    _where("documents that are in an index", {"exists": {"field": "_index"}}),
    _where("the index's own name", {"term": {"_index": "shop-orders"}}),
    _where("any index's name", {"wildcard": {"_index": "*"}}),
    _where("any index's name, by its beginning", {"prefix": {"_index": {"value": ""}}}),
    _where("a sequence number", {"range": {"_seq_no": {"gte": 0}}}),
    _where("no words, which match everything", {"match": {"note": {"query": "", "zero_terms_query": "all"}}}),
    _where("no words as a phrase", {"match_phrase": {"note": {"query": "", "zero_terms_query": "ALL"}}}),
    _where(
        "no words of several fields",
        {"multi_match": {"query": "", "fields": ["note"], "zero_terms_query": "all"}},
    ),
    _where("everything, in a query's own language", {"query_string": {"query": "*:*", "fields": ["region"]}}),
    _where("a star in a query's own language", {"query_string": {"query": "*", "fields": ["region"]}}),
    _where("a word or everything", {"query_string": {"query": "region:eu OR (*)", "fields": ["region"]}}),
    _where("metadata in a query's own language", {"query_string": {"query": "_index:shop*", "fields": ["region"]}}),
    _where("a star in the simple language", {"simple_query_string": {"query": "*", "fields": ["region"]}}),
    _where("a script that is true", {"script": {"script": "true"}}),
    _bool("a script beside nothing", filter={"script": {"script": {"source": "return true"}}}),
    _where("a stored script", {"script": {"script": {"id": "x"}}}, "others may change a stored script"),
    _where("a template of everything", {"template": {"source": _ALL}}),
    _where("a template of text", {"template": {"source": '{"match_all": {}}'}}),
    _where("a template of the caller's name", {"template": {"source": '{"term": {"region": "{{_user.username}}"}}'}}),
    _where("a template that begins a query with the caller", {"template": {"source": {"bool": {"filter": _ALL}}}}),
    _where("a stored template", {"template": {"id": "x"}}, "others may change a stored script"),
    _where(
        "the caller's name outside of a template", {"term": {"region": "{{_user.username}}"}}, "only within template"
    ),
    _where("terms of another's index", _LOOKED_UP, "terms with a lookup"),
    _where("a shape of another's index", _SHAPE, "geo_shape with indexed_shape"),
    _where("a document of another's index", _LIKE, "more_like_this with documents"),
    _where("a query in base64", {"wrapper": {"query": "eyJtYXRjaF9hbGwiOnt9fQ=="}}, "wrapper hides a query"),
    _where("a percolated document", {"percolate": {"field": "query", "document": {}}}, "does not allow percolate"),
    _where("a parent of everything", {"has_parent": {"parent_type": "a", "query": _ALL}}, "does not allow has_parent"),
    _where("a null as a bound", {"range": {"region": {"gte": None}}}, "null is not a value"),
    _where("a range without a bound", {"range": {"region": {}}}, "without a bound matches every document"),
    _where("two queries", {**_TERM, **_ALL}, "where"),
    _where("an empty query", {}, "where"),
    _where("a query as text", '{"match_all": {}}', "where"),
    _where("a list of queries", [_ALL], "where"),
    _where("a query that is nested too deep", _nested(40), "Elasticsearch accepts at most 30 nested queries"),
    _where("a query that is too long", {"terms": {"region": ["eu" * 200] * 100}}, "Elasticsearch accepts at most"),
)


def fields() -> Iterator[Escape]:
    """Yield ways to show a field that must be hidden."""
    shown = "may not be read: add it to fields.exclude"

    def some(name: str, says: str = shown, **rules: Any) -> Escape:
        return Escape(name, {"grants": [NARROW | {"fields": rules}]}, says, PRIVATE)

    yield Escape("no fields", {"grants": [a_grant("shop-orders", where=_TERM)]}, "fields is required", PRIVATE)
    yield some("all fields", include=["*"])
    yield some("all fields, as two stars", include=["**"])
    yield some("all fields but another one", exclude=["customer.name"])
    yield some("the field itself", include=["ssn"])
    yield some("the object around it", include=["customer"])
    yield some("the object around it, with a wildcard", include=["customer.*"])
    yield some("a wildcard in the middle", include=["c*l"])
    yield some("a wildcard for a character", include=["ss?"])
    yield some("what is below it", include=["ssn.raw"])
    yield some("a part of it excluded", include=["region", "ssn"], exclude=["ssn.raw"])
    yield some("another case excluded", exclude=["SSN", "customer.Email"])
    yield some("a space after it excluded", exclude=["ssn ", "customer.email "])
    yield some("a longer name excluded", exclude=["ssn2", "customer.email2"])
    yield some("one of two excluded", exclude=["ssn"])
    yield some("a wildcard that misses it excluded", exclude=["customer.?mail", "s?"])
    yield some("a letter that looks the same excluded", exclude=["\u0455sn", "customer.email"])
    listed = {"require": {"fields": True}}
    for name, include in (
        ("a wildcard for any name", ["?*"]),
        ("two stars, which are one", ["**"]),
        ("a regular expression for any name", ["/.*/"]),
        ("names of one character and of more", ["?", "??*"]),
        ("everything that begins so, and all else", ["a*", "/[^a].*/"]),
    ):
        spec = {"grants": [a_grant("shop-orders", fields={"include": include})]}
        yield Escape(f"fields that include everything: {name}", spec, "fields is required", listed)
    beside = {"grants": [NARROW, a_grant("shop-orders", can=["read"], where=_TERM)]}
    yield Escape("a second grant that shows all fields", beside, "grants[1]: fields is required", PRIVATE)
    raw = {"grants": [NARROW, a_grant("shop-orders", can=[], privileges=["indices:data/read/get"])]}
    yield Escape("a raw privilege that reads", raw, "grants[1]: fields is required", PRIVATE)
