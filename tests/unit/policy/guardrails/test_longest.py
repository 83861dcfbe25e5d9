"""Lists as long as they may be take no more steps than there are, and what was not compared is refused."""

from typing import Any

import pytest

from searchaccess.core.model.access import Access
from searchaccess.core.model.verdict import Outcome, PolicyVerdict
from searchaccess.core.patterns import containment
from searchaccess.core.patterns.containment import FEW_TEXTS, LOOKED_AT_IN_A_STEP
from searchaccess.core.policy.guardrails import budget
from searchaccess.core.policy.guardrails.budget import ALL_STEPS, JOINT_STEPS, STEPS
from searchaccess.core.policy.guardrails.joint import bounds, indices
from searchaccess.core.policy.guardrails.policy import Policy
from searchaccess.core.policy.guardrails.rules import grants as rules
from searchaccess.core.policy.guardrails.verdicts import Guardrails, Question
from tests.unit.builders import a_grant, an_access
from tests.unit.policy.guardrails.test_verdicts import NOW, a_policy

GRANTS, NAMES, FIELDS = 50, 50, 200
"""As many as a SearchAccess may have."""
FEW_STEPS = 50_000
"""In place of those for all policies: these tests are about what happens without more."""
MOST = (FEW_STEPS + 2 * JOINT_STEPS) * 10 + 20_000
"""Steps of one judgment: those of a budget are fewer than those that say when others may run."""
READ: dict[str, Any] = {"can": ["read"]}
BOTH: dict[str, Any] = {"can": ["read", "monitor"]}


def judged(access: Access, *policies: Policy) -> PolicyVerdict:
    """Return what policies say, and fail once it takes too many steps."""
    assert not access.invalid
    assert not any(policy.invalid for policy in policies)
    judging, steps = Guardrails(policies).judging(Question(access, None, NOW)), 0
    while True:
        try:
            steps += next(judging)
        except StopIteration as end:
            found: PolicyVerdict = end.value
            return found
        assert steps <= MOST


def test_fields_of_all_grants_and_what_all_policies_hide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "ALL_STEPS", FEW_STEPS)
    hidden = [f"h{number}" for number in range(50)]
    grants = [
        a_grant(f"o-{at}", fields={"exclude": [*(f"f{at}.{number}" for number in range(FIELDS - 50)), *hidden]})
        for at in range(GRANTS)
    ]
    policies = [
        a_policy(f"p{at:02}", require={"hiddenFields": [f"{name}.x{at}" for name in hidden]}) for at in range(100)
    ]

    verdict = judged(an_access(grants=grants), *policies)

    assert verdict.refused
    assert "too complicated to compare with what must be hidden" in verdict.denied_by[0].reasons[0]


def test_names_of_all_grants_and_wildcards_of_all_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    compared, covers = 0, containment.covers

    def counted(wide: str, pattern: str) -> bool:
        nonlocal compared
        compared += 1
        return covers(wide, pattern)

    monkeypatch.setattr(indices, "covers", counted)
    monkeypatch.setattr(containment, "covers", counted)
    monkeypatch.setattr(bounds, "JOINT_TEXTS", 5_000)
    monkeypatch.setattr(budget, "ALL_STEPS", FEW_STEPS)
    grants = [a_grant(*(f"n-{at}-{number}-orders" for number in range(NAMES)), **READ) for at in range(GRANTS)]
    wide = [[*(f"*x{at}-{number}-*" for number in range(50)), f"*-o*s{'*' * at}"] for at in range(10)]
    policies = [a_policy(f"p{at:02}", allow=[{"indices": each} | READ]) for at, each in enumerate(wide)]

    verdict = judged(an_access(grants=grants), *policies)

    assert verdict.refused
    assert "too complicated to compare with what is allowed" in verdict.denied_by[0].reasons[0]
    assert compared <= 5_000 + indices._TEXTS + FEW_STEPS * (FEW_TEXTS + LOOKED_AT_IN_A_STEP)

    few = judged(an_access(grants=grants[:1]), *policies)
    assert [each.outcome for each in few.outcomes] == [Outcome.ACCEPTED] * 10, "each is asked alone"


def test_one_pattern_is_compared_with_no_more_texts_at_once_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indices, "_TEXTS", 10)
    policy = a_policy(allow=[{"indices": [*(f"*-{number}-*" for number in range(20)), "*-orders"]} | READ])
    access = an_access(grants=[a_grant("eu-orders", **READ)])
    guardrails = Guardrails([policy])

    [outcome] = guardrails.judge(Question(access, None, NOW)).outcomes

    assert outcome.outcome is Outcome.ACCEPTED
    assert guardrails._memory.asked == 1, "it is asked alone"


def test_lists_of_usual_length_leave_half_of_the_steps_where_all_policies_are_asked_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(budget, "STEPS", STEPS // 2)
    monkeypatch.setattr(budget, "ALL_STEPS", ALL_STEPS // 2)
    grants = [a_grant(*(f"team{at}-orders-{number}" for number in range(20)), **BOTH) for at in range(20)]
    policies = [
        a_policy(f"p{at:02}", allow=[{"indices": [*(f"other{at}-{number}-*" for number in range(19)), "team*"]} | BOTH])
        for at in range(99)
    ]
    denying = a_policy("denying", deny=[{"indices": [f"*-pii{number}-*-x" for number in range(40)]}])
    guardrails = Guardrails([*policies, denying])

    verdict = guardrails.judge(Question(an_access(grants=grants), None, NOW))

    assert {each.outcome for each in verdict.outcomes} == {Outcome.ACCEPTED}
    assert guardrails._memory.asked == 100, "each is asked alone"


def test_comparisons_with_what_is_denied_that_take_long_take_steps_of_all_policies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(budget, "ALL_STEPS", 3_000)
    policies = [a_policy(f"p{at}", deny=[{"indices": [f"/shop-[a-m]{{{at}}}-bank/"]}]) for at in range(1, 6)]
    grants = [a_grant(*(f"/shop-[n-z]{{{at},{at + number}}}-bank/" for number in range(9))) for at in range(1, 6)]

    one, all_of_them = (
        judged(an_access(grants=each), *policies) for each in ([a_grant("/shop-[n-z]{1}-bank/")], grants)
    )

    assert {each.outcome for each in one.outcomes} == {Outcome.ACCEPTED}
    assert "are too complicated to compare with what is allowed" in all_of_them.denied_by[0].reasons[0]


def test_what_is_denied_is_read_once_for_each_list_of_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, denied = 0, rules._denied

    def counted(*args: Any) -> str:
        nonlocal asked
        asked += 1
        return denied(*args)

    monkeypatch.setattr(rules, "_denied", counted)
    deny = [{"indices": [f"d{at}-{number}" for number in range(100)], "can": ["manage"]} for at in range(5)]

    verdict = Guardrails([a_policy(deny=deny)], alone=True).judge(Question(an_access(), None, NOW))

    assert not verdict.refused
    assert asked == 1
