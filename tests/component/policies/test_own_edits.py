"""Whoever edits faster than it is judged keeps no rights by that, and nobody loses rights by the edits of others."""

import asyncio
from typing import Any

import pytest

from searchaccess.core.model.access import Access
from searchaccess.core.patterns import containment, meeting
from searchaccess.core.policy.decision import OPEN, Do, decide
from searchaccess.engine.concurrency.allowance import Allowance
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.inventory.policy.judgments import edits
from searchaccess.engine.inventory.policy.judgments.judgments import (
    ACTED_ON,
    EDITED_TOO_OFTEN,
    REFUSED_BEFORE,
    UNFINISHED,
)
from tests.component.common import begin, granted
from tests.component.policies.test_pace import policy as known_policy
from tests.component.policies.test_policies import IN_SYNC, REFUSED, policy
from tests.component.policies.test_turns import Turns, hostile, knowing, many
from tests.support.loop.clocks import VirtualLoop, run_virtually
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, condition_in, grant

SOON = 50_000
"""Own steps after which rights end in these tests, so that they are quick: a twentieth of those in production."""
BOUND = 10.0 * SOON / edits.MOST + 2.0
"""Seconds within which an editor loses what a policy refuses, if nobody else keeps the operator busy. Two of them are
those within which any changed policy holds."""
STEP = 2e-6
"""Seconds that a step takes."""
ACCEPTED_SLOWLY = [{"indices": ["/q.*d/"]}]
"""What is denied: nothing that ``slowly_accepted`` gives."""
LABELED = {"match": {"namespaces": {"selector": {"matchLabels": {"tier": "one"}}}}}


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """What other tests compared costs nothing any more."""
    meeting._can_meet.cache_clear()
    containment.measured.cache_clear()
    meeting._met.clear()
    meeting._lists.clear()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have virtual time pass by what is compared."""
    real = Allowance.advance

    def advance(self: Allowance, work: Any, *, waits: bool = False) -> Any:
        before = self.taken
        try:
            return real(self, work, waits=waits)
        finally:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            loop._jumping.seconds += (self.taken - before) * STEP

    monkeypatch.setattr(Allowance, "advance", advance)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have fewer steps suffice."""
    monkeypatch.setattr(edits, "MOST", SOON)


def grants(version: int) -> list[dict[str, Any]]:
    """Return what an editor declares: other patterns each time, all hard to compare, and what it wants to keep."""
    hard: list[dict[str, Any]] = hostile(first=f"p{version}x")["spec"]["grants"]
    return [grant("secret-1"), *hard[:20]]


def raw_of(version: int, *, uid: str = "hostile") -> dict[str, Any]:
    raw = hostile(version=version)
    raw["metadata"] |= {"uid": uid}
    raw["spec"]["grants"] = grants(version)
    return raw


def slowly_accepted(version: int) -> dict[str, Any]:
    """Return what ``ACCEPTED_SLOWLY`` accepts after many turns."""
    raw = raw_of(version)
    raw["spec"]["grants"] = [grant(f"/q{version}x{number}-(a|b)*c/") for number in range(8)]
    return raw


def known(inventory: Inventory, uid: str = "hostile") -> Access:
    return inventory.accesses[uid].access


async def settled(inventory: Inventory) -> None:
    """Finish all judgments."""
    working = asyncio.create_task(inventory.finish_judgments())
    await Turns().until(lambda: not inventory.policies.judgments.is_open)
    working.cancel()


async def edit_until_revoked(inventory: Inventory, *, first: int = 3, turns: int = 200) -> int:
    """Edit in each turn of the event loop until rights are revoked; return how many turns that took."""
    working = asyncio.create_task(inventory.finish_judgments())
    for turn in range(turns):
        inventory.see_access(raw_of(first + turn))
        await asyncio.sleep(0)
        if known(inventory).verdict.revokes:
            working.cancel()
            return turn
    working.cancel()
    return turns


@pytest.mark.usefixtures("slow", "soon")
def test_an_editor_loses_what_a_new_policy_refuses_within_seconds() -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, access("orders", grant("secret-1")))
        assert stage.ready("orders") == IN_SYNC
        for number, spec in enumerate(many()):
            stage.apply(policy(f"new-{number:02d}", **spec))
        stage.apply(policy("secrets", deny=[{"indices": ["secret-*"]}]))
        denied_at, version = stage.clock.monotonic(), 0
        while granted(stage):
            version += 1
            stage.amend("orders", grants=grants(version))
            await asyncio.sleep(0.01)
            assert stage.clock.monotonic() - denied_at < BOUND
        await stage.quiet()
        assert stage.ready("orders") == REFUSED
        assert not granted(stage)

    play()


