"""What another version of the operator wrote is read: an upgrade, a rollback, and two versions side by side."""

import copy
import json
from typing import Any

import pytest

from searchaccess.api.conditions.docs import doc_of
from searchaccess.api.conditions.events import EventReason
from searchaccess.api.conditions.meaning import Who
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import SearchAccessStatus, SearchClusterStatus
from tests.component.status.scene import FOLDER, deploy_first, deploy_second, refuse_deletions
from tests.support.loop.clocks import run_virtually
from tests.support.loop.snapshot import restore
from tests.support.loop.stage import Stage

WORLDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))
}
KINDS: dict[str, type[SearchAccessStatus] | type[SearchClusterStatus]] = {
    "SearchAccess": SearchAccessStatus,
    "SearchCluster": SearchClusterStatus,
}
HAPPENINGS = {
    reason
    for reason in EventReason
    if str(reason) not in {str(cause) for cause in Reason} or doc_of(Reason(reason)).who is Who.SECURITY
}
"""Events that something happened, not that something is wrong."""
UNKNOWN_TYPE = {
    "type": "Approved",
    "status": "True",
    "reason": "FourEyes",
    "message": "",
    "lastTransitionTime": "2026-01-01T09:00:00Z",
    "observedGeneration": 1,
}
NEW = {"RealmProven"}
"""Conditions that came after the first of the versions that were kept."""


def extended(value: Any) -> Any:
    """Return a part of a status with fields that nobody knows yet, everywhere."""
    if isinstance(value, list):
        return [extended(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: extended(item) for key, item in value.items()} | {"future": {"deep": [1, {"x": None}]}, "since": 5}


def newer(world: dict[str, Any], *, reasons: bool = False) -> dict[str, Any]:
    """Return a world as a later version of the operator may leave it."""
    found = copy.deepcopy(world)
    for raw in found["objects"]:
        raw["status"] = extended(raw["status"])
        raw["status"]["conditions"].append(UNKNOWN_TYPE)
        for condition in raw["status"]["conditions"] if reasons else ():
            condition["reason"] = f"New{condition['reason']}"
    return found


def statuses(world: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(raw["kind"], raw["metadata"]["name"]): raw["status"] for raw in world["objects"]}


def without_texts(status: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is only worded: a version may say the same in other words."""
    conditions = [{key: item[key] for key in item if key != "message"} for item in status["conditions"]]
    return {key: item for key, item in status.items() if key not in {"subject", "access"}} | {"conditions": conditions}


NEW_FIELDS = {"reason", "released", "login", "adopted", "others", "mode"}
"""Fields that came later."""


def without_new(status: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the other version did not have yet: some conditions and fields, and that pending is no drift."""
    if any(item["reason"] == "ChangesPending" for item in before["conditions"]):
        # It listed what is pending as drift.
        status = status | {"drift": before["drift"]}
    known = {item["type"] for item in before["conditions"]}
    since = [item for item in status["conditions"] if item["type"] not in NEW or item["type"] in known]
    status = {key: item for key, item in status.items() if key in before or key not in NEW_FIELDS}
    if "counts" in before and "releasedRights" not in before["counts"]:
        counts = {key: item for key, item in status["counts"].items() if key != "releasedRights"}
        status = status | {"counts": counts}
    return status | {"conditions": since}


def gone_on_with(world: dict[str, Any]) -> tuple[dict[tuple[str, str], dict[str, Any]], set[tuple[str, str]]]:
    """Let this version go on; return the statuses then, and whose were written."""

    async def play() -> Stage:
        stage = Stage()
        deploy_first(stage.google.state)
        deploy_second(stage.google.state)
        await restore(stage, world)
        refuse_deletions(stage)
        stage.start()
        await stage.quiet()
        await stage.sleep(60)
        await stage.quiet()
        await stage.stop()
        stage.check_rules()
        events = {note.reason for _, note in stage.kubernetes.events}
        assert events.isdisjoint(HAPPENINGS), "nothing happened; who needs a person may be reported in other words"
        return stage

    stage = run_virtually(play())
    kinds = {"searchclusters": "SearchCluster", "searchaccesses": "SearchAccess"}
    written = {
        (kinds[key[0].value], key[2])
        for key in stage.kubernetes.objects
        for call in stage.faults.writes
        if call.method == "replace_status" and call.names[0] == key[2]
    }
    return statuses({"objects": list(stage.kubernetes.objects.values())}), written


def test_the_last_version_is_among_those_kept() -> None:
    assert WORLDS
    assert len(statuses(WORLDS["0.1.0"])) >= 19


@pytest.mark.parametrize("version", WORLDS)
def test_all_that_another_version_wrote_is_understood(version: str) -> None:
    for (kind, name), status in statuses(WORLDS[version]).items():
        assert KINDS[kind].read(status).to_json() == status, name
        assert KINDS[kind].read(extended(status)).to_json() == status, name


@pytest.mark.parametrize("version", WORLDS)
def test_an_upgrade_of_an_unchanged_world_writes_nothing_but_other_words(version: str) -> None:
    world = WORLDS[version]
    before = statuses(world)
    after, written = gone_on_with(world)
    assert after.keys() == before.keys()
    for key, status in after.items():
        assert without_texts(without_new(status, before[key])) == without_texts(before[key]), key
        assert key not in written or status != before[key], key


@pytest.mark.parametrize("version", WORLDS)
def test_beside_a_newer_version_unknown_fields_and_conditions_are_no_reason_to_write(version: str) -> None:
    after, written = gone_on_with(newer(WORLDS[version]))
    plain, written_anyway = gone_on_with(WORLDS[version])
    assert written == written_anyway
    for key, status in after.items():
        assert KINDS[key[0]].read(status).to_json() == plain[key], key


@pytest.mark.parametrize("version", WORLDS)
def test_after_a_newer_version_unknown_reasons_give_way_to_ours_and_what_was_kept_stays(version: str) -> None:
    world = newer(WORLDS[version], reasons=True)
    plain, _ = gone_on_with(WORLDS[version])
    after, _ = gone_on_with(world)
    kept = set()
    for key, status in after.items():
        known = KINDS[key[0]].read(status).to_json()
        for condition, ours in zip(known["conditions"], plain[key]["conditions"], strict=True):
            if condition["reason"] != ours["reason"]:
                assert condition["reason"] == f"New{ours['reason']}"
                kept.add((key[1], condition["type"]))
                condition["reason"] = ours["reason"]
                if condition["type"] == ConditionType.READY:
                    assert known["reason"] == f"New{ours['reason']}", "it is that of Ready"
                    known["reason"] = ours["reason"]
        assert without_texts(known) == without_texts(plain[key]), key
    assert ("suspended", ConditionType.READY) in kept
