"""Which requests the gateway refuses by their path, and the parts of Elasticsearch's API."""

from collections.abc import Mapping
from typing import Final

from searchaccess.core.gateway.render.conditions import all_rules, any_rule, header, not_rule, path, policy, rbac
from searchaccess.core.gateway.render.documents import Json
from searchaccess.core.gateway.settings import ApiGroup

SELF: Final = "/_security/(_authenticate|user/_has_privileges|user/_privileges)"
"""What callers may ask of the security API: about themselves."""
SECURITY: Final = "/_(security|xpack)([/;].*)?"
"""With it a caller could set the password of its own user, and then log in without a token."""
ODD: Final = r".*/([.]|%2[eE]){1,2}(/.*)?"
"""Dots as a part of a path, which something behind the gateway might resolve."""
METHODS: Final = "GET|HEAD|POST|PUT|DELETE"

_INDEX: Final = "/(_all[^/]*|[^/_][^/]*)"
_MAYBE_INDEX: Final = f"({_INDEX})?"
_END: Final = "/?"

PATHS: Final[Mapping[ApiGroup, str]] = {
    ApiGroup.DOCUMENTS: (
        f"{_INDEX}/_(doc|create|update|source|termvectors)(/[^/]+)?{_END}|{_MAYBE_INDEX}/_(mget|mtermvectors){_END}"
    ),
    ApiGroup.SEARCH: (
        f"{_MAYBE_INDEX}/_(search|msearch|count|field_caps|validate/query|rank_eval|search_shards){_END}"
        f"|{_INDEX}/_(terms_enum|knn_search|graph/explore|explain/[^/]+|mvt/.+){_END}"
    ),
    ApiGroup.BULK: (
        f"{_MAYBE_INDEX}/_bulk{_END}|{_INDEX}/_(delete|update)_by_query{_END}"
        "|/_(reindex|delete_by_query|update_by_query)(/.*)?"
    ),
    ApiGroup.STATEFUL: f"/_search/scroll(/.*)?|{_MAYBE_INDEX}/_(pit|async_search)(/.*)?",
    ApiGroup.SQL: f"/_(sql|esql|query|eql)(/.*)?|{_INDEX}/_eql(/.*)?",
    ApiGroup.SCRIPTS: (
        f"/_(scripts|script_context|script_language|render)(/.*)?|{_MAYBE_INDEX}/_m?search/template{_END}"
    ),
}
"""Paths of each part that has a list of them."""
INDICES: Final = f"{_INDEX}(/_.*)?{_END}"
"""Of indices, unless the path is another part's."""
INDICES_AT_ROOT: Final = (
    "/_(alias|aliases|analyze|cache|component_template|data_stream|flush|forcemerge|index_template|mapping|mappings"
    "|recovery|refresh|resolve|segments|settings|shard_stores|stats|template)(/.*)?"
)
CLUSTER: Final = "/(_.*)?"
"""Of the cluster, unless the path is another part's."""
SEARCHES: Final = f"{_MAYBE_INDEX}/_search(/template)?{_END}"
SCROLLING: Final = r"[^?]*[?](.*[&;?])?(scroll|[^=&;]*%[^=&;]*)([=&;].*)?"
"""A query with the parameter ``scroll``, or with a name that is encoded and might be it."""
SEVENTH: Final = ".*[cC][oO][mM][pP][aA][tT][iI][bB][lL][eE]-[wW][iI][tT][hH][^;,]*7.*"
"""Elasticsearch then takes paths with types, such as ``/index/type/_bulk``, which are in no part."""

_LISTED: Final = "|".join(PATHS.values())


def security_rules() -> Json:
    """Return what nobody may request."""
    return rbac(
        "DENY",
        {
            "method": policy(not_rule(header(":method", METHODS))),
            "path": policy(path(ODD), {"url_path": {"path": {"contains": "//"}}}),
            "security-api": policy(all_rules(path(SECURITY), not_rule(path(SELF)))),
        },
    )


def group_policies(allowed: frozenset[ApiGroup]) -> Json:
    """Return what is refused to callers that may use some parts of the API only.

    A request that is in several parts, such as a search that begins a scroll, needs all of them.
    """
    refused = {f"api-{group}": policy(_permission(group)) for group in ApiGroup if group not in allowed}
    others = policy(
        not_rule(any_rule(path(_LISTED), path(INDICES), path(CLUSTER))),
        header("accept", SEVENTH),
        header("content-type", SEVENTH),
    )
    return {**refused, "api-other": others}


def _permission(group: ApiGroup) -> Json:
    match group:
        case ApiGroup.INDICES:
            return any_rule(path(INDICES_AT_ROOT), all_rules(path(INDICES), not_rule(path(_LISTED))))
        case ApiGroup.CLUSTER:
            rest = f"{_LISTED}|{INDICES}|{INDICES_AT_ROOT}|{SELF}"
            return all_rules(path(CLUSTER), not_rule(path(rest)))
        case ApiGroup.STATEFUL:
            return any_rule(path(PATHS[group]), all_rules(path(SEARCHES), header(":path", SCROLLING)))
        case _:
            return path(PATHS[group])
