"""Which requests the gateway refuses by their path, and the parts of Elasticsearch's API."""

from typing import Final

from searchaccess.api.vocabulary.apigroups import ApiGroup
from searchaccess.core.gateway.apis import PATHS, SCROLLS, rule_of
from searchaccess.core.gateway.render.conditions import all_rules, header, not_rule, path, policy, rbac
from searchaccess.core.gateway.render.documents import Json

SELF: Final = "/_security/(_authenticate|user/_has_privileges|user/_privileges)"
"""What callers may ask of the security API: about themselves."""
SECURITY: Final = "/_(security|xpack)([/;].*)?"
"""With it a caller could set the password of its own user, and then log in without a token."""
ODD: Final = r".*/([.]|%2[eE]){1,2}(/.*)?"
"""Dots as a part of a path, which something behind the gateway might resolve."""
READING: Final = "GET|HEAD"
REPEATED: Final = "gateway-error"
"""https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/router_filter#x-envoy-retry-on"""
METHODS: Final = "GET|HEAD|POST|PUT|DELETE"


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


def repeatable() -> Json:
    """Return which requests may be sent again after Elasticsearch may have begun with them: they only read.

    The name of the policy is Envoy's for the cases: no answer, or 502, 503 or 504. A page of a scroll is not read
    twice, so only documents and searches are repeated, and no search that begins a scroll: the first one would stay.
    """
    reads = path("|".join((*PATHS[ApiGroup.DOCUMENTS], *PATHS[ApiGroup.SEARCH])))
    others = path("|".join((*PATHS[ApiGroup.STATEFUL], *PATHS[ApiGroup.SQL])))
    read_only = all_rules(header(":method", READING), reads, not_rule(others), not_rule(header(":path", SCROLLS)))
    return rbac("ALLOW", {REPEATED: policy(read_only)})


def group_policies(allowed: frozenset[ApiGroup]) -> Json:
    """Return what is refused to callers that may use some parts of the API only.

    A request that is in several parts, such as a search that begins a scroll, needs all of them.
    """
    rule, own = rule_of(allowed), path(SELF)
    refused = {
        f"api-{group}": policy(path("|".join(PATHS[group])))
        for group in ApiGroup
        if group not in allowed and PATHS[group]
    }
    others = all_rules(not_rule(own), not_rule(path("|".join(rule.allow)))) if rule.allow else not_rule(own)
    refused["api-other"] = policy(others)
    if rule.deny_targets:
        refused["api-scroll"] = policy(header(":path", "|".join(rule.deny_targets)))
    return refused
