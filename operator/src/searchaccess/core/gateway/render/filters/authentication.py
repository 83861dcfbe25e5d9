"""Who calls: the token's signature, times, issuer and audience, and then its claims, to the letter."""

from typing import Final

from searchaccess.core.gateway.render.conditions import (
    ACCOUNT,
    FAILURE,
    PAYLOAD,
    exactly,
    expression,
    payload,
    person,
    policy,
    rbac,
)
from searchaccess.core.gateway.render.documents import Json, extension
from searchaccess.core.gateway.render.paths import Paths
from searchaccess.core.gateway.settings import GatewaySettings

ASSERTION: Final = "x-goog-iap-jwt-assertion"
"""Header of the Identity-Aware Proxy: its signed statement who calls."""
IAP_ISSUER: Final = "https://cloud.google.com/iap"
JWKS: Final = "jwks"
IAP_JWKS: Final = "iap-jwks"
"""Names of the clusters that publish keys."""

_SKEW_SECONDS: Final = 30
_LIFETIME_SECONDS: Final = 3600
_PATIENCE: Final = "3600s"
"""All attempts to read keys together. As long as the first ones fail, a new listener is not served."""


def token_filter(settings: GatewaySettings, paths: Paths) -> Json:
    """Return the filter that verifies tokens. If there is an assertion of the proxy, it counts, and no other token."""
    providers = {
        "token": _provider(
            settings.issuer,
            settings.audience,
            {"name": "Authorization", "value_prefix": "Bearer "},
            _keys(settings.jwks_url, JWKS, paths),
        )
    }
    rules: list[Json] = [{"match": {"prefix": "/"}, "requires": {"provider_name": "token"}}]
    if settings.iap_audience:
        providers["assertion"] = _provider(
            IAP_ISSUER, settings.iap_audience, {"name": ASSERTION}, _keys(paths.iap_keys, IAP_JWKS, paths)
        )
        asserted: Json = {"prefix": "/", "headers": [{"name": ASSERTION, "present_match": True}]}
        rules.insert(0, {"match": asserted, "requires": {"provider_name": "assertion"}})
    return extension(
        "envoy.filters.http.jwt_authn",
        "extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        providers=providers,
        rules=rules,
    )


def caller_filter(settings: GatewaySettings) -> Json:
    """Return the filter that lets accounts in, by the claims of their verified token.

    Envoy itself compares audiences without ``https://`` and does not know ``email_verified``.
    """
    accounts = _all_claims(
        settings.issuer,
        settings.audience,
        payload("email_verified", {"bool_match": True}),
        payload("email", expression(ACCOUNT)),
    )
    policies = {"accounts": policy({"any": True}, principals=[accounts])}
    if settings.iap_audience:
        forms = [ACCOUNT, *(person(pattern) for pattern in sorted(settings.people))]
        asserted = _all_claims(IAP_ISSUER, settings.iap_audience, payload("email", expression("|".join(forms))))
        policies["asserted"] = policy({"any": True}, principals=[asserted])
    return extension(
        "who",
        "extensions.filters.http.rbac.v3.RBAC",
        rules_stat_prefix="who_",
        rules=rbac("ALLOW", policies),
    )


def _all_claims(issuer: str, audience: str, *more: Json) -> Json:
    matchers = [payload("iss", exactly(issuer)), payload("aud", exactly(audience)), *more]
    return {"and_ids": {"ids": [{"sourced_metadata": {"metadata_matcher": matcher}} for matcher in matchers]}}


def _provider(issuer: str, audience: str, header: Json, keys: Json) -> Json:
    return {
        "issuer": issuer,
        "audiences": [audience],
        "from_headers": [header],
        "forward": False,
        "payload_in_metadata": PAYLOAD,
        "failed_status_in_metadata": FAILURE,
        "require_expiration": True,
        "max_lifetime": f"{_LIFETIME_SECONDS + _SKEW_SECONDS}s",
        "clock_skew_seconds": _SKEW_SECONDS,
        "clear_route_cache": True,
        "remote_jwks": keys,
    }


def _keys(url: str, cluster: str, paths: Paths) -> Json:
    return {
        "http_uri": {"uri": url, "cluster": cluster, "timeout": _PATIENCE},
        "cache_duration": f"{paths.jwks_cache_seconds}s",
        "async_fetch": {"fast_listener": False, "failed_refetch_duration": "1s"},
        "retry_policy": {
            "num_retries": 1_000_000,
            "retry_back_off": {"base_interval": "0.2s", "max_interval": "5s"},
        },
    }
