"""Who is refused in a role is found out by halving."""

from collections.abc import Callable, Collection, Sequence
from math import ceil, log2

from hypothesis import given
from hypothesis import strategies as st

from searchaccess.core.rights.refused.isolation import Isolation, undecided_message

Server = Callable[[Sequence[str]], str]
"""Says why a role with some SearchAccesses is refused; empty: it is taken."""


def refusing(bad: Collection[str], limit: int = 10**9) -> Server:
    """Return a server that refuses some, and roles that are too large."""

    def answer(uids: Sequence[str]) -> str:
        first = next((uid for uid in uids if uid in bad), "")
        return f"cannot have {first}" if first else "too large" * (len(uids) > limit)

    return answer


def halved(uids: Sequence[str], server: Server, waiting: Sequence[str] = ()) -> tuple[Isolation, int]:
    """Return the outcome, and how many tries it took."""
    isolation, tries = Isolation(uids, server(uids) if uids else "", [waiting]), 0
    while isolation.group:
        tries += 1
        message = server([*isolation.accepted, *isolation.group])
        if message:
            isolation.refuse(message)
        else:
            isolation.accept()
    return isolation, tries


def one_by_one(uids: Sequence[str], server: Server) -> tuple[list[str], dict[str, str]]:
    accepted: list[str] = []
    refused: dict[str, str] = {}
    for uid in uids:
        message = server([*accepted, uid])
        if message:
            refused[uid] = message
        else:
            accepted.append(uid)
    return accepted, refused


@st.composite
def populations(draw: st.DrawFn) -> tuple[list[str], set[str]]:
    uids = [f"uid-{number}" for number in range(draw(st.integers(1, 150)))]
    bad = draw(st.sets(st.sampled_from(uids), min_size=1, max_size=draw(st.sampled_from([1, 2, 5, len(uids)]))))
    return uids, bad


@given(populations())
def test_halving_finds_what_trying_one_by_one_finds_in_few_tries(given: tuple[list[str], set[str]]) -> None:
    uids, bad = given
    isolation, tries = halved(uids, refusing(bad))
    assert (isolation.accepted, isolation.refused) == one_by_one(uids, refusing(bad))
    assert tries <= 2 * len(bad) * ceil(log2(len(uids))) if len(uids) > 1 else tries == 0
    assert tries <= 2 * len(uids)


@given(populations(), st.integers(0, 150))
def test_the_same_is_found_where_it_depends_on_who_else_is_there(given: tuple[list[str], set[str]], limit: int) -> None:
    uids, bad = given
    isolation, _ = halved(uids, refusing(bad, limit))
    assert (isolation.accepted, isolation.refused) == one_by_one(uids, refusing(bad, limit))


@given(populations(), st.data())
def test_those_that_wait_from_before_are_tried_after_all_others(
    given: tuple[list[str], set[str]], data: st.DataObject
) -> None:
    uids, bad = given
    waiting = data.draw(st.lists(st.sampled_from(uids), unique=True))
    others = [uid for uid in uids if uid not in waiting]
    if not bad & set(others):
        others = []
    isolation, _ = halved(others, refusing(bad), waiting)
    assert (isolation.accepted, isolation.refused) == one_by_one([*others, *waiting], refusing(bad))


@given(populations(), st.integers(1, 3))
def test_it_comes_to_an_end_and_finds_the_same_where_it_is_cut_off_all_the_time(
    given: tuple[list[str], set[str]], tries: int
) -> None:
    uids, bad = given
    server, accepted, refused, groups = refusing(bad), list[str](), dict[str, str](), [uids]
    for _ in range(4 * len(uids)):
        isolation = Isolation((), groups=groups)
        for _ in range(tries):
            if not isolation.group:
                break
            if message := server([*accepted, *isolation.accepted, *isolation.group]):
                isolation.refuse(message)
            else:
                isolation.accept()
        accepted += isolation.accepted
        refused |= isolation.refused
        groups = [list(group) for group in isolation.groups]
    assert not groups
    assert (accepted, refused) == one_by_one(uids, server)


def test_what_is_not_known_yet_says_what_it_waits_for() -> None:
    isolation = Isolation(["a", "b", "c", "d"], "unknown query [x]")
    assert isolation.undecided == {"a", "b", "c", "d"}
    assert "unknown query [x]" in undecided_message(isolation)
    isolation.accept()
    assert isolation.accepted == ["a", "b"]
    assert isolation.group == ("c",), "the right half is known to be refused: it is not tried as a whole again"


def test_a_single_one_that_was_refused_needs_no_try() -> None:
    isolation = Isolation(["a"], "unknown query [x]")
    assert (isolation.group, isolation.refused) == ((), {"a": "unknown query [x]"})
