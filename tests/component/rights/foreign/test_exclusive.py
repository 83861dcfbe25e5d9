"""What others in Elasticsearch give a principal beyond what is declared: reported, and never touched."""

from copy import deepcopy
from typing import Any

import pytest

from searchaccess.api.constants import MANAGED_BY
from searchaccess.core.credentials.keys import Login
from searchaccess.core.rights.foreign.exclusive import UNSEEN
from searchaccess.core.rights.foreign.mappings import foreign_mapping
from searchaccess.core.rights.mapping import RoleMapping
from searchaccess.ports.errors import Unreachable
from tests.component.common import ORDERS, ROLE, begin
from tests.component.credentials.common import STORES, with_key
from tests.component.policies.test_policies import ONLY_LOGS, policy
from tests.support.loop.stage import OPERATOR, Stage, on_stage
from tests.support.worlds.world import access, account, condition_in, grant

MINE = access("orders", grant("orders-*"))
BILLS = access("bills", grant("bills-*"))
BY_HAND: dict[str, Any] = {"enabled": True, "roles": ["ops"], "rules": {"field": {"username": ORDERS}}, "metadata": {}}
BROAD: dict[str, Any] = {"indices": [{"names": ["orders-*", "bills-*"], "privileges": ["read"]}], "metadata": {}}
NARROW: dict[str, Any] = {"indices": [{"names": ["orders-1"], "privileges": ["read"]}], "metadata": {}}
SAME: dict[str, Any] = {"indices": [{"names": ["orders-*"], "privileges": ["read"]}], "metadata": {}}
ADDS = "role mapping by-hand gives role ops: read on bills-*"
EVENTS = {"BroaderThanDeclared", "RoleGivenToOthers"}


def _reported(stage: Stage) -> dict[str, tuple[str, str, str]]:
    return {
        name: (item["status"], item["reason"], item.get("message", ""))
        for (_, _, name), raw in stage.kubernetes.objects.items()
        for item in raw.get("status", {}).get("conditions", [])
        if item["type"] == "Exclusive"
    }


def _sources(stage: Stage) -> dict[str, list[tuple[str, ...]]]:
    return {
        name: [(each["reason"], each["kind"], each["name"], each.get("role", "")) for each in found["sources"]]
        for (_, _, name), raw in stage.kubernetes.objects.items()
        if (found := raw.get("status", {}).get("exclusive"))
    }


def _reads(stage: Stage, before: int = 0) -> list[str]:
    return [call.method for call in stage.faults.calls[before:] if call.method in {"owned_keys", "holders"}]


def _write(stage: Stage, role: dict[str, Any] = BROAD, **mapping: Any) -> None:
    stage.elasticsearch.write_role("ops", role)
    stage.elasticsearch.write_mapping("by-hand", BY_HAND | mapping)


def _events(stage: Stage, name: str = "orders") -> list[str]:
    return [reason for reason in stage.notes(name) if reason in EVENTS]


@on_stage
async def test_what_a_role_mapping_adds_is_reported_within_seconds_on_those_it_concerns(stage: Stage) -> None:
    await begin(stage, MINE, BILLS)
    assert _reported(stage) == {}, "nothing is said where nobody else gives anything"
    _write(stage)
    await stage.quiet()
    assert _reported(stage) == {"orders": ("False", "BroaderThanDeclared", ADDS)}
    assert stage.ready("orders") == ("True", "InSync"), "it is a warning"
    assert _events(stage) == ["BroaderThanDeclared"]
    assert await stage.reconcile_all() == [], "nothing is written again"
    assert _events(stage) == ["BroaderThanDeclared"], "the event is emitted once"
    stage.elasticsearch.write_role("ops", NARROW)
    await stage.quiet()
    assert _reported(stage) == {"orders": ("True", "NotBroader", "role mapping by-hand gives role ops")}
    stage.elasticsearch.remove_role("ops")
    await stage.quiet()
    unseen = "role mapping by-hand gives role ops, which cannot be seen: it may be in a file"
    assert _reported(stage) == {"orders": ("Unknown", "CannotBeSeen", unseen)}
    stage.elasticsearch.write_mapping("by-hand", BY_HAND | {"enabled": False})
    await stage.quiet()
    assert _reported(stage) == {}
    assert _events(stage) == ["BroaderThanDeclared"]
    stage.check()


