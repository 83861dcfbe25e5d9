"""A grant on an alias is a grant on what the alias leads to: what a policy denies is refused there too."""

from typing import Any

import pytest

from searchaccess.ports.errors import PermissionDenied, Unreachable
from tests.component.common import begin, granted
from tests.component.credentials.common import STORES, with_key
from tests.component.policies.test_policies import IN_SYNC, REFUSED, policy, policy_key
from tests.support.failures.faults import Call
from tests.support.loop.stage import Stage, access_key, on_stage
from tests.support.worlds.world import access, account, condition_in, grant

NO_BANK: dict[str, Any] = {"deny": [{"indices": ["bank-*"]}]}
A_WHILE = 150.0
"""Seconds within which an alias that moved is noticed."""
SAYS = "SearchAccessPolicy limits: grants[0]: read on orders-* is denied, as orders-all leads to bank-1, which bank-*"


def open_bank(stage: Stage) -> None:
    stage.elasticsearch.may_see = ("*",)
    stage.elasticsearch.indices = {"orders-1": {}, "bank-1": {}}
    stage.elasticsearch.aliases = {"orders-all": {"orders-1", "bank-1"}}


def read(stage: Stage) -> int:
    return sum(call.method == "index_names" for call in stage.faults.calls)


@pytest.mark.parametrize("pattern", ["orders-all", "orders-*", "/orders-(all|x)/"])
def test_a_grant_on_an_alias_that_leads_to_a_denied_index_gets_no_rights(pattern: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        open_bank(stage)
        await begin(stage, policy(**NO_BANK), access("orders", grant(pattern)), access("one", grant("orders-1")))
        assert stage.ready("orders") == REFUSED
        assert not granted(stage)
        assert stage.ready("one") == IN_SYNC
        said = condition_in(stage.get("orders"), "PolicyAccepted")["message"]
        assert said.startswith(SAYS.replace("orders-*", pattern))
        assert read(stage) == 1, "all grants of the cluster are compared with one answer"

    play()


@on_stage
async def test_before_the_answer_nothing_is_written(stage: Stage) -> None:
    open_bank(stage)
    written: list[str] = []

    def watch(call: Call) -> None:
        if call.method == "index_names":
            written.extend(str(granted(stage)) for _ in range(bool(granted(stage))))

    stage.faults.on_call = watch
    await begin(stage, policy(**NO_BANK), access("orders", grant("orders-*")))
    assert stage.ready("orders") == REFUSED
    assert not written
    assert "put_roles" not in {call.method for call in stage.faults.writes}


@on_stage
async def test_an_alias_that_moves_into_a_denied_index_revokes_and_gives_back(stage: Stage) -> None:
    open_bank(stage)
    stage.elasticsearch.aliases = {"orders-all": {"orders-1"}}
    await begin(
        stage,
        policy(**NO_BANK),
        access("orders", grant("orders-*")),
        with_key("keyed", granted=grant("orders-*")),
        secretStores=STORES,
    )
    assert stage.ready("orders") == IN_SYNC
    stage.elasticsearch.aliases["orders-all"].add("bank-1")
    await stage.sleep(A_WHILE)
    await stage.quiet()
    assert stage.ready("orders") == REFUSED
    assert not granted(stage)
    assert all(each.get("invalidated") for each in stage.elasticsearch.keys_now.values()), "keys too"
    stage.elasticsearch.aliases["orders-all"].remove("bank-1")
    await stage.sleep(A_WHILE)
    await stage.quiet()
    assert stage.ready("orders") == IN_SYNC
    assert granted(stage) == {"orders-*"}


@on_stage
async def test_on_violation_keep_keeps_what_it_had(stage: Stage) -> None:
    open_bank(stage)
    stage.elasticsearch.aliases = {}
    await begin(stage, policy(**NO_BANK, onViolation="Keep"), access("orders", grant("orders-*")))
    stage.elasticsearch.aliases = {"orders-all": {"bank-1"}}
    await stage.sleep(A_WHILE)
    await stage.quiet()
    assert stage.ready("orders") == REFUSED
    assert granted(stage) == {"orders-*"}


@on_stage
async def test_a_policy_that_comes_later_is_judged_with_what_is_known(stage: Stage) -> None:
    open_bank(stage)
    await begin(stage, access("orders", grant("orders-*")))
    await stage.sleep(A_WHILE)
    assert granted(stage)
    before = read(stage)
    stage.apply(policy(**NO_BANK))
    await stage.sleep(2)
    assert not granted(stage)
    assert read(stage) == before
    stage.kubernetes.delete(policy_key())
    await stage.quiet()
    assert granted(stage)


@on_stage
async def test_a_restart_reads_again_before_it_grants_and_writes_nothing(stage: Stage) -> None:
    open_bank(stage)
    await begin(stage, policy(**NO_BANK), access("orders", grant("orders-*")), access("one", grant("orders-1")))
    await stage.stop()
    stage.apply(access("late", grant("orders-all")))
    writes = len(stage.faults.writes)
    stage.faults.fail("elasticsearch", Unreachable("slow"), "index_names")
    stage.start()
    await stage.sleep(0.2)
    assert not granted(stage)
    stage.faults.heal("elasticsearch")
    await stage.quiet()
    assert not granted(stage)
    assert not granted(stage, account("late"))
    assert stage.ready("late") == REFUSED
    assert granted(stage, account("one")) == {"orders-1"}
    assert {call.method for call in stage.faults.writes[writes:]} <= {"replace_status", "write_event", "create_event"}


@on_stage
async def test_where_aliases_cannot_be_read_names_are_compared_and_that_is_said(stage: Stage) -> None:
    open_bank(stage)
    stage.faults.fail("elasticsearch", PermissionDenied("may not"), "index_names")
    await begin(stage, policy(**NO_BANK), access("orders", grant("orders-*")), access("bank", grant("bank-1")))
    assert stage.ready("orders") == IN_SYNC
    assert stage.ready("bank") == REFUSED
    accepted = condition_in(stage.get("orders"), "PolicyAccepted")
    assert (accepted["status"], accepted["reason"]) == ("True", "PoliciesAccept")
    assert "names alone" in accepted["message"]
    stage.faults.heal("elasticsearch")
    await stage.sleep(A_WHILE)
    await stage.quiet()
    assert stage.ready("orders") == REFUSED


@on_stage
async def test_a_login_that_sees_nothing_is_said_and_reads_no_names(stage: Stage) -> None:
    await begin(stage, policy(**NO_BANK), access("orders", grant("orders-*")))
    await stage.sleep(A_WHILE)
    assert stage.ready("orders") == IN_SYNC
    assert "names alone" in condition_in(stage.get("orders"), "PolicyAccepted")["message"]
    assert read(stage) == 0
    written = len(stage.faults.writes)
    await stage.restart()
    await stage.sleep(A_WHILE)
    assert len(stage.faults.writes) == written


@on_stage
async def test_where_elasticsearch_never_answers_nobody_is_locked_out(stage: Stage) -> None:
    open_bank(stage)
    stage.faults.fail("elasticsearch", Unreachable("slow"), "index_names")
    await begin(stage, policy(**NO_BANK), access("orders", grant("orders-1")))
    await stage.sleep(A_WHILE)
    await stage.quiet()
    assert stage.ready("orders") == IN_SYNC
    assert "names alone" in condition_in(stage.get("orders"), "PolicyAccepted")["message"]


@on_stage
async def test_without_a_policy_that_denies_nothing_waits_for_names(stage: Stage) -> None:
    open_bank(stage)
    stage.faults.fail("elasticsearch", Unreachable("slow"), "index_names")
    await begin(stage, policy(allow=[{"indices": ["orders-*"], "can": ["read"]}]), access("orders", grant("orders-*")))
    assert stage.ready("orders") == IN_SYNC
    assert condition_in(stage.get("orders"), "PolicyAccepted").get("message", "") == ""


@on_stage
async def test_an_exception_and_audit_hold_for_aliases_too(stage: Stage) -> None:
    open_bank(stage)
    await begin(stage, policy(**NO_BANK, mode="Audit"), access("orders", grant("orders-*")))
    assert stage.ready("orders") == IN_SYNC
    accepted = condition_in(stage.get("orders"), "PolicyAccepted")
    assert accepted["reason"] == "PolicyWouldDeny"
    assert "orders-all leads to bank-1" in accepted["message"]


@on_stage
async def test_a_new_access_is_judged_by_what_is_known_without_another_read(stage: Stage) -> None:
    open_bank(stage)
    await begin(stage, policy(**NO_BANK), access("orders", grant("orders-1")))
    before = read(stage)
    for number in range(20):
        stage.apply(access(f"late-{number}", grant("orders-all")))
    await stage.sleep(5)
    assert all(stage.ready(f"late-{number}") == REFUSED for number in range(20))
    assert read(stage) == before
    stage.kubernetes.change(access_key("late-1"), lambda raw: raw["spec"].update(grants=[grant("orders-1")]))
    await stage.quiet()
    assert stage.ready("late-1") == IN_SYNC
