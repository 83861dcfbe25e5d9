"""Who else gives a principal rights, and who else gets its role."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.constants import MANAGED_BY
from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.patterns.parsed import Pattern
from searchaccess.core.patterns.parsed import matches as matches_pattern
from searchaccess.core.rights.foreign import exclusive
from searchaccess.core.rights.foreign import rules as evaluation
from searchaccess.core.rights.foreign.additions import Budget, Declared, added_by
from searchaccess.core.rights.foreign.callers import anybody_of, caller_of, named_by
from searchaccess.core.rights.foreign.exclusive import NOBODY_ELSE, UNSEEN, Exclusivity, Others, worst_of
from searchaccess.core.rights.foreign.givers import ORDER
from searchaccess.core.rights.foreign.keys import owned_key
from searchaccess.core.rights.foreign.mappings import foreign_mapping
from searchaccess.core.rights.mapping import mapping_of
from tests.unit.builders import a_grant, an_access

OURS = "searchaccess.default."
ORDERS, BILLS = (f"{name}@acme-shop.iam.gserviceaccount.com" for name in ("orders", "bills"))
ROLE = OURS + ORDERS
ANYBODY = anybody_of("google", "https://i", frozenset())
EU: dict[str, Any] = {"term": {"region": "eu"}}
DECLARED = Declared.of([an_access(grants=[a_grant("orders-*", where=EU), a_grant("logs-*")]).share])
ROLES: dict[str, dict[str, Any]] = {
    "superuser": {"cluster": ["all"], "indices": [{"names": ["*"], "privileges": ["all"]}]},
    "logs": {"indices": [{"names": ["logs-1*"], "privileges": ["read"]}]},
    "orders": {"indices": [{"names": ["orders-*"], "privileges": ["read"]}]},
    "unlicensed": {"cluster": ["all"], "transient_metadata": {"enabled": False}},
}
NAME: dict[str, Any] = {"field": {"username": ORDERS}}
CLAIM: dict[str, Any] = {"all": [NAME, {"field": {"metadata.jwt_claim_azp": "7"}}]}
LDAP: dict[str, Any] = {"field": {"realm.name": "ldap1"}}


def _others(
    *mappings: tuple[str, Any, Sequence[Any]], claim: PrincipalClaim = PrincipalClaim.EMAIL, **more: Any
) -> Others:
    found = []
    for name, rules, roles in mappings:
        given: dict[str, Any] = {"roles": [one for one in roles if isinstance(one, str)]}
        if not given["roles"]:
            given = {"role_templates": [{"template": {"source": one[0]}} for one in roles]}
        metadata = more.get("metadata", {})
        raw = mapping_of(name, {"enabled": True, "rules": rules, "metadata": metadata, **given})
        found.append(foreign_mapping(raw, ANYBODY, named_by(claim), OURS))
    more.pop("metadata", None)
    return Others(tuple(one for one in found if one is not None), ROLES, ours=OURS, **more)


def _about(others: Others, principal: str = ORDERS) -> Exclusivity:
    caller = caller_of(principal, OURS + principal, ANYBODY, PrincipalClaim.EMAIL)
    found = others.about(caller, DECLARED)
    assert others.may_concern(caller) or found == NOBODY_ELSE
    return found


CASES: dict[str, tuple[Others, Reason | None, str]] = {
    "nobody": (_others(), None, ""),
    "others' names": (_others(("ops", {"field": {"username": BILLS}}, ["superuser"])), None, ""),
    "a role mapping": (
        _others(("ops", NAME, ["superuser"])),
        Reason.BROADER_THAN_DECLARED,
        "role mapping ops gives role superuser: all indices, all actions, all cluster privileges",
    ),
    "documents": (
        _others(("ops", NAME, ["orders"])),
        Reason.BROADER_THAN_DECLARED,
        "role mapping ops gives role orders: documents of orders-* that `where` hides",
    ),
    "several": (
        _others(("a", NAME, ["orders"]), ("b", NAME, ["logs", "gone"]), ("c", CLAIM, ["superuser"])),
        Reason.BROADER_THAN_DECLARED,
        ("role mapping a gives role orders: documents of orders-* that `where` hides; role mapping b gives role gone, "
        "which cannot be seen: it may be in a file; role mapping c may give role superuser (its rules are about what "
        "is not known of the caller): all indices, all actions, all cluster privileges"),
    ),
    "nothing more": (_others(("ops", NAME, ["logs"])), Reason.NOT_BROADER, "role mapping ops gives role logs"),
    "what the license does not include": (
        _others(("ops", NAME, ["unlicensed"])), Reason.NOT_BROADER, "role mapping ops gives role unlicensed"
    ),
    "nothing more, perhaps": (
        _others(("ops", CLAIM, ["logs"])), Reason.NOT_BROADER, "role mapping ops may give role logs"
    ),
    "a role that the API does not have": (
        _others(("ops", NAME, ["gone"])),
        Reason.CANNOT_BE_SEEN,
        "role mapping ops gives role gone, which cannot be seen: it may be in a file",
    ),
    "a rule that is not decided": (
        _others(("ops", CLAIM, ["orders"])),
        Reason.CANNOT_BE_SEEN,
        ("role mapping ops may give role orders (its rules are about what is not known of the caller): documents of "
        "orders-* that `where` hides"),
    ),
    "a template": (
        _others(("ops", NAME, [("{{realm.name}}",), ("super{{metadata.none}}user",)])),
        Reason.BROADER_THAN_DECLARED,
        ("role mapping ops gives role superuser: all indices, all actions, all cluster privileges; role mapping ops "
        "gives role google, which cannot be seen: it may be in a file"),
    ),
    "a template that cannot be evaluated": (
        _others(("ops", NAME, [("{{metadata.jwt_claim_azp}}",)])),
        Reason.CANNOT_BE_SEEN,
        "role mapping ops gives roles by the template {{metadata.jwt_claim_azp}}, which cannot be evaluated",
    ),
    "its own role": (_others(("ops", NAME, [ROLE])), None, ""),
    "everybody's own role": (
        _others(("ops", {"field": {"realm.name": "google"}}, [(OURS + "{{username}}",)])), None, ""
    ),
    "another's role": (
        _others(("ops", NAME, [OURS + BILLS])),
        Reason.CANNOT_BE_SEEN,
        f"role mapping ops gives role {OURS}{BILLS}, which cannot be seen: it may be in a file",
    ),
    "its role for others": (
        _others(("ops", {"field": {"username": [ORDERS, BILLS]}}, [ROLE])),
        Reason.ROLE_GIVEN_TO_OTHERS,
        f"role mapping ops gives role {ROLE} to others",
    ),
    "its role for all": (
        _others(("ops", {"field": {"username": "*"}}, [ROLE])),
        Reason.ROLE_GIVEN_TO_OTHERS,
        f"role mapping ops gives role {ROLE} to others",
    ),
    "its role for some": (
        _others(("ops", {"field": {"username": "orders*"}}, [ROLE])),
        Reason.CANNOT_BE_SEEN,
        f"role mapping ops may give role {ROLE} to others",
    ),
    "its role for another realm": (
        _others(("ops", LDAP, [ROLE])), Reason.ROLE_GIVEN_TO_OTHERS, f"role mapping ops gives role {ROLE} to others"
    ),
    "its role for another realm by a template": (
        _others(("ops", LDAP, [(OURS + "{{username}}",)])),
        Reason.CANNOT_BE_SEEN,
        f"role mapping ops may give role {ROLE} to others by a template",
    ),
    "its role for a user": (
        _others(holders=(("ada", ROLE), ("bob", OURS + BILLS))),
        Reason.ROLE_GIVEN_TO_OTHERS,
        f"user ada has role {ROLE}",
    ),
    "what could not be read": (_others(unseen=("no API keys",)), Reason.CANNOT_BE_SEEN, UNSEEN),
    "rules beyond measure": (
        _others(("ops", {"any": [NAME] * 2000}, ["superuser"])),
        Reason.CANNOT_BE_SEEN,
        ("role mapping ops may give role superuser (its rules are about what is not known of the caller): all indices, "
        "all actions, all cluster privileges"),
    ),
}  # fmt: skip


def _says(found: Exclusivity, reason: Reason | None, message: str) -> None:
    """Check what is said, and that everybody whom it names is told apart; nobody who adds nothing."""
    assert (found.reason, found.message) == (reason, message)
    texts = [text for text in message.split("; ") if text != UNSEEN and reason not in {None, Reason.NOT_BROADER}]
    assert {each.text for each in found.givers} == set(texts)
    assert all(each.reason in ORDER[:-1] and each.name in each.text for each in found.givers)


@pytest.mark.parametrize(("others", "reason", "message"), CASES.values(), ids=CASES)
def test_it_is_said_who_gives_what(others: Others, reason: Reason | None, message: str) -> None:
    _says(_about(others), reason, message)


def test_another_installation_of_the_operator_has_no_roles_in_files() -> None:
    metadata = {"managed_by": MANAGED_BY, "instance": "blue", "controller": "c"}
    mapping = ("searchaccess.blue", {"field": {"realm.name": "google"}}, [("searchaccess.blue.{{username}}",)])
    assert _about(_others(mapping)).reason is Reason.CANNOT_BE_SEEN
    assert _about(_others(mapping, metadata=metadata)) == NOBODY_ELSE


def test_many_are_counted() -> None:
    found = _about(_others(*((f"m{number}", NAME, ["orders"]) for number in range(5))))
    assert found.message.startswith("role mapping m0 gives role orders: documents")
    assert found.message.endswith("; and 2 more")


def test_what_is_compared_for_each_principal_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are thousands of principals. Beyond the bounds nothing counts as harmless."""
    compared, matched = list[RoleBody](), list[str]()

    def added(role: RoleBody, declared: Declared, budget: Budget) -> str:
        compared.append(role)
        return added_by(role, declared, budget)

    def matches(pattern: Pattern, name: str, steps: int) -> bool:
        matched.append(name)
        return matches_pattern(pattern, name, steps)

    monkeypatch.setattr(exclusive, "added_by", added)
    monkeypatch.setattr(evaluation, "matches_pattern", matches)
    roles = {f"r{number}": ROLES["logs"] for number in range(5000)}
    found = _about(replace(_others(("ops", NAME, list(roles))), roles=roles))
    text = "role mapping ops gives roles that are not compared: there are too many"
    _says(found, Reason.BROADER_THAN_DECLARED, text)
    assert len(found.givers) == 1
    assert len(compared) <= 300
    expressions = [(f"m{number}", {"field": {"username": f"/x{number}.*/"}}, ["orders"]) for number in range(2000)]
    others = _others(*expressions)
    matched.clear()
    assert _about(others).reason is Reason.CANNOT_BE_SEEN
    assert len(matched) <= 100


