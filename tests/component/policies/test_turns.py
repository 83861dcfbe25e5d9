"""A SearchAccess that takes long to judge holds nobody up, and gets nothing before it is judged."""

import asyncio
import gc
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from searchaccess.core.model.access import Access
from searchaccess.core.patterns import containment, meeting, search
from searchaccess.core.policy.guardrails import verdicts
from searchaccess.core.webhook.review import Review
from searchaccess.core.webhook.ruling import Ruling
from searchaccess.engine.concurrency.allowance import LEAST, TURN
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.inventory.policy.judgments.judgments import RETRY, UNFINISHED
from searchaccess.operator.admission.judge import Judge
from searchaccess.operator.admission.server import Admission
from searchaccess.ports.meter import Meter
from tests.component.policies.test_pace import declared, policy
from tests.support.loop.clocks import run_virtually
from tests.support.worlds.world import access, grant

POLICIES = 50
LARGEST = search.STEPS + meeting.STEPS
"""Steps of the largest comparison, which is made in one go."""
HIDDEN = {"require": {"hiddenFields": [f"*.f{number}" for number in range(50)]}}


def many(**more: Any) -> list[dict[str, Any]]:
    """Return policies that deny patterns which are hard to compare, each its own."""
    denied = [[f"/p.*(x|y)[0-9]{{4}}-{at}.*/", f"/p.*(a|b)*a(a|b){{6}}z{at}/"] for at in range(POLICIES)]
    return [{"deny": [{"indices": each}], **more} for each in denied]


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """What other tests compared costs nothing any more."""
    meeting._can_meet.cache_clear()
    containment.measured.cache_clear()
    meeting._met.clear()
    meeting._lists.clear()


def hostile(name: str = "hostile", first: str = "p", version: int = 2) -> dict[str, Any]:
    """Return what one may declare that takes as many steps as there are."""
    fields = {"include": [f"a{number}*b{number}*" for number in range(40)]}
    patterns = [grant(f"/{first}{number:02d}-(a|b)*a(a|b){{3}}c.*/", fields=fields) for number in range(50)]
    raw = access(name, *patterns)
    raw["metadata"] |= {"uid": name, "generation": version, "resourceVersion": str(version)}
    return raw


def knowing(*specs: dict[str, Any]) -> Inventory:
    inventory = Inventory()
    for number, spec in enumerate(specs):
        inventory.policies.see(policy(f"limits-{number:02d}", **spec))
    inventory.policies.keep({f"limits-{number:02d}" for number in range(len(specs))}, frozenset())
    return inventory


def usual() -> dict[str, Any]:
    raw = declared("orders")
    raw["spec"]["grants"] = [grant("orders-1", can=["append"])]
    return raw


class Turns:
    """Counts the steps of each turn of the event loop."""

    def __init__(self) -> None:
        self.spent = self.most = self.all = 0

    def note(self, steps: int) -> None:
        self.spent += steps
        self.all += steps

    async def until(self, done: Callable[[], bool]) -> None:
        """Let turns pass until something is so."""
        while not done():
            await asyncio.sleep(0)
            self.most, self.spent = max(self.most, self.spent), 0


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Turns]:
    """Count what is compared, and not only remembered."""
    turns, overlap, compared = Turns(), meeting._overlap, containment._compared

    def overlapping(*arguments: Any) -> meeting.Answer:
        found = overlap(*arguments)
        turns.note(found.steps)
        return found

    def comparing(*arguments: Any) -> tuple[search.Verdict, int]:
        found = compared(*arguments)
        turns.note(found[1])
        return found

    with monkeypatch.context() as patched:
        patched.setattr(meeting, "_overlap", overlapping)
        patched.setattr(containment, "_compared", comparing)
        yield turns


def known(inventory: Inventory, name: str = "hostile") -> Access:
    return inventory.accesses[name].access


@pytest.mark.parametrize("more", [{}, HIDDEN], ids=["patterns", "fields"])
def test_the_judgment_of_one_is_spread_over_turns(monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]) -> None:
    async def play(turns: Turns) -> None:
        inventory = knowing(*many(**more))
        inventory.see_access(hostile())
        assert known(inventory).verdict == UNFINISHED, "nothing is granted"
        working = asyncio.create_task(inventory.finish_judgments())
        await turns.until(lambda: turns.most > 0)
        inventory.see_access(usual())
        assert not known(inventory, "orders").verdict.unknown, "others are judged at once"
        await turns.until(lambda: not inventory.policies.judgments.is_open)
        working.cancel()
        assert known(inventory).verdict.refused
        assert "too complicated" in known(inventory).verdict.denied_by[-1].reasons[0]

    # Of each policy the reasons are looked for, which takes longest.
    monkeypatch.setattr(verdicts, "EXPLAINED", POLICIES)
    with counted(monkeypatch) as turns:
        asyncio.run(play(turns))
    assert turns.all > 2 * turns.most
    assert turns.most <= TURN + LARGEST


