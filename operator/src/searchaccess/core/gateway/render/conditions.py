"""Conditions of Envoy's role-based access control and routes: on the verified token, and on the raw path."""

import re
from collections.abc import Iterable
from typing import Any, Final

from searchaccess.core.gateway.render.documents import Json

AUTHENTICATED: Final = "envoy.filters.http.jwt_authn"
"""Where Envoy keeps what a token says, once its signature is verified."""
PAYLOAD: Final = "jwt"
FAILURE: Final = "failure"
DECISIONS: Final = {"filter": "envoy.filters.http.rbac"}
"""Where Envoy notes what the rules of each filter decided."""
ACCOUNT: Final = r"[a-z0-9][a-z0-9.-]*@([a-z0-9-]+\.)+gserviceaccount\.com"
"""An e-mail address of a service account, as SearchAccesses declare it."""

_BYTE: Final = 0xFF
_PERSON_PART: Final = "[A-Za-z0-9._%+-]*"


def claim(name: str) -> str:
    """Return the command that gives a claim of the verified token."""
    return f"%DYNAMIC_METADATA({AUTHENTICATED}:{PAYLOAD}:{name})%"


def exactly(text: str) -> Json:
    """Return the match of a text."""
    return {"string_match": {"exact": text}}


def expression(pattern: str) -> Json:
    """Return the match of a whole text by a regular expression (RE2)."""
    return {"string_match": {"safe_regex": {"regex": pattern}}}


def payload(name: str, value: Json) -> Json:
    """Return the matcher of a claim."""
    return {"filter": AUTHENTICATED, "path": [{"key": PAYLOAD}, {"key": name}], "value": value}


def any_of(texts: Iterable[str]) -> str:
    """Return the regular expression of texts, each taken literally."""
    return "|".join(literally(text) for text in sorted(texts))


def person(pattern: str) -> str:
    """Return the regular expression of people's addresses.

    Args:
        pattern: an e-mail address in which ``*`` stands for any characters of one, but no ``@``.
    """
    return _PERSON_PART.join(literally(part) for part in pattern.split("*"))


def literally(text: str) -> str:
    """Return a text as a regular expression.

    Letters and digits stand for themselves; all others are written by their number, so that nothing has a meaning.
    """
    return re.sub("[^A-Za-z0-9@_-]", _by_number, text)


def _by_number(match: re.Match[str]) -> str:
    number = ord(match[0])
    return "[.]" if match[0] == "." else f"\\x{number:02x}" if number <= _BYTE else f"\\x{{{number:x}}}"


def all_rules(*permissions: Json) -> Json:
    """Return the permission that all of several together are."""
    return {"and_rules": {"rules": list(permissions)}}


def any_rule(*permissions: Json) -> Json:
    """Return the permission that each of several is."""
    return permissions[0] if len(permissions) == 1 else {"or_rules": {"rules": list(permissions)}}


def not_rule(permission: Json) -> Json:
    """Return the opposite of a permission."""
    return {"not_rule": permission}


def path(pattern: str) -> Json:
    """Return the permission for paths, without query, as they were sent."""
    return {"url_path": {"path": {"safe_regex": {"regex": pattern}}}}


def header(name: str, pattern: str) -> Json:
    """Return the permission for requests whose header matches a regular expression as a whole."""
    return {"header": {"name": name, "string_match": {"safe_regex": {"regex": pattern}}}}


def rbac(action: str, policies: dict[str, Any]) -> Json:
    """Return rules.

    Args:
        action: ``ALLOW``, then others are refused, or ``DENY``.
        policies: permissions and principals, by the name that the log gives.
    """
    return {"action": action, "policies": policies}


def policy(*permissions: Json, principals: Iterable[Json] = ({"any": True},)) -> Json:
    """Return a policy of one of several permissions, for one of several principals."""
    return {"permissions": list(permissions), "principals": list(principals)}
