"""Statuses that anybody may have written are read, kept as far as they are understood, and rewritten."""

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.api.base import COUNT_LIMIT
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType, types_of
from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.api.status import Drift, SearchAccessStatus, SearchClusterStatus, condition_of
from searchaccess.core.answers.summary import line_of
from searchaccess.core.credentials.credential import Key, Seen, Slot
from searchaccess.core.credentials.rotation import Decision, Phase
from searchaccess.core.credentials.steps import Issue
from searchaccess.core.model.access import identified
from searchaccess.core.model.canonical import RoleBody, stable_json
from searchaccess.core.model.identities.identity import UNTRIED, Identity, State, missing, recall, unknown
from searchaccess.core.model.identities.workload import Account, Place, Serving, Workload, WorkloadKind
from searchaccess.core.policy.decision import OPEN, decide
from searchaccess.core.rights.diff import Difference
from searchaccess.core.status.access import (
    AccessFacts,
    Failure,
    build_access_status,
    build_notes,
    is_drifted,
    is_ready,
)
from searchaccess.core.status.cluster import ClusterReport, build_cluster_notes, build_cluster_status
from searchaccess.core.status.credential import CredentialFacts, finding_of
from searchaccess.core.status.drift import advance_drift
from searchaccess.core.status.events import stalled_of
from searchaccess.core.status.placed import placed_by, seen_of
from searchaccess.engine.inventory.intake import read_status
from searchaccess.engine.inventory.records import AccessRecord, ClusterRecord
from searchaccess.operator.telemetry.states import ready_of, state_of
from tests.unit.builders import LATER, NOW, UUID, a_cluster, an_access
from tests.unit.builders import facts as cluster_facts
from tests.unit.status.test_access import CASES

FIXTURES = Path(__file__).parents[2] / "fixtures" / "statuses"
SOON = "2026-01-01T10:00:01Z"
WORKLOAD = Workload(Place("acme-shop", "europe-west1", WorkloadKind.SERVICE), "moved")
SUBJECT = {"cloudRunService": {"project": "acme-shop", "location": "europe-west1", "name": "moved"}}
KNOWN = Identity((Account("moved-new@acme-shop.iam.gserviceaccount.com", "1" * 21),), State.RESOLVED, confirmed=True)
KEY = Key("key-9", "uid-orders", 3, 1767261600.0, 1767861600.0, RoleBody(), Slot("secret-1", 3))


def for_workload(identity: Identity) -> AccessFacts:
    access = identified(an_access(subject=SUBJECT), identity, PrincipalClaim.EMAIL)
    return AccessFacts(access, decide(access, OPEN), cluster_uuid=UUID)


def with_key(decision: Decision | None, failure: Failure | None = None) -> AccessFacts:
    access = an_access(auth="ApiKey", credential={"store": "main", "name": "key-elasticsearch"})
    found = CredentialFacts(decision, Seen()) if decision else None
    return AccessFacts(access, decide(access, OPEN), failure=failure, cluster_uuid=UUID, credential=found)


SERVING = replace(KNOWN, serving=(Serving("moved-1", 100),), shared_with=("projects/x",))
FACTS: list[AccessFacts] = [
    *(replace(facts, applied=False) for facts, *_ in CASES.values()),
    *map(for_workload, (KNOWN, SERVING, missing(KNOWN, NOW, over=False), unknown(KNOWN, "away"), UNTRIED)),
    with_key(None),
    with_key(None, Failure(Reason.STORE_UNAVAILABLE, "away")),
    with_key(Decision(phase=Phase.ACTIVE, current=KEY, next_rotation=1767361600.0)),
    with_key(Decision(phase=Phase.OVERLAP, current=KEY, overlap_until=1767361600.0, waits="until then")),
]
REPORTS: list[ClusterReport] = [
    ClusterReport(a_cluster()),
    ClusterReport(a_cluster(), cluster_facts(), drift=Drift(open=0), uuid=UUID),
    ClusterReport(a_cluster(), failure=Failure(Reason.CLUSTER_UNREACHABLE, "timeout")),
    ClusterReport(a_cluster(), cluster_facts(), Failure(Reason.CLUSTER_REPLACED, "another")),
]


