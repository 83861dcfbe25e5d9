"""What the gateway writes about each request, and what it counts."""

from collections.abc import Mapping
from typing import Final

from searchaccess.core.gateway.render.conditions import AUTHENTICATED, DECISIONS, FAILURE, claim
from searchaccess.core.gateway.render.documents import Json, extension

FIELDS: Final[Mapping[str, str]] = {
    "time": "%START_TIME%",
    "principal": claim("email").replace(")%", "):320%"),
    "subject": claim("sub").replace(")%", "):255%"),
    "method": "%REQ(:METHOD):16%",
    "path": "%PATH(NQ:PATH):512%",
    "status": "%RESPONSE_CODE%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "tokenFailure": f"%DYNAMIC_METADATA({AUTHENTICATED}:{FAILURE}:message)%",
    "opaqueId": "%REQ(X-OPAQUE-ID):256%",
    "traceparent": "%REQ(TRACEPARENT):64%",
    "requestId": "%REQ(X-REQUEST-ID):64%",
    "bytesIn": "%BYTES_RECEIVED%",
    "bytesOut": "%BYTES_SENT%",
    "durationMs": "%DURATION%",
    "upstream": "%UPSTREAM_HOST%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "agent": "%REQ(USER-AGENT):256%",
}
"""Fields of a line, besides ``version``. There is no token and no query in it, and what callers choose is cut off."""

_MOST_COUNTERS: Final = 20_000
"""Counters by caller and status; others are not counted then. Anybody at Google can send a token of an account."""


def access_logs(version: str) -> list[Json]:
    """Return the log of requests, and the counters of requests.

    Args:
        version: of the configuration.
    """
    line = extension(
        "envoy.access_loggers.stdout",
        "extensions.access_loggers.stream.v3.StdoutAccessLog",
        log_format={"json_format": {**FIELDS, "version": version}},
    )
    return [line, _counter("requests", {"principal": claim("email")}, _let_in()), _counter("answers", {})]


def _counter(name: str, tags: Mapping[str, str], condition: Json | None = None) -> Json:
    every = {**tags, "code": "%RESPONSE_CODE%"}
    stat = {"name": name, "tags": [{"name": tag, "value_format": value} for tag, value in every.items()]}
    logger = extension(
        "envoy.access_loggers.stats",
        "extensions.access_loggers.stats.v3.Config",
        stats_scope={"prefix": "gateway", "max_counters": _MOST_COUNTERS},
        counters=[{"stat": stat, "value_fixed": 1}],
    )
    return logger if condition is None else {**logger, "filter": condition}


def _let_in() -> Json:
    """Requests of callers that the gateway lets in, whatever it or Elasticsearch answered then."""
    path = [{"key": "who_enforced_engine_result"}]
    matcher = {**DECISIONS, "path": path, "value": {"string_match": {"exact": "allowed"}}}
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": False}}
