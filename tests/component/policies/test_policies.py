"""State in, state out: what SearchAccessPolicies refuse gets no rights."""

from collections.abc import Mapping
from typing import Any

import pytest

from searchaccess.api.constants import FINALIZER
from searchaccess.engine.inventory.namespaces import READ_EVERY
from searchaccess.ports.errors import NotFound, PermissionDenied, Unreachable
from searchaccess.ports.kubernetes import Plural
from tests.component.common import ORPHANS, ROLE, begin, granted, refuse_lists
from tests.component.credentials.common import STORES, with_key
from tests.component.identities.common import SERVICE, declared
from tests.support.loop.clocks import EPOCH
from tests.support.loop.stage import CLUSTER_KEY, Stage, access_key, on_stage
from tests.support.memory.kubernetes import Key
from tests.support.worlds.world import CLUSTER, access, account, condition_in, grant

REFUSED = ("False", "PolicyViolation")
IN_SYNC = ("True", "InSync")
ONLY_LOGS: dict[str, Any] = {"allow": [{"indices": ["logs-*"], "can": ["read"]}]}
ONLY_ORDERS: dict[str, Any] = {"allow": [{"indices": ["orders-*"], "can": ["read"]}]}
SOON = 2.0
"""Seconds within which a changed policy holds."""


def policy(name: str = "limits", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "searchaccess.dev/v1alpha1",
        "kind": "SearchAccessPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }


def policy_key(name: str = "limits") -> Key:
    return Plural.POLICIES, "", name


def change(stage: Stage, spec: Mapping[str, Any], name: str = "limits") -> None:
    stage.kubernetes.change(policy_key(name), lambda raw: raw.update(spec=dict(spec)))


def effective(stage: Stage, name: str = "orders") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.get(name)["status"].get("effectivePolicy", [])
    return found


@on_stage
async def test_what_a_policy_accepts_gets_its_rights_and_says_so(stage: Stage) -> None:
    await begin(stage, policy(**ONLY_ORDERS), access("orders", grant("orders-1")))

    assert stage.ready("orders") == IN_SYNC
    assert granted(stage) == {"orders-1"}
    accepted = condition_in(stage.get("orders"), "PolicyAccepted")
    assert (accepted["status"], accepted["reason"]) == ("True", "PoliciesAccept")
    assert effective(stage) == [{"name": "limits", "outcome": "Accepted", "reasons": []}]


@on_stage
async def test_what_a_policy_refuses_gets_none_and_says_why(stage: Stage) -> None:
    await begin(stage, policy(**ONLY_LOGS), access("orders", grant("orders-*")))

    assert stage.ready("orders") == REFUSED
    assert not granted(stage)
    said = "SearchAccessPolicy limits: grants[0]: read is allowed only on logs-*, not on orders-*"
    for kind in ("Ready", "Stalled", "PolicyAccepted"):
        condition = condition_in(stage.get("orders"), kind)
        assert condition["reason"] == "PolicyViolation"
        assert condition["message"].startswith(said)
    assert stage.notes("orders") == ["PolicyViolation"]
    assert FINALIZER not in stage.get("orders")["metadata"].get("finalizers", [])
    stage.amend("orders", grants=[grant("logs-1")])
    await stage.quiet()
    assert stage.ready("orders") == IN_SYNC
    assert granted(stage) == {"logs-1"}


@pytest.mark.parametrize(
    "changes",
    [{}, {"suspend": True}, {"mode": "Observe"}, {"deletionPolicy": "Orphan"}],
    ids=["plain", "suspended", "observed", "orphaning"],
)
def test_a_new_policy_revokes_within_seconds_what_it_refuses(changes: dict[str, Any]) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, access("orders", grant("orders-*")), access("logs", grant("logs-*")), orphans=ORPHANS)
        stage.amend("orders", **changes)
        await stage.quiet()
        assert granted(stage)
        stage.apply(policy(**ONLY_LOGS))
        await stage.sleep(SOON)
        assert not granted(stage)
        await stage.quiet()
        assert stage.ready("orders") == REFUSED
        assert stage.ready("logs") == IN_SYNC
        stage.kubernetes.delete(policy_key())
        await stage.quiet()
        assert "effectivePolicy" not in stage.get("orders")["status"]
        stage.amend("orders", suspend=False, mode="Enforce")
        await stage.quiet()
        assert stage.ready("orders") == IN_SYNC
        assert granted(stage)

    play()


