"""Why somebody may do something on an index: the chain, and what Elasticsearch adds to it."""

from dataclasses import replace
from typing import Any

import pytest

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.answers.access.actions import question_of
from searchaccess.core.answers.access.callers import Callers, realm_chosen
from searchaccess.core.answers.access.explain import Asked, Explanation, Says, confirmed, explain, steps_of_access
from searchaccess.core.answers.access.holders import Outcome, People, judge
from searchaccess.core.answers.access.state import IndexedRoles, Realm, SecurityState, Target, anonymous_in, realms_in
from searchaccess.core.answers.access.subjects import NoSubjectError, SubjectKind, subject_of
from searchaccess.core.answers.access.words import rules_in_words
from searchaccess.core.model.canonical import canonical_json
from searchaccess.core.model.consent import Consent, ConsentState
from searchaccess.core.model.timeboxes.timebox import Term, Validity
from searchaccess.core.model.verdict import Outcome as Verdict
from searchaccess.core.model.verdict import PolicyOutcome, PolicyVerdict
from tests.unit.answers.access.states import GOOGLE, ORDERS, entry, given_by_mapping, role, state, user
from tests.unit.builders import ROLE, a_grant, an_access

READ = question_of("read")
TARGET = Target("orders-1")
EU = {"term": {"region": "eu"}}


def explained(given: SecurityState, name: str, *, caller: bool = True, field: str = "", **known: Any) -> Explanation:
    roles = IndexedRoles(given.roles, TARGET)
    people = People(given, roles)
    found = Callers(given, roles, GOOGLE, people.common()).caller(name, **known) if caller else people.user(name)
    return explain(Asked(name, TARGET, READ, field), [found] if found else [], roles)


def says(found: Explanation) -> list[tuple[Says, str, str]]:
    return [(each.says, each.what, each.name) for each in found.steps]


def test_each_role_is_a_step_with_what_gives_it() -> None:
    roles = {
        ROLE: role(entry("orders-*", query=canonical_json(EU))),
        "extra": role(entry("orders-1", can=["delete"])),
        "off": {**role(entry("orders-*")), "transient_metadata": {"enabled": False}},
    }
    rules = {"all": [{"field": {"username": ORDERS}}, {"field": {"realm.name": "google"}}]}
    found = explained(state(roles, mappings={"more": given_by_mapping("extra", "off", "gone", rules=rules)}), ORDERS)
    assert found.outcome is Outcome.YES
    assert says(found) == [
        (Says.INFO, "caller", ORDERS),
        (Says.NOTHING, "role", "extra"),
        (Says.UNKNOWN, "role", "gone"),
        (Says.BLOCKS, "license", "off"),
        (Says.GRANTS, "role", ROLE),
    ]
    assert found.steps[-1].text == 'by role mapping searchaccess.default: documents: {"term":{"region":"eu"}}'


def test_nobody_gives_it_is_a_no_and_an_unknown_rule_is_not() -> None:
    roles = {ROLE: role(entry("payments-*")), "reads": role(entry("orders-*"))}
    assert explained(state(roles), ORDERS).outcome is Outcome.NO
    azp = given_by_mapping("reads", rules={"field": {"metadata.jwt_claim_azp": "1*"}})
    found = explained(state(roles, mappings={"azp": azp}), ORDERS)
    assert found.outcome is Outcome.UNKNOWN
    assert (Says.UNKNOWN, "role", "reads") in says(found)
    groups = given_by_mapping("reads", rules={"field": {"groups": "sales"}})
    assert explained(state(roles, mappings={"groups": groups}), ORDERS).outcome is Outcome.NO


def test_a_field_that_no_role_shows_is_a_no() -> None:
    hiding = role(entry("orders-*", field_security={"grant": ["*"], "except": ["customer.ssn"]}))
    found = explained(state({ROLE: hiding}), ORDERS, field="customer.ssn")
    assert (found.outcome, found.steps[-1].what) == (Outcome.NO, "field")
    assert explained(state({ROLE: hiding}), ORDERS, field="customer.name").outcome is Outcome.YES


