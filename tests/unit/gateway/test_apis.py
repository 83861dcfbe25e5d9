"""Which part of Elasticsearch's API each request belongs to."""

import re
from itertools import combinations

import elasticsearch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchaccess.api.vocabulary.apigroups import ApiGroup
from searchaccess.core.gateway.apis import PATHS, SCROLLS, groups_of, rule_of
from tests.support.runs.effort import examples
from tests.unit.gateway.clientapis import Request, requests_of_the_client

DOCUMENTS, SEARCH, BULK, STATEFUL = ApiGroup.DOCUMENTS, ApiGroup.SEARCH, ApiGroup.BULK, ApiGroup.STATEFUL
SQL, SCRIPTS, INDICES, CLUSTER = ApiGroup.SQL, ApiGroup.SCRIPTS, ApiGroup.INDICES, ApiGroup.CLUSTER

REQUESTS = sorted(requests_of_the_client(), key=lambda request: (request.endpoint, request.path))

ENDPOINTS = {
    DOCUMENTS: "create delete exists exists_source get get_source index mget mtermvectors termvectors update",
    SEARCH: "count explain field_caps fleet.msearch fleet.search graph.explore indices.validate_query knn_search"
    " msearch rank_eval rollup.rollup_search search search_mvt search_shards terms_enum",
    BULK: "bulk delete_by_query delete_by_query_rethrottle reindex reindex_rethrottle update_by_query"
    " update_by_query_rethrottle",
    STATEFUL: "async_search.delete async_search.get async_search.status async_search.submit clear_scroll"
    " close_point_in_time open_point_in_time scroll",
    SQL: "eql.delete eql.get eql.get_status eql.search esql.async_query esql.async_query_delete esql.async_query_get"
    " esql.async_query_stop esql.query sql.clear_cursor sql.delete_async sql.get_async sql.get_async_status sql.query"
    " sql.translate",
    SCRIPTS: "delete_script get_script get_script_context get_script_languages msearch_template put_script"
    " render_search_template scripts_painless_execute search_template",
    INDICES: "ccr.follow ccr.follow_info ccr.follow_stats ccr.forget_follower ccr.pause_follow ccr.resume_follow"
    " ccr.unfollow cluster.delete_component_template cluster.exists_component_template cluster.get_component_template"
    " cluster.put_component_template fleet.global_checkpoints ilm.explain_lifecycle ilm.remove_policy ilm.retry"
    " rollup.get_rollup_index_caps",
    CLUSTER: "dangling_indices.delete_dangling_index indices.cancel_migrate_reindex indices.get_data_lifecycle_stats"
    " indices.get_migrate_reindex_status indices.migrate_reindex",
}
"""Where each API of the client belongs. Those of ``indices.`` that are not named are ``Indices``, all others
``Cluster``."""
GROUP_OF = {endpoint: group for group, endpoints in ENDPOINTS.items() for endpoint in endpoints.split()}
IN_TWO = {"migration.deprecations", "searchable_snapshots.clear_cache", "searchable_snapshots.stats"}
"""APIs that are about an index if their path names one, and about the cluster otherwise."""


def _expected(request: Request) -> ApiGroup:
    if request.endpoint in IN_TWO:
        return INDICES if request.path.startswith("/{index}") else CLUSTER
    return GROUP_OF.get(request.endpoint, INDICES if request.endpoint.startswith("indices.") else CLUSTER)


def _filled(path: str, value: str) -> str:
    return re.sub(r"\{\w+\}", lambda _match: value, path)


def test_the_table_is_about_apis_of_the_client() -> None:
    assert elasticsearch.__version__[:2] == (8, 19)
    assert len(REQUESTS) > 500
    assert set(GROUP_OF) | IN_TWO <= {request.endpoint for request in REQUESTS}


@pytest.mark.parametrize(
    "value", ["orders", "logs-*,orders%2C1", "%3Clogs-%7Bnow%2Fd%7D%3E", "eu:orders", "*", "-x", "%5Fx"]
)
def test_each_request_of_the_official_client_is_in_the_expected_group(value: str) -> None:
    found = {request: groups_of(_filled(request.path, value)) for request in REQUESTS}
    assert {request: groups for request, groups in found.items() if groups != {_expected(request)}} == {}


