"""Whether two index patterns can meet, held against all short names."""

from functools import lru_cache
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.core.patterns import meeting
from searchaccess.core.patterns.expressions import Expression, char, chars, concat, intersection, literal, union
from searchaccess.core.patterns.meeting import COST_OF_A_PAIR, Prefixes, can_meet
from searchaccess.core.patterns.parsed import TooComplicatedError, find_name, matches, parse_index_pattern
from tests.support.indexpatterns.patterns import ALPHABET, expressions, text_of, wildcards

SHORT = ["".join(letters) for length in range(1, 5) for letters in product(ALPHABET, repeat=length)]
BACKING = ".ds-{}-2026.11.28-000001"

patterns = st.one_of(wildcards, expressions.map(lambda each: f"/{text_of(each)}/")).filter(lambda text: len(text) < 256)


@lru_cache(1 << 10)
def matched(text: str) -> frozenset[str]:
    pattern = parse_index_pattern(text)
    return frozenset(name for name in SHORT if matches(pattern, name))


MEET = [
    ("orders-*", "orders-1"), ("orders-*", "*-eu"), ("*-eu", "*-1*"), ("*", "a"), ("a?", "?b"), ("orders", "orders"),
    ("/orders-[0-9]+/", "orders-*"), ("/orders-[0-9]+/", "/orders-1{1,9}/"), ("/orders-<1-99>/", "orders-07"),
    ("/~(orders-.*)/", "invoices"), ("/~(orders-.*)/", "orders-1*"), ("/.*&orders.*/", "orders"),
    ("logs", ".ds-logs-*"), ("logs-*", "*-000001"), (".ds-*", "logs-app"), (".fs-logs-2*", "logs"), (r"a\*", "a*"),
]  # fmt: skip
APART = [
    ("orders-*", "customers-*"), ("orders", "orders-1"), ("*-eu", "orders-us"), ("a?", "a"), ("a?b", "a*c"),
    ("/orders-[0-9]+/", "orders-eu-*"), ("/orders-<1-99>/", "orders-100"),
    ("/#/", "*"), ("logs", ".ds-logs"), ("logs", ".ds-logs-x-*"), (".ds-a-*", "b"), ("logs-*", ".dsx*"),
    (r"a\*", "ab"),
    # Neither do their backing indices, as a search finds out within its steps.
    ("team-orders-0", "/.*-pii-[0-9]+/"), ("team-orders-0", "/.*-(pii|secret)-.*/"), ("o" * 120, "/.*-pii-[a-z]+/"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "another"), MEET)
def test_patterns_that_match_a_common_name_meet(one: str, another: str) -> None:
    assert can_meet(one, another).yes


@pytest.mark.parametrize(("one", "another"), APART)
def test_patterns_that_match_no_common_name_do_not_meet(one: str, another: str) -> None:
    assert not can_meet(one, another).yes


def backed(expression: Expression) -> Expression:
    """Return the names of the indices behind data streams of such names."""
    digit = chars([(ord("0"), ord("9"))])
    middle = [digit if one == "1" else char(one) for one in "-1111.11.11-111111"]
    return concat([char("."), union([char("d"), char("f")]), literal("s-"), expression, *middle])


def shares_a_name(one: Expression, another: Expression) -> bool:
    try:
        return find_name(intersection([one, another])) is not None
    except TooComplicatedError:
        return True


@given(patterns, patterns)
def test_what_shares_a_short_name_meets_and_what_meets_shares_a_name(one: str, another: str) -> None:
    both = parse_index_pattern(one).expression, parse_index_pattern(another).expression
    meeting = can_meet(one, another)
    assert meeting.yes or not matched(one) & matched(another)
    if meeting.yes and not one.startswith("/") and not another.startswith("/"):
        assert any(shares_a_name(*pair) for pair in (both, (backed(both[0]), both[1]), (both[0], backed(both[1]))))


@given(patterns, patterns)
def test_a_question_and_its_converse_have_the_same_answer(one: str, another: str) -> None:
    assert can_meet(one, another) == can_meet(another, one)


@given(wildcards, patterns, st.integers(0, 5))
def test_a_wider_pattern_meets_all_that_a_narrower_one_meets(one: str, another: str, place: int) -> None:
    wider = one[:place] + "*" + one[place + 1 :]
    assert can_meet(wider, another).yes or not can_meet(one, another).yes


@given(wildcards, st.sampled_from(SHORT))
def test_a_data_stream_meets_its_backing_indices(one: str, name: str) -> None:
    if name in matched(one):
        assert can_meet(one, BACKING.format(name)).yes
        assert can_meet(name, BACKING.format(one)).yes


@given(st.lists(patterns, unique=True, max_size=8), patterns)
def test_whatever_meets_a_pattern_is_near_it(known: list[str], pattern: str) -> None:
    prefixes = Prefixes()
    for each in known:
        prefixes.add(each)
    near = list(prefixes.near(pattern))
    assert len(near) == len(set(near))
    assert {each for each in known if can_meet(each, pattern).yes} <= set(near)


def test_far_patterns_are_not_even_looked_at() -> None:
    prefixes = Prefixes()
    for number in range(1000):
        prefixes.add(f"tenant-{number}-*")
    assert list(prefixes.near("tenant-77-orders")) == ["tenant-77-*"]


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ("/.*a.{60}/", "/.*b.{60}/"),
        ("/(a|b|ab|ba)*c(a|b){90}/", "/(b|a)*c(ab|b|a){90}/"),
    ],
)
def test_what_takes_too_long_to_find_out_may_meet(one: str, another: str) -> None:
    answer = can_meet(one, another)
    assert answer.yes
    assert answer.steps < 20_000


@pytest.mark.parametrize("broken", ["", "/[/", "x" * 256, "/(a|)/"])
def test_what_cannot_be_read_may_meet(broken: str) -> None:
    assert can_meet(broken, "orders").yes


NAMES = st.lists(st.sampled_from(["a", "0", "7", "-", ".", "d", ".ds-", "-2024.01.02-000001"]), min_size=1, max_size=5)
WIDE = st.lists(st.sampled_from(["a", "7", "-", ".ds-", "*", "*", "-000001", "0000", "?"]), min_size=1, max_size=5)


@given(NAMES.map("".join), WIDE.map("".join))
def test_texts_show_nothing_that_a_search_does_not_find(name: str, wide: str) -> None:
    found = meeting._can_meet.__wrapped__(name, wide)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(meeting, "_is_beside", lambda *_: False)
        searched = meeting._can_meet.__wrapped__(name, wide)

    assert found.yes == searched.yes


@pytest.mark.parametrize(("name", "wide"), [("orders-eu", "*-pii-*"), ("orders-" + "p" * 240, "*p-pii*")])
def test_a_name_that_a_wildcard_does_not_match_takes_no_search(name: str, wide: str) -> None:
    assert can_meet(name, wide) == (False, COST_OF_A_PAIR)
    assert can_meet(name, "*-0*").yes, "of its backing indices"