@on_stage
async def test_each_who_gives_more_is_named_and_gone_when_it_is(stage: Stage) -> None:
    await begin(stage, MINE, BILLS)
    assert _sources(stage) == {}
    _write(stage)
    stage.elasticsearch.write_user("ada", ROLE)
    await stage.sleep(60)
    stage.elasticsearch.write_mapping("more", BY_HAND)
    await stage.quiet()
    broader = [("BroaderThanDeclared", "RoleMapping", name, "ops") for name in ("by-hand", "more")]
    assert _sources(stage) == {"orders": [*broader, ("RoleGivenToOthers", "User", "ada", ROLE)]}
    assert await stage.reconcile_all() == [], "nothing is written again"
    before = _sources(stage)
    stage.faults.fail("elasticsearch", Unreachable("away"))
    await stage.sleep(300)
    assert _sources(stage) == before
    stage.faults.heal("elasticsearch")
    stage.elasticsearch.write_role("ops", NARROW)
    await stage.sleep(300)
    assert _sources(stage) == {"orders": [("RoleGivenToOthers", "User", "ada", ROLE)]}


@on_stage
async def test_it_is_compared_with_what_all_of_its_accesses_declare(stage: Stage) -> None:
    _write(stage)
    await begin(stage, MINE)
    assert _reported(stage)["orders"][1:] == ("BroaderThanDeclared", ADDS)
    stage.apply(access("more", grant("bills-*"), principal=ORDERS))
    await stage.quiet()
    assert {name: reason for name, (_, reason, _) in _reported(stage).items()} == {
        "orders": "NotBroader",
        "more": "NotBroader",
    }
    stage.delete("more")
    await stage.quiet()
    assert _reported(stage)["orders"][1:] == ("BroaderThanDeclared", ADDS)


@on_stage
async def test_what_is_declared_but_refused_is_nothing_that_the_principal_has(stage: Stage) -> None:
    _write(stage, SAME)
    stage.apply(policy(**ONLY_LOGS, onViolation="Keep"))
    await begin(stage, MINE, access("later", grant("bills-*"), principal=ORDERS, suspend=True))
    assert stage.ready("orders") == ("False", "PolicyViolation")
    adds = "role mapping by-hand gives role ops: read on orders-*"
    assert _reported(stage) == dict.fromkeys(("orders", "later"), ("False", "BroaderThanDeclared", adds))


@on_stage
async def test_rights_that_are_held_count_as_they_are_in_force(stage: Stage) -> None:
    _write(stage, SAME)
    await begin(stage, MINE)
    same = {"orders": ("True", "NotBroader", "role mapping by-hand gives role ops")}
    for spec in ({"suspend": True}, {"suspend": False, "mode": "Observe"}, {"grants": [grant("Upper")]}):
        stage.amend("orders", **spec)
        await stage.quiet()
        assert _reported(stage) == same, spec
    stage.amend("orders", grants=[grant("*")], suspend=True)
    stage.elasticsearch.write_role("ops", BROAD)
    await stage.quiet()
    assert _reported(stage)["orders"][1:] == ("BroaderThanDeclared", ADDS)


@on_stage
async def test_a_copy_of_the_operators_role_mapping_is_one_of_others(stage: Stage) -> None:
    await begin(stage, MINE, BILLS)
    marks = stage.elasticsearch.mappings_now[OPERATOR.mapping_name]["metadata"]
    _write(stage, metadata=deepcopy(marks))
    await stage.quiet()
    assert _reported(stage) == {"orders": ("False", "BroaderThanDeclared", ADDS)}
    assert await stage.reconcile_all() == []
    assert list(stage.elasticsearch.mappings_now) == [OPERATOR.mapping_name, "by-hand"]


@on_stage
async def test_groups_matter_only_if_the_realm_takes_them_from_a_claim(stage: Stage) -> None:
    _write(stage, rules={"field": {"groups": "admins"}})
    await begin(stage, MINE)
    assert _reported(stage) == {}
    stage.elasticsearch.restart(claims={"principal": "email", "groups": "roles"})
    await stage.sleep(400)
    assert _reported(stage)["orders"][:2] == ("Unknown", "CannotBeSeen")


