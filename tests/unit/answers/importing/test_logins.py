"""Who gets what is imported: by role mappings, native users, API keys, and the subject map."""

from dataclasses import replace
from typing import Any

import pytest

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.answers.importing import logins
from searchaccess.core.answers.importing.importing import Wish, import_all
from searchaccess.core.answers.importing.subjects import BadSubjectMapError, subject_map
from searchaccess.core.rights.foreign.rules import User, applies
from tests.unit.answers.importing.having import (
    BILLING,
    ORDERS,
    REALM,
    a_mapping,
    a_role,
    an_entry,
    by_name,
    imported,
    left,
    material,
    spec,
)

ROLE = {"orders": a_role(an_entry("orders-*"))}
EVERYTHING = {"superuser": {"cluster": ["all"], "indices": [an_entry("*", privileges=["all"])]}}
SERVICE = {"cloudRunService": {"project": "acme-shop", "location": "europe-west1", "name": "orders"}}


def who(*args: Any, **more: Any) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.ref, one.subject, one.by) for one in imported(*args, **more).made]


def test_each_service_account_of_a_role_gets_a_search_access_of_its_own() -> None:
    found = who(ROLE, {"team": a_mapping("orders", rules=by_name(ORDERS, BILLING))})
    assert found == [
        ("shop/orders-billing", BILLING, ("role mapping team",)),
        ("shop/orders-orders", ORDERS, ("role mapping team",)),
    ]


def test_two_mappings_to_one_role_are_one_search_access() -> None:
    assert who(ROLE, {"a": a_mapping("orders"), "b": a_mapping("orders")}) == [
        ("shop/orders", ORDERS, ("role mapping a", "role mapping b"))
    ]


@pytest.mark.parametrize(
    ("mapping", "why"),
    [
        (a_mapping("orders", rules={"field": {"groups": "cn=admins,dc=acme"}}), {"MappedByGroup"}),
        (a_mapping("orders", rules=by_name("jane")), {"NotAServiceAccount"}),
        (a_mapping("orders", rules=by_name("*@acme-shop.iam.gserviceaccount.com")), {"MappedByPattern"}),
        (a_mapping("orders", rules={"field": {"realm.name": "google"}}), {"MappedByPattern"}),
        (a_mapping("orders", rules=by_name(ORDERS, realm="other")), {"Unevaluated"}),
        (
            a_mapping(
                "orders", rules={"all": [{"field": {"username": ORDERS}}, {"field": {"metadata.jwt_claim_x": 1}}]}
            ),
            {"Unevaluated"},
        ),
    ],
)
def test_a_role_mapping_that_names_no_service_account_is_reported(mapping: dict[str, Any], why: set[str]) -> None:
    found = imported(ROLE, {"team": mapping})
    assert {(source, reason) for source, _, reason in left(found)} == {("role mapping team", one) for one in why}
    assert found.made == ()


@pytest.mark.parametrize(
    "rules",
    [
        {"any": [by_name(ORDERS), {"field": {"realm.name": REALM}}]},
        {"any": [by_name(ORDERS), {"field": {"realm.name": "saml"}}]},
        {"any": [by_name(ORDERS), {"all": [{"field": {"realm.name": "saml*"}}, {"field": {"groups": "ops"}}]}]},
        {"any": [by_name(ORDERS), {"field": {"username": "/.*@acme.com/"}}]},
        {"any": [by_name(ORDERS), {"except": {"field": {"username": "jane"}}}]},
    ],
)
def test_a_role_that_others_have_too_is_imported_and_still_needed(rules: dict[str, Any]) -> None:
    found = imported(ROLE, {"team": a_mapping("orders", rules=rules)})
    assert [one.subject for one in found.made] == [ORDERS]
    assert found.replaced == ()
    assert {source for source, _, _ in left(found)} == {"role mapping team"}


def test_where_callers_are_known_by_id_a_mapping_by_address_may_not_apply() -> None:
    by_address = {"team": a_mapping("orders")}
    found = imported(ROLE, by_address, claim=PrincipalClaim.SUB)
    assert [why for _, _, why in left(found)] == ["Unevaluated"]
    assert found.made == ()
    by_claim = {"team": a_mapping("orders", rules={"field": {"metadata.jwt_claim_email": ORDERS}})}
    assert len(imported(ROLE, by_claim, claim=PrincipalClaim.SUB).made) == 1


def test_a_role_that_is_disabled_grants_nothing_today() -> None:
    role = ROLE["orders"] | {"transient_metadata": {"enabled": False}}
    found = imported({"orders": role}, {"team": a_mapping("orders")})
    assert left(found) == [("role orders", "", "Disabled")]
    assert found.made == ()


