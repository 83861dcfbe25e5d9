"""What is to be proven of a SearchAccess, and what follows from an answer."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.model.access import Share
from searchaccess.core.model.canonical import Entry
from searchaccess.core.patterns.marks import mark_for
from searchaccess.core.patterns.parsed import matches, parse_index_pattern
from searchaccess.core.policy.presence import is_addressable, matching
from searchaccess.core.policy.proofs import (
    PROVEN,
    Question,
    Tried,
    Verdict,
    combined,
    judged,
    known_at_once,
    not_seen,
    not_tried,
    questions_of,
)

QUERY = '{"term":{"region":"eu"}}'
QUESTION = Question(("orders-*",), QUERY)
FAILS = judged(QUESTION, Tried(1, (("orders-1", "no"),)))
UNKNOWN = not_seen(["orders-*"])


def entry(*names: str, query: str = QUERY) -> Entry:
    return Entry(names, ("read",), query=query)


def test_each_query_is_a_question_once_without_our_mark() -> None:
    share = Share((entry(mark_for("0123456789abcdef"), "orders-*"), entry("orders-*"), entry("names-*", query="")))
    assert questions_of(share) == (QUESTION,)


def test_an_index_on_which_it_fails_is_named_with_how_many_more() -> None:
    tried = Tried(3, (("b", "second"), ("a", "first"), ("c", "third")))
    assert judged(QUESTION, tried) == Verdict("False", Reason.QUERY_FAILS, "on a and 2 more: first")
    assert judged(QUESTION, Tried(0, (("", "cannot be read"),))).message == "cannot be read"


def test_what_was_tried_on_no_index_is_not_known() -> None:
    assert judged(QUESTION, Tried(0)).reason is Reason.NO_INDEX_YET
    assert judged(QUESTION, Tried(0).and_also(Tried(2))) == PROVEN


def test_a_query_for_remote_clusters_is_not_tried_here() -> None:
    share = Share((entry("orders-*"), replace(entry("orders-*"), clusters=("eu",))))
    here, there = questions_of(share)
    assert here == QUESTION
    assert known_at_once(here) is None
    verdict = known_at_once(there)
    assert verdict is not None
    assert (verdict.status, verdict.reason) == ("Unknown", Reason.CANNOT_BE_TRIED)
    assert combined([PROVEN, verdict]) == verdict


def test_a_template_cannot_be_tried() -> None:
    template = known_at_once(Question(("orders-*",), json.dumps({"template": {"source": {"match_all": {}}}})))
    assert template is not None
    assert template.reason is Reason.CANNOT_BE_TRIED
    assert known_at_once(QUESTION) is None
    assert known_at_once(Question(("orders-*",), "no JSON")) is None


@pytest.mark.parametrize(
    ("some", "worst"),
    [
        ((PROVEN, PROVEN), PROVEN),
        ((PROVEN, UNKNOWN), UNKNOWN),
        ((UNKNOWN, FAILS, PROVEN), FAILS),
        ((UNKNOWN, not_tried(Reason.THROTTLED, "slow")), UNKNOWN),
    ],
)
def test_the_worst_counts_and_of_equal_ones_the_first(some: tuple[Verdict, ...], worst: Verdict) -> None:
    assert combined(some) == worst


NAMES = st.text("ab-1", min_size=1, max_size=5)
PATTERNS = st.text("ab-1*?", min_size=1, max_size=5)


@given(PATTERNS, st.lists(NAMES, max_size=8))
def test_names_are_matched_as_elasticsearch_matches_them(pattern: str, names: list[str]) -> None:
    parsed = parse_index_pattern(pattern)
    ordered = sorted(set(names))
    assert matching(pattern, ordered) == [name for name in ordered if matches(parsed, name)]


def test_regular_expressions_are_matched_and_broken_ones_match_nothing() -> None:
    assert matching("/orders-[0-9]+/", ["names-1", "orders-1", "orders-x"]) == ["orders-1"]
    assert matching("/orders-[/", ["orders-["]) == []
    assert [is_addressable(one) for one in ("orders-*", "/a/", "a?", "a\\b")] == [True, False, False, False]
