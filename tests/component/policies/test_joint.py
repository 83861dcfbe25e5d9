"""A fault in what finds out at once what all policies say: nothing is granted by it, and it is over when it is over."""

import asyncio
from typing import Any

import pytest

from searchaccess.core.policy.guardrails.joint.bounds import JointBounds
from searchaccess.core.policy.guardrails.joint.indices import Allowed, Asking, Denied, Pattern
from searchaccess.core.policy.guardrails.joint.panel import Panel
from searchaccess.core.policy.guardrails.verdicts import Guardrails
from searchaccess.engine.inventory import intake
from searchaccess.engine.inventory.policy.judgments.judgments import RETRY
from tests.component.common import begin
from tests.component.policies import test_turns as turns
from tests.component.policies.test_pace import policy as a_policy
from tests.component.policies.test_policies import IN_SYNC, REFUSED, change, policy
from tests.support.failures.enginefaults import MethodBreak, breaking_method
from tests.support.loop.clocks import run_virtually
from tests.support.loop.stage import Stage, on_stage
from tests.support.worlds.world import access, account, grant

ALLOW = [{"indices": ["orders-*", "x*-y", "{namespace}-*"], "can": ["read"]}]
BEFORE: dict[str, Any] = {"allow": ALLOW, "deny": [{"indices": ["secret-*"]}], "limits": {"patterns": 9}}
AFTER: dict[str, Any] = {**BEFORE, "deny": [{"indices": ["secret-*", "orders-private-*"]}]}
METHODS = [
    (JointBounds, "__init__"),
    (Allowed, "add"),
    (Allowed, "certain"),
    (Asking, "__init__"),
    (Asking, "is_denied"),
    (Denied, "add"),
    (Denied, "met"),
    (Pattern, "__init__"),
    (Panel, "__init__"),
    (Panel, "accepted"),
    (Panel, "applying"),
]
KEPT = [(Panel, "_of_size"), (Panel, "_of_extent"), (Guardrails, "_panel_in")]
"""What is made while they are broken keeps them: so only for a number of times."""
CASES = [(*each, times) for each in (*METHODS, *KEPT) for times in (1, 5, *([] if each in KEPT else [None]))]


@pytest.mark.parametrize(("owner", "name", "times"), CASES, ids=lambda each: getattr(each, "__name__", str(each)))
def test_a_fault_grants_nothing_and_is_over_when_it_is_over(owner: type[object], name: str, times: int | None) -> None:
    @on_stage
    async def play(stage: Stage) -> None:
        stage.faults.broke = True
        kept = access("kept", grant("orders-1"), principal=account("kept"))
        narrowed = access("narrowed", grant("orders-private-1"), principal=account("narrowed"))
        await begin(stage, policy(**BEFORE), kept, narrowed)
        assert stage.ready("kept") == stage.ready("narrowed") == IN_SYNC
        with breaking_method(MethodBreak(owner, name, times=times)) as broken:
            change(stage, AFTER)
            stage.apply(access("new", grant("orders-2"), principal=account("new")))
            stage.apply(access("refused", grant("logs-1"), principal=account("refused")))
            await stage.sleep(5)
            assert not stage.role(account("refused"))
            assert stage.role(account("kept")), "what was granted stays"
        assert broken.raised
        # Before the next full list. Some are still broken at the first retry.
        await stage.sleep(2 * RETRY + 5)
        await stage.quiet()
        assert [stage.ready(each) for each in ("kept", "new")] == [IN_SYNC] * 2
        assert [stage.ready(each) for each in ("narrowed", "refused")] == [REFUSED] * 2
        assert not stage.role(account("refused"))
        assert not stage.role(account("narrowed"))

    play()


@pytest.mark.parametrize("edited", [False, True], ids=["as it was", "edited meanwhile"])
def test_an_internal_error_is_over_as_soon_as_it_is_judged(edited: bool) -> None:  # noqa: FBT001 - a table
    """No list is needed, whether it occurred when a policy changed or when the SearchAccess was read."""

    async def play() -> None:
        inventory = turns.knowing({"allow": [{"indices": ["orders-*"], "can": ["append"]}]})
        inventory.see_access(turns.usual())
        working = asyncio.create_task(inventory.finish_judgments())
        with breaking_method(MethodBreak(Panel, "applying", times=None)):
            inventory.policies.see(a_policy("limits-01", allow=[{"indices": ["orders-1"], "can": ["append"]}]))
            await inventory.judge_all()
            assert turns.known(inventory, "orders").fault
            if edited:
                raw = turns.usual()
                raw["metadata"] |= {"generation": 2, "resourceVersion": "3"}
                raw["spec"]["grants"] = [grant("orders-2", can=["append"])]
                inventory.see_access(raw)
                assert turns.known(inventory, "orders").fault
            await asyncio.sleep(RETRY * 1.5)
            assert turns.known(inventory, "orders").fault
        await asyncio.sleep(RETRY)
        found = turns.known(inventory, "orders")
        working.cancel()
        assert not found.fault
        assert [each.policy for each in found.verdict.denied_by] == (["limits-01"] if edited else [])
        assert len(found.verdict.outcomes) == 2

    run_virtually(play())


def fail(_: object) -> None:
    raise KeyError("broken")


def test_what_could_not_be_read_is_not_cured_by_judging_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        inventory = turns.knowing({"allow": [{"indices": ["orders-*"], "can": ["append"]}]})
        inventory.see_access(turns.usual())
        working = asyncio.create_task(inventory.finish_judgments())
        with monkeypatch.context() as patched:
            patched.setattr(intake, "access_from_object", fail)
            raw = turns.usual()
            raw["metadata"] |= {"generation": 2, "resourceVersion": "3"}
            inventory.see_access(raw)
        with breaking_method(MethodBreak(Panel, "applying", times=None)):
            inventory.policies.judge_all()
            await inventory.judge_all()
        await asyncio.sleep(RETRY * 1.5)
        assert turns.known(inventory, "orders").fault, "the next list reads it"
        inventory.see_access(raw)
        working.cancel()
        assert not turns.known(inventory, "orders").fault

    run_virtually(play())
