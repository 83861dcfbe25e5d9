"""Whose turn it is: nobody takes all workers, and nobody waits for more than one."""

from hypothesis import given
from hypothesis import strategies as st

from searchaccess.engine.pacing.turns import Turns

WORKERS = 36


def take_all(turns: Turns[str, int]) -> list[str]:
    """Take until nothing may be taken; return whose items these were."""
    taken = []
    while (found := turns.take()) is not None:
        taken.append(found[0])
    return taken


def test_one_group_alone_takes_two_thirds_and_leaves_the_rest_to_whoever_comes() -> None:
    turns: Turns[str, int] = Turns(WORKERS)
    for number in range(10_000):
        turns.put("many", number)
    assert len(take_all(turns)) == 24
    turns.put("other", 1)
    assert turns.take() == ("other", 1)


def test_groups_are_served_in_turn_and_each_in_the_order_of_arrival() -> None:
    turns: Turns[str, int] = Turns(WORKERS)
    for number in range(3):
        turns.put("a", number)
    turns.put("b", 7)
    turns.put("a", 0)
    assert [turns.take() for _ in range(5)] == [("a", 0), ("b", 7), ("a", 1), ("a", 2), None]


def test_what_is_removed_is_not_taken() -> None:
    turns: Turns[str, int] = Turns(WORKERS)
    turns.put("a", 1)
    turns.put("a", 2)
    turns.remove("a", 1)
    turns.remove("never", 1)
    assert turns.take() == ("a", 2)
    assert turns.take() is None


@given(st.integers(1, 80), st.integers(1, 50))
def test_whoever_comes_new_gets_the_next_worker_that_is_free(groups: int, each: int) -> None:
    turns: Turns[str, int] = Turns(WORKERS)
    for group in range(groups):
        for number in range(each):
            turns.put(f"slow-{group}", number)
    taken = take_all(turns)
    assert len(taken) <= WORKERS
    turns.put("new", 1)
    found = turns.take()
    if found is None:
        assert len(taken) == WORKERS, "it waits only where no worker is free"
        turns.done(taken[0])
        # Whose turn came before may be served first, but a worker that comes free is never kept from it.
        found = turns.take()
        assert found is not None
        waited = 1
        while found != ("new", 1):
            turns.done(found[0])
            found = turns.take()
            assert found is not None
            waited += 1
        assert waited <= groups + 1


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=300))
def test_no_more_is_taken_than_there_are_workers_and_everything_in_the_end(history: list[tuple[int, bool]]) -> None:
    turns: Turns[int, int] = Turns(6)
    taken: list[int] = []
    put = served = 0
    for group, work in history:
        if work:
            if taken:
                turns.done(taken.pop(0))
        else:
            turns.put(group, put)
            put += 1
        while (found := turns.take()) is not None:
            taken.append(found[0])
            served += 1
        assert len(taken) <= 6
    while taken:
        turns.done(taken.pop(0))
        while (found := turns.take()) is not None:
            taken.append(found[0])
            served += 1
    assert served == put
