"""Which index patterns are too much for Elasticsearch together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.core.patterns.cost.burden import is_too_complicated_together, is_too_much, what_is_complicated
from searchaccess.core.patterns.parsed import PatternError, check_index_pattern
from tests.support.indexpatterns.patterns import floating
from tests.unit.builders import a_grant, an_access

LETTERS = "abcdefghijklmnopqrstuvwxyz"
FLOATING = [f"*{one}*{number}" for number, one in enumerate(LETTERS)]

ORDINARY: dict[str, list[str]] = {
    "names": [f"orders-{number}" for number in range(50)],
    "beginnings": [f"orders-{number}-*" for number in range(50)],
    "ends": [f"*-orders-{number}" for number in range(50)],
    "parts": [f"*-{number}-*" for number in range(50)],
    "teams": [f"team-{number}-*-prod-*" for number in range(50)],
    "one team": [f"team-*-{number}-*" for number in range(50)],
    "days": [f"logs-{one}-????.??.??" for one in LETTERS],
    "regular expressions": [f"/orders-{number}-[0-9]+/" for number in range(50)],
    "of all kinds": [
        *(f"*-svc{number}" for number in range(12)), *(f"*-{number}-*" for number in range(12)),
        *(f"team-{number}-*-prod-*" for number in range(12)), *(f"orders-{number}-*" for number in range(12)),
        "/metrics-.*-(eu|us)/",
    ],
    "a few that float": FLOATING[:7],
    "everything": ["*", "*a*0", "b*"],
}  # fmt: skip
TOO_COMPLICATED: dict[str, list[str]] = {
    "sixteen that float": FLOATING[:16],
    "sixteen that float, twice": [text.replace("*", "*x*", 1) for text in FLOATING[:16]],
    "that float and count": [f"*{one}{'?' * (number % 7)}{number}" for number, one in enumerate(LETTERS)],
    "expressions": [f"/.*{one}.*{number}/" for number, one in enumerate(LETTERS[:16])],
}


@pytest.mark.parametrize("patterns", ORDINARY.values(), ids=ORDINARY)
def test_ordinary_patterns_are_no_burden(patterns: list[str]) -> None:
    assert not is_too_complicated_together(frozenset(patterns))
    assert not is_too_much(patterns)
    assert an_access(grants=[a_grant(*patterns)]).invalid == ""


def test_hundreds_of_them_are_no_burden_for_a_role() -> None:
    several = [kind for name, kind in ORDINARY.items() if name not in {"a few that float", "everything"}]
    assert not is_too_much([text for patterns in several for text in patterns])
    assert not is_too_much([f"orders-{number}-*" for number in range(5000)])
    assert not is_too_much(["*-audit", "*-x-*", *(f"team-{number}-*-prod" for number in range(800))])


@pytest.mark.parametrize("patterns", TOO_COMPLICATED.values(), ids=TOO_COMPLICATED)
def test_each_is_fine_and_together_they_are_too_complicated(patterns: list[str]) -> None:
    for text in patterns:
        check_index_pattern(text)
    assert is_too_complicated_together(frozenset(patterns))


@pytest.mark.parametrize("text", ["/(.*a.{20})/", "/.*a.{90}/"])
def test_one_alone_can_be_too_complicated(text: str) -> None:
    with pytest.raises(PatternError, match="too complicated"):
        check_index_pattern(text)


def test_a_grant_is_refused_with_the_patterns_that_make_it_complicated() -> None:
    access = an_access(grants=[a_grant("orders"), a_grant("orders-*", *FLOATING[:16])])
    assert access.invalid.startswith(
        "spec.grants[1].indices: *a*0, *b*1, *c*2 and 13 more are too complicated for Elasticsearch together: write"
    )
    assert access.share.entries == ()


def test_grants_of_one_access_are_refused_together() -> None:
    access = an_access(grants=[a_grant(*FLOATING[:7]), a_grant(*FLOATING[7:14], can=["append"])])
    assert access.invalid.startswith("spec.grants: *a*0, *b*1, *c*2 and 11 more are too complicated")


def test_only_patterns_that_can_match_the_same_names_count_together() -> None:
    apart = [f"team{number}-{text[1:]}" for number, text in enumerate(FLOATING)]
    assert not is_too_much(apart)
    assert is_too_much([f"orders-{text}" for text in FLOATING])
    assert is_too_much([f"/orders-.*{one}.*{number}/" for number, one in enumerate(LETTERS)])
    assert not is_too_much([f"/team{number}-.*{one}.*{number}/" for number, one in enumerate(LETTERS)])
    assert is_too_much([f"/(x|orders{number}).*{one}.*{number}/" for number, one in enumerate(LETTERS)])
    assert is_too_much([f"/a{number}?.*{one}.*{number}/" for number, one in enumerate(LETTERS)])


def test_a_role_of_more_names_than_anybody_has_is_too_much() -> None:
    assert is_too_much(f"{number:0200}" for number in range(1000))


def test_it_is_said_what_is_complicated() -> None:
    assert what_is_complicated(["a", "b*", "*c*d", "/e/"]) == "*c*d, /e/"
    assert what_is_complicated(["a", "b*"]) == ""


@given(st.lists(floating, max_size=8, unique=True), floating)
def test_more_patterns_are_never_less_of_a_burden_for_a_role(patterns: list[str], more: str) -> None:
    assert is_too_much([*patterns, more]) >= is_too_much(patterns)
    assert is_too_much(patterns) == is_too_much(reversed(patterns))