@cache
def kept(kind: str) -> list[dict[str, Any]]:
    worlds = [json.loads(path.read_text(encoding="utf-8")) for path in FIXTURES.glob("*.json")]
    return [raw["status"] for world in worlds for raw in world["objects"] if raw["kind"] == kind]


TIMES = [
    "2026-01-01T09:00:00Z",
    "2026-01-01",
    "2026-01-01T09:00:00",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59Z",
]
WORDS = ["", "True", "Ready", "Stalled", "Drifted", "Corrected", "Ignored", "NobodyKnows", "InSync", "\ud800", *TIMES]
KEYS = ["type", "status", "reason", "conditions", "drift", "items", "open", "future", "identity", "clusterUuid"]
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([COUNT_LIMIT, 10**300])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS)
    | st.text(max_size=5)
)
names = st.sampled_from(KEYS) | st.text(max_size=3)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


def containers(value: Any) -> Iterator[dict[str, Any] | list[Any]]:
    if isinstance(value, dict | list):
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from containers(part)


@st.composite
def odd_statuses(draw: st.DrawFn, kind: str) -> Any:
    """A status that some operator wrote, with damage, or something else altogether."""
    if draw(st.integers(0, 9)) == 0:
        return draw(junk)
    status = copy.deepcopy(draw(st.sampled_from(kept(kind))))
    for _ in range(draw(st.integers(1, 6))):
        _damage(draw, draw(st.sampled_from(list(containers(status)))))
    return status


def _damage(draw: st.DrawFn, part: dict[str, Any] | list[Any]) -> None:
    if isinstance(part, list):
        at = draw(st.integers(0, len(part)))
        part[at : at + draw(st.integers(0, 1))] = draw(st.lists(junk | st.sampled_from(part or [None]), max_size=2))
        return
    key = draw(st.sampled_from(sorted(part) or ["x"]))
    match draw(st.sampled_from(["drop", "add", "retype", "rename"])):
        case "drop":
            part.pop(key, None)
        case "add":
            part[draw(st.sampled_from(KEYS))] = draw(junk)
        case "retype":
            part[key] = draw(junk)
        case _:
            part[draw(st.sampled_from(KEYS))] = part.pop(key, None)


def assert_writable(status: SearchAccessStatus | SearchClusterStatus, kind: str) -> None:
    whole = status.to_json()
    type(status).model_validate(whole)
    stable_json(whole)
    assert {item["type"] for item in whole["conditions"]} <= set(types_of(kind))


@given(odd_statuses("SearchAccess"), st.sampled_from(FACTS))
def test_any_status_of_an_access_is_read_and_rewritten_once(raw: Any, facts: AccessFacts) -> None:
    record = AccessRecord(facts.access, read_status({"status": raw}))
    before = record.status
    assert_writable(before, "SearchAccess")
    assert SearchAccessStatus.read(before.to_json()) == before
    is_ready(before)
    is_drifted(before)
    stalled_of(before)
    seen_of(placed_by(before), UUID)
    state_of(record)
    line_of("SearchAccess", "shop/orders", "prod", before, NOW, generation=1)
    lost = CredentialFacts(Decision(steps=(Issue(1, 1.0, "lost", lost=True),)), Seen())
    finding_of(facts.access, lost, before.credential, same_rights=True)

    once = build_access_status(facts, before, NOW)
    build_notes(facts, before, once)
    assert_writable(once, "SearchAccess")
    again = build_access_status(facts, SearchAccessStatus.read(once.to_json()), SOON)
    assert again == once
    assert build_notes(facts, once, again) == []


@given(odd_statuses("SearchAccess"))
def test_an_identity_recalled_from_any_status_is_reported_the_same_each_time(raw: Any) -> None:
    before = SearchAccessStatus.read(raw)
    recalled = recall(before, WORKLOAD)
    for identity in (recalled, unknown(recalled, "away"), missing(recalled, NOW, over=True)):
        facts = for_workload(identity)
        once = build_access_status(facts, before, NOW)
        build_notes(facts, before, once)
        assert build_access_status(facts, SearchAccessStatus.read(once.to_json()), SOON) == once