def test_a_user_that_is_disabled_has_no_rights_today() -> None:
    user = {"username": "legacy", "roles": ["orders"], "enabled": False}
    found = imported(ROLE, users=[user], subjects={"users": {"legacy": ORDERS}})
    assert left(found) == [("role orders", "", "NoSubject"), ("subject map", "user legacy", "UnusedSubject")]


def test_a_role_mapping_is_compared_with_the_callers_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, number = list[User](), 50

    def counted(rule: Any, user: User) -> bool | None:
        asked.append(user)
        return applies(rule, user)

    monkeypatch.setattr(logins, "applies", counted)
    mappings = {f"m{at}": a_mapping(f"r{at}", rules=by_name(f"a{at}{ORDERS}")) for at in range(number)}
    found = imported({f"r{at}": ROLE["orders"] for at in range(number)}, mappings)
    assert (len(found.made), found.leftovers) == (number, ())
    assert len(asked) <= 5 * number


def test_where_not_everything_can_be_read_nothing_is_said_to_be_replaced() -> None:
    found = replace(material(ROLE, {"team": a_mapping("orders")}), partial=True)
    result = import_all(found, Wish("prod", "shop", realm=REALM))
    assert (len(result.made), result.leftovers, result.replaced) == (1, (), ())


def test_role_mappings_of_two_files_with_one_name_both_count() -> None:
    found = material(ROLE, {"team": a_mapping("orders")})
    found += material(mappings={"team": a_mapping("orders", rules=by_name(BILLING))})
    assert {one.subject for one in import_all(found, Wish("prod", "shop")).made} == {ORDERS, BILLING}


def test_a_template_is_reported_and_its_roles_too() -> None:
    template = [{"template": {"source": "{{username}}"}, "format": "string"}]
    mapping = {"enabled": True, "role_templates": template, "rules": {"field": {"realm.name": "google"}}}
    found = imported(ROLE, {"team": mapping})
    assert {why for _, _, why in left(found)} == {"RoleTemplate", "MappedByPattern", "NoSubject"}


def test_a_mapping_that_is_off_gives_nothing() -> None:
    found = imported(ROLE, {"team": a_mapping("orders", enabled=False)})
    assert left(found) == [("role orders", "", "NoSubject")]


def test_a_mapping_that_also_names_people_keeps_its_role_needed() -> None:
    found = imported(ROLE, {"team": a_mapping("orders", rules=by_name(ORDERS, "jane"))})
    assert len(found.made) == 1
    assert found.replaced == ()
    assert left(found) == [("role mapping team", "rules", "NotAServiceAccount")]


def test_roles_that_come_with_elasticsearch_are_reported_for_whom_they_concern() -> None:
    built_in = {"viewer": a_role(an_entry("*"), metadata={"_reserved": True}), "kibana_admin": {}}
    built_in["kibana_admin"]["metadata"] = {"_reserved": True}
    found = imported(built_in, {"team": a_mapping("viewer", "gone")})
    assert left(found) == [("role gone", "", "RoleMissing"), ("role viewer", "", "BuiltInRole")]
    assert {one.subject for one in found.leftovers} == {ORDERS}


def test_what_an_operator_manages_is_left_alone() -> None:
    ours = {"metadata": {"managed_by": "searchaccess.dev", "instance": "default"}}
    found = imported(
        {"searchaccess.default.x": a_role(an_entry("x")) | ours},
        {"searchaccess.default": a_mapping("x") | ours},
        [{"username": "searchaccess.u", "roles": ["x"]} | ours],
        [{"id": "k", "name": "searchaccess.k", "invalidated": False} | ours],
    )
    assert (found.made, found.leftovers, found.ours) == ((), (), 4)


def test_a_unique_id_in_a_mapping_is_whose_the_subject_map_says() -> None:
    mappings = {"team": a_mapping("orders", rules={"field": {"metadata.jwt_claim_sub": "104236000000000000001"}})}
    assert [why for _, _, why in left(imported(ROLE, mappings))] == ["NotAServiceAccount"]
    found = imported(ROLE, mappings, subjects={"usernames": {"104236000000000000001": SERVICE}})
    assert found.leftovers == ()
    assert spec(found)["subject"] == SERVICE


def test_a_native_user_is_imported_for_the_workload_that_the_subject_map_names() -> None:
    users: list[dict[str, Any]] = [
        {"username": "legacy", "roles": ["orders"]},
        {"username": "jane", "roles": ["orders"]},
        {"username": "elastic", "roles": ["superuser"], "metadata": {"_reserved": True}},
    ]
    found = imported(ROLE, users=users, subjects={"users": {"legacy": SERVICE}})
    assert [(one.subject, one.by) for one in found.made] == [("acme-shop/europe-west1/orders", ("user legacy",))]
    assert left(found) == [("user jane", "", "NotAServiceAccount")]
    assert found.replaced == ()


