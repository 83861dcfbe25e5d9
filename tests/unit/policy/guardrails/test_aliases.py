"""Where aliases and data streams lead, and what a policy says of it."""

from typing import Any

import pytest

from searchaccess.core.policy.guardrails import budget
from searchaccess.core.policy.guardrails.aliases import Aliases, IndexNames, is_own, stream_of
from searchaccess.core.policy.guardrails.joint import bounds
from searchaccess.core.policy.guardrails.verdicts import Guardrails, Question
from tests.unit.builders import a_grant, an_access
from tests.unit.policy.guardrails.test_verdicts import NOW, a_policy

BACKING = ".ds-vault-2026.01.01-000001"
FOUND = IndexNames(
    ("shop-all", "shop-logs", "shop-one", "shop-stream", "shop-vault"),
    (
        ("shop-all", ("bank-1", "shop-1")),
        ("shop-one", ("shop-1",)),
        ("shop-stream", ("salaries",)),
        ("shop-vault", (BACKING,)),
    ),
)


def reasons(*patterns: str, deny: str, aliases: Aliases | None, **more: Any) -> tuple[str, ...]:
    access = an_access(grants=[a_grant(*patterns, **more)])
    policy = a_policy(deny=[{"indices": [deny], "can": ["read"]}])
    [outcome] = Guardrails([policy]).judge(Question(access, None, NOW, aliases)).outcomes
    return tuple(outcome.reasons)


# Each: a pattern of a grant, a denied one, what leads there and to which index; empty: nothing does.
LEADS: dict[str, tuple[str, str, str, str]] = {
    "an alias": ("shop-all", "bank-*", "shop-all", "bank-1"),
    "a wildcard that matches an alias": ("shop-*", "bank-*", "shop-all", "bank-1"),
    "a regular expression that matches an alias": ("/shop-(all|x)/", "/bank-[0-9]/", "shop-all", "bank-1"),
    "a denied name": ("shop-all", "bank-1", "shop-all", "bank-1"),
    "an ending that is denied": ("shop-all", "*k-1", "shop-all", "bank-1"),
    "an index that was added to a data stream": ("shop-stream", "salaries", "shop-stream", "salaries"),
    "an alias of a denied data stream": ("shop-vault", "vault", "shop-vault", BACKING),
    "an alias of denied backing indices": ("shop-vault", ".ds-vault-*", "shop-vault", BACKING),
    "an alias that leads to no denied index": ("shop-one", "bank-*", "", ""),
    "another alias": ("shop-one", "salaries", "", ""),
    "an index": ("shop-1", "bank-*", "", ""),
}


@pytest.mark.parametrize("case", LEADS)
def test_a_denied_index_is_denied_by_any_name_that_leads_to_it(case: str) -> None:
    pattern, deny, name, index = LEADS[case]
    expected = (
        f"grants[0]: read on {pattern} is denied, as {name} leads to {index}, which {deny} matches: name indices of "
        "which none is denied"
    )

    assert reasons(pattern, deny=deny, aliases=Aliases(FOUND)) == ((expected,) if name else ())
    assert reasons(pattern, deny=deny, aliases=None) == (), "by its name alone it is accepted"


def test_only_what_is_denied_counts() -> None:
    assert reasons("shop-all", deny="bank-*", aliases=Aliases(FOUND), can=["append"]) == ()
    raw = reasons("shop-all", deny="bank-*", aliases=Aliases(FOUND), can=[], privileges=["maintenance"])
    assert raw[0].startswith("grants[0]: privilege maintenance on shop-all is denied, as shop-all leads to bank-1")


def test_names_of_remote_clusters_are_not_those_of_this_one() -> None:
    assert reasons("shop-all", deny="bank-*", aliases=Aliases(FOUND), remoteClusters=["eu"]) == ()


def test_what_cannot_be_read_is_said() -> None:
    access = an_access(grants=[a_grant("shop-all", "logs-*"), a_grant("remote", remoteClusters=["eu"])])
    denying, allowing = a_policy(deny=[{"indices": ["bank-*"]}]), a_policy(allow=[{"indices": ["*"], "can": ["read"]}])

    def by_name(aliases: Aliases | None, *policies: Any) -> tuple[str, ...]:
        return Guardrails(policies).judge(Question(access, None, NOW, aliases)).by_name

    assert by_name(Aliases(None), denying) == ("shop-all", "logs-*")
    assert by_name(Aliases(FOUND, frozenset({"shop-all"})), denying) == ("logs-*",)
    assert by_name(Aliases(FOUND), denying) == ()
    assert by_name(None, denying) == (), "nobody tried yet"
    assert by_name(Aliases(None), allowing) == (), "nothing is denied"


def test_many_aliases_take_no_more_than_their_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "STEPS", 100)
    monkeypatch.setattr(bounds, "JOINT_STEPS", 100)
    found = IndexNames((), tuple((f"shop-{number}", (f"old-{number}",)) for number in range(5_000)))

    [reason] = reasons("shop-*", deny="bank-*", aliases=Aliases(found))

    assert "too complicated" in reason


@pytest.mark.parametrize(
    ("index", "stream"),
    [
        (BACKING, "vault"), (".fs-a-b-2026.01.01-000012", "a-b"), (".ds-vault", ""), ("vault", ""), (".ds-", ""),
        (".ds-vault-2026.01.01-00000x", ""), ("x.ds-vault-2026.01.01-000001", ""),
    ],
)  # fmt: skip
def test_a_backing_index_names_its_data_stream(index: str, stream: str) -> None:
    assert stream_of(index) == stream


def test_indices_made_of_backing_indices_are_the_streams_own() -> None:
    assert is_own("partial-.ds-vault-2026.01.01-000001", "vault")
    assert not is_own(BACKING, "vaul")
    assert not is_own("bank", "vault")


def test_the_same_answer_says_the_same() -> None:
    assert Aliases(FOUND).says(["shop-*", "x"]) == Aliases(FOUND).says(["shop-*", "x"])
    moved = IndexNames((), (("shop-all", ("bank-2",)),))
    assert Aliases(FOUND).says(["shop-all"]) != Aliases(moved).says(["shop-all"])
    assert Aliases(FOUND).says(["y"]) == Aliases(moved).says(["y"])
    assert Aliases(FOUND, frozenset()).says(["y"]) != Aliases(FOUND).says(["y"])