@given(odd_statuses("SearchCluster"), st.sampled_from(REPORTS))
def test_any_status_of_a_cluster_is_read_and_rewritten_once(raw: Any, report: ClusterReport) -> None:
    record = ClusterRecord(report.cluster, read_status({"status": raw}))
    before = record.status
    assert_writable(before, "SearchCluster")
    ready_of(before)
    stalled_of(before)
    line_of("SearchCluster", "prod", "prod", before, NOW, generation=1)
    found = (Difference("role_mapping/x", "enabled", "true", "false"),)
    advance_drift(found, (), before.drift, NOW, corrected=True)

    once = build_cluster_status(report, before, NOW)
    build_cluster_notes(before, once)
    assert_writable(once, "SearchCluster")
    again = build_cluster_status(report, SearchClusterStatus.read(once.to_json()), SOON)
    assert again == once
    assert build_cluster_notes(once, again) == []


def test_the_status_of_a_cluster_is_read_once_until_it_changes() -> None:
    record = ClusterRecord(a_cluster(), stable_json({"uuid": "first"}))
    before = record.status
    assert record.status is before
    assert record.pinned == "first"
    record.status_json = stable_json({"uuid": "second"})
    assert record.status.uuid == record.pinned == "second"


DRIFT: dict[str, Any] = {
    "open": 1,
    "items": [{"object": "role/x", "path": ".", "want": "", "have": "[]", "firstSeen": NOW, "action": "Reported"}],
    "detected": 5,
    "corrected": 4,
    "lastDetected": NOW,
    "lastCorrected": NOW,
}


@pytest.mark.parametrize(
    ("damage", "kept_drift"),
    [
        pytest.param({"future": {"x": 1}}, DRIFT, id="an unknown field"),
        pytest.param({"open": "many"}, DRIFT | {"open": 0}, id="no number"),
        pytest.param({"open": None}, DRIFT | {"open": 0}, id="null"),
        pytest.param({"detected": -1}, DRIFT | {"detected": 0}, id="less than nothing"),
        pytest.param({"detected": 2**63}, DRIFT | {"detected": 0}, id="more than can be counted on"),
        pytest.param({"lastDetected": "soon"}, {k: v for k, v in DRIFT.items() if k != "lastDetected"}, id="no time"),
        pytest.param({"items": [1, *DRIFT["items"], {}]}, DRIFT, id="items that are none"),
        pytest.param({"items": [DRIFT["items"][0] | {"action": "Ignored"}]}, DRIFT, id="an action of later"),
        pytest.param({"items": DRIFT["items"] * 50}, DRIFT | {"items": DRIFT["items"] * 10}, id="too many items"),
        pytest.param({"items": "x"}, DRIFT | {"items": []}, id="no list"),
    ],
)
def test_what_can_be_understood_of_a_part_is_kept(damage: dict[str, Any], kept_drift: dict[str, Any]) -> None:
    assert SearchAccessStatus.read({"drift": DRIFT | damage}).to_json()["drift"] == kept_drift


def test_a_part_without_what_it_is_about_reads_as_absent() -> None:
    status = SearchAccessStatus.read({"elasticsearch": {"role": "r", "specHash": "h"}, "access": "r x", "drift": 5})
    assert status == SearchAccessStatus(access="r x")


def test_a_counter_stops_where_numbers_are_not_exact_any_more() -> None:
    found = (Difference("role_mapping/x", "enabled", "true", "false"),)
    full = Drift(open=0, detected=COUNT_LIMIT, corrected=COUNT_LIMIT)
    assert advance_drift(found, (), full, NOW, corrected=True).detected == COUNT_LIMIT


def test_a_condition_without_a_transition_time_gets_one_and_its_message_may_be_missing() -> None:
    ready = {"type": "Ready", "status": "True", "reason": "FromLater"}
    before = SearchAccessStatus.read({"conditions": [ready]})
    assert is_ready(before)
    paused = AccessFacts(an_access(suspend=True), decide(an_access(suspend=True), OPEN))
    condition = condition_of(build_access_status(paused, before, LATER), ConditionType.READY)
    assert condition
    assert (condition.reason, condition.last_transition_time) == ("FromLater", LATER)


@pytest.mark.parametrize("depth", [1, 29, 31, 64, 500, 5000])
def test_a_status_may_be_nested_as_deep_as_it_likes(depth: int) -> None:
    deep: Any = {}
    for _ in range(depth):
        deep = {"x": deep}
    text = read_status({"status": {"access": "r x", "future": deep}})
    assert (text == "") is (depth > 30)
    assert SearchAccessStatus.parse(text).access == ("r x" if text else None)
