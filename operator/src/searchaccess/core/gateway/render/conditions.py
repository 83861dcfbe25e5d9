"""Conditions of Envoy's role-based access control and routes: on the verified token, and on the raw path."""

import re
from collections.abc import Iterable
from typing import Any, Final

from searchaccess.core.gateway.render.documents import Json

AUTHENTICATED: Final = "envoy.filters.http.jwt_authn"
"""Where Envoy keeps what a token says, once its signature is verified."""
PAYLOAD: Final = "jwt"
FAILURE: Final = "failure"
RULES: Final = "envoy.filters.http.rbac"
DECISIONS: Final = {"filter": RULES}
"""Where Envoy notes what the rules of each filter decided."""
ACCOUNT: Final = r"[a-z0-9][a-z0-9.-]*@([a-z0-9-]+\.)+gserviceaccount\.com"
"""An e-mail address of a service account, as SearchAccesses declare it."""

_BYTE: Final = 0xFF
_PERSON_PART: Final = "[A-Za-z0-9._%+-]*"


def claim(name: str) -> str:
    """Return the command that gives a claim of the verified token."""
    return f"%DYNAMIC_METADATA({AUTHENTICATED}:{PAYLOAD}:{name})%"


def noted(name: str) -> str:
    """Return the name under which Envoy notes which of a filter's policies a request meets, without enforcing any."""
    return f"{name}_shadow_effective_policy_id"


def exactly(text: str) -> Json:
    """Return the match of a text."""
    return {"string_match": {"exact": text}}


def expression(pattern: str) -> Json:
    """Return the match of a whole text by a regular expression (RE2)."""
    return {"string_match": {"safe_regex": {"regex": pattern}}}


def payload(name: str, value: Json) -> Json:
    """Return the matcher of a claim."""
    return {"filter": AUTHENTICATED, "path": [{"key": PAYLOAD}, {"key": name}], "value": value}


def any_of(addresses: Iterable[str]) -> str:
    """Return the regular expression of e-mail addresses, each taken literally.

    Those of a domain share its name, and domains share their ends: thousands of addresses fit into a ConfigMap.
    """
    ends: dict[str, dict[str, list[str]]] = {}
    for address in sorted(addresses):
        name, at, domain = address.rpartition("@")
        first, dot, end = domain.partition(".")
        ends.setdefault(literally(dot + end), {}).setdefault(at + literally(first), []).append(literally(name))
    return "|".join(
        _one_of(_one_of(names) + domain for domain, names in domains.items()) + end for end, domains in ends.items()
    )


def _one_of(expressions: Iterable[str]) -> str:
    found = list(expressions)
    return found[0] if len(found) == 1 else f"({'|'.join(found)})"


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
