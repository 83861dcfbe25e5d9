"""What anybody may declare neither takes much time of all others, nor much memory."""

from typing import Any

import pytest

from searchaccess.core.policy.guardrails.joint.remembered import Remembered, weight_of
from searchaccess.core.policy.guardrails.memory import Memory
from searchaccess.core.policy.guardrails.rules import demands, grants
from searchaccess.core.policy.guardrails.verdicts import Guardrails, Question
from tests.unit.builders import a_grant, an_access
from tests.unit.policy.guardrails.test_verdicts import NOW, a_policy


def counted(monkeypatch: pytest.MonkeyPatch, place: Any, name: str) -> list[object]:
    calls, real = list[object](), getattr(place, name)

    def counting(*args: Any) -> Any:
        calls.append(args)
        return real(*args)

    monkeypatch.setattr(place, name, counting)
    return calls


def test_each_of_thousands_of_patterns_is_looked_at_once_for_all_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    policies = [
        a_policy(f"p-{number}", limits={"literalPrefix": 2}, require={"annotations": ["example.com/ticket"]})
        for number in range(50)
    ]
    access = an_access(grants=[a_grant(*[f"hostile-{grant}-{number}" for number in range(50)]) for grant in range(20)])
    calls = counted(monkeypatch, demands, "literal_prefix")
    assert len(Guardrails(policies).judge(Question(access, None, NOW)).outcomes) == 50
    assert len(calls) <= 1_000


@pytest.mark.parametrize(
    ("place", "rule"),
    [
        (grants, {"allow": [{"indices": ["x*y*z-{}"], "can": ["read"]}]}),
        (demands, {"require": {"hiddenFields": ["*.ssn{}"]}}),
    ],
)
def test_once_the_steps_are_over_no_policy_begins_another_comparison(
    monkeypatch: pytest.MonkeyPatch, place: Any, rule: dict[str, Any]
) -> None:
    monkeypatch.setattr("searchaccess.core.policy.guardrails.budget.ALL_STEPS", 0)
    monkeypatch.setattr("searchaccess.core.policy.guardrails.budget.JOINT_STEPS", 0)
    policies = [a_policy(f"p-{number}", **_numbered(rule, number)) for number in range(20)]
    access = an_access(grants=[a_grant("x*y*z", fields={"exclude": ["*.ssn"]})])
    calls = counted(monkeypatch, place, "measuring")
    assert Guardrails(policies, alone=True).judge(Question(access, None, NOW)).refused
    assert len(calls) <= 1


def _numbered(rule: Any, number: int) -> Any:
    match rule:
        case str():
            return rule.replace("{}", str(number))
        case list():
            return [_numbered(each, number) for each in rule]
        case dict():
            return {key: _numbered(each, number) for key, each in rule.items()}
    return rule


def test_long_questions_count_as_many() -> None:
    assert weight_of(("a", ("b", 1, None))) == 1
    assert weight_of(tuple(f"field-{number:100}" for number in range(100))) > 20
    remembered = Remembered[tuple[str, ...], int](len, 100)
    for number in range(50):
        assert remembered[tuple(f"{number}-{field:100}" for field in range(100))] == 100
    assert len(remembered) < 5


def test_what_is_remembered_of_large_declarations_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("searchaccess.core.policy.guardrails.memory._SAID_KEPT", 100)
    memory = Memory()
    guardrails = Guardrails([a_policy(deny=[{"indices": ["secret-*"]}])], memory)
    for number in range(30):
        names = [f"{number}-{index:0>200}" for index in range(49)]
        access = an_access(grants=[a_grant("secret-1", *names)])
        assert guardrails.judge(Question(access, None, NOW)).refused
        assert memory.remembered < 10
