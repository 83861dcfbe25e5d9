"""All policies are asked at once: what they say is what each of them would say, one after the other."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchaccess.core.model.access import Access
from searchaccess.core.model.identities.identity import Identity
from searchaccess.core.model.identities.workload import Account
from searchaccess.core.model.verdict import Outcome
from searchaccess.core.policy.guardrails import budget
from searchaccess.core.policy.guardrails.aliases import Aliases, IndexNames
from searchaccess.core.policy.guardrails.memory import Memory
from searchaccess.core.policy.guardrails.policy import Policy, policy_from_object
from searchaccess.core.policy.guardrails.ruling import TOLD, UNTOLD
from searchaccess.core.policy.guardrails.verdicts import Guardrails
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
                plain = Guardrails(known.values()).judge(
                    access, around, now, aliases=aliases, wanted=wanted, plainly=True
                )
                found = at_once.judge(access, around, now, aliases=aliases, wanted=wanted)
                assert found == plain
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


@pytest.mark.parametrize(("steps", "joint"), [(50, 20_000), (30_000, 40), (60, 40)])
@given(st.data())
@settings(max_examples=examples(100))
def test_they_say_the_same_where_the_steps_are_too_few(steps: int, joint: int, data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(budget, "STEPS", steps)
        patched.setattr(budget, "JOINT_STEPS", joint)
        patched.setattr(budget, "ALL_STEPS", data.draw(st.integers(1, 400)))
        known = [data.draw(policies(name)) for name in "abcdef"]
        access = data.draw(accesses())
        at_once = Guardrails(known)
        for aliases in (None, ALIASES, None):
            plain = Guardrails(known).judge(access, {}, NOW, aliases=aliases, plainly=True)
            assert at_once.judge(access, {}, NOW, aliases=aliases) == plain


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
        verdict = guardrails.judge(orders(number), None, NOW)
        assert [each.outcome for each in verdict.outcomes] == [Outcome.ACCEPTED] * 20
    assert memory.asked == 0


def test_only_the_policy_that_changed_is_asked_again() -> None:
    refusing = [a_policy(f"r-{number}", deny=[{"indices": [f"orders-*-{number}"]}]) for number in range(3)]
    memory = Memory()
    guardrails = Guardrails([*platform(), *refusing], memory)
    for number in range(10):
        assert guardrails.judge(orders(number), None, NOW).refused
    assert memory.asked == 30
    refusing[1] = a_policy("r-1", deny=[{"indices": ["orders-*-x"]}])
    guardrails = Guardrails([*platform(2), *refusing], memory)
    for number in range(10):
        assert guardrails.judge(orders(number), None, NOW).refused
    assert memory.asked == 40
    for number in range(9, 11):
        guardrails.judge(orders(number), None, NOW)
    assert memory.asked == 43, "one SearchAccess is new"


def test_what_one_exception_or_account_decides_is_asked_of_its_policy_alone() -> None:
    exception = {"namespace": "shop", "name": "a-1", "reason": "late", "until": "2026-06-01T13:00:00Z"}
    only = a_policy("only", subjects=[{"serviceAccounts": ["x@acme.iam.gserviceaccount.com"]}], exceptions=[exception])
    memory = Memory()
    guardrails = Guardrails([*platform(), only], memory)
    workload = replace(an_access("a-2", grants=[a_grant("orders-2")], subject=ORDERS), identity=Identity())
    assert guardrails.judge(orders(1), None, NOW).outcomes[0].outcome is Outcome.EXEMPT
    assert guardrails.judge(orders(1), None, NOW + timedelta(days=1)).refused
    assert guardrails.judge(workload, None, NOW).unknown
    known = replace(workload, identity=Identity((Account(ACCOUNTS[0], ""),)))
    assert not guardrails.judge(known, None, datetime(2026, 6, 1, tzinfo=UTC)).refused
    assert memory.asked == 2


def test_an_exception_is_shown_also_if_the_policy_would_accept() -> None:
    exception = {"namespace": "shop", "name": "a-1", "reason": "late", "until": "2026-06-01T13:00:00Z"}
    accepts = a_policy("accepts", deny=[{"indices": ["secret-*"]}], exceptions=[exception])
    [outcome] = Guardrails([accepts]).judge(orders(1), None, NOW).outcomes
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
    found = {plainly: Guardrails([policy]).judge(access, None, NOW, plainly=plainly) for plainly in (True, False)}
    assert found[True] == found[False]
    assert found[False].refused is refused


def strict(number: int, **more: Any) -> Policy:
    return a_policy(f"r-{number:02d}", allow=[{"indices": [f"other-{number}-*"], "can": ["read"]}], **more)


def test_three_that_refuse_say_why_and_the_others_only_that_they_do() -> None:
    memory = Memory()
    guardrails = Guardrails([*platform(), *(strict(number) for number in range(20))], memory)
    for number in range(10):
        verdict = guardrails.judge(orders(number), None, NOW)
        assert len(verdict.denied_by) == 20
        told = [each for each in verdict.denied_by if each.reasons != (UNTOLD,)]
        assert [each.policy for each in told] == ["r-00", "r-01", "r-02"]
        assert "allowed only on other-0-*" in told[0].reasons[0]
    assert memory.asked == 10 * TOLD, "nobody is asked alone whose reasons are not told"


def test_the_next_ones_say_why_once_the_first_ones_accept() -> None:
    policies = [strict(number) for number in range(5)]
    access = replace(an_access(grants=[a_grant("orders-1")]), uid="uid")
    assert Guardrails(policies).judge(access, None, NOW).denied_by[4].reasons == (UNTOLD,)
    exception = {"namespace": "shop", "name": access.name, "reason": "late", "until": "2026-06-01T13:00:00Z"}
    policies[0] = strict(0, exceptions=[exception])
    policies[1] = a_policy("r-01", allow=[{"indices": ["orders-*"], "can": ["read"]}])
    verdict = Guardrails(policies).judge(access, None, NOW)
    assert [each.outcome for each in verdict.outcomes[:2]] == [Outcome.EXEMPT, Outcome.ACCEPTED]
    assert all(each.reasons != (UNTOLD,) for each in verdict.denied_by)


@pytest.mark.parametrize("mode", ["Enforce", "Audit"])
@pytest.mark.parametrize("keeps", ["Keep", "Revoke"])
def test_what_refuses_without_reasons_keeps_and_reports_as_ever(mode: str, keeps: str) -> None:
    policies = [strict(number, mode=mode, onViolation=keeps) for number in range(8)]
    found = {plainly: Guardrails(policies).judge(orders(1), None, NOW, plainly=plainly) for plainly in (True, False)}
    assert found[True] == found[False]
    assert found[True].revokes is (mode == "Enforce" and keeps == "Revoke")
    assert found[True].refused is (mode == "Enforce")


def test_what_only_reports_takes_no_explanation_from_what_refuses() -> None:
    policies = [strict(number, mode="Audit" if number < 10 else "Enforce") for number in range(20)]
    found = {plainly: Guardrails(policies).judge(orders(1), None, NOW, plainly=plainly) for plainly in (True, False)}
    assert found[True] == found[False]
    told = [each.policy for each in found[True].outcomes if each.reasons != (UNTOLD,)]
    assert told == ["r-00", "r-01", "r-02", "r-10", "r-11", "r-12"]
