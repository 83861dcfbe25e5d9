"""Each ``where`` is proven by Elasticsearch before Ready, beside the loop, and within few requests."""

from typing import Any

import pytest

from searchaccess.core.policy.guardrails.aliases import IndexNames
from searchaccess.ports.errors import ExternalError, Rejected, Unreachable
from searchaccess.ports.kubernetes import Plural
from tests.component.common import begin, granted
from tests.component.credentials.common import READY, STORES, live, with_key, with_password
from tests.support.failures.faults import Call
from tests.support.loop.stage import Stage, access_key, on_stage, search_cluster
from tests.support.worlds.world import access, account, condition_in, grant

TEXT: dict[str, Any] = {"where": {"term": {"price": "abc"}}}
NUMBER: dict[str, Any] = {"where": {"term": {"price": 3}}}
TEMPLATE: dict[str, Any] = {"where": {"template": {"source": {"term": {"price": "{{_user.metadata.price}}"}}}}}
MARKET = {"orders-1": {"price": "long"}, "names-1": {"price": "keyword"}}


def proof(stage: Stage, name: str = "orders") -> tuple[str, str]:
    found = condition_in(stage.get(name), "QueriesProven")
    return found.get("status", ""), found.get("reason", "")


def tried(stage: Stage) -> list[tuple[str, ...]]:
    return [call.names for call in stage.faults.calls if call.method == "try_query"]


def asked(stage: Stage) -> list[str]:
    return [call.method for call in stage.faults.calls if call.method in {"try_query", "hidden", "index_names"}]


def open_market(stage: Stage) -> None:
    stage.elasticsearch.indices = {name: dict(fields) for name, fields in MARKET.items()}
    stage.elasticsearch.may_see = ("orders-*", "names-*")


@on_stage
async def test_a_query_that_runs_is_proven_and_one_without_has_no_such_condition(stage: Stage) -> None:
    open_market(stage)
    await begin(stage, access("orders", grant("orders-*", **NUMBER)), access("names", grant("names-*")))
    stage.check()
    assert proof(stage) == ("True", "QueriesProven")
    assert proof(stage, "names") == ("", "")


@on_stage
async def test_a_query_that_fails_on_an_index_is_not_ready_and_says_where_and_why(stage: Stage) -> None:
    open_market(stage)
    await begin(stage, access("orders", grant("orders-*", **TEXT)), access("names", grant("names-*", **TEXT)))
    assert proof(stage) == ("False", "QueryFails")
    assert stage.ready("orders") == ("False", "QueryFails")
    assert condition_in(stage.get("orders"), "Ready")["message"] == 'on orders-1: For input string: "abc"'
    assert condition_in(stage.get("orders"), "Synced")["status"] == "True"
    assert condition_in(stage.get("orders"), "Stalled")["reason"] == "QueryFails"
    assert stage.ready("names") == ("True", "InSync")
    assert granted(stage), "it is written all the same: it fails closed"
    assert "QueryFails" in stage.notes("orders")
    stage.amend("orders", grants=[grant("orders-*", **NUMBER)])
    await stage.quiet()
    stage.check()
    assert proof(stage) == ("True", "QueriesProven")


@on_stage
async def test_a_new_one_is_not_ready_before_it_was_asked(stage: Stage) -> None:
    open_market(stage)
    await begin(stage, access("names", grant("names-*")))
    seen: list[tuple[str, str]] = []

    def watch(call: Call) -> None:
        if call.method == "replace_status":
            seen.append(stage.ready("orders"))

    stage.faults.on_call = watch
    stage.faults.fail("elasticsearch", Unreachable("slow"), "try_query")
    stage.apply(access("orders", grant("orders-*", **TEXT)))
    await stage.quiet()
    stage.faults.heal("elasticsearch")
    await stage.sleep(200)
    await stage.quiet()
    assert proof(stage) == ("False", "QueryFails")
    assert seen[-1] == ("False", "QueryFails")