def test_a_unique_id_whose_address_is_not_known_is_no_no() -> None:
    roles = {"reads": role(entry("orders-*"))}
    given = state(roles, mappings={"named": given_by_mapping("reads", rules={"field": {"username": ORDERS}})})
    assert explained(given, "103456789012345678901").outcome is Outcome.UNKNOWN
    assert explained(given, "103456789012345678901", other=ORDERS).outcome is Outcome.YES


def test_a_realm_that_takes_roles_from_another_is_no_no() -> None:
    realm = Realm("google", "jwt", "https://accounts.google.com", claimed=frozenset(), doubt="is odd")
    given = state({ROLE: role()})
    roles = IndexedRoles(given.roles, TARGET)
    found = explain(Asked(ORDERS, TARGET, READ), [Callers(given, roles, realm).caller(ORDERS)], roles)
    assert found.outcome is Outcome.UNKNOWN


def test_what_elasticsearch_says_itself_counts() -> None:
    given = state({"reads": role(entry("orders-*"))}, users=[user("ada", "reads"), user("bob")])
    yes, no = explained(given, "ada", caller=False), explained(given, "bob", caller=False)
    assert (yes.outcome, no.outcome) == (Outcome.YES, Outcome.NO)
    assert confirmed(yes, answer=True).outcome is Outcome.YES
    refuted, more = confirmed(yes, answer=False), confirmed(no, answer=True)
    assert (refuted.outcome, more.outcome) == (Outcome.NO, Outcome.YES)
    assert "may replace" in refuted.steps[-1].text
    assert "cannot be seen" in more.steps[-1].text
    assert confirmed(no, answer=None, why="not asked").not_verified == "not asked"
    by_id = state({"gets": role(entry("orders-*", can=["indices:data/read/get"]))}, users=[user("ada", "gets")])
    special = confirmed(explained(by_id, "ada", caller=False), answer=False)
    assert special.outcome is Outcome.YES, "Elasticsearch was asked about searches"


def test_who_may_act_as_somebody_who_may_may() -> None:
    given = state({"reads": role(entry("orders-*")), "proxy": role(run_as=["ada"])}, users=[user("ada", "reads")])
    roles = IndexedRoles(given.roles, TARGET)
    people = People(state(users=[user("gateway", "proxy")]), roles)
    users = [judge(each, roles, READ) for each in People(given, roles).users()]
    [gateway] = [people.user("gateway")]
    assert gateway is not None
    found = explain(Asked("user:gateway", TARGET, READ), [gateway], roles, users=users)
    assert (found.outcome, found.acting_as) == (Outcome.YES, "ada")
    assert (Says.GRANTS, "run_as", "ada") in says(found)
    assert confirmed(found, answer=False).outcome is Outcome.YES, "Elasticsearch was asked about itself"


def test_rights_on_other_names_are_no_no_where_aliases_are_not_known() -> None:
    given = state({"sales": role(entry("sales")), "deletes": role(entry("sales", can=["delete"]))})
    roles = IndexedRoles(given.roles, TARGET)
    for name, outcome in (("sales", Outcome.UNKNOWN), ("deletes", Outcome.NO)):
        holder = People(state(users=[user("ada", name)]), roles).user("ada")
        assert holder is not None
        assert explain(Asked("user:ada", TARGET, READ), [holder], roles).outcome is Outcome.NO
        assert explain(Asked("user:ada", TARGET, READ), [holder], roles, knows_aliases=False).outcome is outcome


def test_nobody_of_a_name_is_unknown() -> None:
    assert explained(state(), "eve", caller=False).outcome is Outcome.UNKNOWN


def judged(**changed: Any) -> list[tuple[Says, str]]:
    access = an_access(grants=[a_grant("orders-*", where=EU)])
    return [(each.says, each.what) for each in steps_of_access(replace(access, **changed), TARGET, READ)]


