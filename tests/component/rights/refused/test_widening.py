"""State in, state out: SearchAccesses of one principal that Elasticsearch would join to more than they allow."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.model.restrictions.union import MOST_STEPS, Together, conflict_within
from searchaccess.core.patterns.marks import is_mark
from searchaccess.core.rights.refused import refusals as refusals_module
from searchaccess.core.rights.refused import widening
from searchaccess.ports.kubernetes import Plural
from tests.component.common import ORPHANS, begin
from tests.support.loop.stage import OPERATOR, Stage, access_key, on_stage
from tests.support.runs.effort import examples
from tests.support.worlds.world import access, account, condition_in, grant

SHARED = account("shared")
EU: dict[str, Any] = {"where": {"term": {"region": "eu"}}}
REGION: dict[str, Any] = {"fields": {"include": ["region"]}}
NO_SSN: dict[str, Any] = {"fields": {"exclude": ["ssn"]}}
IN_SYNC = ("True", "InSync")
WIDENS = ("False", "RestrictionsWouldWiden")
SECOND = 1.0

eu = access("eu", grant("orders-*", **EU), principal=SHARED)
region = access("region", grant("orders-1", **REGION), principal=SHARED)
both = access("both", grant("orders-*", **EU), grant("orders-1", **REGION), principal=SHARED)


def granted(stage: Stage, principal: str = SHARED) -> set[str]:
    """Return the index names in a principal's role, without the marks."""
    entries = stage.role(principal).get("indices", [])
    return {name for entry in entries for name in entry["names"] if not is_mark(name)}


def message(stage: Stage, name: str) -> str:
    return str(condition_in(stage.get(name), "Ready")["message"])


def written(stage: Stage, before: int = 0) -> list[str]:
    writes = ("put_roles", "replace_roles", "delete_roles")
    return [call.method for call in stage.faults.calls[before:] if call.method in writes]


async def one_after_the_other(stage: Stage, *objects: dict[str, Any]) -> None:
    """Create objects, each a second after the one before."""
    await begin(stage, objects[0], orphans=ORPHANS)
    for raw in objects[1:]:
        await stage.sleep(2 * SECOND)
        stage.apply(raw)
    await stage.quiet()


