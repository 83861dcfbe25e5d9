"""Roles and keys whose marks an earlier version wrote: rewritten with the same restriction, and nobody notices."""

import json
from typing import Any

from searchaccess.core.patterns.marks import is_former, is_mark
from tests.component.common import ORDERS, ROLE, begin
from tests.component.credentials import common as credentials
from tests.component.credentials.common import with_key, with_password
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, grant

EU: dict[str, Any] = {"where": {"term": {"region": "eu"}}}


def as_before(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a role or key as an earlier version wrote it."""
    text = json.dumps(raw)
    assert "/NO-INDEX " in text
    before: dict[str, Any] = json.loads(text.replace("/NO-INDEX ", "NO-INDEX#").replace('/"', '"'))
    return before


def marks_in(raw: dict[str, Any]) -> list[str]:
    return [name for entry in raw["indices"] for name in entry["names"] if is_mark(name)]


@on_stage
async def test_a_role_of_an_earlier_version_is_written_once_and_no_status_changes(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*", **EU), grant("plain-*"), principal=ORDERS))
    role, status, notes = stage.role(ORDERS), stage.get("orders")["status"], stage.notes("orders")
    await stage.stop()
    stage.elasticsearch.write_role(ROLE, as_before(role))
    written: list[dict[str, Any]] = []
    stage.elasticsearch.on_role = lambda name, raw: written.append({"name": name, **raw})
    stage.start()
    await stage.quiet()

    assert stage.role(ORDERS) == role
    assert [one["name"] for one in written] == [ROLE], "in one write, all entries at once"
    assert not any(map(is_former, marks_in(stage.role(ORDERS))))
    assert stage.get("orders")["status"] == status
    assert stage.notes("orders") == notes


@on_stage
async def test_who_only_observes_leaves_such_a_role_and_says_nothing(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*", **EU), principal=ORDERS))
    stage.amend("orders", mode="Observe")
    await stage.quiet()
    before = as_before(stage.role(ORDERS))
    stage.elasticsearch.write_role(ROLE, before)
    await stage.reconcile_all()
    await stage.quiet()
    assert stage.ready("orders") == ("True", "InSync")
    assert marks_in(stage.role(ORDERS)) == marks_in(before)


@on_stage
async def test_keys_and_users_of_an_earlier_version_too(stage: Stage) -> None:
    some = [with_key("keyed", granted=grant("orders-*", **EU)), with_password("known", granted=grant("orders-*", **EU))]
    await credentials.begin(stage, *some)
    (key,), (user,) = stage.elasticsearch.live_keys(), stage.elasticsearch.users_now
    descriptors, role = key["role_descriptors"], stage.elasticsearch.roles_now[user]
    before = {name: stage.get(name)["status"] for name in ("keyed", "known")}
    key["role_descriptors"] = as_before(descriptors)
    stage.elasticsearch.write_role(user, as_before(role))
    await stage.reconcile_all()
    await stage.quiet()

    (same,) = stage.elasticsearch.live_keys()
    assert (same["id"], same["role_descriptors"]) == (key["id"], descriptors), "the same key, with the new spelling"
    assert stage.elasticsearch.roles_now[user] == role
    for name, status in before.items():
        found = stage.get(name)["status"]
        assert found.get("drift") == status.get("drift")
        assert stage.ready(name) == ("True", "InSync")
        assert not [note for note in stage.notes(name) if "Drift" in note]


@on_stage
async def test_a_key_whose_rights_somebody_changed_is_reported_without_marks(stage: Stage) -> None:
    await credentials.begin(stage, with_key("keyed", granted=grant("orders-*", **EU)))
    (key,) = stage.elasticsearch.live_keys()
    (descriptor,) = key["role_descriptors"].values()
    descriptor["indices"][0]["names"] = ["orders-*"]
    await credentials.change_is_noticed(stage)
    found = stage.get("keyed")["status"]["drift"]
    assert found["corrected"] == 1
    assert "(kept apart)" in str(found["items"])
    assert "NO-INDEX" not in str(found)