@on_stage
async def test_a_change_of_one_access_and_an_outage_forget_nothing(stage: Stage) -> None:
    _write(stage, rules={"field": {"username": "*"}})
    await begin(stage, MINE)
    before = _reported(stage)
    assert before == {"orders": ("False", "BroaderThanDeclared", ADDS)}
    stage.amend("orders", grants=[grant("orders-*", can=["read", "write"])])
    await stage.quiet()
    assert _reported(stage) == before
    assert _events(stage) == ["BroaderThanDeclared"], "the status was written again, with the same message"
    stage.faults.fail("elasticsearch", Unreachable("away"))
    await stage.sleep(300)
    assert _reported(stage) == before


@on_stage
async def test_a_restart_reports_the_same_and_no_event_again(stage: Stage) -> None:
    _write(stage)
    await begin(stage, MINE)
    before = _reported(stage)
    await stage.restart()
    await stage.quiet()
    assert _reported(stage) == before
    assert _events(stage) == ["BroaderThanDeclared"]


@on_stage
async def test_an_api_key_that_keeps_more_than_is_declared_now_is_reported(stage: Stage) -> None:
    await begin(stage, MINE)
    await stage.sleep(60)
    had = {ROLE: BROAD}
    stage.elasticsearch.write_key("batch", ORDERS, "google", had)
    stage.elasticsearch.write_key("other", ORDERS, "ldap1", had)
    await stage.quiet()
    message = f"API key batch (id key-1) of {ORDERS} keeps: read on bills-*"
    assert _reported(stage) == {"orders": ("False", "BroaderThanDeclared", message)}


@on_stage
async def test_a_role_that_others_get_is_reported(stage: Stage) -> None:
    await begin(stage, MINE, BILLS)
    await stage.sleep(60)
    stage.elasticsearch.write_user("ada", ROLE)
    ldap = {"rules": {"field": {"realm.name": "ldap1"}}, "roles": [OPERATOR.role_name(account("bills"))]}
    stage.elasticsearch.write_mapping("ldap", BY_HAND | ldap)
    await stage.quiet()
    bills = f"role mapping ldap gives role {OPERATOR.role_name(account('bills'))} to others"
    assert _reported(stage) == {
        "orders": ("False", "RoleGivenToOthers", f"user ada has role {ROLE}"),
        "bills": ("False", "RoleGivenToOthers", bills),
    }
    assert _events(stage) == ["RoleGivenToOthers"]


@on_stage
async def test_keys_and_users_are_read_in_full_reads_alone_and_not_in_each(stage: Stage) -> None:
    await begin(stage, MINE)
    assert sorted(_reads(stage)) == ["holders", "owned_keys"]
    before = len(stage.faults.calls)
    stage.amend("orders", grants=[grant("x-*")])
    await stage.quiet()
    assert _reads(stage, before) == []
    for number in range(5):
        stage.elasticsearch.write_role(f"r{number}", NARROW)
        await stage.quiet()
    assert len(_reads(stage, before)) <= 2, "others' writes cause full reads, but these at most once a minute"


@on_stage
async def test_what_the_login_may_not_read_cannot_be_seen(stage: Stage) -> None:
    stage.elasticsearch.reads_others = False
    await begin(
        stage, MINE, access("keyed", grant("orders-*"), auth="ApiKey", credential={"store": "main", "name": "x"})
    )
    status, reason, message = _reported(stage)["orders"]
    assert (status, reason) == ("Unknown", "CannotBeSeen")
    assert message == UNSEEN, "what, and what to do, is on the SearchCluster once"
    unseen = condition_in(stage.cluster(), "OthersUnseen")
    assert (unseen["status"], unseen["reason"]) == ("True", "CannotBeSeen")
    assert "API keys of the realm cannot be seen: the login may not read them" in unseen["message"]
    assert "searchaccess login --tier Observe" in unseen["message"]
    assert list(_reported(stage)) == ["orders"], "a key of its own is not a caller of the realm"


