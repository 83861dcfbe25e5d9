"""Which writes of others may have been of passwords."""

from typing import Any

from searchaccess.api.constants import MANAGED_BY
from searchaccess.core.gateway.suspicion import Suspicion, key_events


def key(name: str, creation: int, invalidation: int | None = None, **metadata: Any) -> dict[str, Any]:
    ends = {} if invalidation is None else {"invalidation": invalidation}
    return {"id": name, "creation": creation, "metadata": metadata, **ends}


def watching() -> Suspicion:
    """One to which nothing is suspicious yet."""
    found = Suspicion(pending=False)
    found.account(0, {}, ())
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
    found.conclude()
    assert not found.pending
    found.account(1, {}, ())
    found.explain(frozenset({"creation of b"}))
    found.conclude()
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
