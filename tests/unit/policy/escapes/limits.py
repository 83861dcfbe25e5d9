"""Tricks with limits of callers."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.unit.policy.escapes.cases import KEY, Escape

LIMITED: Final[Mapping[str, Any]] = {
    "require": {"limits": {"requestsPerSecond": 10, "maxBody": "1Mi", "apis": ["Documents", "Search"]}}
}
"""A caller that sends little, to a part of the API."""
SLOW: Final[Mapping[str, Any]] = {"requestsPerSecond": 10, "maxBody": "1Mi", "apis": ["Search"]}
"""Limits that are accepted."""


def limits() -> Iterator[Escape]:
    """Yield tricks with limits. That a second SearchAccess lifts none is in tests/unit/gateway/test_limits.py."""

    def limited(name: str, says: str, **change: Any) -> Escape:
        return Escape(f"limits: {name}", {"limits": {**SLOW, **change}}, says, LIMITED)

    yield Escape("limits: none at all", {}, "limits.requestsPerSecond is required: write at most 10", LIMITED)
    yield Escape("limits: null", {"limits": None}, "spec.limits", LIMITED)
    yield Escape("limits: an empty object", {"limits": {}}, "spec.limits", LIMITED)
    yield Escape("limits: no body", {"limits": {"requestsPerSecond": 1, "apis": ["Search"]}}, "maxBody is req", LIMITED)
    yield limited("a higher rate", "requestsPerSecond: 11 is not accepted", requestsPerSecond=11)
    yield limited("the rate null", "requestsPerSecond", requestsPerSecond=None)
    yield limited("the rate 0", "requestsPerSecond", requestsPerSecond=0)
    yield limited("a negative rate", "requestsPerSecond", requestsPerSecond=-1)
    yield limited("a rate as text", "requestsPerSecond", requestsPerSecond="10")
    yield limited("a rate of parts", "requestsPerSecond", requestsPerSecond=0.5)
    yield limited("the rate true", "requestsPerSecond", requestsPerSecond=True)
    yield limited("a huge burst", "burst: 100000 is not accepted: write at most 20", burst=100_000)
    yield limited("a burst beyond all bounds", "burst", burst=10**9)
    yield limited("the burst null", "burst", burst=None)
    yield Escape("limits: a burst without a rate", {"limits": {"burst": 5}}, "burst belongs to requestsPer", LIMITED)
    yield limited("a larger body", "maxBody: 2Mi is not accepted: write at most 1Mi", maxBody="2Mi")
    yield limited("a larger body in a smaller unit", "maxBody: 1025Ki is not accepted", maxBody="1025Ki")
    yield limited("a body of 0", "maxBody", maxBody="0")
    yield limited("a body of 0Mi", "maxBody", maxBody="0Mi")
    yield limited("a body with a decimal unit", "maxBody", maxBody="1M")
    yield limited("a body in a unit that nobody knows", "maxBody", maxBody="1Ti")
    yield limited("a body with a sign", "maxBody", maxBody="+1Mi")
    yield limited("a body with a line break", "maxBody", maxBody="1Mi\n")
    yield limited("the body null", "maxBody", maxBody=None)
    yield limited("another part of the API", "apis: Sql is not accepted", apis=["Search", "Sql"])
    yield limited("the rest of the API", "apis: Cluster is not accepted", apis=["Search", "Cluster"])
    yield limited("an unknown part of the API", "apis", apis=["Search", "Everything"])
    yield limited("a part of the API in lower case", "apis", apis=["search"])
    yield limited("every part of the API by *", "apis", apis=["*"])
    yield limited("no part of the API", "apis", apis=[])
    yield limited("the parts null", "apis", apis=None)
    yield limited("a field that does not exist", "there is no such field", requestsPerMinute=1)
    yield Escape("limits: with a key, which no gateway sees", {**KEY, "limits": SLOW}, "limits", LIMITED)
    yield Escape("limits: a key instead of limits", KEY, "write auth: IdentityToken", LIMITED)
