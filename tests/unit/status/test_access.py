"""The status of a SearchAccess: computed once from facts, and the same again from the same facts."""

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.api.conditions.docs import doc_of
from searchaccess.api.conditions.meaning import Who
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import DRIFT_ITEMS_LIMIT, MESSAGE_LIMIT, SearchAccessStatus
from searchaccess.core.policy.decision import OPEN, AccessDecision, Do, Gate, decide
from searchaccess.core.rights.diff import Difference
from searchaccess.core.rights.plan import Finding
from searchaccess.core.rights.recollection import Seen
from searchaccess.core.status.access import (
    AccessFacts,
    Failure,
    build_access_status,
    build_notes,
    is_drifted,
    is_ready,
)
from searchaccess.core.status.events import Note
from searchaccess.core.status.placed import placed_by, seen_of
from tests.unit.builders import LATER, MUCH_LATER, NOW, OPERATOR, PRINCIPAL, ROLE, UUID, a_grant, an_access

TARGET = f"role/{ROLE}"
PRIVILEGES = Difference(TARGET, "indices[orders-*].privileges", '["read"]', '["all"]')
ADDED = Difference(TARGET, "indices[x]", "", '{"names":["x"]}')
DRIFTED = Finding(drift=(PRIVILEGES,), differences=(PRIVILEGES,), owned=True)
PENDING = Finding(pending=True, differences=(PRIVILEGES,))
MISMATCH = Gate(grants=False, reason=Reason.REALM_MISMATCH, message="elasticsearch.yml needs …")


def build(facts: AccessFacts, previous: dict[str, Any] | None, now: str) -> dict[str, Any]:
    return build_access_status(facts, SearchAccessStatus.read(previous), now).to_json()


def notes_of(facts: AccessFacts, previous: dict[str, Any] | None, status: dict[str, Any]) -> list[Note]:
    return build_notes(facts, SearchAccessStatus.read(previous), SearchAccessStatus.read(status))


def condition_in(status: dict[str, Any], kind: ConditionType) -> dict[str, Any]:
    return next((item for item in status["conditions"] if item["type"] == kind), {})


def about(finding: Finding = Finding(), gate: Gate = OPEN, **more: Any) -> AccessFacts:  # noqa: B008 - frozen
    known = {key: more.pop(key) for key in ("failure", "applied") if key in more}
    rejection = more.pop("rejection", "")
    access = an_access(**more)
    return AccessFacts(
        access=access,
        decision=decide(access, gate, rejection),
        finding=finding,
        role=ROLE,
        mapping=OPERATOR.mapping_name,
        cluster_uuid=UUID,
        **known,
    )


def many(count: int) -> Finding:
    found = tuple(Difference(TARGET, f"indices[x{number}]", "", f'"{number}"') for number in range(count))
    return Finding(drift=found, differences=found)


def held(reason: Reason, **known: Any) -> AccessFacts:
    return replace(about(), decision=AccessDecision(Do.HOLD, reason, "why it is held"), **known)


OBSERVE: dict[str, Any] = {"mode": "Observe"}
DELETED: dict[str, Any] = {"deleted_at": NOW}
UNREACHABLE = Failure(Reason.CLUSTER_UNREACHABLE, "timeout")
HIDING = a_grant("orders-*", fields={"exclude": ["ssn"]})
WRITING = an_access("other", grants=[a_grant("orders-1", can=["write"])]).share


def test_a_way_around_a_restriction_is_a_warning_and_goes_with_its_cause() -> None:
    facts = replace(about(grants=[HIDING]), beside=(WRITING,))
    status = build(facts, None, NOW)
    warning = condition_in(status, ConditionType.BYPASSABLE)
    assert (warning["status"], warning["reason"]) == ("True", "DocumentsReachable")
    assert condition_in(status, ConditionType.READY)["status"] == "True"
    unreachable = build(replace(facts, failure=UNREACHABLE, beside=()), status, LATER)
    assert condition_in(unreachable, ConditionType.BYPASSABLE) == warning, "it is not known to have gone"
    assert not condition_in(build(replace(facts, beside=()), status, LATER), ConditionType.BYPASSABLE)


def test_a_copy_that_was_reported_stays_until_it_is_known_to_be_gone() -> None:
    facts = about(grants=[HIDING])
    status = build(replace(facts, copies=("a is copied to b",)), None, NOW)
    warning = condition_in(status, ConditionType.BYPASSABLE)
    assert (warning["reason"], warning["message"]) == ("FieldsReachable", "a is copied to b")
    assert condition_in(build(facts, status, LATER), ConditionType.BYPASSABLE) == warning
    assert not condition_in(build(replace(facts, copies=()), status, LATER), ConditionType.BYPASSABLE)


