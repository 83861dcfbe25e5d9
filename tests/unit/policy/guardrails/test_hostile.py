"""What a tenant tries in order to get past a policy, or to be in others' way."""

from dataclasses import replace
from typing import Any

import pytest

from searchaccess.core.model.identities.identity import Identity
from searchaccess.core.model.verdict import Outcome
from searchaccess.core.patterns.containment import COVERS_IN_A_STEP, contained
from searchaccess.core.policy.guardrails import budget, verdicts
from searchaccess.core.policy.guardrails.budget import ALL_STEPS, STEPS, Budget
from searchaccess.core.policy.guardrails.policy import policy_from_object
from searchaccess.core.policy.guardrails.verdicts import Guardrails, Question
from searchaccess.core.work import completed
from tests.unit.builders import a_grant, an_access
from tests.unit.policy.guardrails.test_verdicts import NOW, ORDERS, READ_ORDERS, a_policy, verdict_of

OWN: dict[str, Any] = {"allow": [{"indices": ["{namespace}-*"], "can": ["read"]}]}
REFUSED_BY_LABELS = a_policy("labels", match={"namespaces": {"selector": {"matchLabels": {"a": "b"}}}}, **OWN)


@pytest.mark.parametrize(
    "pattern",
    [
        "shop*", "*", "bank-shop-1", "?hop-1", ".ds-shop-1-2026.01.01-000001", "shop",
        "*shop-*", "/shop-.*|bank/", "/(shop|bank)-1/", "/shop.1/", "/~(bank)/", "/shop-.*|.*/", "shop\u2010a",
        "/@/", "/NO-INDEX 0123456789abcdef|bank/", "\u017fhop-1", "shop\u200b-1",
    ],
)  # fmt: skip
def test_no_pattern_leads_out_of_what_is_allowed(pattern: str) -> None:
    verdict = verdict_of(an_access(grants=[a_grant(pattern)]), a_policy(**OWN))

    assert verdict.unknown or verdict.refused


@pytest.mark.parametrize("other", ["bank-1", "*", "/.*/"])
def test_a_second_grant_or_pattern_hides_behind_no_accepted_one(other: str) -> None:
    allowed = a_grant("shop-1")

    assert verdict_of(an_access(grants=[a_grant("shop-1", other)]), a_policy(**OWN)).refused
    assert verdict_of(an_access(grants=[allowed, allowed, a_grant(other)]), a_policy(**OWN)).refused


def test_what_is_refused_for_certain_is_refused_whatever_else_is_not_known() -> None:
    access = an_access(grants=[a_grant("bank-1")], subject=ORDERS)
    by_subject = a_policy("subjects", subjects=[{"serviceAccounts": ["x@acme.iam.gserviceaccount.com"]}])

    assert verdict_of(access, REFUSED_BY_LABELS).unknown
    assert verdict_of(access, by_subject).unknown
    assert verdict_of(access, REFUSED_BY_LABELS, a_policy(**OWN)).refused
    assert verdict_of(access, by_subject, a_policy(**OWN)).refused
    own = a_policy("both", subjects=[{"serviceAccounts": ["x@acme.iam.gserviceaccount.com"]}], **OWN)
    assert verdict_of(access, own).refused, "the same policy refuses something else"


def test_a_policy_that_audits_holds_nobody_back_for_what_is_not_known() -> None:
    labels = {"namespaces": {"selector": {"matchLabels": {"a": "b"}}}}
    audits = a_policy("labels", match=labels, mode="Audit", **OWN)
    subjects = a_policy("subjects", subjects=[{"serviceAccounts": ["x@a.iam.gserviceaccount.com"]}], mode="Audit")
    workload = replace(an_access(subject=ORDERS), identity=Identity())

    assert not verdict_of(workload, audits, subjects).unknown
    assert not verdict_of(workload, audits, subjects, wanted=True).unknown
    assert verdict_of(workload, audits, wanted=True).unknown, "it may be the one that applies"


def test_an_invalid_spec_is_not_accepted() -> None:
    invalid = replace(an_access(grants=[a_grant("shop-1")]), invalid="it is wrong")

    assert verdict_of(invalid, a_policy(**OWN)).unknown == "the spec is invalid: no policy can accept it"
    assert not verdict_of(invalid).unknown