def test_by_subject_a_name_may_be_the_callers() -> None:
    others = _others(("ops", NAME, ["orders"]), claim=PrincipalClaim.SUB)
    subject = "104567890123456789012"
    reasons = []
    for email in ("", ORDERS, BILLS):
        caller = caller_of(subject, OURS + subject, ANYBODY, PrincipalClaim.SUB, email)
        reasons.append(others.about(caller, DECLARED).reason if others.may_concern(caller) else None)
    assert reasons == [Reason.CANNOT_BE_SEEN, Reason.CANNOT_BE_SEEN, None]


def test_each_of_many_is_named_in_an_order_that_does_not_change() -> None:
    mappings = [(f"m{number:02}", NAME, ["superuser"]) for number in range(12)]
    found, turned = (_about(_others(*some)) for some in (mappings, reversed(mappings)))
    assert (found.givers, found.unlisted) == (turned.givers, turned.unlisted)
    assert [each.name for each in found.givers] == [f"m{number:02}" for number in range(10)]
    assert (found.unlisted, {each.role for each in found.givers}) == (2, {"superuser"})
    both = worst_of([found, _about(_others(("ops", NAME, ["superuser"])))])
    assert both is not None
    assert ([each.name for each in both.givers][-2:], both.unlisted) == (["m08", "m09"], 3)