def test_the_answer_does_not_depend_on_turns() -> None:
    async def in_turns() -> Access:
        inventory = knowing(*many(**HIDDEN))
        inventory.see_access(hostile())
        working = asyncio.create_task(inventory.finish_judgments())
        await Turns().until(lambda: not inventory.policies.judgments.is_open)
        working.cancel()
        return known(inventory)

    at_once = knowing(*many(**HIDDEN))
    at_once.see_access(hostile())
    assert known(at_once).verdict.refused
    assert asyncio.run(in_turns()).verdict == known(at_once).verdict


def test_an_edit_discards_the_judgment_that_was_begun() -> None:
    async def play() -> None:
        inventory = knowing(*many())
        inventory.see_access(hostile())
        inventory.policies.see(policy("limits-00", allow=[{"indices": ["orders-*"], "can": ["read"]}]) | VERSION_2)
        harmless = hostile(version=3)
        harmless["spec"]["grants"] = [grant("orders-1")]
        inventory.see_access(harmless)
        working = asyncio.create_task(inventory.finish_judgments())
        await Turns().until(lambda: not inventory.policies.judgments.is_open)
        assert [each.outcome for each in known(inventory).verdict.outcomes] == ["Accepted"] * POLICIES
        inventory.see_access(hostile(version=4))
        assert known(inventory).verdict == UNFINISHED, "what was said of another version does not count"
        await Turns().until(lambda: not inventory.policies.judgments.is_open)
        assert known(inventory).verdict.refused
        inventory.see_access(hostile(first="pq", version=5))
        inventory.forget_access("hostile")
        assert not inventory.policies.judgments.is_open, "it is gone"
        working.cancel()

    asyncio.run(play())


VERSION_2 = {"metadata": {"name": "limits-00", "uid": "limits-00", "generation": 2, "resourceVersion": "2"}}


def test_a_stricter_policy_revokes_nothing_before_it_is_judged_and_does_then() -> None:
    async def play() -> None:
        inventory = knowing({"allow": [{"indices": ["*"], "can": ["read"]}]})
        inventory.see_access(hostile())
        assert not known(inventory).verdict.refused
        for number, spec in enumerate(many()):
            inventory.policies.see(policy(f"new-{number:02d}", **spec))
        await inventory.judge_all()
        assert not known(inventory).verdict.refused
        assert inventory.policies.judgments.is_open
        working = asyncio.create_task(inventory.finish_judgments())
        await Turns().until(lambda: not inventory.policies.judgments.is_open)
        assert known(inventory).verdict.refused
        working.cancel()

    asyncio.run(play())