@pytest.mark.parametrize("end", ["/", "//", "///"])
def test_slashes_at_the_end_change_nothing(end: str) -> None:
    found = {request: groups_of(_filled(request.path, "orders") + end) for request in REQUESTS}
    assert {request: groups for request, groups in found.items() if groups != {_expected(request)}} == {}


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("/_all/_search", SEARCH),
        ("/_search", SEARCH),
        ("/_all", INDICES),
        ("/orders/_doc/_kJ3hYsBq", DOCUMENTS),
        ("/orders/_doc/a%2Fb", DOCUMENTS),
        ("/orders/_doc/%2E%2E", DOCUMENTS),
        ("/orders/_source/_design", DOCUMENTS),
        ("/orders/_doc/_searching", DOCUMENTS),
        # Elasticsearch decodes no fixed part: this is an index named _search.
        ("/%5Fsearch", INDICES),
        ("/%5Fsql", INDICES),
        ("/orders/_SEARCH", CLUSTER),
        ("/orders/%5Fsearch", DOCUMENTS),
        # Paths with types, which 8.x takes with compatible-with=7.
        ("/orders/order", DOCUMENTS),
        ("/orders/order/7", DOCUMENTS),
        ("/orders/order/7/_update", DOCUMENTS),
        ("/orders/order/7/_explain", SEARCH),
        ("/orders/order/_search", SEARCH),
        ("/orders/order/_search/template", SCRIPTS),
        ("/orders/order/_bulk", BULK),
        ("/orders/order/_delete_by_query", BULK),
        ("/orders/order/_mapping", INDICES),
        ("/orders/_settings/_search", SEARCH),
        # Nobody knows these, or Elasticsearch keeps them for itself.
        ("/", CLUSTER),
        ("", CLUSTER),
        ("*", CLUSTER),
        ("/_unknown", CLUSTER),
        ("/orders/_unknown", CLUSTER),
        ("/orders/_unknown/7", CLUSTER),
        ("/orders/_search/more", CLUSTER),
        ("/_sqlx", CLUSTER),
        ("/_query_rules/mine", CLUSTER),
        ("/_security/user/_password", CLUSTER),
        ("/_security/_authenticate", CLUSTER),
        ("/_xpack/sql", CLUSTER),
        ("/_monitoring/bulk", CLUSTER),
        ("/_application/search_application/shop/_search", CLUSTER),
        ("//_search", CLUSTER),
        ("/orders//_search", CLUSTER),
        ("/ordérs/_search", CLUSTER),
        ("/orders/_search\n", CLUSTER),
        ("/ord ers/_search", CLUSTER),
        ("orders/_search", CLUSTER),
    ],
)
def test_other_spellings_stay_in_their_group(path: str, group: ApiGroup) -> None:
    assert groups_of(path) == {group}


@pytest.mark.parametrize(
    ("path", "groups"),
    [
        ("/orders/_doc/_search", {DOCUMENTS, SEARCH}),
        ("/orders/_doc/_bulk", {DOCUMENTS, BULK}),
        ("/orders/_update/_delete_by_query/", {DOCUMENTS, BULK}),
        ("/orders/_explain/_bulk", {SEARCH, BULK}),
        ("/orders/_doc/_mapping", {DOCUMENTS, INDICES}),
    ],
)
def test_a_path_that_headers_may_give_another_meaning_needs_both_groups(path: str, groups: set[ApiGroup]) -> None:
    assert groups_of(path) == groups
    for held in (frozenset({group}) for group in groups):
        assert not _allowed(held, path)
        assert not _allowed(held | {CLUSTER}, path)
    assert _allowed(frozenset(groups), path)


def _allowed(groups: frozenset[ApiGroup], path: str, query: str = "") -> bool:
    """Decide as the module's docstring tells the gateway to."""
    rule = rule_of(groups)
    return (
        any(re.fullmatch(expression, path) for expression in rule.allow)
        and not any(re.fullmatch(expression, path) for expression in rule.deny)
        and not any(re.fullmatch(expression, path + query) for expression in rule.deny_targets)
    )