@pytest.mark.usefixtures("slow", "soon")
def test_its_status_says_what_to_do_and_it_gets_its_rights_back() -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        await begin(stage, *(policy(f"p-{at:02d}", **each) for at, each in enumerate(many())))
        stage.apply(access("orders", grant("secret-1")))
        await stage.quiet()
        assert granted(stage) == {"secret-1"}
        version = 0
        while granted(stage):
            version += 1
            stage.amend("orders", grants=grants(version))
            await asyncio.sleep(0.01)
        while "edited again and again" not in condition_in(stage.get("orders"), "Ready").get("message", ""):
            version += 1
            stage.amend("orders", grants=grants(version))
            await asyncio.sleep(0.01)
            assert version < 3_000
        assert stage.ready("orders") == ("False", "Pending")
        stage.amend("orders", grants=[grant("secret-1")])
        await stage.quiet()
        assert stage.ready("orders") == IN_SYNC
        assert granted(stage) == {"secret-1"}

    play()


@pytest.mark.usefixtures("soon")
def test_an_editor_of_each_turn_is_revoked_and_begins_no_work_after_that() -> None:
    async def play() -> None:
        inventory = knowing(*many())
        inventory.see_access(raw_of(2))
        assert await edit_until_revoked(inventory) < 100
        assert known(inventory).verdict == EDITED_TOO_OFTEN
        assert decide(known(inventory), OPEN).do is Do.REMOVE
        before = inventory.policies.judgments.allowance.taken
        inventory.see_access(raw_of(1_000))
        assert known(inventory).verdict == EDITED_TOO_OFTEN
        assert inventory.policies.judgments.allowance.taken == before
        await settled(inventory)
        assert known(inventory).verdict.refused, "it is judged as soon as it rests"

    run_virtually(play())


@pytest.mark.parametrize("spec", [{"mode": "Audit"}, {"onViolation": "Keep"}], ids=["Audit", "Keep"])
@pytest.mark.usefixtures("soon")
def test_policies_that_revoke_nothing_revoke_nothing_from_an_editor(spec: dict[str, Any]) -> None:
    async def play() -> None:
        inventory = knowing(*many(**spec))
        inventory.see_access(raw_of(2))
        assert await edit_until_revoked(inventory, turns=20) == 20

    run_virtually(play())


@pytest.mark.usefixtures("soon")
def test_a_slow_one_that_rests_is_not_revoked_by_the_edits_of_others() -> None:
    async def play() -> None:
        inventory = knowing(*many())
        inventory.see_access(hostile("neighbor"))
        working = asyncio.create_task(inventory.finish_judgments())
        for version in range(3, 30):
            # Somebody edits a policy in each turn, and somebody else a SearchAccess: nothing is ever finished.
            changed = known_policy("limits-00", deny=[{"indices": [f"q{version}-*"]}])
            numbers = {"generation": version, "resourceVersion": str(version)}
            inventory.policies.see(changed | {"metadata": changed["metadata"] | numbers})
            inventory.see_access(raw_of(version))
            await inventory.judge_all()
            assert not known(inventory, "neighbor").verdict.revokes
        assert known(inventory).verdict == EDITED_TOO_OFTEN
        working.cancel()
        await settled(inventory)
        assert known(inventory, "neighbor").verdict.refused

    run_virtually(play())


@pytest.mark.usefixtures("soon")
def test_edits_now_and_then_revoke_nothing() -> None:
    async def play() -> None:
        inventory = knowing(*many(deny=ACCEPTED_SLOWLY))
        for version in range(2, 12):
            inventory.see_access(slowly_accepted(version))
            assert not known(inventory).verdict.revokes
            await settled(inventory)
            await asyncio.sleep(ACTED_ON + 1)

    run_virtually(play())


@pytest.mark.usefixtures("soon")
def test_a_policy_that_changes_after_many_edits_were_judged_revokes_nothing() -> None:
    async def play() -> None:
        inventory, version = knowing(*many(deny=ACCEPTED_SLOWLY)), 2
        inventory.see_access(slowly_accepted(version))
        while not known(inventory).verdict.revokes:
            await settled(inventory)
            version += 1
            inventory.see_access(slowly_accepted(version))
            assert version < 100
        await settled(inventory)
        assert not known(inventory).verdict.ends, "it is accepted, and rests"
        for number in range(2):
            changed = known_policy("limits-00", deny=[*ACCEPTED_SLOWLY, {"indices": [f"z{number}-*"]}])
            numbers = {"generation": 2 + number, "resourceVersion": str(2 + number)}
            inventory.policies.see(changed | {"metadata": changed["metadata"] | numbers})
            await inventory.judge_all()
            assert inventory.policies.judgments.is_open, "it takes long, also the second time"
            assert not known(inventory).verdict.ends
        inventory.see_access(slowly_accepted(version + 1))
        assert known(inventory).verdict == EDITED_TOO_OFTEN, "this one is its own edit"

    run_virtually(play())


@pytest.mark.usefixtures("soon")
def test_an_editor_that_names_other_clusters_each_time_is_forgotten_there_and_revoked() -> None:
    async def play() -> None:
        inventory = knowing(*many())
        inventory.see_access(raw_of(2))
        working = asyncio.create_task(inventory.finish_judgments())
        for version in range(3, 200):
            raw = raw_of(version)
            raw["spec"]["cluster"] = f"missing-{version}"
            inventory.see_access(raw)
            await asyncio.sleep(0)
            judgments = inventory.policies.judgments
            assert len(judgments._open) + len(judgments._known) <= 1
            if known(inventory).verdict.revokes:
                break
        working.cancel()
        assert known(inventory).verdict == EDITED_TOO_OFTEN

    run_virtually(play())


