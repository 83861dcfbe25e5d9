"""A fault in what finds out at once what all policies say: nothing is granted by it, and it is over when it is over."""

from typing import Any

import pytest

from searchaccess.core.policy.guardrails.joint.bounds import JointBounds
from searchaccess.core.policy.guardrails.joint.indices import Allowed, Asking, Denied, Pattern
from searchaccess.core.policy.guardrails.joint.panel import Panel
from searchaccess.core.policy.guardrails.verdicts import Guardrails
from tests.component.common import begin
from tests.component.policies.test_policies import IN_SYNC, REFUSED, change, policy
from tests.support.failures.enginefaults import MethodBreak, breaking_method
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
        await stage.sleep(700)
        await stage.quiet()
        assert [stage.ready(each) for each in ("kept", "new")] == [IN_SYNC] * 2
        assert [stage.ready(each) for each in ("narrowed", "refused")] == [REFUSED] * 2
        assert not stage.role(account("refused"))
        assert not stage.role(account("narrowed"))

    play()
