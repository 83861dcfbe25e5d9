"""Everybody who may do something on an index, whoever manages them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from searchaccess.core.answers.access.actions import question_of
from searchaccess.core.answers.access.holders import Kind, Outcome
from searchaccess.core.answers.access.state import Realm, SecurityState, target_of
from searchaccess.core.answers.access.whocan import WhoCan, managed_by, who_can
from searchaccess.core.model.intake.reading import UNREADABLE
from searchaccess.core.policy.guardrails.aliases import IndexNames
from tests.support.runs.effort import many
from tests.unit.answers.access.states import GOOGLE, ORDERS, entry, given_by_mapping, key, role, state, user
from tests.unit.builders import OPERATOR, ROLE

READS = role(entry("orders-*"))
NOTHING = role(entry("payments-*"))
EVERYTHING = {"superuser": role(entry("*", can=["all"]), run_as=["*"])}
READ = question_of("read")
SALES = {"field": {"groups": "cn=sales"}}


def asked(given: SecurityState, index: str = "orders-1", realm: Realm | None = GOOGLE, field: str = "") -> WhoCan:
    return who_can(given, index, READ, realm, field)


def rows(found: WhoCan) -> list[tuple[Kind, str, Outcome]]:
    return [(each.holder.kind, each.holder.name, each.outcome) for each in found.findings]


def test_all_kinds_are_listed_with_what_each_of_them_sees() -> None:
    owned = {"owners": [{"namespace": "shop", "name": "orders", "uid": "u-1"}], "managed_by": "searchaccess-operator"}
    roles = {
        ROLE: {**role(entry("orders-*", query='{"term":{"region":"eu"}}')), "metadata": owned},
        "reads": READS, "nothing": NOTHING,
    }  # fmt: skip
    given = state(
        roles,
        mappings={"sales": given_by_mapping("reads", rules=SALES)},
        users=[user("ada", "nothing", "reads"), user("bob", "nothing"), user("cyd", "reads", enabled=False)],
        keys=[key("k-1", {"reads": READS}, own=READS), key("k-2", {"reads": READS}, own=NOTHING)],
        services={"elastic/fleet-server": {"role_descriptor": role(entry("orders-*"))}},
    )
    found = asked(given)
    yes = Outcome.YES
    assert rows(found) == [
        (Kind.CALLER, ORDERS, yes),
        (Kind.USER, "ada", yes),
        (Kind.KEY, "k-1", yes),
        (Kind.SERVICE, "elastic/fleet-server", yes),
        (Kind.MAPPING, "sales", yes),
    ]
    first, mapping = found.findings[0], found.findings[-1]
    assert first.rights is not None
    assert first.rights.documents == (frozenset({'{"term":{"region":"eu"}}'}),)
    assert managed_by(roles, first) == ("shop/orders",)
    assert mapping.holder.about == "groups is cn=sales"
    assert found.unread == ()
    assert "roles.yml" in found.unseen[0]


def test_a_role_mapping_of_somebody_else_widens_a_caller() -> None:
    roles = {ROLE: role(entry("orders-*", query='{"term":{"region":"eu"}}')), "reads": role(entry("orders-1"))}
    rules = {"field": {"username": ORDERS}}
    found = asked(state(roles, mappings={"extra": given_by_mapping("reads", rules=rules)}))
    [caller, others] = found.findings
    assert caller.rights is not None
    assert caller.rights.is_open
    # Without a realm in its rules, it also applies to a user of that name of any other realm.
    assert (others.holder.kind, others.holder.name) == (Kind.MAPPING, "extra")


def test_users_of_another_realm_are_a_row_however_it_is_named() -> None:
    for wanted in ("corp", ["corp", "google"], "c*", "/c.*/"):
        rules = {"all": [{"field": {"realm.name": wanted}}, {"field": {"username": ORDERS}}]}
        found = asked(state({"reads": READS}, mappings={"corp": given_by_mapping("reads", rules=rules)}))
        assert (Kind.MAPPING, "corp", Outcome.YES) in rows(found), wanted
    rules = {"all": [{"field": {"realm.name": "google"}}, {"field": {"username": ORDERS}}]}
    found = asked(state({"reads": READS}, mappings={"own": given_by_mapping("reads", rules=rules)}))
    assert rows(found) == [(Kind.CALLER, ORDERS, Outcome.YES)]


def test_a_role_that_cannot_be_seen_is_no_no() -> None:
    mappings = {"files": given_by_mapping("in-a-file", rules=SALES)}
    found = asked(state({"odd": dict(UNREADABLE)}, mappings=mappings, users=[user("ada", "odd"), user("bob", "gone")]))
    assert rows(found) == [
        (Kind.USER, "ada", Outcome.UNKNOWN),
        (Kind.USER, "bob", Outcome.UNKNOWN),
        (Kind.MAPPING, "files", Outcome.UNKNOWN),
    ]
    assert "it is in a file" in found.findings[0].doubts[0]


def test_a_template_that_cannot_be_evaluated_is_no_no() -> None:
    template = {"template": {"source": "team-{{#groups}}{{.}}{{/groups}}"}, "format": "string"}
    mapping = {"enabled": True, "role_templates": [template], "rules": SALES, "metadata": {}}
    found = asked(state({"team-a": READS}, mappings={"teams": mapping}))
    assert rows(found) == [(Kind.MAPPING, "teams", Outcome.UNKNOWN)]
    assert asked(state({"other": READS}, mappings={"teams": mapping})).findings == ()


def test_a_role_mapping_that_is_switched_off_gives_nothing() -> None:
    mappings = {"sales": given_by_mapping("reads", rules=SALES, enabled=False)}
    assert asked(state({"reads": READS}, mappings=mappings)).findings == ()


def test_what_requests_without_a_login_may_do_everybody_may() -> None:
    found = asked(state({"reads": READS, ROLE: NOTHING}, users=[user("ada")], anonymous=("reads",)))
    assert (Kind.ANONYMOUS, "requests without a login", Outcome.YES) in rows(found)


def test_who_may_act_as_a_user_gets_what_that_user_gets() -> None:
    roles = {"reads": READS, "proxy": role(run_as=["a*"])}
    found = asked(state(roles, users=[user("ada", "reads"), user("gateway", "proxy"), user("eve", "proxy-of-none")]))
    acting = {each.holder.name: each.acting_as for each in found.findings if each.acting_as}
    assert acting == {"gateway": "ada"}
    mappings = {"ops": given_by_mapping("proxy", rules={"field": {"username": ORDERS}})}
    found = asked(state(roles, mappings=mappings, users=[user("ada", "reads")]))
    acting = {each.holder.name: each.acting_as for each in found.findings if each.acting_as}
    assert acting == {ORDERS: "ada", "ops": "ada"}


def test_a_key_without_rights_of_its_own_has_those_of_its_owner() -> None:
    keys = [key("all", {"r": READS}), key("none", {"r": NOTHING}), key("unseen", None)]
    assert rows(asked(state({}, keys=keys))) == [
        (Kind.KEY, "all", Outcome.YES),
        (Kind.KEY, "unseen", Outcome.UNKNOWN),
    ]


def test_a_role_that_the_license_does_not_include_gives_nothing() -> None:
    off = {**role(entry("orders-*", query='{"match_all":{}}')), "transient_metadata": {"enabled": False}}
    assert asked(state({"limited": off}, users=[user("ada", "limited")])).findings == ()


def test_only_who_gets_the_field_is_listed() -> None:
    hiding = role(entry("orders-*", field_security={"grant": ["*"], "except": ["customer.ssn"]}))
    given = state({"reads": READS, "hiding": hiding}, users=[user("ada", "reads"), user("bob", "hiding")])
    assert [each.holder.name for each in asked(given, field="customer.ssn").findings] == ["ada"]
    assert len(asked(given, field="customer.name").findings) == 2


def test_aliases_and_data_streams_are_other_names() -> None:
    names = IndexNames(
        ("orders-1", "sales", "logs", ".ds-logs-2026.01.01-000001"), (("sales", ("orders-1",)), ("all", ("sales",)))
    )
    assert target_of("orders-1", names).names == ("orders-1", "all", "sales")
    assert target_of("sales", names).names == ("sales", "all", "orders-1")
    assert target_of("logs", names).names == ("logs", ".ds-logs-2026.01.01-000001")
    assert target_of(".ds-logs-2026.01.01-000001", names).names == (".ds-logs-2026.01.01-000001", "logs")
    assert target_of("new", names).exists is False
    found = asked(state({"reads": role(entry("sales"))}, users=[user("ada", "reads")], names=names))
    assert [each.holder.name for each in found.findings] == ["ada"]


def test_an_alias_of_a_data_stream_leads_to_it_and_a_stream_whose_name_begins_alike_does_not() -> None:
    backing, hidden, other = (f".ds-{name}-2026.01.01-000001" for name in ("logs", ".logs", "logs-a"))
    failed, restored = ".fs-logs-2026.01.01-000002", "restored-.ds-logs-2026.01.01-000001"
    # Elasticsearch lists the backing indices behind an alias of a data stream.
    names = IndexNames(
        ("all-logs", backing, failed, hidden, other, restored, "logs", ".logs", "logs-a"), (("all-logs", (backing,)),)
    )
    assert target_of("logs", names).names == ("logs", "all-logs", backing, failed)
    assert target_of("all-logs", names).names == ("all-logs", backing, "logs")
    assert target_of(backing, names).names == (backing, "all-logs", "logs")
    assert target_of(hidden, names).names == (hidden, ".logs")
    assert target_of(other, names).names == (other, "logs-a")
    for asked_, granted in (("logs", "all-logs"), ("all-logs", "logs")):
        found = asked(state({"reads": role(entry(granted))}, users=[user("ada", "reads")], names=names), asked_)
        assert [each.holder.name for each in found.findings] == ["ada"]


def test_who_may_read_a_failure_store_is_listed_with_what_it_shows() -> None:
    roles = {"fails": role(entry("logs", can=["read_failure_store"], query='{"term":{"region":"eu"}}'))}
    names = IndexNames((".fs-logs-2026.01.01-000002", "logs"))
    for index in ("logs", ".fs-logs-2026.01.01-000002"):
        [ada] = asked(state(roles, users=[user("ada", "fails")], names=names), index).findings
        assert ada.rights is not None
        assert (ada.outcome, "::failures" in ada.rights.how) == (Outcome.YES, True)
        assert ada.rights.documents == (frozenset({'{"term":{"region":"eu"}}'}),)


def test_a_key_of_another_cluster_has_its_own_rights_alone() -> None:
    keys = [key("k-1", {}, joined=READS) | {"type": "cross_cluster"}, key("k-2", None, joined=READS)]
    first, second = asked(state({}, keys=[keys[0], keys[1] | {"type": "cross_cluster"}])).findings
    for found in (first, second):
        assert (found.outcome, found.doubts) == (Outcome.YES, ())
        assert found.holder.about.endswith("of ada, for another cluster")


@pytest.mark.parametrize("what", ["roles", "mappings", "users", "keys", "services", "anonymous", "names"])
def test_what_could_not_be_read_is_named(what: str) -> None:
    more: dict[str, Any] = {what: None}
    found = asked(
        SecurityState(**{name: {} for name in ("roles", "mappings", "users", "services")} | {"keys": ()} | more)
    )
    assert any("read_security" in each for each in found.unread)
    full = state()
    assert list(full.unread()) == []


def test_unreadable_roles_leave_nobody_out() -> None:
    found = asked(replace(state(users=[user("ada", "reads")]), roles=None))
    assert rows(found)[0] == (Kind.USER, "ada", Outcome.UNKNOWN)


def test_ten_thousand_callers_cost_one_comparison_for_each_pattern(many_callers: Mapping[str, Any]) -> None:
    size = len(many_callers)
    found = asked(state({**many_callers, **EVERYTHING}), index="team-7-x")
    assert [each.holder.name for each in found.findings] == ["svc-7@acme-shop.iam.gserviceaccount.com"]
    assert found.work.patterns == size + 1
    assert found.work.judged <= 2
    shared = dict.fromkeys(many_callers, READS)
    found = asked(state(shared))
    assert (len(found.findings), found.work.patterns, found.work.mappings) == (size, 1, size)


@pytest.fixture(scope="module")
def many_callers() -> Mapping[str, Any]:
    names = [f"svc-{number}@acme-shop.iam.gserviceaccount.com" for number in range(many(10_000))]
    return {OPERATOR.role_name(name): role(entry(f"team-{number}-*")) for number, name in enumerate(names)}
