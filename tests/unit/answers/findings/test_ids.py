"""An id stays the same as long as the problem does, and no two problems have the same."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from searchaccess.core.answers.findings.kinds import Kind
from searchaccess.core.answers.findings.model import About, Finding
from tests.support.runs.effort import examples
from tests.unit.answers.findings.material import access, drifted, looked, others_give
from tests.unit.answers.test_statuses import ready

ABOUT = About("SearchAccess", "shop", "orders")
FINDING = Finding(
    Kind.BROADER, ABOUT, ("RoleMapping", "ops", "superuser"), "title", ("adds all",), "2026-01-01T00:00:00Z"
)
names = st.lists(
    st.sampled_from(["a", "b", "c", "d; role mapping e", "f gives role g", "h: i"]), min_size=1, unique=True
)
texts = st.text(max_size=8)


def ids(*accesses: dict[str, Any]) -> list[str]:
    return [each.id for each in looked(*accesses)[0]]


def test_ids_are_the_same_in_each_release() -> None:
    """Suppressions in people's repositories name them."""
    assert FINDING.id == "f-2abbeeea6718b6db"


@given(first=names, shuffled=st.randoms(use_true_random=False), adds=st.text(max_size=20))
@settings(max_examples=examples(50))
def test_neither_order_nor_messages_nor_others_beside_it_change_an_id(
    first: list[str], shuffled: Any, adds: str
) -> None:
    again = list(first)
    shuffled.shuffle(again)
    before = ids(access(status=others_give(*first)))
    assert len(set(before)) == len(first)
    assert sorted(before) == sorted(ids(access(status=others_give(*again, adds=adds))))
    assert set(before) < {*ids(access(status=others_give(*again, "one more")))}


@given(paths=st.lists(texts.filter(bool), min_size=1, max_size=5, unique=True), have=st.text(max_size=20))
@settings(max_examples=examples(50))
def test_neither_times_nor_values_change_an_id(paths: list[str], have: str) -> None:
    before = access(status=ready(drift=drifted(*paths)))
    after = access(status=ready(drift=drifted(*reversed(paths), seen="2026-01-05T00:00:00Z", have=have)))
    assert sorted(ids(before)) == sorted(ids(after))


@given(
    one=st.tuples(st.sampled_from(Kind), st.builds(About, texts, texts, texts), st.lists(texts, max_size=3)),
    other=st.tuples(st.sampled_from(Kind), st.builds(About, texts, texts, texts), st.lists(texts, max_size=3)),
)
@settings(max_examples=examples(300))
def test_only_the_same_problem_has_the_same_id(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    made = [Finding(kind, about, tuple(what), "t") for kind, about, what in (one, other)]
    assert (made[0].id == made[1].id) is (one == other)


def test_names_that_look_alike_when_they_are_joined_are_different() -> None:
    assert len({replace(FINDING, what=what).id for what in (("a", "b"), ("ab",), ("a,b",), ("a", "b", ""))}) == 4
    shop = About("SearchAccess", "shop", "a/b")
    assert replace(FINDING, about=shop).id != replace(FINDING, about=About("SearchAccess", "shop/a", "b")).id


def test_the_content_changes_with_the_evidence_alone() -> None:
    assert replace(FINDING, title="x", first_seen="").content == FINDING.content
    assert replace(FINDING, evidence=("adds more",)).content != FINDING.content
    assert replace(FINDING, evidence=("a", "b")).content == replace(FINDING, evidence=("b", "a")).content


def test_drift_of_a_path_that_is_pending_is_another_kind() -> None:
    made = (ids(access(status=ready(drift=drifted("a", action=action)))) for action in ("Reported", "Pending"))
    assert len({id_ for each in made for id_ in each}) == 2
