"""Every way to get at a field's value that Elasticsearch has, as one table: a request, and what would give it away."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

SECRET: Final = "quokka"
"""The value that must not be seen; the requests that look for it in texts have only its beginning."""
START: Final = SECRET[:3]
GUESSES: Final = "guesses"
"""An index that the caller may read, with the right guess in it."""
NEW: Final = "unrefreshed"
"""Id of a document that was not made searchable yet."""

Body = dict[str, Any]
Request = tuple[str, str, Body | None]
Judge = Callable[[httpx.Response], bool]


@dataclass(frozen=True)
class Place:
    """Where the secret is.

    Args:
        index: the index.
        path: of the field, or of one of its multi-fields.
        nested: path of the nested object around it; empty: there is none.
    """

    index: str
    path: str
    nested: str = ""

    def query(self, query: Body) -> Body:
        """Return a query as it is needed where the field is."""
        if not self.nested:
            return query
        inner = {"fields": [self.path], "docvalue_fields": [self.path]}
        return {"nested": {"path": self.nested, "query": query, "inner_hits": inner, "ignore_unmapped": True}}

    def agg(self, agg: Body) -> Body:
        """Return an aggregation as it is needed where the field is."""
        return {"at": {"nested": {"path": self.nested}, "aggs": {"it": agg}}} if self.nested else {"it": agg}


@dataclass(frozen=True)
class Way:
    """One way to get at a value.

    Args:
        request: what is asked about a place.
        tells: whether an answer gives something of the value away.
    """

    request: Callable[[Place], Request]
    tells: Judge


def _shows(answer: httpx.Response) -> bool:
    return SECRET in answer.text


def _shows_field(answer: httpx.Response) -> bool:
    return answer.is_success and re.search(r'"(customer\.)?ssn[^"]*":', answer.text) is not None


def _hits(answer: httpx.Response) -> bool:
    found = answer.json()
    return answer.is_success and (found["count"] if "count" in found else found["hits"]["total"]["value"]) > 0


def _counted(answer: httpx.Response) -> bool:
    it = answer.json().get("aggregations", {})
    it = it.get("at", it).get("it", {})
    return (it.get("value") or it.get("doc_count") or 0) > 0


def _not_missing(answer: httpx.Response) -> bool:
    it = answer.json().get("aggregations", {})
    return answer.is_success and it.get("at", it)["it"]["doc_count"] == 0 and it.get("at", {}).get("doc_count") != 0


def _matched(answer: httpx.Response) -> bool:
    return answer.json().get("matched") is True


def _search(build: Callable[[Place], Body], tells: Judge = _shows, under: str = "_search") -> Way:
    return Way(lambda at: ("POST", f"/{at.index}/{under}", build(at)), tells)


def _asks(build: Callable[[str], Body]) -> Way:
    """Ask by a query whether the value is what one guesses."""
    return _search(lambda at: {"query": at.query(build(at.path)), "_source": False}, _hits)


def _aggregates(build: Callable[[str], Body], tells: Judge = _shows) -> Way:
    return _search(lambda at: {"size": 0, "aggs": at.agg(build(at.path))}, tells)


def _suggests(kind: str, text: str, **more: Any) -> Way:
    key = "prefix" if kind == "completion" else "text"
    return _search(lambda at: {"_source": False, "suggest": {"it": {key: text, kind: {"field": at.path, **more}}}})


def _gets(path: Callable[[Place], str], tells: Judge = _shows) -> Way:
    return Way(lambda at: ("GET", path(at), None), tells)


def _posts(path: Callable[[Place], str], build: Callable[[Place], Body], tells: Judge = _shows) -> Way:
    return Way(lambda at: ("POST", path(at), build(at)), tells)


def _sort(at: Place) -> Body:
    return {at.path: {"order": "asc"} | ({"nested": {"path": at.nested}} if at.nested else {})}


def _highlight(kind: str) -> Way:
    fields = {"*": {"type": kind, "require_field_match": False}}
    return _search(
        lambda at: {
            "_source": False,
            "highlight": {"fields": fields, "highlight_query": {"prefix": {at.path: START}}},
        }
    )


_SCRIPT: Final = {
    "source": "def v = params._source; emit(v == null ? 'none' : v.toString())",
    "lang": "painless",
}
_ALL: Final[Body] = {"match_all": {}}
_SQL: Final = 'SELECT * FROM "{}"'

SEEING: Final[Mapping[str, Way]] = {
    "a search": _search(lambda _: {}),
    "a part of the source": _search(lambda at: {"_source": [at.path]}),
    "a part of the source, in the address": _gets(lambda at: f"/{at.index}/_search?_source_includes={at.path}"),
    "fields": _search(lambda at: {"fields": [at.path], "_source": False, "query": at.query(_ALL)}),
    "all fields": _search(lambda _: {"fields": ["*"], "_source": False}),
    "docvalue_fields": _search(lambda at: {"docvalue_fields": [at.path], "_source": False, "query": at.query(_ALL)}),
    "all docvalue_fields": _search(lambda _: {"docvalue_fields": ["*.keyword"], "_source": False}),
    "stored_fields": _search(lambda at: {"stored_fields": [at.path]}),
    "all stored_fields": _search(lambda _: {"stored_fields": ["*"]}),
    "get": _gets(lambda at: f"/{at.index}/_doc/1"),
    "get the source": _gets(lambda at: f"/{at.index}/_source/1"),
    "get a part": _gets(lambda at: f"/{at.index}/_doc/1?_source_includes={at.path}"),
    "get stored fields": _gets(lambda at: f"/{at.index}/_doc/1?stored_fields={at.path}"),
    "get what is not refreshed": _gets(lambda at: f"/{at.index}/_doc/{NEW}?realtime=true"),
    "mget": _posts(lambda at: f"/{at.index}/_mget", lambda _: {"ids": ["1"]}),
    "mget stored fields": _posts(
        lambda at: f"/{at.index}/_mget", lambda at: {"docs": [{"_id": "1", "stored_fields": [at.path]}]}
    ),
    "sort values": _search(lambda at: {"sort": [_sort(at)], "_source": False}),
    "collapse": _search(lambda at: {"collapse": {"field": at.path}, "_source": False}),
    "highlight (unified)": _highlight("unified"),
    "highlight (plain)": _highlight("plain"),
    "highlight (fvh)": _highlight("fvh"),
    "suggest a term": _suggests("term", SECRET[:-1], min_word_length=3, suggest_mode="always"),
    "suggest a phrase": _suggests("phrase", SECRET[:-1], max_errors=2, confidence=0),
    "suggest a completion": _suggests("completion", START),
    "termvectors": _gets(lambda at: f"/{at.index}/_termvectors/1?fields={at.path}"),
    "all termvectors": _gets(lambda at: f"/{at.index}/_termvectors/1?fields=*"),
    "mtermvectors": _posts(
        lambda at: f"/{at.index}/_mtermvectors", lambda at: {"docs": [{"_id": "1", "fields": [at.path]}]}
    ),
    "terms enum": _posts(lambda at: f"/{at.index}/_terms_enum", lambda at: {"field": at.path, "string": START}),
    "profile": _search(
        lambda at: {"profile": True, "_source": False, "query": at.query({"wildcard": {at.path: f"{START}*"}})}
    ),
    "a rewritten query": _posts(
        lambda at: f"/{at.index}/_validate/query?rewrite=true",
        lambda at: {"query": at.query({"prefix": {at.path: {"value": START, "rewrite": "top_terms_10"}}})},
    ),
    "a runtime field of its name": _search(
        lambda at: {"runtime_mappings": {at.path: {"type": "keyword"}}, "fields": [at.path], "_source": False}
    ),
    "a runtime field of its name, aggregated": _search(
        lambda at: {
            "runtime_mappings": {at.path: {"type": "keyword"}},
            "size": 0,
            "aggs": {"it": {"terms": {"field": at.path}}},
        }
    ),
    "a runtime field that looks it up": _search(
        lambda at: {
            "runtime_mappings": {
                "leak": {
                    "type": "lookup",
                    "target_index": at.index,
                    "input_field": "region",
                    "target_field": "region",
                    "fetch_fields": [at.path],
                }
            },
            "fields": ["leak"],
            "_source": False,
        }
    ),
    "a runtime field with a script": _search(
        lambda _: {
            "runtime_mappings": {"leak": {"type": "keyword", "script": _SCRIPT}},
            "fields": ["leak"],
            "_source": False,
        }
    ),
    "a script field": _search(
        lambda at: {
            "script_fields": {"leak": {"script": f"doc['{at.path}'].size() == 0 ? '' : doc['{at.path}'].value"}},
            "_source": False,
        }
    ),
    "an inner hit": _search(
        lambda at: {
            "_source": False,
            "query": {"nested": {"path": at.nested or "customer", "query": _ALL, "inner_hits": {}}},
        }
    ),
    "msearch": Way(lambda at: ("POST", f"/{at.index}/_msearch", {"fields": [at.path]}), _shows),
    "scroll": _search(lambda at: {"docvalue_fields": [at.path]}, under="_search?scroll=10s"),
    "async search": _search(lambda at: {"fields": [at.path]}, under="_async_search?wait_for_completion_timeout=5s"),
    "ES|QL": _posts(lambda _: "/_query", lambda at: {"query": f"FROM {at.index} | LIMIT 10"}),
    "SQL": _posts(lambda _: "/_sql?format=json", lambda at: {"query": _SQL.format(at.index)}),
    "EQL": _search(
        lambda _: {"query": "any where true", "timestamp_field": "at", "fields": ["*"]}, under="_eql/search"
    ),
    "a vector tile": _posts(
        lambda at: f"/{at.index}/_mvt/place/0/0/0", lambda at: {"fields": [at.path], "grid_precision": 0}
    ),
    "terms": _aggregates(lambda path: {"terms": {"field": path}}),
    "rare terms": _aggregates(lambda path: {"rare_terms": {"field": path}}),
    "significant terms": _aggregates(
        lambda path: {"significant_terms": {"field": path, "min_doc_count": 1, "percentage": {}}}
    ),
    "significant text": _aggregates(
        lambda path: {"significant_text": {"field": path, "min_doc_count": 1, "percentage": {}}}
    ),
    "composite": _aggregates(lambda path: {"composite": {"sources": [{"it": {"terms": {"field": path}}}]}}),
    "multi terms": _aggregates(lambda path: {"multi_terms": {"terms": [{"field": path}, {"field": path}]}}),
    "top hits": _aggregates(lambda path: {"top_hits": {"fields": [path], "sort": [{path: "asc"}]}}),
    "top hits' doc values": _aggregates(lambda path: {"top_hits": {"docvalue_fields": [path], "_source": False}}),
    "all terms, globally": _search(
        lambda at: {"size": 0, "aggs": {"all": {"global": {}, "aggs": at.agg({"terms": {"field": at.path}})}}}
    ),
}
"""Ways to see the value, or a part of it."""

ASKING: Final[Mapping[str, Way]] = {
    "cardinality": _aggregates(lambda path: {"cardinality": {"field": path}}, _counted),
    "value count": _aggregates(lambda path: {"value_count": {"field": path}}, _counted),
    "filter": _aggregates(lambda path: {"filter": {"prefix": {path: START}}}, _counted),
    "missing": _aggregates(lambda path: {"missing": {"field": path}}, _not_missing),
    "term": _asks(lambda path: {"term": {path: SECRET}}),
    "terms": _asks(lambda path: {"terms": {path: [SECRET, "x"]}}),
    "match": _asks(lambda path: {"match": {path: SECRET}}),
    "match_phrase": _asks(lambda path: {"match_phrase": {path: SECRET}}),
    "match_phrase_prefix": _asks(lambda path: {"match_phrase_prefix": {path: START}}),
    "match_bool_prefix": _asks(lambda path: {"match_bool_prefix": {path: START}}),
    "multi_match": _asks(lambda path: {"multi_match": {"query": SECRET, "fields": [path]}}),
    "multi_match in all fields": _asks(lambda _: {"multi_match": {"query": SECRET, "fields": ["*"], "lenient": True}}),
    "combined_fields": _asks(lambda path: {"combined_fields": {"query": SECRET, "fields": [path]}}),
    "prefix": _asks(lambda path: {"prefix": {path: START}}),
    "wildcard": _asks(lambda path: {"wildcard": {path: f"{START}*"}}),
    "regexp": _asks(lambda path: {"regexp": {path: f"{START}.+"}}),
    "fuzzy": _asks(lambda path: {"fuzzy": {path: SECRET[:-1]}}),
    "range": _asks(lambda path: {"range": {path: {"gte": START, "lt": "z"}}}),
    "exists": _asks(lambda path: {"exists": {"field": path}}),
    "the names of fields": _asks(lambda path: {"term": {"_field_names": path}}),
    "query_string": _asks(lambda path: {"query_string": {"query": f"{path}:{START}*"}}),
    "query_string in all fields": _asks(lambda _: {"query_string": {"query": SECRET, "lenient": True}}),
    "query_string by wildcard": _asks(lambda _: {"query_string": {"query": rf"customer.\*:{SECRET}", "lenient": True}}),
    "simple_query_string": _asks(lambda path: {"simple_query_string": {"query": f"{START}*", "fields": [path]}}),
    "intervals": _asks(lambda path: {"intervals": {path: {"prefix": {"prefix": START}}}}),
    "span_term": _asks(lambda path: {"span_term": {path: SECRET}}),
    "span_multi": _asks(lambda path: {"span_multi": {"match": {"prefix": {path: START}}}}),
    "more_like_this": _asks(
        lambda path: {
            "more_like_this": {"fields": [path], "like": SECRET, "min_term_freq": 1, "min_doc_freq": 1, "include": True}
        }
    ),
    "more_like_this document": _search(
        lambda at: {
            "query": {
                "more_like_this": {
                    "fields": [at.path],
                    "like": [{"_index": at.index, "_id": "1"}],
                    "min_term_freq": 1,
                    "min_doc_freq": 1,
                    "include": True,
                }
            }
        },
        _hits,
    ),
    "a script": _asks(lambda path: {"script": {"script": f"doc['{path}'].size() > 0"}}),
    "terms of a document": Way(
        lambda at: (
            "POST",
            f"/{GUESSES}/_search",
            {"query": {"terms": {"guess": {"index": at.index, "id": "1", "path": at.path}}}},
        ),
        _hits,
    ),
    "q": _gets(lambda at: f"/{at.index}/_search?q={at.path}:{START}*", _hits),
    "q in all fields": _gets(lambda at: f"/{at.index}/_search?q={SECRET}&lenient=true", _hits),
    "count": _posts(
        lambda at: f"/{at.index}/_count", lambda at: {"query": at.query({"prefix": {at.path: START}})}, _hits
    ),
    "explain": _posts(
        lambda at: f"/{at.index}/_explain/1", lambda at: {"query": at.query({"match": {at.path: SECRET}})}, _matched
    ),
    "a runtime field of its name": _search(
        lambda at: {"runtime_mappings": {at.path: {"type": "keyword"}}, "query": {"term": {at.path: SECRET}}}, _hits
    ),
    "field caps": _gets(lambda at: f"/{at.index}/_field_caps?fields=*", _shows_field),
    "the mapping": _gets(lambda at: f"/{at.index}/_mapping", _shows_field),
    "the mapping of a field": _gets(lambda at: f"/{at.index}/_mapping/field/{at.path}", _shows_field),
    "the index": _gets(lambda at: f"/{at.index}", _shows_field),
}
"""Ways to ask whether the value is what one guesses, or whether there is one."""


def ask(client: httpx.Client, way: Way, at: Place) -> httpx.Response:
    """Send the request of a way."""
    method, path, body = way.request(at)
    if not path.endswith("/_msearch"):
        return client.request(method, path, json=body)
    lines = f"{{}}\n{json.dumps(body)}\n"
    return client.post(path, content=lines, headers={"content-type": "application/x-ndjson"})
