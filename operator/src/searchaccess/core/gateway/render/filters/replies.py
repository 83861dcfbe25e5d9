"""What the gateway answers when it refuses a request, in the form of Elasticsearch's errors."""

from typing import Final

from searchaccess.core.gateway.render.conditions import DECISIONS
from searchaccess.core.gateway.render.documents import Json, formatted
from searchaccess.core.gateway.render.filters.limits import LIMITS
from searchaccess.core.gateway.render.filters.rules import METHODS, SECURITY

_ASK: Final = "Ask the team that runs this gateway."
_CHANGE: Final = "change the limits of its SearchAccess or of the SearchCluster"
_SEND: Final = (
    "send one header Authorization: Bearer with an identity token of a service account for this gateway's audience,"
    " not older than an hour"
)
_CALLER: Final = (
    "the token is valid, but not for this gateway: its audience must be the gateway's to the letter, and its account a"
    " service account with a verified e-mail address, or a person whom the SearchCluster allows"
)
_METHOD: Final = "the method must be GET, HEAD, POST, PUT or DELETE"
_SECURITY_API: Final = (
    "nobody may use the security API through the gateway, except _security/_authenticate,"
    " _security/user/_has_privileges and _security/user/_privileges"
)
_PATH: Final = "the path must not have empty parts, nor parts of dots alone, encoded or not"
_AUTHORIZATION: Final = "gateway_authorization_exception"


def local_replies() -> Json:
    """Return how the gateway's own answers look. Those of Elasticsearch pass unchanged.

    Envoy notes which rule refused a request only after it has answered. Before, it notes for each filter that let it
    pass: that tells which filter refuses it.
    """
    size = f"the body has more than the %METADATA(ROUTE:{LIMITS}:maxBody)% bytes that this caller may send"
    apis = f"this caller may use these parts of the API only: %METADATA(ROUTE:{LIMITS}:apis)%"
    body = ("gateway_body_limit_exception", size, f"send smaller bodies, or {_CHANGE}")
    return {
        "mappers": [
            _reply(_status(401), "gateway_authentication_exception", "%LOCAL_REPLY_BODY%", formatted(_SEND)),
            _reply(_both(_status(403), _unless(":method", METHODS)), _AUTHORIZATION, _METHOD),
            _reply(_both(_status(403), _if("upgrade", ".*")), _AUTHORIZATION, "the gateway speaks HTTP alone"),
            _reply(_refused_after("rules"), _AUTHORIZATION, apis, f"to use others, {_CHANGE}"),
            _reply(_refused_after("who", _if(":path", f"{SECURITY}([?].*)?")), _AUTHORIZATION, _SECURITY_API),
            _reply(_refused_after("who"), _AUTHORIZATION, _PATH),
            _reply(_status(403), _AUTHORIZATION, formatted(_CALLER)),
            _reply(_status(413), *body),
            _reply(
                _status(429),
                "gateway_rate_limit_exception",
                "this caller sends more requests than it may; retry after the seconds that Retry-After names",
                f"to send more, {_CHANGE}",
            ),
            _reply(
                _status(503),
                "gateway_unavailable_exception",
                "the gateway cannot reach Elasticsearch (%RESPONSE_FLAGS%); retry later",
            ),
        ],
        "body_format": _format("gateway_exception", "the gateway refuses this request (%RESPONSE_CODE_DETAILS%)"),
    }


def _reply(condition: Json, kind: str, *texts: str) -> Json:
    return {"filter": condition, "body_format_override": _format(kind, *texts)}


def _format(kind: str, *texts: str) -> Json:
    error = {"type": kind, "reason": f"{'; '.join(texts)}. {_ASK}"}
    return {"json_format": {"error": {"root_cause": [error], **error}, "status": "%RESPONSE_CODE%"}}


def _status(code: int) -> Json:
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": {"default_value": code, "runtime_key": "none"}}}}


def _refused_after(name: str, *more: Json) -> Json:
    """Requests that a filter let pass, and that the next one refuses."""
    matcher = {**DECISIONS, "path": [{"key": f"{name}_enforced_engine_result"}]}
    passed = {"matcher": {**matcher, "value": {"string_match": {"exact": "allowed"}}}, "match_if_key_not_found": False}
    return _both(_status(403), {"metadata_filter": passed}, *more)


def _both(*conditions: Json) -> Json:
    return {"and_filter": {"filters": list(conditions)}}


def _if(name: str, pattern: str) -> Json:
    return {"header_filter": {"header": {"name": name, "string_match": {"safe_regex": {"regex": pattern}}}}}


def _unless(name: str, pattern: str) -> Json:
    header = {"name": name, "string_match": {"safe_regex": {"regex": pattern}}, "invert_match": True}
    return {"header_filter": {"header": header}}
