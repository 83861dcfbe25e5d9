"""Lists as long as they may be take no more steps than there are, and what was not compared is refused."""

from typing import Any

import pytest

from searchaccess.core.model.access import Access
from searchaccess.core.model.verdict import Outcome, PolicyVerdict
from searchaccess.core.patterns import containment
from searchaccess.core.patterns.containment import COVERS_IN_A_STEP, LOOKED_AT_IN_A_STEP
from searchaccess.core.policy.guardrails.budget import ALL_STEPS, JOINT_STEPS
from searchaccess.core.policy.guardrails.joint import bounds, indices
from searchaccess.core.policy.guardrails.policy import Policy
from searchaccess.core.policy.guardrails.verdicts import Guardrails, Question
from tests.unit.builders import a_grant, an_access
from tests.unit.policy.guardrails.test_verdicts import NOW, a_policy

GRANTS, NAMES, FIELDS = 50, 50, 200
"""As many as a SearchAccess may have."""
MOST = (ALL_STEPS + 2 * JOINT_STEPS) * LOOKED_AT_IN_A_STEP // COVERS_IN_A_STEP + 20_000
"""Steps of one judgment: texts that are looked at count more for turns than for what there is in all."""
READ: dict[str, Any] = {"can": ["read"]}


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


def test_fields_of_all_grants_and_what_all_policies_hide() -> None:
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
    grants = [a_grant(*(f"n-{at}-{number}-orders" for number in range(NAMES)), **READ) for at in range(GRANTS)]
    wide = [[*(f"*x{at}-{number}-*" for number in range(50)), f"*-o*s{'*' * at}"] for at in range(10)]
    policies = [a_policy(f"p{at:02}", allow=[{"indices": each} | READ]) for at, each in enumerate(wide)]

    verdict = judged(an_access(grants=grants), *policies)

    assert verdict.refused
    assert "too complicated to compare with what is allowed" in verdict.denied_by[0].reasons[0]
    assert compared <= 5_000 + indices._TEXTS + ALL_STEPS * LOOKED_AT_IN_A_STEP

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
