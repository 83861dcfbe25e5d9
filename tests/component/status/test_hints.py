"""Declared rights without effect are reported beside Ready, which stays."""

from typing import Any

from tests.component.common import begin
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, condition_in, grant

HINT = "Ineffective"
REGION: dict[str, Any] = {"where": {"term": {"region": "eu"}}}


@on_stage
async def test_a_grant_on_restricted_indices_says_that_it_gives_nothing_until_it_is_gone(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*"), grant(".security*")), access("others", grant("others-*")))
    stage.check()
    assert stage.ready("orders") == ("True", "InSync")
    hint = condition_in(stage.get("orders"), HINT)
    assert (hint["status"], hint["reason"]) == ("True", "RestrictedIndices")
    assert ".security* grants nothing on .security" in hint["message"]
    assert not condition_in(stage.get("others"), HINT)

    written = len(stage.faults.writes)
    await stage.sleep(1_000)
    assert len(stage.faults.writes) == written, "it does not flap"

    stage.apply(access("orders", grant("orders-*")))
    await stage.quiet()
    assert not condition_in(stage.get("orders"), HINT)
    stage.delete("orders")
    await stage.quiet()
    stage.check()


@on_stage
async def test_one_that_only_observes_is_reported_too(stage: Stage) -> None:
    await begin(stage, access("orders", grant(".security-7"), mode="Observe"))
    assert condition_in(stage.get("orders"), HINT)["reason"] == "RestrictedIndices"


def open_shop(stage: Stage) -> None:
    stage.elasticsearch.may_see = ("*",)
    stage.elasticsearch.indices = {"orders-1": {}, "names": {}}


def hint(stage: Stage, name: str) -> tuple[str, str]:
    found = condition_in(stage.get(name), HINT)
    return found.get("reason", ""), found.get("message", "")


def listed(stage: Stage) -> int:
    return sum(call.method == "index_names" for call in stage.faults.calls)


@on_stage
async def test_a_pattern_that_matches_nothing_is_reported_until_it_matches(stage: Stage) -> None:
    open_shop(stage)
    await begin(
        stage,
        access("orders", grant("orders-*", "/name.?/")),
        access("ordres", grant("ordres-*", "orders-*"), grant("/nothing|none/")),
        access("writer", grant("new-*", can=["write", "create"])),
    )
    stage.check()
    assert stage.ready("ordres") == ("True", "InSync")
    assert hint(stage, "orders") == ("", "")
    message = "no index, alias or data stream matches /nothing|none/, ordres-* now: check the spelling, or "
    assert hint(stage, "ordres") == ("NoIndexYet", message + "wait for the first write")
    assert hint(stage, "writer")[1].endswith("let the caller's first write create one")
    written, read = len(stage.faults.writes), listed(stage)
    await stage.sleep(1_700)
    assert len(stage.faults.writes) == written, "it does not flap"
    assert listed(stage) == read, "nothing has changed"
    stage.elasticsearch.indices["ordres-1"] = {}
    await stage.sleep(120)
    await stage.quiet()
    assert hint(stage, "ordres")[1].startswith("no index, alias or data stream matches /nothing|none/ now")
    assert listed(stage) == read + 1
    del stage.elasticsearch.indices["orders-1"]
    await stage.sleep(120)
    await stage.quiet()
    assert hint(stage, "orders")[0] == "NoIndexYet"


@on_stage
async def test_of_other_clusters_and_of_spaces_in_kibana_nothing_is_said(stage: Stage) -> None:
    open_shop(stage)
    sales = {"spaces": ["sales"], "features": {"discover": "read"}}
    await begin(
        stage,
        access("remote", grant("orders-*"), grant("logs-*", remoteClusters=["eu"])),
        access("kibana", grant("orders-*"), kibana=[sales]),
        access("ordres", grant("ordres-*")),
    )
    assert hint(stage, "ordres")[0] == "NoIndexYet"
    assert hint(stage, "remote") == hint(stage, "kibana") == ("", "")


@on_stage
async def test_where_the_login_may_not_read_names_nothing_is_said(stage: Stage) -> None:
    open_shop(stage)
    stage.elasticsearch.lists_names = False
    await begin(stage, access("orders", grant("orders-*")), access("names", grant("/name.?/", **REGION)))
    await stage.sleep(100)
    assert hint(stage, "orders") == hint(stage, "names") == ("", "")
    assert condition_in(stage.get("names"), "QueriesProven")["reason"] == "LoginCannotProve"


@on_stage
async def test_names_are_read_once_a_minute_at_most(stage: Stage) -> None:
    open_shop(stage)
    await begin(stage, access("orders", grant("orders-*")))
    read = listed(stage)
    for number in range(30):
        stage.elasticsearch.indices[f"more-{number}"] = {}
        stage.apply(access(f"more-{number}", grant(f"more-{number}", f"never-{number}")))
        await stage.sleep(20)
    assert listed(stage) - read <= 11
    await stage.sleep(90)
    await stage.quiet()
    assert hint(stage, "more-29")[0] == "NoIndexYet"


@on_stage
async def test_of_what_the_login_may_not_see_nothing_is_said_and_no_name_is_read(stage: Stage) -> None:
    stage.elasticsearch.may_see = ("orders-*",)
    await begin(stage, access("orders", grant("ordres-*")))
    await stage.sleep(100)
    assert hint(stage, "orders") == ("", "")
    assert listed(stage) == 0
    stage.apply(access("visible", grant("orders-x")))
    await stage.sleep(100)
    await stage.quiet()
    assert hint(stage, "visible")[0] == "NoIndexYet"


@on_stage
async def test_a_restart_keeps_what_was_said_until_names_are_read_and_then_takes_it_back(stage: Stage) -> None:
    open_shop(stage)
    await begin(stage, access("ordres", grant("ordres-*", ".security")), access("other", grant("other-*")))
    assert [hint(stage, name)[0] for name in ("ordres", "other")] == ["RestrictedIndices", "NoIndexYet"]
    assert "ordres-*" in hint(stage, "ordres")[1]
    written = len(stage.faults.writes)
    await stage.restart()
    await stage.quiet()
    await stage.sleep(200)
    assert len(stage.faults.writes) == written
    await stage.stop()
    stage.elasticsearch.indices |= {"ordres-1": {}, "other-1": {}}
    stage.start()
    await stage.quiet()
    await stage.sleep(100)
    await stage.quiet()
    assert "ordres-*" not in hint(stage, "ordres")[1]
    assert hint(stage, "other") == ("", "")