CASES: dict[str, tuple[AccessFacts, str, str, str]] = {
    "in sync": (about(), "True", "InSync", ""),
    "just applied": (about(PENDING, applied=True), "True", "InSync", ""),
    "drift just corrected": (about(DRIFTED, applied=True), "True", "InSync", ""),
    "drift not yet corrected": (about(DRIFTED), "False", "Pending", "Reconciling"),
    "observed and in sync": (about(**OBSERVE), "True", "InSync", ""),
    "observed and drifted": (about(DRIFTED, **OBSERVE), "False", "DriftDetected", ""),
    "observed and not applied": (about(PENDING, **OBSERVE), "False", "ChangesPending", ""),
    "observed and a foreign role": (about(Finding(conflict=ROLE), **OBSERVE), "False", "OwnershipConflict", "Stalled"),
    "a foreign role": (about(Finding(conflict=ROLE)), "False", "OwnershipConflict", "Stalled"),
    "an invalid spec": (about(grants=[a_grant("Upper")]), "False", "InvalidSpec", "Stalled"),
    "refused": (about(DRIFTED, rejection="bad"), "False", "RejectedByElasticsearch", "Stalled"),
    "a wrong realm": (about(gate=MISMATCH), "False", "RealmMismatch", "Stalled"),
    "unreachable": (about(failure=UNREACHABLE), "Unknown", "ClusterUnreachable", "Reconciling"),
    "slowed down": (about(PENDING, failure=Failure(Reason.THROTTLED, "429")), "False", "Throttled", "Reconciling"),
    "waiting": (held(Reason.PENDING), "False", "Pending", "Reconciling"),
    "waiting and unreachable": (
        held(Reason.PENDING, failure=UNREACHABLE),
        "Unknown",
        "ClusterUnreachable",
        "Reconciling",
    ),
    "waiting and a foreign role": (
        held(Reason.PENDING, finding=Finding(conflict=ROLE)),
        "False",
        "OwnershipConflict",
        "Stalled",
    ),
    "an invalid spec and unreachable": (
        about(failure=UNREACHABLE, grants=[a_grant("Upper")]),
        "False",
        "InvalidSpec",
        "Stalled",
    ),
    "suspended from the start": (about(suspend=True), "Unknown", "Suspended", ""),
    "being deleted": (about(**DELETED), "False", "Revoking", "Reconciling"),
    "being deleted, unreachable": (
        about(failure=UNREACHABLE, **DELETED),
        "False",
        "ClusterUnreachable",
        "Reconciling",
    ),
    "being deleted, a foreign role": (
        about(Finding(conflict=ROLE), **DELETED),
        "False",
        "OwnershipConflict",
        "Stalled",
    ),
}


@pytest.mark.parametrize(("facts", "ready", "reason", "kstatus"), CASES.values(), ids=CASES)
def test_status(facts: AccessFacts, ready: str, reason: str, kstatus: str) -> None:
    status = build(replace(facts, access=replace(facts.access, generation=7)), None, NOW)
    ready_now = condition_in(status, ConditionType.READY)
    assert (ready_now["status"], ready_now["reason"]) == (ready, reason)
    found = {item["type"] for item in status["conditions"]} & {"Reconciling", "Stalled"}
    assert found == ({kstatus} if kstatus else set())
    assert status["observedGeneration"] == 7
    assert {item["observedGeneration"] for item in status["conditions"]} == {7}
    assert {item["lastTransitionTime"] for item in status["conditions"]} == {NOW}


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.SUSPENDED}))
def test_why_it_is_held_shows_before_a_failure_if_somebody_must_act_on_it(reason: Reason) -> None:
    status = build(held(reason, failure=UNREACHABLE), None, NOW)
    shown = UNREACHABLE.reason if doc_of(reason).who is Who.NOBODY else reason
    assert condition_in(status, ConditionType.READY)["reason"] == shown
    assert condition_in(status, ConditionType.SYNCED)["reason"] == shown


@pytest.mark.parametrize("facts", [case[0] for case in CASES.values()], ids=CASES)
def test_the_same_facts_again_make_no_news(facts: AccessFacts) -> None:
    settled = replace(facts, applied=False)
    once = build(settled, None, NOW)
    assert build(settled, copy.deepcopy(once), LATER) == once
    assert notes_of(settled, once, once) == []