@on_stage
async def test_more_that_cannot_be_seen_is_written_to_the_searchcluster_alone(stage: Stage) -> None:
    stage.elasticsearch.reads_others = False
    await begin(stage, MINE, BILLS)
    before = len(stage.faults.writes)
    stage.elasticsearch.write_mapping("odd", {"metadata": {"unreadable": True}, **BY_HAND, "enabled": False})
    for number in range(2001):
        stage.elasticsearch.write_mapping(f"many-{number:04}", BY_HAND | {"enabled": False})
    await stage.sleep(70)
    await stage.quiet()
    assert "role mappings are not evaluated" in condition_in(stage.cluster(), "OthersUnseen")["message"]
    assert {call.names for call in stage.faults.writes[before:]} == {("prod",)}


@on_stage
async def test_what_the_login_may_read_later_is_seen_and_said_once(stage: Stage) -> None:
    stage.elasticsearch.reads_others = False
    await begin(stage, MINE)
    stage.elasticsearch.reads_others = True
    stage.elasticsearch.sequence += 1
    await stage.sleep(130)
    await stage.reconcile_all()
    await stage.quiet()
    assert not condition_in(stage.cluster(), "OthersUnseen")
    assert _reported(stage) == {}


@on_stage
async def test_roles_of_another_installation_beyond_the_limit_are_said(stage: Stage) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("searchaccess.engine.rights.background.others.MOST_ROLES", 2)
        theirs = "searchaccess.another"
        template = {"template": {"source": f"{theirs}.{{{{username}}}}"}, "format": "string"}
        body = {k: v for k, v in BY_HAND.items() if k != "roles"} | {"role_templates": [template]}
        owner = {"managed_by": MANAGED_BY, "instance": "another", "controller": "another"}
        stage.elasticsearch.write_mapping(
            theirs, body | {"metadata": owner, "rules": {"field": {"realm.name": "google"}}}
        )
        for name in ("a", "b", ORDERS):
            stage.elasticsearch.write_role(f"{theirs}.{name}", {"cluster": ["all"], "metadata": owner})
        await begin(stage, MINE, BILLS)
    found = _reported(stage)
    assert set(found) == {"orders"}, "it alone has a role that is not compared"
    status, reason, message = found["orders"]
    assert (status, reason) == ("Unknown", "CannotBeSeen")
    assert message.endswith("which is not compared: others have too many roles")
    assert (
        "1 roles of others are not compared: there are more than 2"
        in (condition_in(stage.cluster(), "OthersUnseen")["message"])
    )


@on_stage
async def test_a_read_that_fails_changes_nothing(stage: Stage) -> None:
    await begin(stage, MINE)
    stage.elasticsearch.write_key("batch", ORDERS, "google", {ROLE: BROAD})
    stage.faults.fail("elasticsearch", Unreachable("x"), "holders")
    await stage.sleep(600)
    assert _reported(stage) == {}
    assert stage.ready("orders") == ("True", "InSync")


@on_stage
async def test_a_first_read_that_fails_says_nothing_yet_and_a_restart_with_it_forgets_nothing(stage: Stage) -> None:
    stage.faults.fail("elasticsearch", Unreachable("x"), "holders")
    await begin(stage, MINE, BILLS)
    assert _reported(stage) == {}, "an error is no missing right"
    stage.faults.heal("elasticsearch")
    _write(stage)
    await stage.quiet()
    before = _reported(stage)
    assert before == {"orders": ("False", "BroaderThanDeclared", ADDS)}
    stage.faults.fail("elasticsearch", Unreachable("x"), "holders")
    await stage.restart()
    await stage.quiet()
    assert _reported(stage) == before
    stage.faults.heal("elasticsearch")
    await stage.sleep(1000)
    assert _reported(stage) == before
    assert _events(stage) == ["BroaderThanDeclared"]


@on_stage
async def test_keys_and_users_that_can_never_be_read_cannot_be_seen(stage: Stage) -> None:
    stage.faults.fail("elasticsearch", Unreachable("x"), "holders")
    await begin(stage, MINE)
    for number in range(3):
        stage.elasticsearch.write_role(f"r{number}", NARROW)
        await stage.quiet()
    assert _reported(stage)["orders"][:2] == ("Unknown", "CannotBeSeen")
    assert len(_reads(stage)) <= 8, "in full reads alone"


