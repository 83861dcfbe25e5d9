"""All policies are asked at once: what they say is what each of them would say, one after the other."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchaccess.api.searchaccesspolicy import PolicyException, PolicyMode
from searchaccess.core.model.access import Access
from searchaccess.core.model.identities.identity import Identity
from searchaccess.core.model.identities.workload import Account
from searchaccess.core.model.verdict import Outcome, PolicyVerdict
from searchaccess.core.policy.guardrails import budget
from searchaccess.core.policy.guardrails.aliases import Aliases, IndexNames
from searchaccess.core.policy.guardrails.memory import Memory
from searchaccess.core.policy.guardrails.policy import Policy, policy_from_object
from searchaccess.core.policy.guardrails.ruling import UNEXPLAINED
from searchaccess.core.policy.guardrails.verdicts import Guardrails, Question
from tests.support.runs.effort import examples
from tests.unit.builders import a_grant, an_access
from tests.unit.policy.guardrails.test_verdicts import NOW, ORDERS, a_policy, accounted

PATTERNS = st.sampled_from(
    [
        "orders-*", "orders-1", "orders-1-*", "*", "*-eu-*", "o*-eu-1", "orders-?", "orders-eu-*", "/orders-.*/", "a*",
        "/(orders|logs)-[0-9]+/", "{namespace}-*", "{namespace}-1", "shop-*", "shop-eu-1", "bank-1", ".ds-orders-*",
        "orders\\-1", ".ds-shop-1-2026.01.01-000001", "secret-*", "*secret*", "/NO-INDEX 0123456789abcdef/", "logs-é*",
    ]
)  # fmt: skip
PARTS = ("read", "write", "append", "manage", "delete")
CAN = st.lists(st.sampled_from(PARTS), min_size=1, max_size=2, unique=True)
INDICES = st.lists(PATTERNS, min_size=1, max_size=4, unique=True)
NAMED = st.lists(
    st.sampled_from(
        [
            "orders-1", "orders-*", "orders-eu-*", "orders-?", "o*-eu-1", "shop-1", "shop-*", "shop-eu-1", "bank-1",
            "*", "secret-1", "/orders-[0-9]+/", "/(orders|logs)-[0-9]+/", "logs-é*", "a-1",
            ".ds-shop-1-2026.01.01-000001",
        ]
    ),
    min_size=1, max_size=3, unique=True,
)  # fmt: skip
FIELDS = st.sampled_from([None, {"exclude": ["*.ssn"]}, {"include": ["a", "customer.*"]}, {"include": ["*"]}])
WHERE: st.SearchStrategy[dict[str, Any] | None] = st.sampled_from([None, {"term": {"a": 1}}, {"match_all": {}}])
LABELS = st.dictionaries(st.sampled_from(["team", "tier"]), st.sampled_from(["a", "b"]), max_size=2)
ACCOUNTS = ["x@acme.iam.gserviceaccount.com", "y@other.iam.gserviceaccount.com"]
ALIASES = Aliases(
    IndexNames(("orders-1",), (("orders-1", ("secret-1",)), ("shop-eu-1", (".ds-bank-1",)))), ["orders-1"]
)


RULES = ("allow", "deny", "subjects", "require", "limits")


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


SELECTOR = st.dictionaries(st.sampled_from(["team", "tier"]), st.sampled_from(["a", "b"]), min_size=1).map(
    lambda labels: {"matchLabels": labels}
)
SUBJECTS = st.lists(
    optional(
        projects=st.just(["acme*"]),
        locations=st.just(["europe-*"]),
        serviceAccounts=st.sampled_from([["x@*"], ["*{namespace}*"], ["*"]]),
    ).filter(bool),
    min_size=1,
    max_size=2,
)
SPECS = optional(
    match=optional(
        namespaces=st.one_of(st.just({"names": ["shop"]}), SELECTOR.map(lambda labels: {"selector": labels})),
        clusters=st.sampled_from([["prod"], ["test"]]),
        subjects=SUBJECTS,
        labels=SELECTOR,
    ).filter(bool),
    mode=st.sampled_from(["Enforce", "Audit"]),
    onViolation=st.sampled_from(["Keep", "Revoke"]),
    allow=st.lists(st.fixed_dictionaries({"indices": INDICES, "can": CAN}), min_size=1, max_size=3),
    deny=st.lists(st.fixed_dictionaries({"indices": INDICES}, optional={"can": CAN}), min_size=1, max_size=2),
    subjects=SUBJECTS,
    require=optional(
        fields=st.booleans(),
        hiddenFields=st.sampled_from([["customer.ssn"], ["a", "b"]]),
        where=st.booleans(),
        auth=st.sampled_from([["IdentityToken"], ["ApiKey"]]),
        rotateEvery=st.sampled_from(["168h", "8760h"]),
        annotations=st.just(["example.com/ticket"]),
        mode=st.sampled_from(["Enforce", "Observe"]),
        validUntil=st.sampled_from(["8h", "720h"]),
        limits=optional(
            requestsPerSecond=st.sampled_from([1, 10]),
            burst=st.sampled_from([1, 20]),
            maxBody=st.sampled_from(["1Ki", "1Mi"]),
            apis=st.sampled_from([["Search"], ["Search", "Sql"]]),
        ).filter(bool),
    ).filter(bool),
    limits=optional(
        grants=st.integers(0, 2),
        patterns=st.integers(1, 4),
        literalPrefix=st.integers(0, 8),
        regularExpressions=st.booleans(),
        privileges=st.booleans(),
        remoteClusters=st.sampled_from([[], ["eu*"]]),
        clusterCan=st.sampled_from([[], ["monitor"]]),
        kibana=st.booleans(),
        deletionPolicies=st.sampled_from([["Delete"], ["Delete", "Disable"]]),
        adopt=st.booleans(),
        secretStores=st.sampled_from([[], ["main"]]),
        secretNames=st.sampled_from([["{namespace}-*"], ["orders-*"]]),
    ).filter(bool),
    exceptions=st.lists(
        st.fixed_dictionaries(
            {
                "namespace": st.just("shop"),
                "name": st.sampled_from(["orders", "other"]),
                "reason": st.just("late"),
                "until": st.sampled_from(["2026-06-01T11:00:00Z", "2026-06-01T13:00:00Z"]),
            }
        ),
        max_size=1,
    ),
).filter(lambda spec: not spec.keys().isdisjoint(RULES))  # fmt: skip


@st.composite
def policies(draw: st.DrawFn, name: str) -> Policy:
    spec = dict(draw(SPECS)) if draw(st.integers(0, 19)) else {"allow": "nothing that can be read"}
    # One that says too much accepts nothing.
    kept = draw(st.sampled_from(RULES)), draw(st.sampled_from(RULES))
    if not spec.keys().isdisjoint(kept):
        spec = {key: value for key, value in spec.items() if key not in RULES or key in kept}
    if draw(st.booleans()):
        spec.pop("match", None)
    raw = {"metadata": {"name": name, "uid": f"uid-{name}", "generation": 1, "resourceVersion": "1"}, "spec": spec}
    return policy_from_object(raw)


@st.composite
def grants(draw: st.DrawFn) -> dict[str, Any]:
    grant = a_grant(*draw(NAMED), can=draw(st.one_of(st.just(["read"]), CAN)))
    for name, strategy in (("fields", FIELDS), ("where", WHERE)):
        if (value := draw(strategy)) is not None and "read" in grant["can"]:
            grant[name] = value
    if draw(st.integers(0, 9)) == 0:
        grant["privileges"] = ["read"]
    elif grant["can"] == ["read"] and draw(st.integers(0, 9)) == 0:
        grant["remoteClusters"] = draw(st.sampled_from([["eu-1"], ["us-1"]]))
    return grant


BESIDE = optional(
    mode=st.just("Observe"),
    deletionPolicy=st.just("Disable"),
    clusterCan=st.sampled_from([["monitor"], ["manage_ilm"]]),
    kibana=st.just([{"spaces": ["default"], "base": "read"}]),
    validFrom=st.just("2026-06-01T00:00:00Z"),
    validUntil=st.sampled_from(["2026-06-01T08:00:00Z", "2026-06-02T00:00:00Z", "2027-06-02T00:00:00Z"]),
    limits=optional(
        requestsPerSecond=st.sampled_from([1, 10]),
        maxBody=st.sampled_from(["1Ki", "1Mi", "1Gi"]),
        apis=st.sampled_from([["Search"], ["Sql"], ["Search", "Sql"]]),
    ).filter(bool),
)
CREDENTIALS = st.fixed_dictionaries(
    {"store": st.sampled_from(["main", "other"]), "name": st.sampled_from(["orders-key", "shop-key", "bank-key"])},
    optional={"rotateEvery": st.sampled_from(["72h", "720h"])},
)


@st.composite
def accesses(draw: st.DrawFn) -> Access:
    spec: dict[str, Any] = {"grants": draw(st.lists(grants(), min_size=1, max_size=2))}
    if draw(st.booleans()):
        spec["subject"] = ORDERS
    if draw(st.integers(0, 3)) == 0:
        spec |= {"auth": "ApiKey", "credential": draw(CREDENTIALS)}
    spec |= draw(st.one_of(st.just({}), BESIDE))
    if "credential" in spec:
        spec.pop("limits", None)
    access = an_access(draw(st.sampled_from(["orders", "other", "new"])), **spec)
    if draw(st.booleans()):
        access = accounted(access, *draw(st.lists(st.sampled_from(ACCOUNTS), min_size=1, max_size=2, unique=True)))
    elif draw(st.booleans()):
        access = replace(access, identity=Identity())
    return replace(
        access,
        namespace=draw(st.sampled_from(["shop", "bank"])),
        labels=tuple(sorted(draw(LABELS).items())),
        adopt=draw(st.sampled_from(["", "role"])),
        annotated=draw(st.sampled_from([(), ("example.com/ticket",)])),
        created_at=draw(st.sampled_from(["", "2026-06-01T00:00:00Z"])),
    )


AROUND = st.one_of(st.none(), LABELS)


@given(st.data())
@settings(max_examples=examples(200))
def test_all_at_once_say_what_they_say_one_after_the_other_whatever_was_edited_before(data: st.DataObject) -> None:
    """The guardrails of before are handed on, as in the inventory, and what was asked of them stays remembered."""
    known = {name: data.draw(policies(name)) for name in "abcdef"}
    declared = data.draw(st.lists(accesses(), min_size=1, max_size=4))
    memory, now = Memory(), NOW
    at_once = Guardrails(known.values(), memory)
    for _ in range(data.draw(st.integers(1, 4))):
        around = data.draw(AROUND)
        for access in declared:
            for aliases in (None, ALIASES):
                wanted = data.draw(st.booleans())
                question = Question(access, around, now, aliases, wanted)
                assert at_once.judge(question) == Guardrails(known.values(), alone=True).judge(question)
        match data.draw(st.sampled_from(["change", "remove", "access", "time"])):
            case "change":
                name = data.draw(st.sampled_from("abcdefg"))
                known[name] = data.draw(policies(name))
            case "remove":
                known.pop(data.draw(st.sampled_from("abcdefg")), None)
            case "access":
                declared[0] = data.draw(accesses())
            case _:
                now += timedelta(hours=1)
        at_once = Guardrails(known.values(), memory)


def few_steps(patched: pytest.MonkeyPatch, steps: int, joint: int, data: st.DataObject) -> None:
    patched.setattr(budget, "STEPS", steps)
    patched.setattr(budget, "JOINT_STEPS", joint)
    patched.setattr(budget, "ALL_STEPS", data.draw(st.integers(1, 400)))


FEW = pytest.mark.parametrize(("steps", "joint"), [(50, 20_000), (30_000, 40), (60, 40)])


@FEW
@given(st.data())
@settings(max_examples=examples(100))
def test_where_the_steps_are_too_few_asking_all_at_once_only_refuses_less(
    steps: int, joint: int, data: st.DataObject
) -> None:
    """What is accepted at once takes no steps, so that more are left than if each policy were asked alone.

    So where the steps are too few, the answers may differ, and these hold: What is accepted by asking each policy alone
    is accepted. Each policy that accepts does so, too, if it is asked alone with as many steps as there usually are.
    Only what is refused is answered differently than then. What was remembered while there were more steps, or fewer,
    changes nothing.
    """
    known = [data.draw(policies(name)) for name in "abcdef"]
    access, at_once = data.draw(accesses()), Guardrails(known)
    for aliases in (None, ALIASES, None):
        question = Question(access, {}, NOW, aliases)
        enough = Guardrails(known, alone=True).judge(question)
        with pytest.MonkeyPatch.context() as patched:
            few_steps(patched, steps, joint, data)
            found = at_once.judge(question)
            assert found == Guardrails(known).judge(question)
            alone = Guardrails(known, alone=True).judge(question)
        assert not found.refused or alone.refused
        assert outcomes(found, Outcome.ACCEPTED) <= outcomes(enough, Outcome.ACCEPTED) or enough.unknown
        assert found == enough or found.refused or would_refuse(found)


def outcomes(verdict: PolicyVerdict, *wanted: Outcome) -> set[str]:
    """Return which policies say so."""
    return {each.policy for each in verdict.outcomes if each.outcome in wanted}


def would_refuse(verdict: PolicyVerdict) -> bool:
    return bool(outcomes(verdict, Outcome.WOULD_DENY))


@FEW
@given(st.data())
@settings(max_examples=examples(100))
def test_no_policy_that_only_reports_and_no_exception_changes_what_others_say(
    steps: int, joint: int, data: st.DataObject
) -> None:
    """Neither where the steps are too few for all of them."""
    known = {name: in_mode(data.draw(policies(name)), PolicyMode.ENFORCE) for name in "bdf"}
    more = {name: in_mode(data.draw(policies(name)), PolicyMode.AUDIT) for name in "aceg"}
    reporting = {name: policy for name, policy in more.items() if policy.audits}
    access, wanted = data.draw(accesses().filter(lambda each: not each.invalid)), data.draw(st.booleans())
    excepted = {name: with_exception(known[name], data.draw(EXCEPTIONS)) for name in data.draw(st.sets(NAMES))}
    for aliases in (None, ALIASES):
        question = Question(access, data.draw(AROUND), NOW, aliases, wanted)
        with pytest.MonkeyPatch.context() as patched:
            few_steps(patched, steps, joint, data)
            before = Guardrails(known.values()).judge(question)
            audited = Guardrails((known | reporting).values()).judge(question)
            relieved = Guardrails((known | reporting | excepted).values()).judge(question)
        if before.unmatched:
            continue
        assert (audited.unknown, audited.refused) == (before.unknown, before.refused)
        assert relieved.refused <= before.refused
        if not before.unknown:
            assert tuple(each for each in audited.outcomes if each.policy in known) == before.outcomes


NAMES = st.sampled_from("bdf")
EXCEPTIONS = st.fixed_dictionaries(
    {
        "namespace": st.sampled_from(["shop", "bank"]),
        "name": st.sampled_from(["orders", "other", "new"]),
        "reason": st.just("late"),
        "until": st.sampled_from(["2026-06-01T11:00:00Z", "2026-06-01T13:00:00Z"]),
    }
)


def in_mode(policy: Policy, mode: PolicyMode) -> Policy:
    """Return a policy in a mode; one that cannot be read as it is: it enforces."""
    return replace(policy, spec=policy.spec.model_copy(update={"mode": mode})) if policy.spec else policy


def with_exception(policy: Policy, exception: dict[str, Any]) -> Policy:
    """Return a policy with one more exception; one that cannot be read as it is."""
    if policy.spec is None:
        return policy
    exceptions = [*(policy.spec.exceptions or ()), PolicyException.model_validate(exception)]
    return replace(policy, spec=policy.spec.model_copy(update={"exceptions": exceptions}))


EXCEPTED = {"namespace": "shop", "name": "orders", "reason": "late", "until": "2026-06-01T13:00:00Z"}


@pytest.mark.parametrize(
    "more",
    [
        {"mode": "Audit", "allow": [{"indices": ["logs-*"], "can": ["read"]}]},
        {"mode": "Audit", "deny": [{"indices": [f"/p.*(a|b)*a(a|b){{6}}z{at}/" for at in range(20)]}]},
        {"mode": "Audit", "require": {"hiddenFields": [f"x.f{at}" for at in range(50)]}},
        {"allow": [{"indices": ["logs-*"], "can": ["read"]}], "exceptions": [EXCEPTED]},
    ],
    ids=["refused by what reports", "dear patterns of what reports", "dear fields of what reports", "an exception"],
)
def test_what_all_accept_at_once_is_accepted_beside_it(more: dict[str, Any]) -> None:
    """Asking each of them alone would take too many steps."""
    policies = [a_policy(f"p-{number:02d}", require={"hiddenFields": ["ssn", "card"]}) for number in range(60)]
    patterns = [f"/p{at:02d}-(a|b)*a(a|b){{3}}c.*/" for at in range(10)]
    access = an_access("orders", grants=[a_grant(each, fields={"include": ["region"]}) for each in patterns])
    question = Question(access, {}, NOW)
    assert Guardrails(policies, alone=True).judge(question).refused
    assert not Guardrails(policies).judge(question).refused
    assert not Guardrails([*policies, a_policy("more", **more)]).judge(question).refused


def orders(number: int) -> Access:
    return replace(an_access(f"a-{number}", grants=[a_grant(f"orders-{number}-*")]), uid=f"uid-{number}")


def platform(version: int = 1) -> Iterator[Policy]:
    for number in range(20):
        allowed = [f"other-{number}-*", f"version-{version}" if number == 7 else "x", "orders-*"]
        yield a_policy(f"p-{number}", allow=[{"indices": allowed, "can": ["read"]}], limits={"patterns": 50 + number})


def test_no_policy_is_asked_alone_about_what_all_accept() -> None:
    memory = Memory()
    guardrails = Guardrails(platform(), memory)
    for number in range(100):
        verdict = guardrails.judge(Question(orders(number), None, NOW))
        assert [each.outcome for each in verdict.outcomes] == [Outcome.ACCEPTED] * 20
    assert memory.asked == 0


def test_only_the_policy_that_changed_is_asked_again() -> None:
    refusing = [a_policy(f"r-{number}", deny=[{"indices": [f"orders-*-{number}"]}]) for number in range(3)]
    memory = Memory()
    guardrails = Guardrails([*platform(), *refusing], memory)
    for number in range(10):
        assert guardrails.judge(Question(orders(number), None, NOW)).refused
    assert memory.asked == 30
    refusing[1] = a_policy("r-1", deny=[{"indices": ["orders-*-x"]}])
    guardrails = Guardrails([*platform(2), *refusing], memory)
    for number in range(10):
        assert guardrails.judge(Question(orders(number), None, NOW)).refused
    assert memory.asked == 40
    for number in range(9, 11):
        guardrails.judge(Question(orders(number), None, NOW))
    assert memory.asked == 43, "one SearchAccess is new"


def test_what_one_exception_or_account_decides_is_asked_of_its_policy_alone() -> None:
    exception = {"namespace": "shop", "name": "a-1", "reason": "late", "until": "2026-06-01T13:00:00Z"}
    only = a_policy("only", subjects=[{"serviceAccounts": ["x@acme.iam.gserviceaccount.com"]}], exceptions=[exception])
    memory = Memory()
    guardrails = Guardrails([*platform(), only], memory)
    workload = replace(an_access("a-2", grants=[a_grant("orders-2")], subject=ORDERS), identity=Identity())
    assert guardrails.judge(Question(orders(1), None, NOW)).outcomes[0].outcome is Outcome.EXEMPT
    assert guardrails.judge(Question(orders(1), None, NOW + timedelta(days=1))).refused
    assert guardrails.judge(Question(workload, None, NOW)).unknown
    known = replace(workload, identity=Identity((Account(ACCOUNTS[0], ""),)))
    assert not guardrails.judge(Question(known, None, datetime(2026, 6, 1, tzinfo=UTC))).refused
    assert memory.asked == 2


def test_an_exception_is_shown_also_if_the_policy_would_accept() -> None:
    exception = {"namespace": "shop", "name": "a-1", "reason": "late", "until": "2026-06-01T13:00:00Z"}
    accepts = a_policy("accepts", deny=[{"indices": ["secret-*"]}], exceptions=[exception])
    [outcome] = Guardrails([accepts]).judge(Question(orders(1), None, NOW)).outcomes
    assert outcome.outcome is Outcome.EXEMPT


@pytest.mark.parametrize(
    ("pattern", "refused"),
    [
        ("o-eu-1", False), ("o-eu-*", False), ("o-eu-?", False), ("o*-eu-*", False), ("o-us-1", True), ("o-*", True),
        ("o-eu*", True), ("o?eu-1", True), ("x-eu-1", True), ("o\\-eu-1", False),
    ],
)  # fmt: skip
def test_a_wildcard_allows_what_its_text_contains(pattern: str, refused: bool) -> None:  # noqa: FBT001 - a table
    policy = a_policy("eu", allow=[{"indices": ["o*-eu-*"], "can": ["read"]}])
    access = an_access(grants=[a_grant("o-eu-7", pattern)])
    found = {alone: Guardrails([policy], alone=alone).judge(Question(access, None, NOW)) for alone in (True, False)}
    assert found[True] == found[False]
    assert found[False].refused is refused


def strict(number: int, **more: Any) -> Policy:
    return a_policy(f"r-{number:02d}", allow=[{"indices": [f"other-{number}-*"], "can": ["read"]}], **more)


def test_three_that_refuse_say_why_and_the_others_only_that_they_do() -> None:
    memory = Memory()
    guardrails = Guardrails([*platform(), *(strict(number) for number in range(20))], memory)
    for number in range(10):
        verdict = guardrails.judge(Question(orders(number), None, NOW))
        assert len(verdict.denied_by) == 20
        told = [each for each in verdict.denied_by if each.reasons != (UNEXPLAINED,)]
        assert [each.policy for each in told] == ["r-00", "r-01", "r-02"]
        assert "allowed only on other-0-*" in told[0].reasons[0]
    assert memory.asked == 0, "their reasons are found when they are read"


PLAIN = st.lists(
    st.sampled_from(["orders-*", "orders-1", "orders-12-*", "{namespace}-*", "shop-eu-*", "logs-1", "l*", "bank-1"]),
    min_size=1, max_size=4, unique=True,
)  # fmt: skip
PLAINLY_NAMED = st.lists(
    st.sampled_from(["orders-*", "orders-1", "orders-12-3", "o*", "shop-1", "logs-*", "bank-1-*", "lé", "NO-INDEX*"]),
    min_size=1, max_size=4, unique=True,
)  # fmt: skip


@given(st.data())
@settings(max_examples=examples(100))
def test_reasons_that_are_found_when_they_are_read_are_those_that_are_found_at_once(data: st.DataObject) -> None:
    allow = st.fixed_dictionaries({"indices": PLAIN, "can": CAN})
    beside = optional(
        mode=st.sampled_from(["Enforce", "Audit"]),
        subjects=SUBJECTS,
        require=st.sampled_from([{"where": True}, {"auth": ["ApiKey"]}, {"validUntil": "8h"}]),
        limits=st.sampled_from([{"grants": 1}, {"literalPrefix": 8}, {"patterns": 2}]),
    )
    known = [
        a_policy(name, allow=data.draw(st.lists(allow, min_size=1, max_size=2)), **data.draw(beside))
        for name in "abcde"
    ]
    given = [a_grant(*data.draw(PLAINLY_NAMED), can=data.draw(CAN)) for _ in range(data.draw(st.integers(1, 3)))]
    subject: dict[str, Any] = {"subject": ORDERS} if data.draw(st.booleans()) else {}
    access = an_access(grants=given, **subject)
    if data.draw(st.booleans()):
        access = accounted(access, ACCOUNTS[0])
    memory = Memory()
    question = Question(access, {}, NOW, data.draw(st.sampled_from([None, ALIASES])))
    found, again = (Guardrails(known, memory).judge(question) for _ in range(2))
    assert found == again
    assert found == Guardrails(known, alone=True).judge(question)
    assert repr(found) == repr(Guardrails(known, alone=True).judge(question))


def test_the_next_ones_say_why_once_the_first_ones_accept() -> None:
    policies = [strict(number) for number in range(5)]
    access = replace(an_access(grants=[a_grant("orders-1")]), uid="uid")
    assert Guardrails(policies).judge(Question(access, None, NOW)).denied_by[4].reasons == (UNEXPLAINED,)
    exception = {"namespace": "shop", "name": access.name, "reason": "late", "until": "2026-06-01T13:00:00Z"}
    policies[0] = strict(0, exceptions=[exception])
    policies[1] = a_policy("r-01", allow=[{"indices": ["orders-*"], "can": ["read"]}])
    verdict = Guardrails(policies).judge(Question(access, None, NOW))
    assert [each.outcome for each in verdict.outcomes[:2]] == [Outcome.EXEMPT, Outcome.ACCEPTED]
    assert all(each.reasons != (UNEXPLAINED,) for each in verdict.denied_by)


@pytest.mark.parametrize("mode", ["Enforce", "Audit"])
@pytest.mark.parametrize("keeps", ["Keep", "Revoke"])
def test_what_refuses_without_reasons_keeps_and_reports_as_ever(mode: str, keeps: str) -> None:
    policies = [strict(number, mode=mode, onViolation=keeps) for number in range(8)]
    question = Question(orders(1), None, NOW)
    found = {alone: Guardrails(policies, alone=alone).judge(question) for alone in (True, False)}
    assert found[True] == found[False]
    assert found[True].revokes is (mode == "Enforce" and keeps == "Revoke")
    assert found[True].refused is (mode == "Enforce")


def test_what_only_reports_takes_no_explanation_from_what_refuses() -> None:
    policies = [strict(number, mode="Audit" if number < 10 else "Enforce") for number in range(20)]
    question = Question(orders(1), None, NOW)
    found = {alone: Guardrails(policies, alone=alone).judge(question) for alone in (True, False)}
    assert found[True] == found[False]
    told = [each.policy for each in found[True].outcomes if each.reasons != (UNEXPLAINED,)]
    assert told == ["r-00", "r-01", "r-02", "r-10", "r-11", "r-12"]
