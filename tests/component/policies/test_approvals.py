"""State in, state out: rights that need an approval, and end with it."""

from collections.abc import Callable
from typing import Any

import pytest

from searchaccess.api.vouching import APPROVERS, BINDINGS, AdmissionObject
from searchaccess.engine.inventory.consent.vouching import READ_EVERY
from searchaccess.ports.errors import NotFound, PermissionDenied
from searchaccess.ports.kubernetes import Plural
from tests.component.common import ORPHANS, begin, granted, refuse_lists
from tests.component.credentials.common import STORES, live, with_key
from tests.component.policies.test_policies import policy, policy_key
from tests.support.loop.stage import Stage, access_key, on_stage
from tests.support.memory.kubernetes import Key
from tests.support.worlds.world import CLUSTER, access, condition_in, grant

PENDING = ("False", "PendingApproval")
IN_SYNC = ("True", "InSync")
SOON = 2.0
HOUR = 3600
RULE: dict[str, Any] = {"by": {"users": ["bob"]}, "within": "1h", "for": "2h"}
BINDING = AdmissionObject(BINDINGS, APPROVERS)
BY_ANN = {"searchaccess.dev/requested-by": "ann"}
EMERGENCY = BY_ANN | {"searchaccess.dev/break-glass": "the shop is down"}


def people(name: str = "people", **rule: Any) -> dict[str, Any]:
    return policy(name, require={"approval": RULE | rule})