@pytest.mark.parametrize("before", [case[0] for case in CASES.values()], ids=CASES)
def test_suspending_keeps_ready_and_drift_as_they_were(before: AccessFacts) -> None:
    status = build(before, None, NOW)
    paused = build(about(suspend=True), status, LATER)
    assert condition_in(paused, ConditionType.READY) == condition_in(status, ConditionType.READY)
    assert condition_in(paused, ConditionType.DRIFTED) == condition_in(status, ConditionType.DRIFTED)
    assert paused.get("drift") == status.get("drift")
    synced = condition_in(paused, ConditionType.SYNCED)
    assert synced["reason"] == "Suspended"


@pytest.mark.parametrize(
    "blind",
    [
        about(failure=UNREACHABLE),
        about(Finding(conflict=ROLE)),
        about(grants=[a_grant("Upper")]),
        about(suspend=True),
    ],
    ids=["unreachable", "conflict", "invalid", "suspended"],
)
def test_what_was_not_looked_at_keeps_its_drift(blind: AccessFacts) -> None:
    status = build(about(DRIFTED, **OBSERVE), None, NOW)
    after = build(blind, status, LATER)
    assert after["drift"] == status["drift"]
    assert is_drifted(SearchAccessStatus.read(after))


def test_a_transition_time_moves_only_with_the_status() -> None:
    first = build(about(DRIFTED, **OBSERVE), None, NOW)
    second = build(about(PENDING, **OBSERVE), first, LATER)
    third = build(about(**OBSERVE), second, MUCH_LATER)
    times = [condition_in(status, ConditionType.READY) for status in (first, second, third)]
    assert [item["lastTransitionTime"] for item in times] == [NOW, NOW, MUCH_LATER]


class TestDrift:
    def test_it_is_counted_once_while_it_stands(self) -> None:
        status = build(about(DRIFTED, **OBSERVE), None, NOW)
        for now in (LATER, MUCH_LATER):
            status = build(about(DRIFTED, **OBSERVE), status, now)
        assert status["drift"]["detected"] == 1
        assert status["drift"]["open"] == 1
        assert [item["firstSeen"] for item in status["drift"]["items"]] == [NOW]
        assert status["drift"]["lastDetected"] == NOW

    def test_when_corrected_it_stays_to_be_seen(self) -> None:
        status = build(about(DRIFTED, applied=True), None, NOW)
        status = build(about(), status, LATER)
        assert [item["action"] for item in status["drift"]["items"]] == ["Corrected"]
        assert (status["drift"]["open"], status["drift"]["detected"], status["drift"]["corrected"]) == (0, 1, 1)
        drifted = condition_in(status, ConditionType.DRIFTED)
        assert (drifted["status"], drifted["reason"]) == ("False", "DriftCorrected")

    def test_again_the_same_after_a_correction_is_new(self) -> None:
        status = build(about(DRIFTED, applied=True), None, NOW)
        status = build(about(DRIFTED, applied=True), status, LATER)
        assert (status["drift"]["detected"], status["drift"]["corrected"]) == (2, 2)
        assert status["drift"]["items"][0]["firstSeen"] == LATER

    def test_reported_first_and_corrected_later_counts_once(self) -> None:
        status = build(about(DRIFTED, failure=Failure(Reason.THROTTLED, "429")), None, NOW)
        status = build(about(DRIFTED, applied=True), status, LATER)
        assert (status["drift"]["detected"], status["drift"]["corrected"]) == (1, 1)
        assert status["drift"]["items"][0]["firstSeen"] == NOW

    def test_reported_and_gone_is_no_news_any_more(self) -> None:
        status = build(about(DRIFTED, **OBSERVE), None, NOW)
        status = build(about(**OBSERVE), status, LATER)
        assert status["drift"].get("items", []) == []
        assert status["drift"]["open"] == 0

    @pytest.mark.parametrize("count", [DRIFT_ITEMS_LIMIT - 1, DRIFT_ITEMS_LIMIT, DRIFT_ITEMS_LIMIT + 1, 100])
    def test_more_than_can_be_listed_is_bounded_and_counted_once(self, count: int) -> None:
        status = build(about(many(count), **OBSERVE), None, NOW)
        assert len(status["drift"]["items"]) == min(count, DRIFT_ITEMS_LIMIT)
        assert build(about(many(count), **OBSERVE), status, LATER) == status
        more = build(about(many(count + 2), **OBSERVE), status, LATER)
        assert (more["drift"]["open"], more["drift"]["detected"]) == (count + 2, count + 2)

    def test_long_paths_and_values_are_cut_and_still_known_again(self) -> None:
        long = Difference(TARGET, "indices[" + "x" * 5000 + "]", "w" * 5000, "h" * 5000)
        finding = Finding(drift=(long,), differences=(long,))
        status = build(about(finding, **OBSERVE), None, NOW)
        assert build(about(finding, **OBSERVE), status, LATER) == status
        assert len(json.dumps(status)) < 5000

    @given(st.lists(st.tuples(st.integers(0, 15), st.booleans(), st.booleans()), max_size=8))
    def test_counters_never_go_back_and_lists_stay_bounded(self, passes: list[tuple[int, bool, bool]]) -> None:
        status: dict[str, Any] = {}
        counted = (0, 0)
        for hour, (count, applied, observe) in enumerate(passes):
            more: dict[str, Any] = {"mode": "Observe"} if observe else {}
            now = f"2026-01-01T{hour:02}:00:00Z"
            status = build(about(many(count), applied=applied, **more), status, now)
            drift = status["drift"]
            assert (drift["detected"], drift["corrected"]) >= counted
            assert drift["detected"] >= counted[0]
            assert drift["corrected"] >= counted[1]
            assert len(drift.get("items", [])) <= DRIFT_ITEMS_LIMIT
            counted = (drift["detected"], drift["corrected"])


