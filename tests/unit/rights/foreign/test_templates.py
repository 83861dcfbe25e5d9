"""Role templates: which roles they give a caller, if that can be seen."""

from typing import Any

import pytest

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.rights.foreign.callers import anybody_of, caller_of
from searchaccess.core.rights.foreign.templates import prefix_of, rendered

ORDERS = "orders@acme-shop.iam.gserviceaccount.com"
[USER] = caller_of(ORDERS, "", anybody_of("google", "https://i", frozenset()), PrincipalClaim.EMAIL).users


def _template(source: Any, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"format": kind, "template": {"source": source, **more}}


SEEN: dict[str, tuple[Any, tuple[str, ...]]] = {
    "text alone": (_template("viewer"), ("viewer",)),
    "the name": (_template("_user_{{username}}"), (f"_user_{ORDERS}",)),
    "spaces in a tag": (_template("{{ username }}"), (ORDERS,)),
    "without escapes": (_template("{{{username}}}-{{&realm.name}}"), (f"{ORDERS}-google",)),
    "metadata": (_template("{{metadata.jwt_claim_email}}"), (ORDERS,)),
    "metadata that is absent": (_template("a{{metadata.department}}b"), ("ab",)),
    "a list": (_template('["a", "{{realm.name}}"]', "json"), ("a", "google")),
    "a text": (_template('"{{realm.name}}"', "JSON"), ("google",)),
    "as JSON": (_template("{{#tojson}}username{{/tojson}}", "json"), (ORDERS,)),
    "no groups as JSON": (_template("{{#tojson}}groups{{/tojson}}", "json"), ()),
    "a list that is a text": (_template("[a]"), ("[a]",)),
}
UNSEEN: dict[str, Any] = {
    "a claim that is not known": _template("{{metadata.jwt_claim_azp}}"),
    "a field that is not known": _template("{{shoe}}"),
    "a section": _template("{{#username}}x{{/username}}"),
    "a comment": _template("{{! x }}a"),
    "other delimiters": _template("{{=<% %>=}}<%username%>"),
    "a stored script": {"format": "string", "template": {"id": "x"}},
    "parameters": _template("{{username}}", params={"username": "x"}),
    "another language": _template("x", lang="painless"),
    "no text": _template(7),
    "not JSON": _template("{{username}}", "json"),
    "a list of others": _template("[1]", "json"),
    "an object": _template('{"a": 1}', "json"),
    "characters that may be escaped": _template("{{metadata.jwt_claim_iss}}"),
    "too long": _template("x" * 3000),
    "unreadable": {"unreadable": 7},
    "nothing": None,
}


@pytest.mark.parametrize(("template", "roles"), SEEN.values(), ids=SEEN)
def test_what_it_gives_is_seen(template: Any, roles: tuple[str, ...]) -> None:
    assert rendered(template, USER) == roles


@pytest.mark.parametrize("template", UNSEEN.values(), ids=UNSEEN)
def test_what_it_gives_cannot_be_seen(template: Any) -> None:
    assert rendered(template, USER) is None


def test_what_the_names_of_its_roles_begin_with() -> None:
    assert prefix_of(_template("searchaccess.{{username}}")) == "searchaccess."
    assert prefix_of(_template("{{username}}")) == prefix_of(_template("[", "json")) == prefix_of(None) == ""
