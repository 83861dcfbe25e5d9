"""What became of a request to the operator, from the status of a SearchAccess."""

from typing import Any

import pytest

from searchaccess.core.answers.verbs.approvals import approval_body, groups_that_count
from searchaccess.core.answers.verbs.outcomes import (
    Asked,
    State,
    Verb,
    adoptable,
    change_for,
    obstacle,
    outcome_of,
)
from tests.unit.answers.test_statuses import condition, ready
from tests.unit.builders import NOW, a_search_access

HASH = "0123456789abcdef"
CONFLICT = f"role r exists; Delete it, or agree: SearchCluster prod, spec.adoption.objects: [{{name: r, hash: {HASH}}}]"
KEY = {"store": "main", "name": "n", "version": 4, "keyId": "k", "phase": "Overlap", "issued": NOW}
CREDENTIAL = {"store": "main", "name": "n"}
DENIED = {"effectivePolicy": [{"name": "eyes", "outcome": "PendingApproval"}]}
WAITING = ready("False", "PendingApproval") | DENIED


def seen(status: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return a_search_access(status=status, **more)


@pytest.mark.parametrize(
    ("verb", "raw", "says"),
    [
        (Verb.ROTATE, seen(), "it has no credential"),
        (Verb.ROTATE, seen(auth="ApiKey", credential=CREDENTIAL), ""),
        (Verb.ROTATE, seen(auth="ApiKey", credential=CREDENTIAL, suspend=True), "it is suspended: resume it first"),
        (Verb.ROTATE, seen(auth="ApiKey", credential=CREDENTIAL, mode="Observe"), "its mode is Observe"),
        (Verb.SUSPEND, seen(), ""),
        (Verb.SUSPEND, seen(suspend=True), "it is suspended already"),
        (Verb.RESUME, seen(), "it is not suspended"),
        (Verb.RESUME, seen(suspend=True), ""),
        (Verb.REFRESH, seen(suspend=True), ""),
        (Verb.REFRESH, seen(deleted_at=NOW), "it is being deleted"),
        (Verb.ADOPT, seen(ready()), "its status names nothing"),
        (Verb.ADOPT, seen(ready("False", "InvalidSpec", message=CONFLICT)), "its status names nothing"),
        (Verb.ADOPT, seen(ready("False", "OwnershipConflict", message=CONFLICT)), ""),
        (Verb.APPROVE, seen(ready()), "no policy is waiting"),
        (Verb.APPROVE, seen(WAITING), ""),
        (Verb.APPROVE, seen(ready("False", "NotYetValid") | DENIED), ""),
        (Verb.REJECT, seen(deleted_at=NOW), ""),
    ],
)
def test_what_makes_no_sense_is_not_asked(verb: Verb, raw: dict[str, Any], says: str) -> None:
    assert obstacle(verb, raw).startswith(says)
    assert bool(obstacle(verb, raw)) is bool(says)


@pytest.mark.parametrize(
    ("asked", "raw", "state", "says"),
    [
        (Asked(Verb.REFRESH, "t"), seen(), State.PENDING, "the operator has not seen it yet"),
        (Asked(Verb.REFRESH, "t"), seen(ready()), State.PENDING, "the operator has not handled"),
        (
            Asked(Verb.REFRESH, "t", 2),
            seen(ready(lastHandledReconcileAt="t")),
            State.PENDING,
            "the operator has not seen",
        ),
        (Asked(Verb.REFRESH, "t", 1), seen(ready(lastHandledReconcileAt="t")), State.DONE, "InSync"),
        (
            Asked(Verb.REFRESH, "t"),
            seen(ready("False", "InvalidSpec", message="no", lastHandledReconcileAt="t")),
            State.REFUSED,
            "InvalidSpec: no",
        ),
        (
            Asked(Verb.REFRESH, "t"),
            seen(ready("Unknown", "ClusterUnreachable", lastHandledReconcileAt="t")),
            State.PENDING,
            "ClusterUnreachable",
        ),
        (Asked(Verb.REFRESH, "t"), seen(ready("False", "Expired", lastHandledReconcileAt="t")), State.DONE, "Expired"),
        (Asked(Verb.REFRESH, "t"), seen(ready(), deleted_at=NOW), State.REFUSED, "it is being deleted"),
        (Asked(Verb.ROTATE, "t"), seen(ready(credential=KEY)), State.PENDING, "the operator has not replaced it"),
        (
            Asked(Verb.ROTATE, "t"),
            seen(ready(credential=KEY | {"rotationRequest": "t"})),
            State.DONE,
            "main/n has version 4 (k), the previous one",
        ),
        (
            Asked(Verb.ROTATE, "t"),
            seen({"conditions": [*ready()["conditions"], condition("CredentialReady", "False", "StoreDown", "no")]}),
            State.PENDING,
            "StoreDown: no",
        ),
        (Asked(Verb.ROTATE, "t"), seen(ready("False", "InvalidSpec")), State.REFUSED, "InvalidSpec"),
        (Asked(Verb.SUSPEND), seen(ready(mode="Enforce")), State.PENDING, "the operator has not suspended"),
        (Asked(Verb.SUSPEND), seen(ready("Unknown", "Suspended", mode="Suspended")), State.DONE, "suspended"),
        (Asked(Verb.RESUME), seen(ready(mode="Suspended")), State.PENDING, "the operator has not resumed"),
        (Asked(Verb.RESUME), seen(ready(mode="Enforce")), State.DONE, "InSync"),
        (Asked(Verb.ADOPT, "t"), seen(ready("False", "Pending", lastHandledReconcileAt="t")), State.PENDING, ""),
        (
            Asked(Verb.ADOPT, "t"),
            seen(ready("False", "OwnershipConflict", lastHandledReconcileAt="t")),
            State.REFUSED,
            "OwnershipConflict",
        ),
        (Asked(Verb.APPROVE, "u", 1), seen(WAITING), State.PENDING, "PendingApproval"),
        (Asked(Verb.APPROVE, "u", 1), seen(ready()), State.DONE, "InSync"),
        (
            Asked(Verb.APPROVE, "u"),
            seen(WAITING | {"prematureApprovals": ["u"]}),
            State.REFUSED,
            "the SearchAccess was",
        ),
        (Asked(Verb.REJECT), seen(ready()), State.PENDING, "its rights are still in force"),
        (Asked(Verb.REJECT), seen(WAITING), State.DONE, "it has no rights by an approval"),
    ],
    ids=lambda value: str(getattr(value, "verb", "")),
)
def test_what_became_of_it(asked: Asked, raw: dict[str, Any], state: State, says: str) -> None:
    outcome = outcome_of(asked, raw)
    assert (outcome.state, outcome.text[: len(says)]) == (state, says)
    assert outcome.next_step or state is not State.REFUSED or raw["metadata"].get("deletionTimestamp")


def test_what_is_set() -> None:
    annotated = {"metadata": {"annotations": {"searchaccess.dev/rotate-requested-at": "t"}}}
    assert change_for(Verb.ROTATE, "t") == annotated
    assert change_for(Verb.SUSPEND, "t") == {"spec": {"suspend": True}}
    assert change_for(Verb.RESUME, "t") == {"spec": {"suspend": False}}
    raw = seen(ready("False", "OwnershipConflict", message=CONFLICT))
    annotations = {"searchaccess.dev/adopt": f"r@{HASH}", "searchaccess.dev/reconcile-requested-at": "t"}
    assert change_for(Verb.ADOPT, "t", adoptable(raw)) == {"metadata": {"annotations": annotations}}


def test_an_approval_has_ones_own_groups_as_far_as_a_waiting_policy_names_them() -> None:
    def policy(name: str, *groups: str) -> dict[str, Any]:
        rule = {"by": {"groups": list(groups)}, "for": "8h"}
        metadata = {"name": name, "uid": name, "generation": 1}
        return {"metadata": metadata, "spec": {"require": {"approval": rule}}}

    raw = seen(WAITING, generation=3)
    policies = [policy("eyes", "leads", "admins"), policy("other", "others"), {"spec": "nonsense"}]
    groups = groups_that_count(raw, policies, ["system:authenticated", "leads", "others"])
    assert groups == ("leads",)
    made = approval_body(raw, "eve", groups, "CHG-1")
    assert made["metadata"] == {"generateName": "orders-", "namespace": "shop"}
    assert made["spec"] == {
        "name": "orders",
        "uid": "uid-orders",
        "generation": 3,
        "approvedBy": {"username": "eve", "groups": ["leads"]},
        "reason": "CHG-1",
    }
    assert approval_body(raw, "eve", (), "")["spec"]["approvedBy"] == {"username": "eve"}