WORDS = sorted(
    {part for request in REQUESTS for part in request.path.split("/") if part and "{" not in part} | {"i", "_x", "_all"}
)
paths = st.lists(st.sampled_from(WORDS), max_size=6).map(lambda parts: "/" + "/".join(parts)) | st.sampled_from(
    [_filled(request.path, "i") for request in REQUESTS]
)


@given(path=paths, groups=st.frozensets(st.sampled_from(ApiGroup)))
@settings(max_examples=examples(2000))
def test_a_rule_allows_a_path_exactly_if_all_its_groups_are_allowed(path: str, groups: frozenset[ApiGroup]) -> None:
    assert _allowed(groups, path) == (groups_of(path) <= groups)


@given(path=paths, some=st.frozensets(st.sampled_from(ApiGroup)), more=st.frozensets(st.sampled_from(ApiGroup)))
@settings(max_examples=examples(1000))
def test_fewer_groups_never_allow_more(path: str, some: frozenset[ApiGroup], more: frozenset[ApiGroup]) -> None:
    assert not _allowed(some, path) or _allowed(some | more, path)


def test_no_group_allows_nothing() -> None:
    assert rule_of(frozenset()).allow == ()


@pytest.mark.parametrize("path", ["//_search", "/orders//_search", "/ordérs/_search", "/orders/_search\n", "*"])
def test_odd_spellings_are_refused_even_to_a_caller_with_all_groups(path: str) -> None:
    assert not _allowed(frozenset(ApiGroup), path)


@pytest.mark.parametrize(
    "query",
    [
        "?scroll=1m",
        "?scroll",
        "?q=a&scroll=1m",
        "?q=a;scroll=1m",
        "?&scroll=1m&size=1",
        "?%73%63%72%6f%6C%6c=1m",
        "?scro%6Cl=1m",
    ],
)
@pytest.mark.parametrize("path", ["/orders/_search", "/_search/", "/orders/order/_search", "/orders/_search/template"])
def test_a_scroll_that_a_parameter_opens_needs_stateful(path: str, query: str) -> None:
    groups = frozenset(ApiGroup) - {STATEFUL}
    assert _allowed(groups, path)
    assert not _allowed(groups, path, query)
    assert _allowed(groups | {STATEFUL}, path, query)


@pytest.mark.parametrize(
    "target",
    [
        "/orders/_search?scrolls=1",
        "/orders/_search?q=scroll=1m",
        "/orders/_search?q=%26scroll=1m",
        "/orders/_search?%2573croll=1m",
        "/orders/_delete_by_query?scroll=1m",
        "/orders/_search",
    ],
)
def test_other_queries_open_no_scroll(target: str) -> None:
    assert not re.fullmatch(SCROLLS, target)


def test_expressions_use_what_python_and_re2_read_alike_and_stay_small() -> None:
    """Envoy refuses an expression whose RE2 program has more than 100 instructions, of about one for each character."""
    expressions = [path for paths_ in PATHS.values() for path in paths_]
    assert [path for path in expressions if re.search(r"\(\?[^:]|\\|[$^.](?!-)(?![^\[]*\])|\{", path)] == []
    assert max(map(len, expressions)) < 130
    assert len(set(expressions)) == len(expressions)


def test_the_examples_of_each_group_belong_to_it() -> None:
    for group in ApiGroup:
        for example in group.examples:
            path, _, query = _filled(example, "orders").partition("?")
            assert _allowed(frozenset(ApiGroup), path, query and f"?{query}")
            needed = {STATEFUL, SEARCH} if query else {group}
            assert _allowed(frozenset(needed), path, query and f"?{query}")
            assert not _allowed(frozenset(ApiGroup) - {group}, path, query and f"?{query}"), example


def test_all_pairs_of_groups_share_no_path_of_the_client() -> None:
    for one, other in combinations(ApiGroup, 2):
        shared = [r.path for r in REQUESTS if groups_of(_filled(r.path, "orders")) >= {one, other}]
        assert shared == []