DENIED = PolicyVerdict((PolicyOutcome("no-orders", Verdict.DENIED, ("orders-* is denied",)),))


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        ({}, (Says.GRANTS, "SearchAccess")),
        ({"verdict": DENIED}, (Says.BLOCKS, "SearchAccessPolicy")),
        ({"verdict": PolicyVerdict(unmatched=True)}, (Says.BLOCKS, "SearchAccessPolicy")),
        ({"verdict": PolicyVerdict(unknown="not read yet")}, (Says.UNKNOWN, "SearchAccessPolicy")),
        ({"consent": Consent(ConsentState.MISSING, message="nobody approved")}, (Says.BLOCKS, "approval")),
        ({"consent": Consent(ConsentState.APPROVED, ends=1_800_000_000)}, (Says.INFO, "approval")),
        ({"validity": Validity(Term.EXPIRED)}, (Says.BLOCKS, "time box")),
        ({"validity": Validity(Term.UNKNOWN)}, (Says.UNKNOWN, "time box")),
        ({"suspend": True}, (Says.BLOCKS, "operator")),
        ({"invalid": "spec.grants: nonsense"}, (Says.BLOCKS, "SearchAccess")),
    ],
    ids=str,
)
def test_what_decides_about_a_search_access_is_a_step(changed: dict[str, Any], step: tuple[Says, str]) -> None:
    assert step in judged(**changed)


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("shop/orders", SubjectKind.ACCESS, "shop/orders"),
        (ORDERS, SubjectKind.ACCOUNT, ORDERS),
        ("103456789012345678901", SubjectKind.ACCOUNT, "103456789012345678901"),
        ("run:acme/europe-west1/orders", SubjectKind.WORKLOAD, "projects/acme/locations/europe-west1/services/orders"),
        ("run-job:acme/europe-west1/orders", SubjectKind.WORKLOAD, "projects/acme/locations/europe-west1/jobs/orders"),
        ("user:ada", SubjectKind.USER, "ada"),
        ("key:VwyD", SubjectKind.KEY, "VwyD"),
    ],
)
def test_a_subject_is_read(text: str, kind: SubjectKind, name: str) -> None:
    found = subject_of(text)
    assert (found.kind, found.name) == (kind, name)


@pytest.mark.parametrize("text", ["", "orders", "run:acme", "user:", "who:ada", "shop/Orders/x"])
def test_a_text_that_names_nobody_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(NoSubjectError, match="user:NAME or key:ID"):
        subject_of(text)


def test_rules_are_shown_in_words() -> None:
    rules = {"all": [{"field": {"realm.name": ["a", "b"]}}, {"except": {"any": [{"field": {"dn": None}}]}}]}
    assert rules_in_words(canonical_json(rules)) == "(realm.name is a or b and not dn is null)"


def test_realms_and_anonymous_roles_are_read_from_the_settings() -> None:
    jwt = {"google": {"order": "1", "allowed_issuer": "https://a", "claims": {"principal": "sub", "groups": "g"}}}
    authc = {"realms": {"jwt": jwt, "ldap": {"corp": {"order": "2"}}}, "anonymous": {"roles": ["guest"]}}
    nodes = {"n": {"settings": {"xpack": {"security": {"authc": authc}}}}}
    google, corp = realms_in(nodes)
    assert google == Realm("google", "jwt", "https://a", PrincipalClaim.SUB, frozenset({"groups"}))
    odd = {**jwt["google"], "claims": {"principal": "azp", "dn": "d"}}
    other = {"settings": {"xpack": {"security": {"authc": {"realms": {"jwt": {"google": odd}}}}}}}
    [both, _] = realms_in({**nodes, "o": other})
    assert both.claimed == frozenset({"groups", "dn"})
    assert "claims.principal is azp" in both.doubt
    assert (corp.name, corp.kind, anonymous_in(nodes), anonymous_in({})) == ("corp", "ldap", ("guest",), ())
    assert realm_chosen((google, corp), None) == google
    assert realm_chosen((google, corp), Realm("other")) == Realm("other")
    assert realm_chosen(None, None) is None