def test_patterns_of_one_take_no_more_than_their_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "STEPS", 50)
    grants = [a_grant(*(f"shop-{number}-{grant}" for number in range(30))) for grant in range(3)]
    own = a_policy(allow=[{"indices": ["/{namespace}-.*/"], "can": ["read"]}])

    assert not verdict_of(an_access(grants=grants), a_policy(**OWN)).refused, "it takes no steps"
    verdict = verdict_of(an_access(grants=grants), own)

    [outcome] = verdict.outcomes
    assert outcome.outcome is Outcome.DENIED
    [reason] = outcome.reasons
    assert reason.startswith("grants[0]: its patterns and those before it are too complicated to compare")


def test_fields_of_one_take_no_more_than_their_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "STEPS", 100)
    access = an_access(grants=[a_grant(fields={"include": ["region"]})])

    [outcome] = verdict_of(access, a_policy(require={"hiddenFields": ["ssn"]})).outcomes

    assert outcome.outcome is Outcome.DENIED
    assert "too complicated to compare with what must be hidden" in outcome.reasons[0]


def test_fields_that_take_too_long_to_compare_count_as_all_of_them() -> None:
    include = ["?" * length for length in range(1, 90)]
    assert contained("*", tuple(include)).undecided

    [outcome] = verdict_of(
        an_access(grants=[a_grant(fields={"include": include})]), a_policy(require={"fields": True})
    ).outcomes

    assert outcome.outcome is Outcome.DENIED
    assert "fields is required" in outcome.reasons[0]


def test_fields_that_are_excluded_take_no_more_than_their_steps_either(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = [f"customer.a{number}*b" for number in range(50)]
    access = an_access(grants=[a_grant(fields={"exclude": ["customer.a*b"]})])
    policy = a_policy(require={"hiddenFields": hidden})
    assert verdict_of(access, policy).outcomes[0].outcome is Outcome.ACCEPTED

    monkeypatch.setattr(budget, "STEPS", 40)

    [outcome] = verdict_of(access, policy).outcomes
    assert outcome.outcome is Outcome.DENIED
    assert "too complicated to compare with what must be hidden" in outcome.reasons[0]


def test_patterns_that_are_denied_take_steps_for_each_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "STEPS", 2_000)
    policy = a_policy(deny=[{"indices": [f"/shop-[a-m]{{{number}}}-bank/" for number in range(1, 11)]}])

    few = verdict_of(an_access(grants=[a_grant("/shop-[n-z]{1}-bank/")]), policy)
    many = verdict_of(
        an_access(grants=[a_grant(*(f"/shop-[n-z]{{{number}}}-bank/" for number in range(1, 11)))]), policy
    )

    assert few.outcomes[0].outcome is Outcome.ACCEPTED
    assert many.outcomes[0].outcome is Outcome.DENIED
    assert "too complicated" in many.outcomes[0].reasons[0]


def test_names_of_any_length_are_compared() -> None:
    name = f"orders-{'x1-y2.' * 40}"

    assert contained(name, ("orders-*",)).contained
    assert contained(name, ("*-*.*",)).contained
    assert contained(name, ("logs-*", "*z")).example == name


@pytest.mark.parametrize(
    "pattern",
    [
        r"/\{namespace}-.*/", "/[{namespace}]+/", "/orders-<{namespace}>/", "/a{{namespace}}/", "/{namespace}*/",
        "/{namespace}?x/", "/{namespace}+/", "/{namespace}{2}/", "/~{namespace}/", '/"{namespace}"/',
        "/{namespace}-{namespace}*/",
    ],
)  # fmt: skip
def test_a_namespace_is_never_read_as_a_part_of_an_expression(pattern: str) -> None:
    policy = a_policy(allow=[{"indices": [pattern], "can": ["read"]}])

    assert "stands alone" in policy.invalid or "spec.allow[0].indices" in policy.invalid
    assert verdict_of(an_access(grants=[a_grant("shop-1")]), policy).refused


