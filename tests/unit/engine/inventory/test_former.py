"""Who has rights where it does not declare them any more, and who is woken when that changes."""

import asyncio

from searchaccess.engine.inventory.former import KEYS, FormerPlace, FormerRights
from searchaccess.engine.inventory.indexes.callers import ChangedCallers
from searchaccess.engine.inventory.indexes.contested import Contested
from searchaccess.engine.inventory.marks import Marks


def made() -> tuple[FormerRights, Marks, list[str]]:
    changed: list[str] = []
    marks = Marks({"old", "new"}, asyncio.Event(), ChangedCallers())
    return FormerRights(marks, changed.append), marks, changed


def test_only_the_first_and_the_last_place_are_news() -> None:
    former, _, changed = made()
    former.note("old", "one", {"a", "b"})
    former.add("a", "old", KEYS)
    assert sorted(changed) == ["a", "b"]
    former.note("old", "one", {"b"})
    assert sorted(changed) == ["a", "b"], "it still has keys"
    former.drop("a", "old", KEYS)
    assert sorted(changed) == ["a", "a", "b"]
    assert former.places("a") == ()
    assert former.uids("old") == {"b"}
    assert former.principals("old") == {"one"}


def test_whoever_changes_is_reconciled_wherever_it_has_something() -> None:
    former, marks, _ = made()
    former.add("a", "old", "one")
    former.add("a", "new", KEYS)
    former.requeue("a")
    former.requeue("nobody")
    assert marks.dirty("old").principals == {"one"}
    assert marks.dirty("new").credentials == {"a"}


def test_a_place_that_was_not_read_yet_is_waited_for_where_it_is_reconciled() -> None:
    former, _, changed = made()
    assert not former.awaits_full_read("elsewhere", "a"), "another replica has it, or nobody"
    former.begin("old")
    assert former.awaits_full_read("old", "a")
    assert changed == []
    former.read_completely("old")
    assert changed == ["a"]
    assert not former.awaits_full_read("old", "a")


def test_a_cluster_that_goes_holds_nobody() -> None:
    former, _, changed = made()
    former.begin("old")
    former.add("a", "old", "one")
    former.awaits_full_read("old", "b")
    former.end("old")
    assert former.places("a") == ()
    assert sorted(changed) == ["a", "a", "b"]


def test_a_place_is_shown_as_it_is() -> None:
    former, _, _ = made()
    former.add("a", "old", "one")
    assert list(former.places("a")) == [FormerPlace("old", "one")]


def test_a_name_that_is_free_wakes_all_that_wait_for_it_once() -> None:
    _, marks, _ = made()
    contested = Contested(marks)
    contested.wait("name", "old", "a")
    contested.wait("name", "new", "b")
    contested.wait("other", "new", "c")
    contested.requeue("name")
    assert marks.take_dirty("old").credentials == {"a"}
    assert marks.take_dirty("new").credentials == {"b"}
    contested.requeue("name")
    assert not marks.dirty("new").credentials