def orders(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return access("orders", grant("orders-*"), annotations=BY_ANN if annotations is None else annotations, **spec)


def approval(stage: Stage, name: str = "yes", by: str = "bob", **spec: Any) -> dict[str, Any]:
    meta = stage.get("orders")["metadata"]
    about = {"name": "orders", "uid": meta["uid"], "generation": meta["generation"]}
    return {
        "apiVersion": "searchaccess.dev/v1alpha1",
        "kind": "SearchAccessApproval",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": about | {"approvedBy": {"username": by}} | spec,
    }


def approval_key(name: str = "yes") -> Key:
    return Plural.APPROVALS, "shop", name


async def approved(stage: Stage, *objects: dict[str, Any], **cluster: Any) -> None:
    """Declare objects, the SearchAccess orders among them, and approve it."""
    await begin(stage, *objects, **cluster)
    stage.apply(approval(stage))
    await stage.quiet()


@on_stage
async def test_it_has_no_rights_before_somebody_else_approves_it(stage: Stage) -> None:
    await begin(stage, people(), orders())
    assert stage.ready("orders") == PENDING
    assert not granted(stage)
    said = condition_in(stage.get("orders"), "Ready")["message"]
    assert said.startswith("SearchAccessPolicy people requires an approval; user bob can approve it until ")
    assert not condition_in(stage.get("orders"), "Stalled")
    stage.apply(approval(stage))
    await stage.sleep(SOON)
    assert granted(stage) == {"orders-*"}
    await stage.quiet()
    assert stage.ready("orders") == IN_SYNC
    assert stage.get("orders")["status"]["validity"]["state"] == "Active"


@on_stage
async def test_its_rights_end_with_the_approval(stage: Stage) -> None:
    await approved(stage, people(), orders())
    assert granted(stage)
    await stage.sleep(2 * HOUR)
    assert not granted(stage)
    await stage.quiet()
    assert stage.ready("orders") == PENDING
    assert "the approval yes does not count: it ended at" in condition_in(stage.get("orders"), "Ready")["message"]
    assert stage.notes("orders").count("PendingApproval") == 2


ENDS: dict[str, Callable[[Stage], object]] = {
    "the approval is deleted": lambda stage: stage.kubernetes.delete(approval_key()),
    "the spec is edited": lambda stage: stage.amend("orders", grants=[grant("orders-1")]),
    "the spec becomes invalid": lambda stage: stage.amend("orders", grants=[grant("Orders")]),
    "it is moved to a cluster that does not exist": lambda stage: stage.amend("orders", cluster="nowhere"),
    "somebody else requests it, who approved it": lambda stage: stage.annotate(
        access_key("orders"), "searchaccess.dev/requested-by", "bob"
    ),
    "nobody requests it any more": lambda stage: stage.annotate(
        access_key("orders"), "searchaccess.dev/requested-by", ""
    ),
    "another policy requires another approval": lambda stage: stage.apply(people("more", by={"users": ["carl"]})),
    "the policy wants another approver": lambda stage: stage.apply(people(by={"users": ["carl"]})),
}
KINDS: dict[str, dict[str, Any]] = {
    "suspended": {"suspend": True},
    "observed": {"mode": "Observe"},
}


@pytest.mark.parametrize("key", [False, True], ids=["token", "key"])
@pytest.mark.parametrize("end", ENDS)
def test_within_seconds_it_loses_its_rights_when(end: str, key: bool) -> None:  # noqa: FBT001 - a parameter
    @on_stage
    async def play(stage: Stage) -> None:
        one = with_key() if key else orders()
        one["metadata"]["annotations"] = dict(BY_ANN)
        await approved(stage, people(), one, secretStores=STORES)
        assert live(stage) if key else granted(stage)
        ENDS[end](stage)
        await stage.sleep(SOON)
        assert not granted(stage)
        assert not live(stage)

    play()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_in_the_access_keeps_rights_without_their_approval(kind: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await approved(stage, people(), orders())
        stage.amend("orders", **KINDS[kind])
        await stage.quiet()
        assert not granted(stage), "another generation needs another approval"
        stage.apply(approval(stage, "again"))
        await stage.quiet()
        stage.kubernetes.delete(approval_key("again"))
        await stage.sleep(SOON)
        assert not granted(stage)

    play()


@pytest.mark.parametrize("gone", [True, False], ids=["approved", "not approved"])
def test_nothing_is_left_behind_at_deletion(gone: bool) -> None:  # noqa: FBT001 - a parameter
    @on_stage
    async def play(stage: Stage) -> None:
        await approved(stage, people(), orders(deletionPolicy="Orphan"), orphans=ORPHANS)
        assert granted(stage)
        if gone:
            stage.kubernetes.delete(approval_key())
        stage.delete("orders")
        await stage.quiet()
        assert not stage.get("orders")
        assert not stage.elasticsearch.roles_now

    play()


@on_stage
async def test_a_key_ends_in_elasticsearch_with_the_approval(stage: Stage) -> None:
    key = with_key()
    key["metadata"]["annotations"] = dict(BY_ANN)
    await approved(stage, people(), key, secretStores=STORES)
    [raw] = live(stage)
    assert 2 * HOUR - 60 < raw["expiration"] / 1000 - stage.elasticsearch.now() <= 2 * HOUR
    await stage.stop()
    await stage.sleep(2 * HOUR)
    assert not live(stage), "although there is no operator"


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_that_is_held_ends_in_elasticsearch_with_the_approval(kind: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, with_key(annotations=BY_ANN), secretStores=STORES)
        stage.amend("orders", **KINDS[kind])
        await stage.quiet()
        stage.apply(approval(stage))
        await stage.sleep(SOON)
        stage.apply(people())
        await stage.quiet()
        [key] = live(stage)
        assert key["expiration"] / 1000 - stage.elasticsearch.now() <= 2 * HOUR
        calls = len(stage.faults.calls)
        await stage.reconcile_all()
        assert not [call for call in stage.faults.calls[calls:] if call.write], "it is cut short once"

    play()


@on_stage
async def test_after_a_restart_everything_is_as_it_was_and_nothing_is_written(stage: Stage) -> None:
    await approved(stage, people(), orders())
    writes = len(stage.faults.writes)
    await stage.restart()
    await stage.sleep(60)
    assert stage.faults.writes[writes:] == []
    assert granted(stage)


@on_stage
async def test_what_ended_while_the_operator_was_down_is_revoked_first(stage: Stage) -> None:
    await approved(stage, people(), orders())
    await stage.stop()
    stage.kubernetes.delete(approval_key())
    stage.start()
    await stage.sleep(SOON)
    assert not granted(stage)


@on_stage
async def test_an_approval_deleted_while_nobody_watched_is_found_by_the_next_list(stage: Stage) -> None:
    await approved(stage, people(), orders())
    assert stage.process is not None
    stage.process.watch.down = True
    stage.kubernetes.delete(approval_key())
    await stage.sleep(600)
    assert not granted(stage)


@pytest.mark.parametrize("action", ["Audit", "Warn"])
def test_approvals_do_not_count_while_the_admission_policy_does_not_deny(action: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await approved(stage, people(), orders())
        assert granted(stage)
        spec = stage.kubernetes.admission[BINDING]["spec"]
        spec["validationActions"] = [action]
        await stage.sleep(READ_EVERY + SOON)
        assert not granted(stage)
        await stage.quiet()
        said = condition_in(stage.get("orders"), "Ready")["message"]
        assert "approvals do not count: the ValidatingAdmissionPolicyBinding searchaccess-approvers is not as" in said
        spec["validationActions"] = ["Deny"]
        await stage.sleep(READ_EVERY + SOON)
        assert granted(stage)

    play()


@on_stage
async def test_what_was_known_of_the_admission_policy_is_not_believed_when_a_policy_comes_back(stage: Stage) -> None:
    await approved(stage, people(), orders())
    stage.kubernetes.delete(policy_key("people"))
    await stage.quiet()
    del stage.kubernetes.admission[BINDING]
    writes = len(stage.faults.writes)
    stage.kubernetes.create(people())
    stage.amend("orders", grants=[grant("orders-1")])
    stage.apply(approval(stage, "again"))
    await stage.quiet()
    assert not granted(stage)
    assert "orders-1" not in str(stage.faults.writes[writes:])


@on_stage
async def test_approvals_do_not_count_without_the_admission_policy(stage: Stage) -> None:
    del stage.kubernetes.admission[BINDING]
    await approved(stage, people(), orders())
    assert stage.ready("orders") == PENDING
    assert "searchaccess-approvers is missing" in condition_in(stage.get("orders"), "Ready")["message"]


@on_stage
async def test_while_the_admission_policy_cannot_be_read_nothing_is_granted_and_nothing_revoked(stage: Stage) -> None:
    await approved(stage, people(), orders())
    await stage.stop()
    stage.faults.fail("kubernetes", PermissionDenied("may not"), "read_admission")
    stage.start()
    await stage.sleep(60)
    assert granted(stage)
    assert stage.ready("orders") == ("False", "Pending")
    await stage.sleep(2 * HOUR)
    assert not granted(stage), "its end is known"
    stage.faults.heal("kubernetes")


@pytest.mark.parametrize("error", [NotFound("page not found"), PermissionDenied("may not")], ids=["served", "listed"])
@pytest.mark.parametrize("given", [True, False])
def test_where_the_kind_cannot_be_read_nothing_is_granted_and_nothing_revoked(given: bool, error: Exception) -> None:  # noqa: FBT001
    @on_stage
    async def play(stage: Stage) -> None:
        if given:
            await approved(stage, people(), orders())
        else:
            await begin(stage, orders())
        await stage.stop()
        if not given:
            stage.apply(people())
        heal = refuse_lists(stage, Plural.APPROVALS, error)
        stage.start()
        await stage.sleep(60)
        assert granted(stage)
        assert stage.ready("orders") == ("False", "Pending")
        heal()
        await stage.sleep(600)
        assert stage.ready("orders") == (IN_SYNC if given else PENDING)
        assert bool(granted(stage)) is given

    play()


def advance(stage: Stage) -> dict[str, Any]:
    """Return an approval of the generation after the present one."""
    return approval(stage, generation=stage.get("orders")["metadata"]["generation"] + 1)


@pytest.mark.parametrize("restarts", [False, True], ids=["while it runs", "with a restart between"])
def test_an_approval_in_advance_never_counts(restarts: bool) -> None:  # noqa: FBT001
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, people(), orders())
        stage.apply(advance(stage))
        await stage.sleep(30)
        await stage.quiet()
        uid = stage.kubernetes.objects[approval_key()]["metadata"]["uid"]
        assert stage.get("orders")["status"]["prematureApprovals"] == [uid]
        if restarts:
            await stage.stop()
        stage.amend("orders", grants=[grant("*")])
        if restarts:
            stage.start()
        await stage.sleep(60)
        await stage.quiet()
        assert not granted(stage)
        assert stage.ready("orders") == PENDING
        said = condition_in(stage.get("orders"), "Ready")["message"]
        assert "the approval yes does not count: it was given in advance, when there was no generation 2 yet" in said
        stage.apply(approval(stage, "again"))
        await stage.quiet()
        assert granted(stage) == {"*"}
        stage.kubernetes.delete(approval_key())
        await stage.quiet()
        assert "prematureApprovals" not in stage.get("orders")["status"]
        assert granted(stage) == {"*"}
        assert await stage.reconcile_all() == []

    play()


@on_stage
async def test_an_approval_whose_event_comes_before_that_of_the_edit_counts(stage: Stage) -> None:
    await begin(stage, people(), orders())
    assert stage.process is not None
    stage.process.watch.down = True
    stage.amend("orders", grants=[grant("orders-1")])
    made = stage.kubernetes.create(approval(stage))
    stage.process.watch.down = False
    stage.process.inventory.approvals.see(made | {"metadata": made["metadata"] | {"resourceVersion": "999999"}})
    await stage.sleep(30)
    await stage.quiet()
    assert granted(stage) == {"orders-1"}
    assert stage.ready("orders") == IN_SYNC


@on_stage
async def test_its_status_says_which_policy_waits_for_an_approval(stage: Stage) -> None:
    await begin(stage, people(), orders())
    [found] = stage.get("orders")["status"]["effectivePolicy"]
    assert (found["name"], found["outcome"]) == ("people", "PendingApproval")
    condition = condition_in(stage.get("orders"), "PolicyAccepted")
    assert (condition["status"], condition["reason"]) == PENDING
    counts = stage.kubernetes.objects[policy_key("people")]["status"]["counts"]
    assert (counts["pendingApproval"], counts.get("accepted", 0)) == (1, 0)
    stage.apply(approval(stage))
    await stage.quiet()
    assert stage.get("orders")["status"]["effectivePolicy"][0]["outcome"] == "Accepted"
    assert condition_in(stage.get("orders"), "PolicyAccepted")["reason"] == "PoliciesAccept"


@on_stage
async def test_where_no_policy_requires_one_nothing_is_read_and_nothing_is_needed(stage: Stage) -> None:
    await begin(stage, orders(annotations={}))
    assert granted(stage)
    assert not [call for call in stage.faults.calls if call.method == "read_admission"]


@on_stage
async def test_a_policy_that_audits_reports_what_needs_an_approval(stage: Stage) -> None:
    await begin(stage, people() | {"spec": {"mode": "Audit", "require": {"approval": RULE}}}, orders())
    assert granted(stage)
    [found] = stage.get("orders")["status"]["effectivePolicy"]
    assert (found["outcome"], found["reasons"]) == ("WouldDeny", ["approval: another person must approve it"])
    stage.apply(approval(stage))
    await stage.quiet()
    assert stage.get("orders")["status"]["effectivePolicy"][0]["outcome"] == "Accepted"


@on_stage
async def test_an_exception_needs_no_approval(stage: Stage) -> None:
    until = {"namespace": "shop", "name": "orders", "reason": "old", "until": "2999-01-01T00:00:00Z"}
    await begin(stage, policy("people", require={"approval": RULE}, exceptions=[until]), orders())
    assert granted(stage)


@on_stage
async def test_an_emergency_is_granted_at_once_is_loud_and_ends(stage: Stage) -> None:
    await begin(stage, people(breakGlass={"for": "30m"}))
    stage.apply(orders(annotations=EMERGENCY))
    await stage.sleep(SOON)
    assert granted(stage)
    await stage.quiet()
    assert stage.ready("orders") == IN_SYNC
    loud = condition_in(stage.get("orders"), "BreakGlass")
    assert (loud["status"], loud["reason"]) == ("True", "BreakGlass")
    assert "that SearchAccessPolicy people requires" in loud["message"]
    assert loud["message"].endswith("by ann: the shop is down")
    assert stage.notes("orders").count("BreakGlass") == 1
    stage.amend("orders", grants=[grant("orders-1")])
    await stage.quiet()
    assert granted(stage) == {"orders-1"}
    assert stage.notes("orders").count("BreakGlass") == 2, "each generation is reported"
    await stage.sleep(HOUR // 2)
    assert not granted(stage)
    await stage.quiet()
    assert not condition_in(stage.get("orders"), "BreakGlass")
    stage.amend("orders", grants=[grant("orders-2")])
    await stage.quiet()
    assert not granted(stage), "no edit prolongs it"
    assert stage.ready("orders") == PENDING


@on_stage
async def test_an_emergency_bypasses_approvals_and_nothing_else(stage: Stage) -> None:
    limits = policy("limits", deny=[{"indices": ["orders-*"]}])
    await begin(stage, people(breakGlass={"for": "30m"}), limits, orders(annotations=EMERGENCY))
    assert not granted(stage)
    assert stage.ready("orders") == ("False", "PolicyViolation")


@on_stage
async def test_an_emergency_is_none_where_the_policy_allows_none(stage: Stage) -> None:
    await begin(stage, people(), orders(annotations=EMERGENCY))
    assert not granted(stage)
    assert "it allows no break-glass" in condition_in(stage.get("orders"), "Ready")["message"]


@on_stage
async def test_an_emergency_that_is_approved_is_none_any_more(stage: Stage) -> None:
    await begin(stage, people(breakGlass={"for": "30m"}), orders(annotations=EMERGENCY))
    stage.apply(approval(stage))
    await stage.quiet()
    assert granted(stage)
    assert not condition_in(stage.get("orders"), "BreakGlass")
    await stage.sleep(HOUR)
    assert granted(stage)


@on_stage
async def test_a_new_policy_revokes_what_was_granted_without_approval(stage: Stage) -> None:
    await begin(stage, orders())
    assert granted(stage)
    stage.apply(people())
    await stage.sleep(SOON)
    assert not granted(stage)
    stage.kubernetes.delete(policy_key("people"))
    await stage.quiet()
    assert granted(stage)


@on_stage
async def test_rights_of_a_former_place_go_with_the_approval(stage: Stage) -> None:
    match = {"clusters": [CLUSTER]}
    await approved(stage, policy("people", match=match, require={"approval": RULE}), orders())
    assert granted(stage)
    stage.amend("orders", cluster="nowhere")
    await stage.sleep(SOON)
    assert not granted(stage), "the approval was for the former place, and is no more"