@on_stage
async def test_what_moved_away_is_not_tried_any_more(stage: Stage) -> None:
    open_market(stage)
    other = stage.server("https://two:9200")
    other.wipe("uuid-of-two")
    other.indices, other.may_see = {"orders-1": {"price": "long"}}, ("orders-*",)
    stage.apply(search_cluster("two", "https://two:9200"))
    await begin(stage, access("orders", grant("orders-*", **NUMBER)))
    stage.amend("orders", cluster="two")
    await stage.quiet()
    assert stage.ready("orders") == READY
    before = len(tried(stage))
    for number in range(5):
        stage.elasticsearch.indices[f"more-{number}"] = {}
        await stage.sleep(700)
    assert len(tried(stage)) == before


@on_stage
async def test_a_query_that_is_replaced_while_names_are_read_is_forgotten(stage: Stage) -> None:
    open_market(stage)
    stage.elasticsearch.may_see = ("*",)
    await begin(stage, access("orders", grant("orders-*", **NUMBER)))
    await stage.sleep(700)
    read = stage.elasticsearch.index_names

    async def slowly() -> IndexNames | None:
        await stage.sleep(3)
        return await read()

    stage.elasticsearch.index_names = slowly  # type: ignore[method-assign]
    for number in range(40):
        stage.elasticsearch.indices[f"orders-{number}"] = {"price": "long"}
        stage.amend("orders", grants=[grant(f"orders-{number}", where={"term": {"price": number}})])
        await stage.sleep(1 + number % 5 * 0.4)
    await stage.quiet()
    stage.check()
    assert proof(stage) == ("True", "QueriesProven")


@on_stage
async def test_while_names_cannot_be_read_nothing_counts_as_without_an_index(stage: Stage) -> None:
    open_market(stage)
    stage.elasticsearch.may_see = ("*",)
    stage.faults.fail("elasticsearch", Unreachable("slow"), "index_names")
    await begin(stage, access("orders", grant("/orders-[0-9]/", **TEXT)))
    stage.apply(access("more", grant("/orders-[0-9]+/", **TEXT)))
    await stage.quiet()
    assert proof(stage) == proof(stage, "more") == ("Unknown", "ClusterUnreachable")
    stage.faults.heal("elasticsearch")
    await stage.sleep(200)
    await stage.quiet()
    assert proof(stage) == proof(stage, "more") == ("False", "QueryFails")


@on_stage
async def test_a_status_is_written_once_for_one_that_comes_alone(stage: Stage) -> None:
    open_market(stage)
    await begin(stage, access("names", grant("names-*")))
    stage.apply(access("orders", grant("orders-*", **NUMBER)))
    await stage.quiet()
    stage.check()
    statuses = [call.names for call in stage.faults.writes if call.method == "replace_status"]
    assert statuses.count(("orders",)) == 1