@on_stage
async def test_the_order_in_which_keys_are_read_does_not_matter(stage: Stage) -> None:
    await begin(stage, MINE)
    await stage.sleep(60)
    for number in range(3):
        stage.elasticsearch.write_key(f"batch{number}", ORDERS, "google", {ROLE: BROAD})
    await stage.quiet()
    before = _reported(stage)
    keys = stage.elasticsearch.keys_now
    stage.elasticsearch.keys_now = dict(reversed(keys.items()))
    await stage.sleep(60)
    stage.amend("orders", grants=[grant("orders-*"), grant("orders-2")])
    await stage.reconcile_all()
    assert _reported(stage) == before


@on_stage
async def test_a_new_key_that_adds_nothing_beside_another_one_changes_no_status(stage: Stage) -> None:
    await begin(stage, MINE)
    await stage.sleep(60)
    for number in range(3):
        stage.elasticsearch.write_key(f"batch{number}", ORDERS, "google", {ROLE: NARROW})
        await stage.sleep(70)
        await stage.quiet()
        assert _reported(stage) == {"orders": ("True", "NotBroader", f"API keys of {ORDERS}")}
    assert _events(stage) == []


@on_stage
async def test_the_operators_own_keys_are_none_of_others_if_it_logs_in_through_the_realm(stage: Stage) -> None:
    me = account("operator")
    stage.elasticsearch.me = Login(me, "google", by_api_key=False)
    stage.elasticsearch.write_key("batch", ORDERS, "google", {ROLE: NARROW})
    mine = access("own", grant("x-*"), principal=me)
    await begin(stage, MINE, mine, with_key("keyed"), secretStores=STORES, login={"googleIdentity": {}})
    await stage.sleep(400)
    assert _reported(stage) == {"orders": ("True", "NotBroader", f"API keys of {ORDERS}")}


@on_stage
async def test_foreign_objects_are_never_touched(stage: Stage) -> None:
    _write(stage)
    stage.elasticsearch.write_user("ada", ROLE)
    stage.elasticsearch.write_key("batch", ORDERS, "google", {ROLE: BROAD})
    server = stage.elasticsearch
    before = deepcopy((server.roles_now["ops"], server.mappings_now["by-hand"], server.users_now, server.keys_now))
    await begin(stage, MINE)
    await stage.reconcile_all()
    assert (server.roles_now["ops"], server.mappings_now["by-hand"], server.users_now, server.keys_now) == before
    writes = [call for call in stage.faults.calls if call.write and call.side == "elasticsearch"]
    assert {name for call in writes for name in call.names} == {OPERATOR.mapping_name, ROLE}


@on_stage
async def test_an_odd_role_mapping_affects_nothing_else(stage: Stage) -> None:
    _write(stage)
    stage.elasticsearch.write_mapping("odd", BY_HAND | {"rules": {"any": "?"}, "roles": ["gone"]})
    await begin(stage, MINE)
    assert _reported(stage)["orders"][1] == "BroaderThanDeclared"
    assert stage.ready("orders") == ("True", "InSync")


def test_a_role_mapping_that_breaks_the_evaluation_is_not_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(found: RoleMapping, *more: Any) -> Any:
        if found.name == "odd":
            raise KeyError(found.name)
        return foreign_mapping(found, *more)

    monkeypatch.setattr("searchaccess.engine.rights.background.others.foreign_mapping", broken)

    @on_stage
    async def play(stage: Stage) -> None:
        stage.elasticsearch.write_mapping("odd", BY_HAND | {"roles": ["gone"]})
        await begin(stage, MINE)
        unseen = "role mapping odd may give role gone, which cannot be seen: it may be in a file"
        assert _reported(stage) == {"orders": ("Unknown", "CannotBeSeen", unseen)}
        assert stage.ready("orders") == ("True", "InSync")

    play()


@pytest.mark.parametrize("function", ["Others", "anybody_of", "owned_key"])
def test_an_error_of_ours_costs_the_report_alone(monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError(function)

    @on_stage
    async def play(stage: Stage) -> None:
        stage.faults.broke = True
        stage.elasticsearch.write_key("batch", ORDERS, "google", {ROLE: BROAD})
        with monkeypatch.context() as patched:
            patched.setattr(f"searchaccess.engine.rights.background.others.{function}", broken)
            await begin(stage, MINE)
            assert stage.ready("orders") == ("True", "InSync")
            assert _reported(stage) == {}
        await stage.sleep(400)
        assert _reported(stage)["orders"][1] == "BroaderThanDeclared", "it is read again when the error is over"

    play()
