"""Whatever one namespace declares, what another one revokes costs at most one reconcile more."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from searchaccess.engine.rights import reconcile
from searchaccess.engine.rights.apply import TRIES, TRIES_OF_ONE
from tests.component.common import ORDERS, begin, granted
from tests.component.identities.common import switch_to_ids
from tests.support.failures.faults import Call
from tests.support.loop.clocks import run_virtually
from tests.support.loop.stage import OPERATOR, Stage, on_stage, search_cluster
from tests.support.memory import elasticsearch as memory_elasticsearch
from tests.support.runs.effort import examples
from tests.support.worlds.world import access, account, condition_in, grant

SIDE = memory_elasticsearch.SIDE
SHARED = account("shared")
WRITES = {"put_roles", "replace_roles"}


def unknown(name: str, principal: str = SHARED) -> dict[str, Any]:
    """Return a SearchAccess that Elasticsearch refuses."""
    return access(name, grant(f"{name}-*", where={"no_such_query": {}}), principal=principal)


def of_roles(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.side == SIDE and call.method in WRITES]


class Revocation:
    """The deletion of a SearchAccess, and what Elasticsearch was asked until its role was gone."""

    def __init__(self, stage: Stage, name: str = "orders") -> None:
        self._name = name
        self._stage = stage
        self._began: int | None = None
        self._ended: int | None = None
        stage.faults.on_call = self._watch

    def begin(self) -> None:
        self._began = len(self._stage.faults.calls)
        self._stage.delete(self._name)

    def _watch(self, call: Call) -> None:
        if call.method == "delete_roles" and OPERATOR.role_name(account(self._name)) in call.names:
            self._ended = len(self._stage.faults.calls)

    @property
    def calls(self) -> list[Call]:
        assert self._began is not None
        assert self._ended is not None
        return self._stage.faults.calls[self._began : self._ended]

    @property
    def reconciles(self) -> int:
        """How many began until then."""
        return sum(call.method == "roles" for call in self.calls)


@on_stage
async def test_hundreds_of_refused_accesses_of_one_principal_hold_up_nobodys_revocation(stage: Stage) -> None:
    await begin(stage, access("orders", grant("orders-*")))
    revocation = Revocation(stage)
    stage.apply(*[unknown(f"bad{number}") for number in range(200)])
    # The finalizers come first: this is in the middle of finding out what is refused.
    while not of_roles(stage.faults.calls)[1:]:
        await stage.sleep(0.01)
    revocation.begin()
    await stage.quiet()
    assert revocation.reconciles <= 2
    assert len(of_roles(revocation.calls)) <= TRIES_OF_ONE + 2
    assert {stage.ready(f"bad{number}") for number in range(200)} == {("False", "RejectedByElasticsearch")}
    assert "no_such_query" in condition_in(stage.get("bad7"), "Stalled")["message"]
    assert len(of_roles(stage.faults.calls)) <= 3 * 200
    assert await stage.reconcile_all() == []


@on_stage
async def test_good_ones_among_refused_ones_get_their_rights_in_few_requests(stage: Stage) -> None:
    await begin(stage)
    before = len(stage.faults.calls)
    good = [access(f"good{number}", grant(f"good{number}-*"), principal=SHARED) for number in range(100)]
    stage.apply(*good, unknown("bad"))
    await stage.quiet()
    assert {stage.ready(f"good{number}") for number in range(100)} == {("True", "InSync")}
    assert stage.ready("bad") == ("False", "RejectedByElasticsearch")
    assert granted(stage, SHARED) == {f"good{number}-*" for number in range(100)}
    assert len(of_roles(stage.faults.calls[before:])) <= 1 + 2 * 7


@on_stage
async def test_many_principals_are_tried_in_one_request(stage: Stage) -> None:
    await begin(stage)
    before = len(stage.faults.calls)
    accesses = [
        one
        for number in range(40)
        for principal in [account(f"p{number}")]
        for one in (unknown(f"bad{number}", principal), access(f"good{number}", grant("x"), principal=principal))
    ]
    stage.apply(*accesses)
    await stage.quiet()
    assert {stage.ready(f"good{number}") for number in range(40)} == {("True", "InSync")}
    assert {stage.ready(f"bad{number}") for number in range(40)} == {("False", "RejectedByElasticsearch")}
    assert len(of_roles(stage.faults.calls[before:])) <= 3


def tries(stage: Stage, size: Callable[[Call], int]) -> list[int]:
    """Record how much each reconcile tries to write from now on.

    Args:
        stage: where it is watched.
        size: how much a write counts.
    """
    tried: list[int] = []

    def watch(call: Call) -> None:
        if call.method == "roles":
            tried.append(0)
        elif call.method == "put_roles":
            tried[-1] += size(call)

    stage.faults.on_call = watch
    return tried


def test_what_is_tried_in_one_reconcile_is_bounded_and_all_get_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("searchaccess.engine.rights.apply.TRIES", 8)

    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage)
        tried = tries(stage, lambda call: len(call.names))
        stage.apply(*[unknown(f"bad{number}-{two}", account(f"p{number}")) for number in range(30) for two in (0, 1)])
        await stage.quiet()
        states = {stage.ready(f"bad{number}-{two}") for number in range(30) for two in (0, 1)}
        assert states == {("False", "RejectedByElasticsearch")}
        assert max(tried) <= 30 + 8
        assert sum(tried) <= 30 * 6

    play()


def test_slow_tries_are_spread_over_many_reconciles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("searchaccess.engine.rights.apply.LONGEST", -1)

    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage)
        tried = tries(stage, lambda _: 1)
        stage.apply(*[unknown(f"bad{number}") for number in range(4)], access("good", grant("g"), principal=SHARED))
        await stage.quiet()
        assert {stage.ready(f"bad{number}") for number in range(4)} == {("False", "RejectedByElasticsearch")}
        assert stage.ready("good") == ("True", "InSync")
        assert max(tried) == 2

    play()


@on_stage
async def test_who_leaves_a_role_leaves_it_though_the_rest_of_it_is_refused(stage: Stage) -> None:
    leaver, stays = (access(name, grant(name), principal=SHARED) for name in ("leaver", "stays"))
    await begin(stage, leaver, stays)
    left: list[int] = []

    def watch(_: Call) -> None:
        if "leaver" not in granted(stage, SHARED):
            left.append(len(of_roles(stage.faults.calls[before:])))

    before, stage.faults.on_call = len(stage.faults.calls), watch
    stage.apply(*[unknown(f"bad{number}") for number in range(30)])
    stage.delete("leaver")
    await stage.quiet()
    assert left[0] == 2, "the role as declared is refused, and that without those who may be the cause is not"
    assert not stage.get("leaver")
    assert granted(stage, SHARED) == {"stays"}


@on_stage
async def test_the_last_who_leaves_takes_the_role_along_though_a_new_one_is_refused(stage: Stage) -> None:
    await begin(stage, access("leaver", grant("leaver-*"), principal=SHARED))
    stage.apply(unknown("bad"))
    stage.delete("leaver")
    await stage.quiet()
    assert not stage.get("leaver")
    assert not stage.role(SHARED)
    assert stage.ready("bad") == ("False", "RejectedByElasticsearch")


def test_what_takes_rights_away_is_written_before_what_gives_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "CHUNK", 2)

    @on_stage
    async def play(stage: Stage) -> None:
        gone = [access(f"z{number}", grant("z"), principal=account(f"z{number}")) for number in range(3)]
        await begin(stage, *gone)
        before = len(stage.faults.calls)
        stage.apply(*[access(f"a{number}", grant("a")) for number in range(5)])
        for number in range(3):
            stage.delete(f"z{number}")
        await stage.quiet()
        stage.check()
        methods = [call.method for call in stage.faults.calls[before:] if call.side == SIDE and call.write]
        assert methods == ["delete_roles", "delete_roles", "put_roles", "put_roles", "put_roles"]

    play()


@on_stage
async def test_after_a_restart_what_was_refused_is_tried_last_and_its_status_stays(stage: Stage) -> None:
    await begin(stage, *[unknown(f"bad{number}") for number in range(60)])
    before = len(stage.faults.calls)
    served: list[int] = []

    def watch(_: Call) -> None:
        if granted(stage, SHARED):
            served.append(len(of_roles(stage.faults.calls[before:])))

    stage.faults.on_call = watch
    await stage.restart()
    stage.apply(access("good", grant("good-*"), principal=SHARED))
    await stage.quiet()
    assert served[0] == 1, "nothing was refused before"
    assert stage.ready("good") == ("True", "InSync")
    statuses = [call for call in stage.faults.calls[before:] if call.method == "replace_status"]
    assert not [call for call in statuses if call.names[0].startswith("bad")]
    assert len(of_roles(stage.faults.calls[before:])) > 60, "each was tried once more"
    assert await stage.reconcile_all() == []


def test_after_a_restart_what_elasticsearch_takes_by_now_is_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, unknown("one"), unknown("two"))
        assert stage.ready("one") == ("False", "RejectedByElasticsearch")
        known = memory_elasticsearch._QUERIES | {"no_such_query"}
        monkeypatch.setattr(memory_elasticsearch, "_QUERIES", known)
        await stage.restart()
        await stage.quiet()
        stage.check()
        assert await stage.reconcile_all() == []

    play()


@on_stage
async def test_where_each_principal_has_a_mapping_good_ones_get_it_after_their_role(stage: Stage) -> None:
    stage.apply(search_cluster(mapping="PerPrincipal"))
    stage.apply(unknown("bad"), access("good", grant("good-*"), principal=SHARED))
    await stage.quiet()
    assert stage.ready("good") == ("True", "InSync")
    name = OPERATOR.role_name(SHARED)
    assert stage.elasticsearch.mappings_now[name]["roles"] == [name]
    assert [call.method for call in stage.faults.writes if call.method == "put_mapping"] == ["put_mapping"]


crowds = st.fixed_dictionaries(
    {
        "valid": st.integers(0, 40),
        "refused": st.integers(0, 40),
        "principals": st.integers(1, 6),
        "flapping": st.integers(0, 10),
        "after": st.sampled_from([0.0, 0.005, 0.02, 0.1, 0.3, 1.0, 2.5]),
        "restart": st.booleans(),
    }
)


@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(crowds)
def test_whatever_a_namespace_declares_anothers_revocation_costs_one_reconcile_more(crowd: dict[str, Any]) -> None:
    async def play() -> None:
        stage = Stage()
        stage.start()
        await begin(stage, access("orders", grant("orders-*")))
        revocation = Revocation(stage)
        if crowd["restart"]:
            await stage.restart()
        stage.apply(*[access(f"v{number}", grant("v-*")) for number in range(crowd["valid"])])
        stage.apply(
            *[unknown(f"r{number}", account(f"p{number % crowd['principals']}")) for number in range(crowd["refused"])]
        )
        flapping = [access(f"f{number}", grant("f-*")) for number in range(crowd["flapping"])]
        stage.apply(*flapping)
        await stage.sleep(crowd["after"])
        for number in range(crowd["flapping"]):
            stage.amend(f"f{number}", grants=[grant("g-*")])
        revocation.begin()
        for turn in range(6):
            await stage.sleep(0.2)
            for number in range(crowd["flapping"]):
                stage.amend(f"f{number}", grants=[grant(f"g{turn}-*")])
        await stage.quiet()
        assert not stage.role(ORDERS)
        assert not stage.get("orders")
        assert revocation.reconciles <= 2
        assert len(of_roles(revocation.calls)) <= TRIES + 4
        refused = {stage.ready(f"r{number}") for number in range(crowd["refused"])}
        assert refused <= {("False", "RejectedByElasticsearch")}
        await stage.stop()
        stage.check_rules()

    run_virtually(play())


@on_stage
async def test_a_revocation_does_not_wait_until_all_roles_have_their_new_names(stage: Stage) -> None:
    other = account("billing")
    ids = {email: stage.google.state.add_account(email) for email in (ORDERS, other)}
    await begin(
        stage,
        access("orders", grant("orders-*")),
        access("billing", grant("billing-*")),
        access("shared", grant("shared-*"), principal=ORDERS),
    )
    await switch_to_ids(stage, other)
    assert stage.role(ORDERS), "callers have this one still"
    assert stage.role(ids[ORDERS])
    stage.delete("orders")
    await stage.quiet()
    assert not stage.get("orders")
    assert granted(stage) == granted(stage, ids[ORDERS]) == {"shared-*"}, "whoever stays keeps its rights"
    assert await stage.reconcile_all() == []
    stage.delete("shared")
    await stage.quiet()
    assert not stage.get("shared")
    assert not stage.role(ORDERS)
    assert not stage.role(ids[ORDERS])
    assert stage.role(other)