def test_a_name_cannot_pretend_to_be_another_one() -> None:
    evil = "ops gives role logs: x; role mapping ops"
    found = _about(_others((evil, NAME, ["superuser"]), ("ops", NAME, ["superuser"])))
    assert {(each.kind, each.name, each.role) for each in found.givers} == {
        ("RoleMapping", evil, "superuser"),
        ("RoleMapping", "ops", "superuser"),
    }


# API keys


def _key(had: Mapping[str, Any] | None, rights: Mapping[str, Any], **more: Any) -> Others:
    raw = {"id": "k1", "name": "batch", "username": ORDERS, "invalidated": False, "role_descriptors": rights, **more}
    found = owned_key(raw if had is None else raw | {"limited_by": [had]})
    return _others(keys=() if found is None else (found,))


KEYS: dict[str, tuple[Others, Reason | None, str]] = {
    "all that its owner had": (
        _key({"r": ROLES["orders"]}, {}),
        Reason.BROADER_THAN_DECLARED,
        f"API key batch (id k1) of {ORDERS} keeps: documents of orders-* that `where` hides",
    ),
    "less than its owner had": (
        _key({"r": ROLES["orders"]}, {"r": ROLES["logs"]}), Reason.NOT_BROADER, f"API keys of {ORDERS}"
    ),
    "more than its owner had": (
        _key({"r": ROLES["logs"]}, {"r": ROLES["superuser"]}),
        Reason.NOT_BROADER,
        f"API keys of {ORDERS}",
    ),
    "both more than is declared": (
        _key({"r": ROLES["superuser"]}, {"r": ROLES["orders"]}),
        Reason.BROADER_THAN_DECLARED,
        f"API key batch (id k1) of {ORDERS} keeps: documents of orders-* that `where` hides",
    ),
    "unknown, all that its owner had": (
        _key(None, {}),
        Reason.CANNOT_BE_SEEN,
        f"API key batch (id k1) of {ORDERS} has the rights of its owner, which cannot be seen",
    ),
    "unknown, more than is declared": (
        _key(None, {"r": ROLES["orders"]}),
        Reason.BROADER_THAN_DECLARED,
        f"API key batch (id k1) of {ORDERS} keeps: documents of orders-* that `where` hides",
    ),
    "another's": (_key({"r": ROLES["superuser"]}, {}, username=BILLS), None, ""),
    "invalidated": (_key({"r": ROLES["superuser"]}, {}, invalidated=True), None, ""),
    "unreadable": (_key({"r": ROLES["superuser"]}, {}, id=7), None, ""),
}  # fmt: skip