@pytest.mark.usefixtures("soon")
def test_edits_of_labels_of_its_namespace_count_as_its_own() -> None:
    async def play() -> None:
        inventory = knowing(*many(**LABELED), {"deny": [{"indices": ["z-*"]}], "match": _selecting("tier", "two")})
        namespace = raw_of(2)["metadata"]["namespace"]
        inventory.see_namespaces({namespace: {"tier": "two"}})
        inventory.see_access(raw_of(2))
        assert not known(inventory).verdict.revokes
        working = asyncio.create_task(inventory.finish_judgments())
        for turn in range(200):
            inventory.see_namespaces({namespace: {"tier": "one", "other": str(turn)}})
            await inventory.judge_all()
            inventory.see_namespaces({namespace: {"tier": "two", "other": str(turn)}})
            await inventory.judge_all()
            if known(inventory).verdict.revokes:
                break
        working.cancel()
        assert known(inventory).verdict == EDITED_TOO_OFTEN

    run_virtually(play())


def test_labels_at_which_no_policy_looks_begin_no_judgment_anew() -> None:
    async def play() -> None:
        inventory = knowing(*many(**LABELED))
        namespace = raw_of(2)["metadata"]["namespace"]
        inventory.see_namespaces({namespace: {"tier": "one"}})
        inventory.see_access(raw_of(2))
        working = asyncio.create_task(inventory.finish_judgments())
        turns = 0
        while inventory.policies.judgments.is_open and turns < 1_000:
            turns += 1
            inventory.see_namespaces({namespace: {"tier": "one", "other": str(turns)}})
            await inventory.judge_all()
            await asyncio.sleep(0)
        working.cancel()
        assert known(inventory).verdict.refused

    run_virtually(play())


@pytest.mark.usefixtures("soon")
def test_one_that_is_deleted_and_recreated_again_and_again_counts_as_edited() -> None:
    """One of the same name inherits the rights that its predecessor has in the role."""

    async def play() -> None:
        inventory = knowing(*many())
        inventory.see_access(raw_of(2, uid="uid-2"))
        working = asyncio.create_task(inventory.finish_judgments())
        for version in range(3, 200):
            inventory.forget_access(f"uid-{version - 1}")
            inventory.see_access(raw_of(version, uid=f"uid-{version}"))
            await asyncio.sleep(0)
            if known(inventory, f"uid-{version}").verdict.revokes:
                break
        working.cancel()
        assert known(inventory, f"uid-{version}").verdict == EDITED_TOO_OFTEN

    run_virtually(play())


@pytest.mark.parametrize("uid", ["hostile", "recreated"])
def test_what_was_refused_stays_so_until_it_is_known_to_be_accepted(uid: str) -> None:
    """Otherwise an edit just after a refusal would keep what was not revoked yet."""

    async def play() -> None:
        inventory = knowing(*many(), {"deny": [{"indices": ["secret-*"]}]})
        inventory.see_access(raw_of(2))
        await settled(inventory)
        assert known(inventory).verdict.refused
        if uid != "hostile":
            inventory.forget_access("hostile")
        inventory.see_access(raw_of(3, uid=uid))
        assert known(inventory, uid).verdict == REFUSED_BEFORE
        assert decide(known(inventory, uid), OPEN).do is Do.REMOVE
        harmless = raw_of(4, uid=uid)
        harmless["spec"]["grants"] = [grant("orders-1")]
        inventory.see_access(harmless)
        assert not known(inventory, uid).verdict.unknown
        inventory.see_access(raw_of(5, uid=uid))
        assert known(inventory, uid).verdict == UNFINISHED, "it was accepted since"

    run_virtually(play())


@pytest.mark.usefixtures("soon")
def test_an_edit_just_after_each_answer_counts_too() -> None:
    """What is accepted for a moment never has an effect, and what was granted before would stay."""

    async def play() -> None:
        inventory = knowing(*many(deny=ACCEPTED_SLOWLY))
        for version in range(2, 100):
            inventory.see_access(slowly_accepted(version))
            if known(inventory).verdict.revokes:
                break
            assert known(inventory).verdict == UNFINISHED
            await settled(inventory)
            assert not known(inventory).verdict.ends
        assert known(inventory).verdict == EDITED_TOO_OFTEN

    run_virtually(play())


def test_a_deletion_that_would_leave_rights_behind_does_not_wait_for_an_editor() -> None:
    async def play() -> None:
        inventory = knowing(*many(), {"deny": [{"indices": ["secret-*"]}]})
        inventory.see_access(raw_of(2))
        await settled(inventory)
        raw = raw_of(3)
        raw["spec"]["deletionPolicy"] = "Orphan"
        raw["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x"]}
        inventory.see_access(raw)
        assert known(inventory).verdict == REFUSED_BEFORE
        assert decide(known(inventory), OPEN).do is Do.REMOVE

    run_virtually(play())


def _selecting(name: str, value: str) -> dict[str, Any]:
    return {"namespaces": {"selector": {"matchLabels": {name: value}}}}
