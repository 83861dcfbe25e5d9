"""Each of a policy's `limits`: what it accepts at its boundary, and what it refuses just beyond."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import pytest

from searchaccess.api.policies.rules import Limits
from searchaccess.core.model.verdict import Outcome, PolicyOutcome, PolicyVerdict
from searchaccess.core.patterns.restricted import RESTRICTED
from tests.unit.builders import a_grant, an_access
from tests.unit.policy.guardrails.test_verdicts import KEY, a_policy, reasons_of, verdict_of

Spec = Mapping[str, Any]
NO: Final = False
KIBANA = {"kibana": [{"spaces": ["default"], "base": "read"}]}
ADOPT = "searchaccess.dev/adopt"


def grants(*patterns: str, **more: Any) -> Spec:
    """Return a spec with a grant for each pattern."""
    return {"grants": [a_grant(pattern, **more) for pattern in patterns]}


def key(**credential: str) -> Spec:
    return KEY | {"credential": KEY["credential"] | credential}


class Case(NamedTuple):
    """Two SearchAccesses at the boundary of a limit.

    Args:
        limit: name of the field.
        value: what the policy says.
        accepted: spec of one that is within.
        refused: spec of one that is just beyond.
        says: what is said of it.
    """

    limit: str
    value: Any
    accepted: Spec
    refused: Spec
    says: str


LONG = "x" * 100
CASES: dict[str, Case] = {
    "grants: their number": Case("grants", 2, grants("a", "b"), grants("a", "b", "c"), "grants: 3 are more than 2"),
    "grants: the highest number": Case(
        "grants",
        49,
        grants(*(f"a-{number}" for number in range(49))),
        grants(*(f"a-{number}" for number in range(50))),
        "grants: 50 are more than 49",
    ),
    "grants: none": Case(
        "grants", 0, {"grants": [], "clusterCan": ["monitor"]}, grants("a"), "grants: 1 are more than 0"
    ),
    "patterns: of one grant": Case(
        "patterns",
        2,
        {"grants": [a_grant("a", "b")]},
        {"grants": [a_grant("a", "b", "c")]},
        "grants: 3 index names and patterns are more than 2",
    ),
    "patterns: of all grants together": Case(
        "patterns",
        3,
        {"grants": [a_grant("a", "b"), a_grant("c")]},
        {"grants": [a_grant("a", "b"), a_grant("c", "d")]},
        "grants: 4 index names and patterns are more than 3",
    ),
    "patterns: the same name counts in each grant": Case(
        "patterns",
        1,
        grants("a"),
        {"grants": [a_grant("a"), a_grant("a", can=["append"])]},
        "grants: 2 index names and patterns are more than 1",
    ),
    "literalPrefix: of *": Case(
        "literalPrefix",
        6,
        grants("orders*"),
        grants("order*"),
        "grants[0]: order*: write at least 6 characters before the first wildcard",
    ),
    "literalPrefix: of ?": Case(
        "literalPrefix",
        6,
        grants("orders?"),
        grants("order?s-*"),
        "grants[0]: order?s-*: write at least 6 characters before the first wildcard",
    ),
    "literalPrefix: of a wildcard alone": Case(
        "literalPrefix",
        1,
        grants("o*"),
        grants("*"),
        "grants[0]: *: write at least 1 characters before the first wildcard",
    ),
    "literalPrefix: the highest": Case(
        "literalPrefix",
        100,
        grants(f"{LONG}*"),
        grants(f"{LONG[1:]}*"),
        f"grants[0]: {LONG[1:]}*: write at least 100 characters before the first wildcard",
    ),
    "literalPrefix: a name has none to be before": Case(
        "literalPrefix",
        100,
        grants("a"),
        grants("/a/"),
        "grants[0]: /a/: write at least 100 characters before the first wildcard",
    ),
    "literalPrefix: of each grant": Case(
        "literalPrefix",
        2,
        grants("ab*", "cd*"),
        grants("ab*", "c*"),
        "grants[1]: c*: write at least 2 characters before the first wildcard",
    ),
    "regularExpressions": Case(
        "regularExpressions",
        NO,
        grants("orders-*"),
        grants("/orders-1/"),
        "grants[0]: /orders-1/: regular expressions are not accepted: write names or wildcards",
    ),
    "privileges: beside actions": Case(
        "privileges",
        NO,
        grants("a"),
        grants("a", privileges=["read"]),
        "grants[0]: privileges are not accepted: write actions in can",
    ),
    "privileges: alone": Case(
        "privileges",
        NO,
        grants("a", can=["manage"]),
        grants("a", can=[], privileges=["monitor"]),
        "grants[0]: privileges are not accepted: write actions in can",
    ),
    "clusterCan: another one": Case(
        "clusterCan",
        ["monitor"],
        {"clusterCan": ["monitor"]},
        {"clusterCan": ["monitor", "manage_ilm"]},
        "clusterCan: manage_ilm is not accepted",
    ),
    "clusterCan: any": Case("clusterCan", [], {}, {"clusterCan": ["monitor"]}, "clusterCan: monitor is not accepted"),
    "remoteClusters: by name": Case(
        "remoteClusters",
        ["eu"],
        grants("a", remoteClusters=["eu"]),
        grants("a", remoteClusters=["eu-1"]),
        "grants[0].remoteClusters: eu-1 is not accepted: write eu",
    ),
    "remoteClusters: by their beginning": Case(
        "remoteClusters",
        ["eu-*"],
        grants("a", remoteClusters=["eu-*"]),
        grants("a", remoteClusters=["eu*"]),
        "grants[0].remoteClusters: eu* is not accepted: write eu-*",
    ),
    "remoteClusters: any": Case(
        "remoteClusters",
        [],
        grants("a"),
        grants("a", remoteClusters=["eu"]),
        "grants[0].remoteClusters: eu is not accepted",
    ),
    "kibana": Case("kibana", NO, {}, KIBANA, "kibana is not accepted"),
    "deletionPolicies": Case(
        "deletionPolicies",
        ["Delete", "Disable"],
        {"deletionPolicy": "Disable"},
        {"deletionPolicy": "Orphan"},
        "deletionPolicy: Orphan is not accepted: write Delete, Disable",
    ),
    "adopt": Case(
        "adopt",
        NO,
        {"annotations": {"example.com/adopt": "role@0123456789abcdef"}},
        {"annotations": {ADOPT: "role@0123456789abcdef"}},
        f"metadata.annotations: {ADOPT} is not accepted",
    ),
    "secretStores": Case(
        "secretStores", ["main"], KEY, key(store="main-2"), "credential.store: main-2 is not accepted"
    ),
    "secretStores: any": Case("secretStores", [], {}, KEY, "credential.store: main is not accepted"),
    "secretNames": Case(
        "secretNames",
        ["{namespace}-*"],
        key(name="shop-orders"),
        key(name="shops-orders"),
        "credential.name: shops-orders is not accepted: write shop-*",
    ),
    "secretNames: without credentials": Case(
        "secretNames",
        ["{namespace}-*"],
        {},
        KEY,
        "credential.name: orders-key is not accepted: write shop-*",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_at_its_boundary_a_limit_accepts_and_just_beyond_it_refuses(case: Case) -> None:
    limits: Spec = {"limits": {case.limit: case.value}}
    assert verdict_of(an_access(**case.accepted), a_policy(**limits)) == PolicyVerdict(
        (PolicyOutcome("limits", Outcome.ACCEPTED),)
    )
    assert reasons_of(an_access(**case.refused), **limits) == (case.says,)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_without_the_limit_both_are_accepted(case: Case) -> None:
    other = "grants" if case.limit != "grants" else "patterns"
    limits: Spec = {"limits": {other: 50}}
    for spec in (case.accepted, case.refused):
        assert not verdict_of(an_access(**spec), a_policy(**limits)).refused


def test_each_limit_has_a_case() -> None:
    assert {case.limit for case in CASES.values()} == {field.alias for field in Limits.model_fields.values()}


EVERYTHING: Spec = {"allow": [{"indices": ["*"], "can": ["read", "manage"], "privileges": ["all"]}]}


@pytest.mark.parametrize("names", [[".security*"], [".security-7"], [*RESTRICTED], ["*"], ["/\\.s.*/"]])
def test_no_policy_opens_restricted_indices(names: list[str]) -> None:
    """Whatever is granted and accepted: only `allow_restricted_indices` would open these, and no role has it."""
    access = an_access(grants=[a_grant(*names, can=["read", "manage"], privileges=["all"])])
    assert not verdict_of(access, a_policy(**EVERYTHING)).refused
    entries = access.share.body.to_json()["indices"]
    assert entries
    assert not [entry for entry in entries if entry.get("allow_restricted_indices")]
