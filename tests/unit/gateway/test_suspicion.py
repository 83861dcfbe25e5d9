"""Which writes of others may have been of passwords."""

from typing import Any

from searchaccess.api.constants import MANAGED_BY
from searchaccess.core.gateway.suspicion import DOUBT, Suspicion, key_events, key_states


def key(name: str, creation: int, invalidation: int | None = None, **metadata: Any) -> dict[str, Any]:
    ends = {} if invalidation is None else {"invalidation": invalidation}
    return {"id": name, "creation": creation, "metadata": metadata, **ends}


def watching(known: dict[str, int] | None = None) -> Suspicion:
    """Return one to which nothing is suspicious yet."""
    found = Suspicion(pending=False)
    found.account(0, known or {}, ())
    found.explain(frozenset())
    return found


def test_each_event_of_a_key_counts_if_it_is_recent_and_of_others() -> None:
    keys = [key("a", 5000), key("b", 1000, 6000), key("c", 1000), key("d", 7000, managed_by=MANAGED_BY)]
    assert key_events(keys, 5.0) == {"creation of a", "invalidation of b"}
    assert key_events([{}, key("e", -1), {"id": 3, "creation": 9000}], 0) == frozenset()


def test_an_event_explains_one_write_once() -> None:
    found = watching()
    found.account(2, {}, ())
    found.explain(frozenset({"creation of a"}))
    assert found.unexplained == 1
    found.explain(frozenset({"creation of a", "creation of b"}))
    assert found.unexplained == 0
    found.conclude(0)
    assert not found.pending
    found.account(1, {}, ())
    found.explain(frozenset({"creation of b"}))
    found.conclude(0)
    assert found.pending


def test_events_of_a_time_that_was_not_read_completely_explain_nothing() -> None:
    found = watching()
    found.explain(None)
    assert found.needs_keys
    found.account(1, {}, ())
    found.explain(frozenset({"creation of a"}))
    assert found.unexplained == 1


def test_more_events_than_writes_leave_nothing_for_later() -> None:
    found = watching()
    found.account(1, {}, ())
    found.explain(frozenset({"creation of a", "creation of b"}))
    found.account(1, {}, ())
    found.explain(frozenset({"creation of a", "creation of b"}))
    assert found.unexplained == 1


def test_keys_are_read_only_if_there_is_something_to_explain() -> None:
    assert Suspicion().needs_keys
    found = watching()
    assert not found.needs_keys
    found.account(1, {"role/a": 1}, ())
    assert not found.needs_keys, "the role explains it"
    found.account(1, {"role/a": 1}, ())
    assert found.needs_keys


def test_an_updated_key_of_others_explains_one_write_once() -> None:
    found = watching()
    found.see_all_keys(key_states([key("a", 1000), key("b", 1000), key("own", 1000, managed_by=MANAGED_BY)]), 50)
    found.account(4, {}, ())
    now = key_states([key("a", 1000, team="x"), key("b", 1000), key("own", 1000, managed_by=MANAGED_BY, state="x")])
    found.see_all_keys(now, 50)
    assert found.unexplained == 3
    found.see_all_keys(now, 50)
    assert found.unexplained == 3


def test_an_invalidation_is_no_update_and_a_new_key_is_none_either() -> None:
    found = watching()
    found.see_all_keys(key_states([key("a", 1000)]), 50)
    found.account(2, {}, ())
    found.see_all_keys(key_states([key("a", 1000, 2000) | {"invalidated": True}, key("b", 3000)]), 50)
    assert found.unexplained == 2


def test_a_key_that_was_seen_when_it_was_new_explains_its_update() -> None:
    found = watching()
    found.see_all_keys({}, 50)
    found.see_keys(key_states([key("a", 1000)]))
    found.account(1, {}, ())
    found.see_keys(key_states([key("a", 1000, team="x")]))
    assert found.unexplained == 0


def test_a_removed_key_explains_a_write_if_it_had_ended() -> None:
    ended = [key("a", 1000) | {"expiration": 2000}, key("b", 1000, 3000, managed_by=MANAGED_BY)]
    found = watching()
    found.see_all_keys(key_states([*ended, key("c", 1000) | {"expiration": 90_000}, key("d", 1000)]), 5)
    found.account(4, {}, ())
    found.see_all_keys({}, 50)
    assert found.unexplained == 2, "nobody removes keys that work"


def test_keys_that_are_not_read_completely_explain_nothing_later() -> None:
    found = watching()
    assert found.needs_all_keys
    found.see_keys(key_states([key("a", 1000)]))
    found.see_all_keys(key_states([key("a", 1000)]), 50)
    assert not found.needs_all_keys
    found.see_all_keys(None, 50)
    found.account(1, {}, ())
    found.see_all_keys(key_states([key("a", 1000, team="x")]), 50)
    assert found.unexplained == 1


def test_what_a_write_in_doubt_may_explain_resets_passwords_and_accuses_nobody() -> None:
    found = watching()
    found.doubt(["user/a", "user/b"], 100)
    found.account(1, {}, ())
    found.conclude(101)
    assert (found.pending, found.is_loud) == (True, False)
    found.account(2, {}, ())
    found.conclude(102)
    assert found.is_loud, "one doubt is left"


def test_a_write_in_doubt_that_shows_explains_itself_alone() -> None:
    found = watching()
    found.doubt(["user/a"], 100)
    found.account(1, {"user/a": 1}, ())
    found.conclude(101)
    assert not found.pending
    found.account(1, {"user/a": 1}, ())
    found.conclude(102)
    assert (found.pending, found.is_loud) == (True, True)


def test_a_write_is_in_doubt_until_it_cannot_be_late_any_more() -> None:
    for later, loud in ((DOUBT - 1, False), (DOUBT, True)):
        found = watching()
        found.doubt(["user/a"], 100)
        found.conclude(100)
        found.account(1, {}, ())
        found.conclude(100 + later)
        assert (found.pending, found.is_loud) == (True, loud)


def test_what_comes_up_during_a_reset_is_said_after_the_next_one() -> None:
    found = watching()
    found.doubt(["user/a"], 0)
    found.account(1, {}, ())
    found.conclude(1)
    assert found.begin()
    found.account(1, {}, ())
    found.conclude(2)
    assert not found.is_loud, "this reset is not about that"
    found.was_reset(3)
    assert (found.pending, found.is_loud) == (True, True)
    found.was_reset(1000)
    assert (found.pending, found.is_loud) == (False, False)


def test_what_was_gone_before_it_was_deleted_explains_nothing() -> None:
    # A search still showed a user that another process had deleted a moment ago.
    found = watching({"user/a": 1, "user/gone": 2})
    found.account(1, {"user/a": 1}, (), ["user/gone"])
    found.conclude(100)
    assert (found.pending, found.is_loud) == (True, True)


def test_what_a_deletion_in_doubt_deleted_explains_it() -> None:
    found = watching({"user/a": 1, "user/gone": 2})
    found.doubt(["user/gone"], 100)
    found.account(1, {"user/a": 1}, (), ["user/gone"])
    found.conclude(100)
    assert not found.pending