@pytest.mark.parametrize(("others", "reason", "message"), KEYS.values(), ids=KEYS)
def test_a_key_keeps_what_it_and_its_owner_had(others: Others, reason: Reason | None, message: str) -> None:
    _says(_about(others), reason, message)


def test_a_change_concerns_only_those_about_whom_there_may_be_something_new() -> None:
    before = _others(("ops", NAME, ["superuser"]))
    assert before.concerned_since(_others(("ops", NAME, ["superuser"]))) == frozenset()
    key = _key({"r": ROLES["logs"]}, {})
    assert key.concerned_since(_others()) == _others().concerned_since(key) == frozenset({ORDERS})
    assert _others(holders=(("ada", OURS + BILLS),)).concerned_since(_others()) == frozenset({BILLS})
    assert _others().concerned_since(before) is None
    assert _others(unseen=("x",)).concerned_since(_others()) is None


def test_a_key_is_known_by_its_id() -> None:
    found = _about(_key({"r": ROLES["orders"]}, {}))
    assert [(each.kind, each.name, each.role) for each in found.givers] == [("ApiKey", "k1", "")]


def test_the_worst_of_several_principals_counts() -> None:
    unseen, broader = Exclusivity(Reason.CANNOT_BE_SEEN, "x"), Exclusivity(Reason.BROADER_THAN_DECLARED, "y")
    assert worst_of([NOBODY_ELSE, unseen, None, broader]) == broader
    assert worst_of([NOBODY_ELSE, None]) == NOBODY_ELSE
    assert worst_of([None]) is None
    assert worst_of([]) is None