@pytest.mark.parametrize(
    "pattern", ["/{namespace}-[0-9]+/", "/({namespace})*x/", r"/\[{namespace}/", "/(a|{namespace})/"]
)
def test_a_namespace_may_be_within_an_expression(pattern: str) -> None:
    assert not a_policy(allow=[{"indices": [pattern], "can": ["read"]}]).invalid


def test_an_annotation_of_white_space_is_none() -> None:
    access = an_access(annotations={"example.com/ticket": " \t"})

    assert verdict_of(access, a_policy(require={"annotations": ["example.com/ticket"]})).refused


def test_a_status_says_nothing_to_a_policy() -> None:
    raw = {"metadata": {"name": "p", "uid": "u"}, "spec": {"allow": READ_ORDERS}, "status": {"outcome": "Accepted"}}

    assert verdict_of(an_access(grants=[a_grant("bank-1")]), policy_from_object(raw)).refused


def test_many_policies_do_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compared for one SearchAccess is limited in all: nobody's patterns stop the operator for seconds."""
    spent, spend = 0, Budget.spend

    def counted(budget: Budget, steps: int) -> None:
        nonlocal spent
        spend(budget, steps)
        spent += steps

    monkeypatch.setattr(Budget, "spend", counted)
    monkeypatch.setattr(verdicts, "EXPLAINED", 50)
    expressions = [a_grant(f"/p{number:02d}-(a|b)*a(a|b){{3}}c.*/", can=["read"]) for number in range(50)]
    access = an_access(grants=expressions)
    assert not access.invalid
    spec = {"deny": [{"indices": ["/.*(x|y)[0-9]{4}-1.*/", "/.*(a|b)*a(a|b){6}z/"]}]}
    policies = [a_policy(f"limits-{number:02d}", **spec) for number in range(50)]
    verdict = Guardrails(policies).judge(Question(access, None, NOW))
    assert spent <= 2 * (ALL_STEPS + STEPS), "each step is counted for its policy, and for all"
    assert len(verdict.denied_by) == len(policies), "what was not compared is refused"
    assert "too complicated" in verdict.denied_by[-1].reasons[0]
    audited = [a_policy(f"a-{number:02d}", mode="Audit", **spec) for number in range(50)]
    allowed = Guardrails([*audited, a_policy("z", allow=[{"indices": ["*"], "can": ["read"]}])])
    assert not allowed.judge(Question(access, None, NOW)).refused, "one that only reports takes nothing from others"


@pytest.mark.parametrize("number", [300, 3_000])
def test_whoever_is_compared_with_many_wildcards_lets_others_run_in_between(number: int) -> None:
    """A few names of a tenant, and thousands of wildcards of policies: each is compared with each."""
    wide = [[f"*-{part}-{each}-*" for each in range(100)] for part in range(number // 100)]
    every = {"can": ["read", "append"]}
    policies = [a_policy(f"p{at:02}", allow=[{"indices": each, **every}]) for at, each in enumerate(wide)]
    large = a_policy("large", allow=[{"indices": each, **every} for each in wide])
    unbounded = a_policy("unbounded", limits={"grants": 5})
    access = an_access(grants=[a_grant("orders-1", "orders-2", can=["read", "append"])])
    for several in ([*policies, unbounded], [large, unbounded]):
        guardrails = Guardrails(several)
        completed(guardrails._preparing(access))
        steps = list(guardrails.judging(Question(access, None, NOW)))
        compared = number * 2  # names, with the first action that is not allowed
        assert sum(steps) >= compared // COVERS_IN_A_STEP
        assert max(steps) <= 200 + number // COVERS_IN_A_STEP


def test_a_pattern_that_is_too_long_for_some_namespaces_is_invalid() -> None:
    """Otherwise what such a namespace has would be revoked for a pattern that matches no index."""
    policy = a_policy(deny=[{"indices": ["secret-{namespace}-" + "y" * 200]}])
    access = replace(an_access(grants=[a_grant("orders-1")]), namespace="n" * 63)
    verdict = verdict_of(access, policy)

    assert "too long for namespaces of 63 characters" in policy.invalid
    assert verdict.refused
    assert not verdict.revokes