def test_the_objects_are_named_only_when_the_rights_are_there() -> None:
    assert "elasticsearch" not in build(about(PENDING), None, NOW)
    assert "elasticsearch" not in build(about(**OBSERVE), None, NOW)
    assert "elasticsearch" not in build(about(PENDING, failure=UNREACHABLE), None, NOW)
    status = build(about(PENDING, applied=True), None, NOW)
    assert seen_of(placed_by(SearchAccessStatus.read(status)), UUID) == Seen(ROLE, about().access.share.hash)
    assert seen_of(placed_by(SearchAccessStatus.read(status)), "another cluster") is None
    assert seen_of(placed_by(SearchAccessStatus.read(None)), UUID) is None
    later = build(about(failure=UNREACHABLE, grants=[a_grant("new")]), status, LATER)
    assert seen_of(placed_by(SearchAccessStatus.read(later)), UUID) == seen_of(
        placed_by(SearchAccessStatus.read(status)), UUID
    )


def test_last_sync_time_moves_with_writes_only() -> None:
    status = build(about(), None, NOW)
    assert status["lastSyncTime"] == NOW
    status = build(about(), status, LATER)
    assert status["lastSyncTime"] == NOW
    assert build(about(DRIFTED, applied=True), status, LATER)["lastSyncTime"] == LATER


def test_the_handled_request_is_echoed_and_kept() -> None:
    asked = about(annotations={"searchaccess.dev/reconcile-requested-at": "1"})
    status = build(asked, None, NOW)
    assert status["lastHandledReconcileAt"] == "1"
    assert build(about(), status, LATER)["lastHandledReconcileAt"] == "1"


def test_nothing_but_what_is_meant_gets_into_the_status() -> None:
    facts = about(annotations={"kubectl.kubernetes.io/last-applied-configuration": "s3cret"})
    text = json.dumps(build(facts, {}, NOW))
    assert "s3cret" not in text
    assert PRINCIPAL in text


def test_messages_are_bounded() -> None:
    status = build(about(failure=Failure(Reason.INTERNAL_ERROR, "x" * 100_000)), None, NOW)
    assert max(len(item["message"]) for item in status["conditions"]) == MESSAGE_LIMIT


NOTES: dict[str, tuple[AccessFacts, list[str]]] = {
    "in sync": (about(), []),
    "a new declaration": (about(PENDING, applied=True), []),
    "drift": (about(DRIFTED, **OBSERVE), ["DriftDetected"]),
    "corrected drift": (about(DRIFTED, applied=True), ["DriftDetected", "DriftCorrected"]),
    "adoption": (about(Finding(pending=True, differences=(ADDED,), adopted="{}"), applied=True), ["Adopted"]),
    "a conflict": (about(Finding(conflict=ROLE)), ["OwnershipConflict"]),
    "an invalid spec": (about(grants=[a_grant("Upper")]), ["InvalidSpec"]),
    "unreachable": (about(failure=UNREACHABLE), []),
}


@pytest.mark.parametrize(("facts", "reasons"), NOTES.values(), ids=NOTES)
def test_events(facts: AccessFacts, reasons: list[str]) -> None:
    status = build(facts, None, NOW)
    notes = notes_of(facts, None, status)
    assert [note.reason for note in notes] == reasons
    assert all(len(note.message) <= 1000 for note in notes)


def test_ready_and_drifted_are_read_from_a_status() -> None:
    assert is_ready(SearchAccessStatus.read(build(about(), None, NOW)))
    assert not is_ready(SearchAccessStatus.read(None))
    assert not is_drifted(SearchAccessStatus.read({}))
    assert AccessDecision(Do.HOLD).reports