@on_stage
async def test_on_violation_keep_leaves_what_was_granted_and_grants_nothing_new(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-1")))
    stage.apply(policy(**ONLY_LOGS, onViolation="Keep"))
    await stage.quiet()
    assert stage.ready("orders") == REFUSED
    assert granted(stage) == {"orders-1"}
    assert "rights that it has stay" in condition_in(stage.get("orders"), "Ready")["message"]
    stage.amend("orders", grants=[grant("orders-*")])
    await stage.quiet()
    assert granted(stage) == {"orders-1"}


@on_stage
async def test_a_policy_that_audits_only_reports(stage: Stage) -> None:
    await begin(stage, policy(**ONLY_LOGS, mode="Audit"), access("orders", grant("orders-*")))

    assert stage.ready("orders") == IN_SYNC
    assert granted(stage)
    accepted = condition_in(stage.get("orders"), "PolicyAccepted")
    assert (accepted["status"], accepted["reason"]) == ("True", "PolicyWouldDeny")
    assert effective(stage)[0]["outcome"] == "WouldDeny"
    change(stage, ONLY_LOGS)
    await stage.quiet()
    assert stage.ready("orders") == REFUSED
    assert not granted(stage)


@on_stage
async def test_an_exception_ends_by_itself(stage: Stage) -> None:
    end = EPOCH.timestamp() + stage.clock.monotonic() + 3600
    until = EPOCH.fromtimestamp(end, EPOCH.tzinfo).strftime("%Y-%m-%dT%H:%M:%SZ")
    exception = {"namespace": "shop", "name": "orders", "reason": "migration", "until": until}
    await begin(stage, policy(**ONLY_LOGS, exceptions=[exception]), access("orders", grant("orders-*")))
    assert stage.ready("orders") == IN_SYNC
    assert effective(stage) == [{"name": "limits", "outcome": "Exempt", "reasons": [f"until {until}: migration"]}]
    await stage.sleep(3600 - 60)
    assert granted(stage)
    await stage.sleep(60 + SOON)
    assert not granted(stage)
    await stage.quiet()
    assert stage.ready("orders") == REFUSED


@on_stage
async def test_an_exception_that_ended_while_the_operator_was_down_is_over_when_it_returns(stage: Stage) -> None:
    until = EPOCH.fromtimestamp(EPOCH.timestamp() + stage.clock.monotonic() + 600, EPOCH.tzinfo)
    exception = {"namespace": "shop", "name": "orders", "reason": "x", "until": until.strftime("%Y-%m-%dT%H:%M:%SZ")}
    await begin(stage, policy(**ONLY_LOGS, exceptions=[exception]), access("orders", grant("orders-*")))
    assert granted(stage)
    await stage.stop()
    await stage.sleep(900)
    stage.start()
    await stage.sleep(SOON)
    assert not granted(stage)


@on_stage
async def test_where_the_cluster_wants_a_policy_none_means_no_rights(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(policies={"unmatched": "Deny"}))
    await stage.quiet()
    assert stage.ready("orders") == REFUSED
    assert not granted(stage)
    assert "no SearchAccessPolicy applies" in condition_in(stage.get("orders"), "Ready")["message"]
    stage.apply(policy(match={"namespaces": {"names": ["shop"]}}, **ONLY_ORDERS))
    await stage.quiet()
    assert stage.ready("orders") == IN_SYNC
    assert granted(stage)


@on_stage
async def test_labels_of_namespaces_are_followed(stage: Stage) -> None:
    stage.kubernetes.namespaces["shop"] = {"tier": "test"}
    selector = {"selector": {"matchLabels": {"tier": "prod"}}}
    await begin(stage, policy(match={"namespaces": selector}, **ONLY_LOGS), access("orders", grant("orders-*")))
    assert granted(stage)
    stage.kubernetes.namespaces["shop"] = {"tier": "prod"}
    await stage.sleep(READ_EVERY + SOON)
    assert not granted(stage)


@on_stage
async def test_a_policy_that_only_reports_has_labels_read_too(stage: Stage) -> None:
    stage.kubernetes.namespaces["shop"] = {"tier": "prod"}
    selector = {"selector": {"matchLabels": {"tier": "prod"}}}
    await begin(stage, access("orders", grant("orders-*")))
    stage.apply(policy(match={"namespaces": selector}, mode="Audit", **ONLY_LOGS))
    await stage.sleep(SOON)
    assert stage.ready("orders") == IN_SYNC
    assert [each["outcome"] for each in effective(stage)] == ["WouldDeny"]


@pytest.mark.parametrize("idle", [0.5, 3 * READ_EVERY], ids=["for a moment", "for long"])
def test_labels_that_changed_while_nobody_needed_them_are_read_again(idle: float) -> None:
    @on_stage
    async def scenario(stage: Stage) -> None:
        stage.kubernetes.namespaces["shop"] = {"tier": "test"}
        limits = policy(match={"namespaces": {"selector": {"matchLabels": {"tier": "prod"}}}}, **ONLY_LOGS)
        await begin(stage, limits, access("orders", grant("orders-*")))
        await stage.sleep(READ_EVERY)
        stage.kubernetes.delete(policy_key())
        await stage.sleep(idle)
        stage.kubernetes.namespaces["shop"] = {"tier": "prod"}
        stage.apply(limits)
        await stage.sleep(READ_EVERY + SOON)
        assert stage.ready("orders") == REFUSED
        assert not granted(stage)

    scenario()


@on_stage
async def test_labels_that_cannot_be_read_revoke_nothing_and_grant_nothing(stage: Stage) -> None:
    stage.kubernetes.namespaces["shop"] = {"tier": "test"}
    selector = {"selector": {"matchLabels": {"tier": "prod"}}}
    await begin(stage, policy(match={"namespaces": selector}, **ONLY_LOGS), access("orders", grant("orders-*")))
    stage.faults.fail("kubernetes", PermissionDenied("may not"), "list_namespaces")
    await stage.restart()
    stage.apply(access("late", grant("late-*")))
    await stage.sleep(60)
    assert granted(stage) == {"orders-*"}
    assert not granted(stage, account("late"))
    assert stage.ready("late") == ("False", "Pending")
    accepted = condition_in(stage.get("late"), "PolicyAccepted")
    assert (accepted["status"], accepted["reason"]) == ("Unknown", "Pending")


@on_stage
async def test_labels_of_the_access_are_followed(stage: Stage) -> None:
    match = {"labels": {"matchLabels": {"workload": "ai-agent"}}}
    await begin(stage, policy(match=match, **ONLY_LOGS), access("orders", grant("orders-*")))
    assert granted(stage)
    stage.kubernetes.change(access_key("orders"), lambda raw: raw["metadata"].update(labels={"workload": "ai-agent"}))
    await stage.quiet()
    assert not granted(stage)
    assert stage.ready("orders") == REFUSED


@on_stage
async def test_policies_that_cannot_be_read_from_kubernetes_change_nothing(stage: Stage) -> None:
    await begin(stage, policy(**ONLY_ORDERS), access("orders", grant("orders-*")))
    await stage.stop()
    stage.apply(access("late", grant("late-*")))
    stage.faults.fail("kubernetes", PermissionDenied("may not"), "list_page")
    stage.start()
    await stage.sleep(30)
    assert granted(stage)
    assert not granted(stage, account("late"))
    stage.faults.heal("kubernetes")
    await stage.sleep(60)
    await stage.quiet()
    assert stage.ready("late") == REFUSED
    assert stage.ready("orders") == IN_SYNC


def without_the_kind(stage: Stage) -> None:
    """Answer as an API server that has no such kind."""
    refuse_lists(stage, Plural.POLICIES, NotFound("the API server answered 404: page not found"))


@on_stage
async def test_where_the_kind_is_not_installed_there_are_no_policies(stage: Stage) -> None:
    without_the_kind(stage)
    await begin(stage, access("orders", grant("orders-*")))
    assert granted(stage)


@on_stage
async def test_a_kind_that_the_api_server_serves_a_moment_later_is_not_taken_for_missing(stage: Stage) -> None:
    await begin(stage, policy(**ONLY_LOGS))
    await stage.stop()
    stage.apply(access("orders", grant("orders-*")))
    served = stage.kubernetes.list_page
    without_the_kind(stage)
    lacking = stage.kubernetes.list_page

    async def answer(plural: Plural, following: str = "") -> Any:
        if plural is Plural.ACCESSES:
            stage.kubernetes.list_page = served  # type: ignore[method-assign]
        return await lacking(plural, following)

    stage.kubernetes.list_page = answer  # type: ignore[method-assign]
    stage.start()
    await stage.quiet()
    assert stage.ready("orders") == REFUSED
    assert ROLE not in {name for call in stage.faults.writes for name in call.names}


@on_stage
async def test_a_kind_that_seems_to_be_gone_opens_nothing(stage: Stage) -> None:
    await begin(stage, policy(**ONLY_LOGS), access("orders", grant("orders-*")))
    without_the_kind(stage)
    await stage.sleep(900)
    assert not granted(stage)
    assert stage.ready("orders") == REFUSED


@on_stage
async def test_a_policy_deleted_while_nobody_watched_is_found_by_the_next_list(stage: Stage) -> None:
    await begin(stage, policy(**ONLY_LOGS), access("orders", grant("orders-*")))
    assert stage.process is not None
    stage.process.watch.down = True
    stage.kubernetes.delete(policy_key())
    await stage.sleep(600)
    stage.process.watch.down = False
    await stage.quiet()
    assert granted(stage)


@on_stage
async def test_an_account_that_is_not_known_yet_costs_no_rights(stage: Stage) -> None:
    stage.google.state.deploy(SERVICE, account("orders"))
    subjects = [{"serviceAccounts": [account("orders")]}]
    await begin(stage, policy(subjects=subjects), declared())
    assert granted(stage)
    stage.faults.fail("google", Unreachable("away"))
    await stage.stop()
    stage.kubernetes.change(access_key("orders"), lambda raw: raw.update(status={}))
    stage.start()
    await stage.sleep(60)
    assert granted(stage), "nothing is revoked on a guess"
    stage.faults.heal("google")
    stage.google.state.deploy(SERVICE, account("other"))
    await stage.sleep(400)
    assert not granted(stage, account("other")), "the account that it runs as now may not be named"
    assert stage.ready("orders") == REFUSED


@on_stage
async def test_rights_that_would_stay_at_deletion_go_if_a_policy_refuses_them(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*"), deletionPolicy="Orphan"), orphans=ORPHANS)
    stage.apply(policy(limits={"deletionPolicies": ["Delete"]}, onViolation="Keep"))
    await stage.quiet()
    assert granted(stage)
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")
    assert not stage.elasticsearch.roles_now


@on_stage
async def test_rights_do_not_stay_at_deletion_by_a_spec_that_no_policy_can_judge(stage: Stage) -> None:
    await begin(
        stage,
        policy(**ONLY_ORDERS),
        access("orders", grant("orders-*"), deletionPolicy="Orphan"),
        orphans=ORPHANS,
    )
    stage.amend("orders", grants=[grant("Orders")])
    await stage.quiet()
    assert stage.ready("orders")[1] == "InvalidSpec"
    accepted = condition_in(stage.get("orders"), "PolicyAccepted")
    assert (accepted["status"], accepted["message"]) == ("Unknown", "the spec is invalid: no policy can accept it")
    assert granted(stage) == {"orders-*"}, "what was accepted stays"
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")
    assert not stage.elasticsearch.roles_now


@on_stage
async def test_a_restart_writes_nothing(stage: Stage) -> None:
    await begin(
        stage, policy(**ONLY_LOGS), access("orders", grant("orders-*")), access("logs", grant("logs-*", "logs-1"))
    )
    writes = len(stage.faults.writes)
    await stage.restart()
    await stage.sleep(60)
    assert stage.faults.writes[writes:] == []


@on_stage
async def test_a_dry_run_judges_by_the_policies_of_files(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    await stage.stop()
    changes = await stage.dry_run(policy(**ONLY_LOGS))
    assert [str(change.action) for change in changes] != []
    assert await stage.dry_run(policy(**ONLY_ORDERS)) == ()


NEVER_FOUND = {"cloudRunService": {"project": "acme-shop", "location": "europe-west1", "name": "never"}}
MOVES: dict[str, tuple[bool, dict[str, Any]]] = {
    "to another subject": (False, {"subject": {"serviceAccount": account("other")}}),
    "to a cluster that does not exist": (False, {"cluster": "nowhere"}),
    "with a key, to a cluster that does not exist": (True, {"cluster": "nowhere"}),
    "to a workload that is never found": (True, {"auth": "IdentityToken", "credential": None, "subject": NEVER_FOUND}),
}


@pytest.mark.parametrize("match", [{}, {"match": {"clusters": [CLUSTER]}}], ids=["everywhere", "on the old cluster"])
@pytest.mark.parametrize("move", MOVES)
def test_nobody_keeps_refused_rights_by_moving_away(move: str, match: dict[str, Any]) -> None:
    """What is refused never gets rights in the new place, for which those in the old one would wait."""
    key, moved = MOVES[move]

    @on_stage
    async def play(stage: Stage) -> None:
        orders = with_key() if key else access("orders", grant("orders-*"))
        await begin(stage, orders, secretStores=STORES)
        server = stage.elasticsearch
        assert server.keys_now if key else granted(stage)
        stage.kubernetes.change(access_key("orders"), lambda raw: _update(raw["spec"], moved))
        stage.apply(policy(**match, **ONLY_LOGS))
        await stage.quiet()
        assert not server.roles_now
        assert all(each.get("invalidated") for each in server.keys_now.values())

    play()


def _update(spec: dict[str, Any], moved: Mapping[str, Any]) -> None:
    spec.update({name: value for name, value in moved.items() if value is not None})
    for name in [name for name, value in moved.items() if value is None]:
        del spec[name]


@on_stage
async def test_rights_are_not_released_before_it_is_known_what_policies_say(stage: Stage) -> None:
    stage.kubernetes.namespaces["shop"] = {"tier": "prod"}
    await begin(stage, access("orders", grant("orders-*"), deletionPolicy="Orphan"), orphans=ORPHANS)
    await stage.stop()
    selector = {"selector": {"matchLabels": {"tier": "prod"}}}
    stage.apply(policy(match={"namespaces": selector}, **ONLY_LOGS))
    stage.delete("orders")
    stage.faults.fail("kubernetes", PermissionDenied("may not"), "list_namespaces")
    stage.start()
    await stage.sleep(60)
    assert granted(stage) == {"orders-*"}
    assert stage.get("orders"), "it waits"
    stage.faults.heal("kubernetes")
    await stage.sleep(60)  # Until namespaces are listed again: after a back-off of up to 15 s, which writes nothing.
    await stage.quiet()
    assert not stage.get("orders")
    assert not stage.elasticsearch.roles_now