@pytest.mark.parametrize(
    ("sees", "where", "reason"),
    [
        ((), NUMBER, "LoginCannotProve"),
        (("orders-*",), NUMBER, "NoIndexYet"),
        (("orders-*",), TEMPLATE, "CannotBeTried"),
        ((), NUMBER | {"remoteClusters": ["eu"]}, "CannotBeTried"),
    ],
    ids=["not allowed", "no index", "template", "remote"],
)
def test_what_cannot_be_tried_is_unknown_and_ready(sees: tuple[str, ...], where: dict[str, Any], reason: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        stage.elasticsearch.may_see = sees
        await begin(stage, access("orders", grant("orders-*", **where)))
        stage.check()
        assert proof(stage) == ("Unknown", reason)
        written = len(stage.faults.writes)
        await stage.sleep(3_000)
        assert len(stage.faults.writes) == written, "it does not flap"

    play()


@on_stage
async def test_equal_queries_on_equal_indices_are_tried_once(stage: Stage) -> None:
    open_market(stage)
    many = [access(f"orders-{number}", grant("orders-*", **NUMBER)) for number in range(30)]
    await begin(stage, *many, access("both", grant("orders-*", **NUMBER), grant("names-*", **TEXT)))
    stage.check()
    assert len(tried(stage)) == 2
    assert all(proof(stage, f"orders-{number}") == ("True", "QueriesProven") for number in range(30))


@on_stage
async def test_a_restart_asks_nothing_again(stage: Stage) -> None:
    open_market(stage)
    await begin(
        stage,
        *(access(f"orders-{number}", grant(f"orders-{number}*", **NUMBER)) for number in range(30)),
        access("bad", grant("orders-*", **TEXT)),
    )
    before, written = len(tried(stage)), len(stage.faults.writes)
    await stage.restart()
    await stage.quiet()
    await stage.sleep(300)
    assert len(tried(stage)) == before
    assert len(stage.faults.writes) == written
    assert stage.ready("bad") == ("False", "QueryFails")


@on_stage
async def test_one_that_was_ready_before_queries_were_proven_stays_ready_while_it_is_asked(stage: Stage) -> None:
    open_market(stage)
    await begin(stage, access("orders", grant("orders-*", **NUMBER)))
    await stage.stop()

    def forget(raw: dict[str, Any]) -> None:
        raw["status"]["conditions"] = [one for one in raw["status"]["conditions"] if one["type"] != "QueriesProven"]

    stage.kubernetes.change(access_key("orders"), forget)
    seen: list[tuple[str, str]] = []
    stage.faults.on_call = lambda call: seen.append(stage.ready("orders")) if call.method == "replace_status" else None
    stage.start()
    await stage.quiet()
    assert proof(stage) == ("True", "QueriesProven")
    assert set(seen) == {("True", "InSync")}


@on_stage
async def test_at_rest_nothing_is_tried_and_after_a_change_ten_a_minute(stage: Stage) -> None:
    open_market(stage)
    await begin(stage, *(access(f"orders-{number}", grant(f"orders-{number}*", **NUMBER)) for number in range(40)))
    stage.elasticsearch.indices |= {f"orders-{number}": {"price": "long"} for number in range(40)}
    await stage.sleep(1_500)
    before = len(tried(stage))
    await stage.sleep(1_500)
    assert len(tried(stage)) == before, "nothing has changed since each was tried"
    stage.elasticsearch.indices["orders-1"] = {"price": "keyword"}
    counts = []
    for _ in range(5):
        begun = len(tried(stage))
        await stage.sleep(60)
        counts.append(len(tried(stage)) - begun)
    assert max(counts) <= 11
    assert sum(counts) == 40


@on_stage
async def test_a_mapping_that_makes_it_fail_is_noticed_and_one_that_heals_it_too(stage: Stage) -> None:
    open_market(stage)
    await begin(stage, access("orders", grant("orders-*", **TEXT), grant("names-*", **TEXT)))
    assert stage.ready("orders") == ("False", "QueryFails")
    stage.elasticsearch.indices["orders-1"] = {"price": "keyword"}
    await stage.sleep(120)
    await stage.quiet()
    stage.check()
    stage.elasticsearch.indices["orders-2"] = {"price": "long"}
    await stage.sleep(700)
    await stage.quiet()
    assert stage.ready("orders") == ("False", "QueryFails")
    assert "on orders-2" in condition_in(stage.get("orders"), "QueriesProven")["message"]


@on_stage
async def test_a_login_that_is_given_the_right_proves_and_one_that_loses_it_says_so(stage: Stage) -> None:
    open_market(stage)
    stage.elasticsearch.may_see = ()
    await begin(stage, access("orders", grant("orders-*", **NUMBER)))
    assert proof(stage) == ("Unknown", "LoginCannotProve")
    stage.elasticsearch.may_see = ("*",)
    await stage.sleep(700)
    await stage.quiet()
    assert proof(stage) == ("True", "QueriesProven")
    stage.elasticsearch.may_see = ()
    await stage.sleep(700)
    await stage.quiet()
    stage.check()
    assert proof(stage) == ("Unknown", "LoginCannotProve")


@pytest.mark.parametrize("method", ["try_query", "hidden"])
@pytest.mark.parametrize(
    "error", [Unreachable("gone"), Rejected("no"), RuntimeError("ours")], ids=["gone", "refused", "ours"]
)
def test_whatever_goes_wrong_rights_are_kept_and_it_is_tried_again(error: Exception, method: str) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        open_market(stage)

        def fail(call: Call) -> None:
            if call.method == method:
                raise error

        stage.faults.on_call = fail
        await begin(stage, access("orders", grant("orders-*", **NUMBER)), access("names", grant("names-*")))
        await stage.sleep(60)
        await stage.quiet()
        assert granted(stage)
        assert granted(stage, account("names"))
        assert stage.ready("names") == ("True", "InSync")
        if isinstance(error, ExternalError):
            assert stage.ready("orders") == ("True", "InSync")
            assert proof(stage)[0] == "Unknown"
        begun = len(asked(stage))
        await stage.sleep(600)
        assert len(asked(stage)) - begun <= 60
        stage.faults.on_call = lambda _call: None
        await stage.sleep(1_400)
        await stage.quiet()
        stage.check()
        assert proof(stage) == ("True", "QueriesProven")

    play()


@on_stage
async def test_a_pattern_that_an_address_cannot_have_is_tried_on_what_it_matches(stage: Stage) -> None:
    open_market(stage)
    await begin(stage, access("orders", grant("/orders-[0-9]+/", "name?-1", **TEXT)))
    assert tried(stage) == []
    stage.elasticsearch.may_see = ("*", "/*")
    await stage.sleep(700)
    await stage.quiet()
    assert [names[:-1] for names in tried(stage)] == [("orders-1", "names-1")] or tried(stage)[0][:-1] == (
        "names-1",
        "orders-1",
    )
    assert stage.ready("orders") == ("False", "QueryFails")


@on_stage
async def test_queries_of_keys_are_proven_too(stage: Stage) -> None:
    open_market(stage)
    stage.apply(search_cluster(secretStores=STORES), with_key(granted=grant("orders-*", **TEXT)))
    stage.apply(with_password("names", granted=grant("names-*", **TEXT)))
    await stage.quiet()
    assert stage.ready("orders") == ("False", "QueryFails")
    assert live(stage), "it is issued all the same"
    assert stage.ready("names") == READY
    assert proof(stage, "names") == ("True", "QueriesProven")


@on_stage
async def test_rights_wait_for_no_query_however_many_there_are_and_slow(stage: Stage) -> None:
    open_market(stage)
    stage.elasticsearch.try_takes = 5.0
    await begin(stage, access("names", grant("names-*")))
    stage.apply(*(access(f"orders-{number}", grant(f"orders-{number}*", **NUMBER)) for number in range(100)))
    await stage.sleep(5)
    assert all(granted(stage, account(f"orders-{number}")) for number in range(100))
    assert stage.ready("orders-99") == ("False", "Pending")
    stage.apply(access("late", grant("names-*")))
    await stage.sleep(2)
    assert stage.ready("late") == ("True", "InSync")
    await stage.sleep(400)
    await stage.quiet()
    stage.check()


@on_stage
async def test_queries_of_another_cluster_behind_the_same_address_are_tried_anew(stage: Stage) -> None:
    open_market(stage)
    await begin(stage, access("orders", grant("orders-*", **NUMBER)))
    before = len(tried(stage))
    stage.elasticsearch.wipe("another")
    stage.elasticsearch.indices["orders-1"] = {"price": "keyword"}
    stage.annotate((Plural.CLUSTERS, "", "prod"), "searchaccess.dev/accept-uuid", "another")
    await stage.sleep(60)
    await stage.quiet()
    stage.check()
    assert len(tried(stage)) > before
    assert proof(stage) == ("True", "QueriesProven")


@on_stage
async def test_a_query_that_nobody_has_any_more_is_not_tried(stage: Stage) -> None:
    open_market(stage)
    await begin(stage, access("orders", grant("orders-*", **NUMBER)), access("names", grant("names-*", **NUMBER)))
    stage.delete("orders")
    await stage.quiet()
    before = len(tried(stage))
    for _ in range(3):
        stage.elasticsearch.indices["orders-1"] = {"price": "keyword", f"more-{_}": "long"}
        await stage.sleep(700)
    assert {names[0] for names in tried(stage)[before:]} == {"names-*"}