async def before_the_upgrade(stage: Stage, *objects: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an operator that knows no such rule grant objects, and then start this one."""
    with monkeypatch.context() as patched:
        patched.setattr(refusals_module, "refusals", lambda *_: {})
        patched.setattr("searchaccess.core.model.parsing.conflict_within", lambda *_: None)
        await one_after_the_other(stage, *objects)
        for raw in objects:
            assert stage.ready(raw["metadata"]["name"]) == IN_SYNC
        await stage.stop()
    stage.start()
    await stage.quiet()


# Within one


@on_stage
async def test_grants_of_one_access_that_would_widen_each_other_are_refused(stage: Stage) -> None:
    await begin(stage, both)
    assert stage.ready("both") == WIDENS
    assert "spec.grants[1] (orders-1) and spec.grants[0] (orders-*)" in message(stage, "both")
    assert "auth: ApiKey" in message(stage, "both")
    assert condition_in(stage.get("both"), "Stalled")["reason"] == "RestrictionsWouldWiden"
    assert not stage.elasticsearch.roles_now
    assert await stage.reconcile_all() == []


@on_stage
async def test_what_was_in_force_stays_when_a_change_would_widen_and_the_corrected_one_is_granted(stage: Stage) -> None:
    await begin(stage, access("both", grant("orders-*", **EU), principal=SHARED))
    stage.amend("both", grants=both["spec"]["grants"])
    await stage.quiet()
    assert stage.ready("both") == WIDENS
    assert granted(stage) == {"orders-*"}
    stage.amend("both", grants=[grant("orders-*", **EU), grant("orders-1", **EU, **REGION)])
    await stage.quiet()
    assert stage.ready("both") == IN_SYNC
    assert granted(stage) == {"orders-*", "orders-1"}
    stage.check()


def test_an_access_in_force_that_shows_more_than_its_grants_is_revoked(monkeypatch: pytest.MonkeyPatch) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await before_the_upgrade(stage, both, access("other", grant("x"), principal=SHARED), monkeypatch=monkeypatch)
        assert stage.ready("both") == WIDENS
        assert granted(stage) == {"x"}
        assert await stage.reconcile_all() == []

    play()


# Between several


@on_stage
async def test_the_newer_one_is_refused_and_the_older_one_untouched(stage: Stage) -> None:
    await begin(stage, eu)
    await stage.sleep(2 * SECOND)
    before = len(stage.faults.calls)
    stage.apply(region, access("free", grant("free-*"), principal=SHARED))
    await stage.quiet()
    assert stage.ready("eu") == IN_SYNC
    assert stage.ready("region") == WIDENS
    assert stage.ready("free") == IN_SYNC, "a refused one keeps nobody else from being granted"
    assert granted(stage) == {"orders-*", "free-*"}
    text = message(stage, "region")
    assert "SearchAccess shop/region (orders-1)" in text
    assert "SearchAccess shop/eu (orders-*)" in text
    assert "the same where or the same fields" in text
    assert written(stage, before) == ["put_roles"]
    assert await stage.reconcile_all() == []


@on_stage
async def test_it_makes_no_difference_in_which_namespace_they_are(stage: Stage) -> None:
    elsewhere = access("region", grant("orders-1", **REGION), principal=SHARED, namespace="billing")
    await one_after_the_other(stage, eu, elsewhere)
    found = stage.kubernetes.objects[Plural.ACCESSES, "billing", "region"]
    assert condition_in(found, "Ready")["reason"] == "RestrictionsWouldWiden"
    assert "SearchAccess billing/region" in condition_in(found, "Ready")["message"]


@on_stage
async def test_of_two_created_in_the_same_second_the_first_by_name_has_its_rights(stage: Stage) -> None:
    await begin(stage, region, eu)
    assert stage.ready("eu") == IN_SYNC
    assert stage.ready("region") == WIDENS


@on_stage
async def test_those_of_another_principal_or_with_a_key_are_apart(stage: Stage) -> None:
    other = access("other", grant("orders-1", **REGION), principal=account("other"))
    await one_after_the_other(stage, eu, other)
    assert stage.ready("other") == IN_SYNC


@pytest.mark.parametrize(
    "change",
    [
        lambda stage: stage.delete("eu"),
        lambda stage: stage.amend("eu", grants=[grant("orders-*", **EU, **REGION)]),
        lambda stage: stage.amend("eu", grants=[grant("customers-*", **EU)]),
        lambda stage: stage.amend("eu", subject={"serviceAccount": account("else")}),
    ],
    ids=["deleted", "now exact", "on other indices", "moved"],
)
def test_when_the_older_one_goes_or_changes_the_newer_one_is_granted_at_once(change: Any) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await one_after_the_other(stage, eu, region)
        assert stage.ready("region") == WIDENS
        change(stage)
        await stage.sleep(SECOND)
        assert stage.ready("region") == IN_SYNC
        assert "orders-1" in granted(stage)
        await stage.quiet()
        stage.check()

    play()


@on_stage
async def test_it_is_the_same_after_a_restart(stage: Stage) -> None:
    await one_after_the_other(stage, region, eu)
    before = len(stage.faults.writes)
    for _ in range(3):
        await stage.restart()
        await stage.quiet()
        assert (stage.ready("region"), stage.ready("eu")) == (IN_SYNC, WIDENS)
        assert granted(stage) == {"orders-1"}
    assert stage.faults.writes[before:] == []


@on_stage
async def test_a_refused_one_can_be_deleted(stage: Stage) -> None:
    await one_after_the_other(stage, eu, region)
    stage.delete("region")
    await stage.quiet()
    assert not stage.get("region")
    assert granted(stage) == {"orders-*"}


@on_stage
async def test_what_a_newer_one_had_stays_when_its_change_would_widen(stage: Stage) -> None:
    await one_after_the_other(stage, eu, access("region", grant("customers", **REGION), principal=SHARED))
    stage.amend("region", grants=[grant("orders-1", **REGION)])
    await stage.quiet()
    assert stage.ready("region") == WIDENS
    assert granted(stage) == {"orders-*", "customers"}


@on_stage
async def test_what_a_newer_one_has_is_revoked_when_a_change_of_an_older_one_meets_it(stage: Stage) -> None:
    await one_after_the_other(stage, access("eu", grant("customers", **EU), principal=SHARED), region)
    assert stage.ready("region") == IN_SYNC
    seen: list[set[str]] = []
    stage.faults.on_call = lambda _: seen.append(granted(stage))
    stage.amend("eu", grants=[grant("orders-*", **EU)])
    await stage.quiet()
    assert stage.ready("eu") == IN_SYNC
    assert stage.ready("region") == WIDENS
    assert {frozenset(each) for each in seen} == {frozenset({"customers", "orders-1"}), frozenset({"orders-*"})}
    stage.delete("eu")
    await stage.quiet()
    assert stage.ready("region") == IN_SYNC


# At an upgrade


@pytest.mark.parametrize("newer", [{}, {"suspend": True}, {"grants": [grant("/[/")]}], ids=["", "suspended", "invalid"])
def test_of_two_in_force_that_show_more_the_newer_one_is_revoked(
    newer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await before_the_upgrade(stage, eu, region, access("z", grant("z"), principal=SHARED), monkeypatch=monkeypatch)
        if newer:
            with monkeypatch.context() as patched:
                patched.setattr(refusals_module, "refusals", lambda *_: {})
                await _grant_and_amend(stage, newer)
            await stage.restart()
            await stage.quiet()
        assert stage.ready("eu") == IN_SYNC
        assert stage.ready("z") == IN_SYNC
        assert stage.ready("region") == WIDENS
        assert granted(stage) == {"orders-*", "z"}
        assert stage.get("region")["status"].get("elasticsearch") is None
        # From then on it is as any other that is suspended, or invalid, and has nothing.
        assert {call.method for call in await stage.reconcile_all()} <= {"replace_status", "create_event"}
        assert stage.ready("region")[0] == "False"
        assert await stage.reconcile_all() == []

    async def _grant_and_amend(stage: Stage, newer: dict[str, Any]) -> None:
        await stage.reconcile_all()
        stage.amend("region", **newer)
        await stage.quiet()
        assert granted(stage) == {"orders-*", "orders-1", "z"}

    play()


def test_where_all_only_observe_nothing_is_changed_and_it_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(refusals_module, "refusals", lambda *_: {})
            await one_after_the_other(stage, eu, region)
            stage.amend("eu", mode="Observe")
            stage.amend("region", mode="Observe")
            await stage.quiet()
            await stage.stop()
        before = len(stage.faults.calls)
        stage.start()
        await stage.quiet()
        assert written(stage, before) == []
        assert stage.ready("eu") == IN_SYNC
        assert stage.ready("region") == WIDENS
        stage.amend("eu", mode="Enforce")
        await stage.quiet()
        assert granted(stage) == {"orders-*"}

    play()


# What counts as in force


@pytest.mark.parametrize(
    "held",
    [{"suspend": True}, {"mode": "Observe"}, {"grants": [grant("/[/")]}],
    ids=["suspended", "observed", "invalid"],
)  # fmt: skip
def test_an_older_one_that_is_held_counts_with_what_it_has(held: dict[str, Any]) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, eu, orphans=ORPHANS)
        stage.amend("eu", **held)
        await stage.sleep(2 * SECOND)
        stage.apply(region)
        await stage.quiet()
        assert stage.ready("region") == WIDENS
        assert granted(stage) == {"orders-*"}
        stage.delete("eu")
        await stage.quiet()
        if "mode" in held:
            assert stage.ready("region") == WIDENS, "observed, then deleted: its rights are released, and stay"
            assert "Orphan" in message(stage, "region")
        else:
            assert stage.ready("region") == IN_SYNC

    play()


@on_stage
async def test_an_observed_one_reports_that_it_would_be_refused(stage: Stage) -> None:
    await one_after_the_other(
        stage, eu, access("region", grant("orders-1", **REGION), principal=SHARED, mode="Observe")
    )
    assert stage.ready("region") == WIDENS
    assert stage.ready("eu") == IN_SYNC


@on_stage
async def test_an_observed_older_one_without_rights_is_in_nobodys_way(stage: Stage) -> None:
    await one_after_the_other(stage, access("eu", grant("orders-*", **EU), principal=SHARED, mode="Observe"), region)
    assert stage.ready("region") == IN_SYNC


@on_stage
async def test_released_rights_count_and_are_never_revoked(stage: Stage) -> None:
    keeper = access("keeper", grant("x"), principal=SHARED)
    orphan = access("orphan", grant("orders-*", **EU), principal=SHARED, deletionPolicy="Orphan")
    await one_after_the_other(stage, keeper, orphan)
    stage.delete("orphan")
    await stage.quiet()
    stage.apply(region)
    await stage.quiet()
    assert stage.ready("region") == WIDENS
    assert "deletionPolicy: Orphan" in message(stage, "region")
    assert granted(stage) == {"x", "orders-*"}


@on_stage
async def test_an_older_one_that_is_deleted_and_waits_for_somebody_else_is_in_nobodys_way(stage: Stage) -> None:
    await begin(stage, eu)

    def wait(raw: dict[str, Any]) -> None:
        raw["metadata"]["finalizers"].append("example.com/other")

    stage.kubernetes.change(access_key("eu"), wait)
    stage.delete("eu")
    await stage.sleep(2 * SECOND)
    stage.apply(region)
    await stage.quiet()
    assert stage.get("eu")
    assert stage.ready("region") == IN_SYNC


@on_stage
async def test_what_elasticsearch_refuses_of_an_older_one_is_in_nobodys_way(stage: Stage) -> None:
    older = access("eu", grant("orders-*", where={"no_such_query": {}}), principal=SHARED)
    await one_after_the_other(stage, older, region)
    assert stage.ready("eu") == ("False", "RejectedByElasticsearch")
    assert stage.ready("region") == IN_SYNC
    assert granted(stage) == {"orders-1"}


@pytest.mark.parametrize("order", [("eu", "region"), ("region", "eu")])
@pytest.mark.parametrize("more", [0, 1, 5])
def test_what_an_older_one_keeps_counts_while_elasticsearch_refuses_its_change(
    order: tuple[str, str], more: int
) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, eu)
        await stage.sleep(2 * SECOND)
        inexact: list[Any] = []

        def watch(_: Any) -> None:
            entries = role_from_json(stage.role(SHARED)).entries
            if conflict_within(entries, map(str, range(len(entries)))):
                inexact.append(entries)

        stage.faults.on_call = watch
        changes = {
            "eu": lambda: stage.amend("eu", grants=[grant("customers", where={"no_such_query": {}})]),
            "region": lambda: stage.apply(region),
        }
        for number in range(more):
            stage.apply(access(f"x{number}", grant(f"x{number}"), principal=SHARED))
        for name in order:
            changes[name]()
        await stage.quiet()
        assert not inexact
        assert stage.ready("eu") == ("False", "RejectedByElasticsearch")
        assert stage.ready("region") == WIDENS
        assert granted(stage) == {"orders-*", *(f"x{number}" for number in range(more))}
        stage.amend("eu", grants=[grant("customers", **EU)])
        await stage.quiet()
        assert not inexact
        assert (stage.ready("eu"), stage.ready("region")) == (IN_SYNC, IN_SYNC)

    play()


@on_stage
async def test_what_both_refuse_leaves_the_others_alone(stage: Stage) -> None:
    bad = access("bad", grant("bad-*", where={"no_such_query": {}}), principal=SHARED)
    good = access("good", grant("good-*"), principal=SHARED)
    await begin(stage, eu)
    await stage.sleep(2 * SECOND)
    stage.apply(region, bad, good)
    await stage.quiet()
    assert stage.ready("bad") == ("False", "RejectedByElasticsearch")
    assert stage.ready("region") == WIDENS
    assert stage.ready("good") == stage.ready("eu") == IN_SYNC
    assert granted(stage) == {"orders-*", "good-*"}
    await stage.restart()
    await stage.quiet()
    assert stage.ready("bad") == ("False", "RejectedByElasticsearch")
    assert stage.ready("region") == WIDENS
    assert granted(stage) == {"orders-*", "good-*"}


@on_stage
async def test_a_dry_run_says_that_nothing_would_be_granted(stage: Stage) -> None:
    await begin(stage, eu)
    await stage.stop()
    changes = await stage.dry_run(region)
    assert not [change for change in changes if OPERATOR.role_name(SHARED) in str(change)]
    stage.start()


NAMES = ["a", "b", "c", "d"]
random_grants = st.builds(
    lambda name, where, fields: grant(name, **where, **fields),
    st.sampled_from(["orders-*", "orders-1", "*-1"]),
    st.sampled_from([{}, EU, EU, {"where": {"no_such_query": {}}}]),
    st.sampled_from([{}, REGION, NO_SSN]),
)
changes = st.one_of(
    st.fixed_dictionaries({"grants": st.lists(random_grants, min_size=1, max_size=2)}),
    st.sampled_from([{"suspend": True}, {"suspend": False}, {"mode": "Observe"}, {"mode": "Enforce"}]),
    st.sampled_from(["delete", "restart", "wait"]),
)


async def perform(stage: Stage, name: str, change: Any) -> None:
    known = stage.get(name)
    if change == "restart":
        await stage.restart()
    elif change == "wait" or (change == "delete" and not known):
        await stage.sleep(1.5 * SECOND)
    elif change == "delete":
        stage.delete(name)
    elif not known:
        stage.apply(access(name, principal=SHARED, **({"grants": [grant("orders-*", **EU)]} | change)))
    elif not known["metadata"].get("deletionTimestamp"):
        stage.amend(name, **change)


def is_honest(stage: Stage, name: str) -> bool:
    """Return whether one that says that it is in sync has what it declares."""
    declared = access_from_object(stage.get(name)).share.entries
    has = bool(declared) and set(declared) <= set(role_from_json(stage.role(SHARED)).entries)
    return has or stage.ready(name) != IN_SYNC or stage.get(name)["spec"].get("suspend", False)


@settings(max_examples=examples(20), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(NAMES), changes), min_size=3, max_size=12))
def test_whatever_happens_the_role_is_never_more_than_the_union_and_statuses_say_who_has_what(
    history: list[tuple[str, Any]],
) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        inexact: list[Any] = []

        def watch(_: Any) -> None:
            entries = role_from_json(stage.role(SHARED)).entries
            if conflict_within(entries, map(str, range(len(entries)))):
                inexact.append(entries)

        stage.faults.on_call = watch
        await begin(stage)
        for name, change in history:
            await perform(stage, name, change)
        await stage.quiet()
        assert not inexact
        assert [name for name in NAMES if stage.get(name) and not is_honest(stage, name)] == []
        writes = await stage.reconcile_all()
        assert {call.method for call in writes} <= {"replace_status", "create_event"}
        assert await stage.reconcile_all() == []

    play()


# How much it costs


def comparisons(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record the steps that each comparison of a principal took."""
    spent: list[int] = []

    class Counted(Together):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    made: list[Together] = []
    judge = widening.refusals

    def judged(*arguments: Any) -> Any:
        made.clear()
        found = judge(*arguments)
        spent.extend(MOST_STEPS - each.steps for each in made)
        return found

    monkeypatch.setattr(widening, "Together", Counted)
    monkeypatch.setattr(refusals_module, "refusals", judged)
    return spent


def test_a_thousand_accesses_of_one_principal_are_compared_in_bounded_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = comparisons(monkeypatch)

    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, eu)
        await stage.sleep(2 * SECOND)
        several = [
            access(
                f"t{number}",
                grant(f"t{number}-*", where={"term": {"tenant": number}}, fields={"include": [f"f{number}"]}),
                principal=SHARED,
            )
            for number in range(700)
        ]
        refused = [
            access(f"r{number}", grant(f"orders-{number}", fields={"include": [f"f{number}"]}), principal=SHARED)
            for number in range(300)
        ]
        stage.apply(*several, *refused)
        await stage.quiet()
        assert {stage.ready(f"t{number}") for number in range(700)} == {IN_SYNC}
        assert {stage.ready(f"r{number}") for number in range(300)} == {WIDENS}
        assert stage.ready("eu") == IN_SYNC

    play()
    assert spent
    assert max(spent) < MOST_STEPS


def test_what_cannot_all_be_compared_is_refused_from_the_newest_on_and_holds_up_nobody_else() -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, access("a", grant("a*"), principal=SHARED))
        await stage.sleep(2 * SECOND)
        many = [
            access(
                f"m{number:04}",
                grant(f"*x{number}y*", where={"term": {"n": number}}, fields={"include": [f"f{number}"]}),
                principal=SHARED,
            )
            for number in range(300)
        ]
        stage.apply(*many)
        await stage.quiet()
        assert stage.ready("m0000") == IN_SYNC
        assert stage.ready("m0299") == WIDENS
        assert stage.ready("a") == IN_SYNC

    play()