def key(name: str = "indexer", **more: Any) -> dict[str, Any]:
    return {"id": "1", "name": name, "username": "elastic", "invalidated": False, "limited_by": [EVERYTHING]} | more


def test_a_key_is_imported_for_the_workload_that_the_subject_map_names() -> None:
    own = {"writer": a_role(an_entry("orders", privileges=["create_doc"]))}
    found = imported(keys=[key(role_descriptors=own)], subjects={"apiKeys": {"indexer": ORDERS}})
    assert spec(found)["grants"] == [{"indices": ["orders"], "can": ["append"]}]
    assert found.made[0].source == "API key indexer"
    assert found.replaced == ("API key indexer",)


@pytest.mark.parametrize(
    ("raw", "subjects", "why"),
    [
        (key(), {}, "NoSubject"),
        (key(username=ORDERS), {}, "KeyOfACaller"),
        (key(type="cross_cluster"), {"apiKeys": {"indexer": ORDERS}}, "KeyForClusters"),
        (
            key(role_descriptors=ROLE, limited_by=[{"r": a_role(an_entry("a"))}]),
            {"apiKeys": {"indexer": ORDERS}},
            "KeyLimited",
        ),
        (key(limited_by=[]), {"apiKeys": {"indexer": ORDERS}}, "KeyLimited"),
    ],
)
def test_a_key_whose_rights_or_user_are_not_known_is_reported(
    raw: dict[str, Any], subjects: dict[str, Any], why: str
) -> None:
    found = imported(keys=[raw], subjects=subjects)
    assert left(found) == [("API key indexer", "", why)]


def test_a_key_without_rights_of_its_own_has_those_of_its_owner() -> None:
    found = imported(keys=[key(limited_by=[ROLE])], subjects={"apiKeys": {"indexer": ORDERS}})
    assert spec(found)["grants"] == [{"indices": ["orders-*"], "can": ["read"]}]


def test_two_keys_of_one_name_are_told_apart() -> None:
    first = key(role_descriptors={"w": a_role(an_entry("a"))})
    second = key(id="2", role_descriptors={"w": a_role(an_entry("b"))})
    found = imported(keys=[first, second], subjects={"apiKeys": {"indexer": ORDERS}})
    assert [(one.source, one.manifest["spec"]["grants"][0]["indices"]) for one in found.made] == [
        ("API key indexer (1)", ["a"]),
        ("API key indexer (2)", ["b"]),
    ]


def test_a_key_that_is_limited_in_another_way_is_not_imported() -> None:
    own = {"w": a_role(an_entry("a"), restriction={"workflows": ["search_application_query"]})}
    found = imported(keys=[key(role_descriptors=own)], subjects={"apiKeys": {"indexer": ORDERS}})
    assert left(found) == [("API key indexer", "restriction", "UnknownField")]
    assert found.made == ()


def test_keys_that_no_longer_work_are_left_out() -> None:
    assert material(keys=[key(invalidated=True)]).keys == ()


def test_the_subject_map_gives_a_role_to_several_and_an_entry_that_matches_nothing_is_reported() -> None:
    found = imported(ROLE, subjects={"roles": {"orders": [ORDERS, SERVICE], "odrers": BILLING}})
    assert [one.subject for one in found.made] == ["acme-shop/europe-west1/orders", ORDERS]
    assert left(found) == [("subject map", "role odrers", "UnusedSubject")]


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ([], "not an object"),
        ({"role": {}}, "'role' is not known"),
        ({"roles": []}, "roles: write subjects"),
        ({"roles": {"a": "jane@acme.com"}}, "roles.a: 'jane@acme.com' is not the e-mail address"),
        ({"users": {"a": {"cloudRunService": {"project": "x"}}}}, "users.a: it is not a subject"),
        ({"users": {"a": SERVICE | {"serviceAccount": ORDERS}}}, "users.a: it is not a subject"),
        (
            {"users": {"a": {"cloudRunJob": SERVICE["cloudRunService"] | {"name": "A_B"}}}},
            "users.a: name: not the name",
        ),
    ],
)
def test_a_wrong_subject_map_is_refused_with_the_place(given: Any, part: str) -> None:
    with pytest.raises(BadSubjectMapError) as caught:
        subject_map(given)
    assert part in str(caught.value)


def test_names_of_objects_are_unique_and_allowed() -> None:
    roles = {"A_b": a_role(an_entry("a")), "a b": a_role(an_entry("b")), "ü" * 200: a_role(an_entry("c"))}
    roles["x" * 100] = a_role(an_entry("d"))
    roles["x" * 101] = a_role(an_entry("e"))
    names = [one.ref for one in imported(roles, {"m": a_mapping(*roles)}).made]
    assert names == ["shop/a-b", "shop/a-b-2", f"shop/{'x' * 63}", f"shop/{'x' * 61}-2", "shop/imported"]
