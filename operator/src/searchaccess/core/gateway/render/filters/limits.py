"""What a caller may send: rates, sizes of bodies, and parts of the API."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from searchaccess.core.gateway.render.conditions import (
    AUTHENTICATED,
    PAYLOAD,
    RULES,
    any_of,
    exactly,
    expression,
    noted,
    payload,
    policy,
    rbac,
)
from searchaccess.core.gateway.render.documents import Json, extension, typed
from searchaccess.core.gateway.render.filters.rules import group_policies
from searchaccess.core.gateway.settings import ApiGroup, GatewaySettings, Rate

LIMITS: Final = "searchaccess.limits"
"""Where a route says what its callers may send, for messages."""


_GROUPS: Final = "groups"
_RATES: Final = "rates"
_DEFAULT: Final = "default"
_UNLIMITED_RATE: Final = "any"
_BODY: Final = "envoy.filters.http.body_size_limit"
_BODY_TYPE: Final = "extensions.filters.http.body_size_limit.v3.BodySizeLimit"
_OWN_BODY: Final = "body"
_MATCHING: Final = "extensions.common.matching.v3.ExtensionWithMatcher"
_RBAC: Final = "extensions.filters.http.rbac.v3.RBAC"
_UNLIMITED: Final = 2**32 - 1
_AT_ONCE: Final = 500
"""Addresses in one regular expression, whose size is limited."""
_KNOWN_CALLERS: Final = 20_000
"""Callers of a rate that are counted at a time; the one that was heard of least lately is forgotten first."""


@dataclass(frozen=True, slots=True)
class CallerClass:
    """Callers with the same limits, except for rates: they share a route."""

    callers: tuple[str, ...]
    """E-mail addresses; empty: all others."""
    max_body: int
    groups: frozenset[ApiGroup] | None


def classes(settings: GatewaySettings) -> tuple[CallerClass, ...]:
    """Return the classes of callers; the last one has all that are not in another."""
    default = (settings.limits.max_body, settings.limits.groups)
    found: dict[tuple[int, frozenset[ApiGroup] | None], list[str]] = {}
    for email, limits in sorted(settings.callers.items()):
        key = (limits.max_body, limits.groups)
        if key != default:
            found.setdefault(key, []).append(email)
    several = [CallerClass(some, body, groups) for (body, groups), emails in found.items() for some in _chunks(emails)]
    return (*sorted(several, key=lambda one: one.callers), CallerClass((), *default))


def routes(settings: GatewaySettings) -> list[Json]:
    """Return the routes of all callers: what they match, and what they change in the filters."""
    largest = largest_body(settings)
    return [_route(one, largest) for one in classes(settings)]


def limit_filters(settings: GatewaySettings) -> list[Json]:
    """Return the filters for limits, which come after those that find out who calls."""
    all_classes, largest = classes(settings), largest_body(settings)
    filters = []
    if any(one.groups is not None for one in all_classes):
        filters.append(extension(_GROUPS, _RBAC, rules_stat_prefix=f"{_GROUPS}_", rules=rbac("DENY", {})))
    rates = _own_rates(settings)
    if rates:
        filters.append(_rate_classes(rates))
    if descriptors := _descriptors(settings, rates):
        filters.append(_rate_filter(descriptors))
    if any(one.max_body < largest for one in all_classes):
        composite = extension("composite", "extensions.filters.http.composite.v3.Composite")
        filters.append(extension(_OWN_BODY, _MATCHING, xds_matcher=_limiting(largest), extension_config=composite))
    return [*filters, _body_filter(largest)]


def largest_body(settings: GatewaySettings) -> int:
    """Return how many bytes those callers may send that may send most."""
    return max(limits.max_body for limits in (settings.limits, *settings.callers.values()))


def _route(one: CallerClass, largest: int) -> Json:
    filters: Json = {}
    if one.max_body < largest:
        filters[_OWN_BODY] = typed(f"{_MATCHING}PerRoute", xds_matcher=_limiting(one.max_body))
    if one.groups is not None:
        filters[_GROUPS] = _rules(_GROUPS, group_policies(one.groups))
    allowed = "all" if one.groups is None else ", ".join(sorted(one.groups)) or "none"
    return {
        "match": {"prefix": "/", **_match(one)},
        "typed_per_filter_config": filters,
        "metadata": {"filter_metadata": {LIMITS: {"maxBody": str(one.max_body), "apis": allowed}}},
    }


def _body_filter(most: int) -> Json:
    return extension(_BODY, _BODY_TYPE, max_request_bytes=most)


def _limiting(most: int) -> Json:
    """Return what a route changes to limit bodies: the filter itself takes one number for all callers.

    Bodies are counted as they are passed on. None is kept: callers could fill the memory with bodies that they never
    end.
    """
    execute = typed("extensions.filters.http.composite.v3.ExecuteFilterAction", typed_config=_body_filter(most))
    return {"on_no_match": {"action": {"name": _OWN_BODY, "typed_config": execute}}}


def _rules(name: str, policies: Json) -> Json:
    rules = {"rules_stat_prefix": f"{name}_", "rules": rbac("DENY", dict(sorted(policies.items())))}
    return typed("extensions.filters.http.rbac.v3.RBACPerRoute", rbac=rules)


def _match(one: CallerClass) -> Json:
    return {"dynamic_metadata": [_calls(one.callers)]} if one.callers else {}


def _calls(emails: tuple[str, ...]) -> Json:
    """Return the matcher of some callers."""
    return payload("email", exactly(emails[0]) if len(emails) == 1 else expression(any_of(emails)))


def _chunks(emails: Iterable[str]) -> list[tuple[str, ...]]:
    """Return addresses in parts, those of a domain together."""
    ordered = sorted(emails, key=lambda email: (email.rpartition("@")[2], email))
    return [tuple(ordered[start : start + _AT_ONCE]) for start in range(0, len(ordered), _AT_ONCE)]


def _own_rates(settings: GatewaySettings) -> dict[str, tuple[Rate | None, list[str]]]:
    """Return the rates that differ from the default with their callers, by what the gateway calls them."""
    found: dict[str, tuple[Rate | None, list[str]]] = {}
    for email, limits in settings.callers.items():
        if limits.rate != settings.limits.rate:
            found.setdefault(_name_of(limits.rate), (limits.rate, []))[1].append(email)
    return dict(sorted(found.items()))


def _name_of(rate: Rate | None) -> str:
    return f"{rate.per_second}/{rate.burst}" if rate else _UNLIMITED_RATE


def _rate_classes(rates: Mapping[str, tuple[Rate | None, list[str]]]) -> Json:
    """Return the filter that notes which rate a caller has; it refuses nobody.

    So there is one descriptor for each rate, in place of one for each caller, which take ten times the space.
    """
    policies = {
        name: policy(
            {"any": True},
            principals=[{"sourced_metadata": {"metadata_matcher": _calls(some)}} for some in _chunks(emails)],
        )
        for name, (_, emails) in rates.items()
    }
    rules = rbac("ALLOW", policies)
    return extension(_RATES, _RBAC, shadow_rules=rules, shadow_rules_stat_prefix=f"{_RATES}_")


def _descriptors(settings: GatewaySettings, rates: Mapping[str, tuple[Rate | None, list[str]]]) -> list[Json]:
    every = {name: rate for name, (rate, _) in rates.items()} | {_DEFAULT: settings.limits.rate}
    return [
        {
            "entries": [{"key": "rate", "value": name}, {"key": "principal"}],
            "token_bucket": _bucket(rate, settings.replicas),
        }
        for name, rate in every.items()
        if rate is not None
    ]


def _bucket(rate: Rate | None, replicas: int) -> Json:
    if rate is None:
        return {"max_tokens": _UNLIMITED, "tokens_per_fill": _UNLIMITED, "fill_interval": "1s"}
    refill = _share(rate.per_second, replicas)
    return {"max_tokens": max(_share(rate.burst, replicas), refill), "tokens_per_fill": refill, "fill_interval": "1s"}


def _share(number: int, replicas: int) -> int:
    return -(-number // replicas)


def _rate_filter(descriptors: list[Json]) -> Json:
    always = {"default_value": {"numerator": 100}}
    principal = {
        "descriptor_key": "principal",
        "metadata_key": {"key": AUTHENTICATED, "path": [{"key": PAYLOAD}, {"key": "email"}]},
        "source": "DYNAMIC",
    }
    rate = {
        "descriptor_key": "rate",
        "metadata_key": {"key": RULES, "path": [{"key": noted(_RATES)}]},
        "source": "DYNAMIC",
        "default_value": _DEFAULT,
    }
    return extension(
        "envoy.filters.http.local_ratelimit",
        "extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        stat_prefix="rate",
        filter_enabled=always,
        filter_enforced=always,
        enable_retry_after_header=True,
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
        always_consume_default_token_bucket=False,
        max_dynamic_descriptors=_KNOWN_CALLERS,
        token_bucket=_bucket(None, 1),
        rate_limits=[{"actions": [{"metadata": rate}, {"metadata": principal}]}],
        descriptors=descriptors,
    )
