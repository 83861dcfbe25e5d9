"""Who is to have which cluster, and who is alive."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from searchaccess.core.replicas import Sightings, assign

NAMES = st.sets(st.text("abcdefgh-0123", min_size=1, max_size=8), max_size=25)
MEMBERS = st.sets(st.sampled_from([f"replica-{number}" for number in range(7)]), min_size=1)


@given(NAMES, MEMBERS)
def test_all_is_shared_out_evenly_and_the_same_for_everybody(clusters: set[str], members: set[str]) -> None:
    shares = assign(clusters, members)
    assert set(shares) == clusters
    loads = Counter(dict.fromkeys(members, 0) | Counter(shares.values()))
    assert max(loads.values()) - min(loads.values()) <= 1
    assert assign(sorted(clusters, reverse=True), sorted(members)) == shares


def test_nobody_is_there() -> None:
    assert assign(["prod"], []) == {}


def test_few_change_hands_when_one_comes_or_goes() -> None:
    clusters = [f"cluster-{number}" for number in range(300)]
    three = assign(clusters, ["a", "b", "c"])
    for others in (["a", "b"], ["a", "b", "c", "d"]):
        after = assign(clusters, others)
        moved = sum(three[name] != after[name] and three[name] in others for name in clusters)
        leaving = sum(three[name] not in others for name in clusters)
        assert moved <= 100, f"{moved} moved beside the {leaving} that had to"


def test_who_gives_no_sign_of_life_is_dead() -> None:
    seen = Sightings(duration=3.0, gap=1.5)
    assert seen.observe({"a": "1", "b": "1"}, 0.0, 0.0) == {"a", "b"}
    assert seen.observe({"a": "2", "b": "1"}, 1.0, 1.0) == {"a", "b"}
    assert seen.observe({"a": "3", "b": "1"}, 2.0, 2.0) == {"a", "b"}
    assert seen.observe({"a": "4", "b": "1"}, 3.0, 3.0) == {"a"}
    assert seen.silent_for("b", 3.0) == 3.0
    assert seen.silent_for("c", 3.0) == 0.0
    assert seen.observe({"a": "5", "b": "2"}, 4.0, 4.0) == {"a", "b"}, "it is back"


def test_what_was_written_after_a_question_may_not_be_in_its_answer() -> None:
    seen = Sightings(duration=3.0, gap=1.5)
    assert seen.observe({"a": "1"}, 0.0, 1.0) == {"a"}
    assert seen.observe({"a": "1"}, 2.0, 3.0) == {"a"}
    assert seen.observe({"a": "1"}, 3.9, 4.9) == {"a"}, "it was silent from 1.0 to 3.9 for sure"
    assert seen.observe({"a": "1"}, 4.0, 5.0) == set()


def test_of_the_time_while_nobody_looked_nothing_is_known() -> None:
    seen = Sightings(duration=3.0, gap=1.5)
    seen.observe({"a": "1"}, 0.0, 0.0)
    assert seen.observe({"a": "1"}, 100.0, 100.0) == {"a"}, "the API server was away for both"
    assert seen.observe({"a": "1"}, 101.0, 101.0) == {"a"}
    assert seen.observe({"a": "1"}, 102.0, 102.0) == {"a"}
    assert seen.observe({"a": "1"}, 103.0, 103.0) == set()
    assert seen.observe({"a": "1"}, 200.0, 200.0) == set(), "who was dead before stays dead"
    assert seen.observe({"a": "2"}, 300.0, 300.0) == {"a"}