def test_what_was_judged_once_is_not_judged_again_at_each_event(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(turns: Turns) -> None:
        inventory = knowing(*many())
        inventory.see_access(hostile())
        working = asyncio.create_task(inventory.finish_judgments())
        await turns.until(lambda: not inventory.policies.judgments.is_open)
        before = turns.all
        raw = hostile()
        raw["metadata"] |= {"resourceVersion": "3"}
        inventory.see_access(raw)
        assert known(inventory).verdict.refused
        assert turns.all == before
        working.cancel()

    with counted(monkeypatch) as turns:
        asyncio.run(play(turns))


def test_an_internal_error_grants_nothing_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        inventory, broken = knowing(*many()), [False]
        real = meeting._can_meet

        def break_down(one: str, other: str) -> meeting.Answer:
            if broken[0] and other.startswith("/p"):
                raise KeyError("broken")
            return real(one, other)

        break_down.cache_info = real.cache_info  # type: ignore[attr-defined]
        monkeypatch.setattr(meeting, "_can_meet", break_down)
        inventory.see_access(hostile())
        broken[0] = True
        working = asyncio.create_task(inventory.finish_judgments())
        await Turns().until(lambda: not inventory.policies.judgments.is_open)
        assert known(inventory).fault
        assert known(inventory).verdict.unknown
        broken[0] = False
        for version in range(3, 6):
            await asyncio.sleep(RETRY / 2)
            inventory.see_access(hostile("other", f"p{version}", version=version))
        await Turns().until(lambda: not inventory.policies.judgments.is_open)
        assert not known(inventory).verdict.unknown, "however often others are edited"
        assert not known(inventory).fault
        working.cancel()

    run_virtually(play())


def test_the_first_judgment_after_an_edit_of_many_policies_is_spread_over_turns() -> None:
    """What all policies say together is made ready in parts, once for all who need it."""
    specs = [{"deny": [{"indices": [f"d{number}-{each}-*" for each in range(100)]}] * 3} for number in range(POLICIES)]

    async def play() -> int:
        inventory = knowing(*specs)
        allowance = inventory.policies.judgments.allowance
        working = asyncio.create_task(inventory.finish_judgments())
        most = before = allowance.taken
        for number in range(3):
            inventory.see_access(declared(f"orders-{number}"))
        while inventory.policies.judgments.is_open:
            await asyncio.sleep(0)
            most, before = max(most, allowance.taken - before), allowance.taken
        assert not any(known(inventory, f"orders-{number}").verdict.unknown for number in range(3))
        working.cancel()
        assert most <= TURN + LARGEST
        return allowance.taken

    taken = asyncio.run(play())
    assert POLICIES * 100 * meeting.STEPS_OF_A_PATTERN < taken < POLICIES * 100 * meeting.STEPS_OF_A_PATTERN * 1.5


def test_edits_of_one_do_not_discard_what_is_made_ready_for_all() -> None:
    specs = [{"deny": [{"indices": [f"d{number}-{each}-*" for each in range(100)]}] * 3} for number in range(POLICIES)]

    def edited(version: int) -> dict[str, Any]:
        raw = declared("edited")
        raw["metadata"] |= {"generation": version, "resourceVersion": str(version)}
        raw["spec"]["grants"] = [grant(f"orders-{version}")]
        return raw

    async def play() -> int:
        inventory = knowing(*specs)
        working = asyncio.create_task(inventory.finish_judgments())
        inventory.see_access(edited(2))
        inventory.see_access(declared("orders"))
        for version in range(3, 200):
            await asyncio.sleep(0)
            inventory.see_access(edited(version))
        working.cancel()
        assert not known(inventory, "orders").verdict.unknown
        return inventory.policies.judgments.allowance.taken

    assert asyncio.run(play()) < POLICIES * 100 * meeting.STEPS_OF_A_PATTERN * 1.5


def a_review(new: dict[str, Any], old: dict[str, Any]) -> Review:
    return Review("5b1e", new, old)


def test_the_webhook_spreads_a_judgment_over_turns_and_answers_others_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(turns: Turns) -> None:
        inventory = knowing(*many(**HIDDEN))
        served = Admission(Judge(inventory, Meter()), lambda: "", Meter())
        now = asyncio.get_running_loop().time
        slow = asyncio.create_task(ask(served, hostile(first="pq"), hostile(), now()))
        await asyncio.sleep(0)
        quick = asyncio.create_task(ask(served, usual(), {}, now()))
        await turns.until(quick.done)
        assert not slow.done()
        assert quick.result().allowed
        await turns.until(slow.done)
        assert not slow.result().allowed

    with counted(monkeypatch) as turns:
        run_virtually(play(turns))
    assert turns.all > 4 * turns.most
    assert turns.most <= TURN + LARGEST + LEAST


async def ask(served: Admission, new: dict[str, Any], old: dict[str, Any], began: float) -> Ruling:
    body = {"uid": "5b1e", "operation": "UPDATE" if old else "CREATE", "object": new, "oldObject": old or None}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": body}
    return (await served._rule_in_turn(bytearray(json.dumps(review).encode()), began))[1]


def test_requests_that_wait_for_a_slow_one_are_kept_as_they_came() -> None:
    """Parsed, one takes many times as much memory, and whoever reaches the port could fill it with hundreds."""

    async def play() -> None:
        inventory = knowing(*many(**HIDDEN))
        served = Admission(Judge(inventory, Meter()), lambda: "", Meter())
        now = asyncio.get_running_loop().time
        asked = [asyncio.create_task(ask(served, hostile(f"h-{each}", f"p{each}"), {}, now())) for each in range(6)]
        for _ in range(20):
            await asyncio.sleep(0)
        assert not any(each.done() for each in asked)
        gc.collect()
        assert sum(type(each) is Review for each in gc.get_objects()) <= 2
        for each in asked:
            each.cancel()

    run_virtually(play())


def test_a_ruling_that_was_begun_before_a_policy_changed_does_not_count() -> None:
    async def play() -> None:
        inventory = knowing(*many(mode="Audit"))
        served = Admission(Judge(inventory, Meter()), lambda: "", Meter())
        asked = asyncio.create_task(ask(served, hostile(), {}, asyncio.get_running_loop().time()))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not asked.done()
        inventory.policies.see(policy("strict", allow=[{"indices": ["orders-1"], "can": ["read"]}]))
        assert not (await asked).allowed

    run_virtually(play())
