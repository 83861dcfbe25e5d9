"""What is decided about a credential, from what is seen of it."""

from dataclasses import replace
from typing import Any

import pytest

from searchaccess.api.stores.credentials import Auth, PayloadFormat
from searchaccess.core.credentials.credential import NOWHERE, Key, Secret, Seen, Slot, State, Version, Wish
from searchaccess.core.credentials.pins import Pins
from searchaccess.core.credentials.rotation import ASK_AGAIN, JITTER, Phase, decide, lifetime, rotate_at, withdraw
from searchaccess.core.credentials.steps import (
    AskUsers,
    Destroy,
    Disable,
    Issue,
    Note,
    Prolong,
    Read,
    RemoveSecret,
    Revoke,
    Rewrite,
    Update,
)
from searchaccess.core.model.canonical import Entry, RoleBody

HOUR, DAY = 3600.0, 86400.0
NOW = 1_700_000_000.0
RIGHTS = RoleBody(entries=(Entry(("orders-*",), ("read",)),))
WISH = Wish("uid-1", RIGHTS, rotate_every=30 * DAY, overlap=DAY, grace=7 * DAY)
SECRET = Secret("s1", "uid-1", (Version(1),))


def a_key(sequence: int = 1, **more: Any) -> Key:
    made: dict[str, Any] = {"created": NOW, "expires": NOW + 46 * DAY, "rights": RIGHTS, "slot": Slot("s1", sequence)}
    return Key(f"key-{sequence}", "uid-1", sequence, **(made | more))


def versions(*states: State) -> Secret:
    return replace(SECRET, versions=tuple(Version(number, state) for number, state in enumerate(states, start=1)))


def test_where_there_is_nothing_a_key_is_made() -> None:
    [step] = decide(WISH, Seen(), NOW).steps
    assert isinstance(step, Issue)
    assert (step.sequence, step.lifetime) == (1, lifetime(WISH))


def test_a_secret_in_another_form_is_rewritten_and_its_key_stays() -> None:
    other = replace(SECRET, form_differs=True)
    decision = decide(WISH, Seen((a_key(),), other), NOW)
    assert decision.steps == (Rewrite(1),)
    assert (decision.phase, decision.current) == (Phase.ACTIVE, a_key())
    former = replace(WISH, owner="uid-2", predecessors=frozenset({"uid-1"}))
    steps = decide(former, Seen((replace(a_key(), owner="uid-2"),), other), NOW).steps
    assert Rewrite(1) not in steps, "that of a former installation is written with the next key"


def test_all_is_well() -> None:
    decision = decide(WISH, Seen((a_key(),), SECRET), NOW)
    assert decision.steps == ()
    assert decision.phase is Phase.ACTIVE
    assert decision.current == a_key()
    assert decision.next_rotation == rotate_at(WISH, a_key())
    assert decision.after == pytest.approx(rotate_at(WISH, a_key()) - NOW)


def test_rotations_are_spread_ahead_of_time_and_always_the_same() -> None:
    times = [rotate_at(replace(WISH, owner=f"uid-{number}"), a_key()) - NOW for number in range(200)]
    assert len(set(times)) == 200
    assert all(30 * DAY * (1 - JITTER) <= time <= 30 * DAY for time in times)
    assert max(times) - min(times) > 30 * DAY * JITTER * 0.9
    assert rotate_at(WISH, a_key()) == rotate_at(WISH, a_key())


@pytest.mark.parametrize("period", [600.0, DAY, 30 * DAY, 365 * DAY])
def test_a_key_outlives_its_rotation_and_overlap_by_a_day_at_least(period: float) -> None:
    wish = replace(WISH, rotate_every=period, overlap=period / 2)
    assert lifetime(wish) >= period * 1.5 + DAY


def test_a_key_of_another_login_is_believed_only_when_its_version_was_read() -> None:
    theirs = a_key(ours=False)
    assert decide(WISH, Seen((theirs,), SECRET), NOW).steps == (Read(1),)
    _, step = decide(WISH, Seen((theirs,), SECRET, {1: "another"}), NOW).steps
    assert isinstance(step, Issue)
    assert step.lost, "what consumers read does not work"


def test_a_user_does_not_end_and_is_replaced_in_time() -> None:
    wish = replace(WISH, auth=Auth.PASSWORD)
    user = a_key(auth=Auth.PASSWORD, expires=None)
    decision = decide(wish, Seen((user,), SECRET), NOW)
    assert (decision.steps, decision.current) == ((), user)
    [step] = decide(wish, Seen((user,), SECRET), NOW + 31 * DAY).steps
    assert isinstance(step, Issue)


def test_a_user_that_somebody_disabled_goes_whatever_else_is_there() -> None:
    users = (a_key(auth=Auth.PASSWORD, expires=None, disabled=True), a_key(2))
    assert decide(WISH, Seen(users, versions(State.ENABLED, State.ENABLED)), NOW).steps == (
        Revoke(users[:1], "somebody disabled it"),
    )
    assert withdraw("uid-1", Seen(users[:1])).steps == (Revoke(users[:1], "its SearchAccess is gone"),)


@pytest.mark.parametrize(
    ("wish", "key", "now", "why"),
    [
        pytest.param({}, {}, NOW + 31 * DAY, "its rotation is due", id="time"),
        pytest.param({"requested": "now"}, {}, NOW, "requested", id="request"),
        pytest.param({}, {"ours": False}, NOW, "another login", id="login"),
        pytest.param({"auth": Auth.PASSWORD}, {}, NOW, "it is for ApiKey, and Password is declared", id="another kind"),
        pytest.param({"form": PayloadFormat.ENCODED}, {"form": PayloadFormat.JSON}, NOW, "has the format", id="format"),
        pytest.param({}, {"expires": None}, NOW, "never expire", id="no end"),
        pytest.param({}, {"expires": NOW + DAY / 2}, NOW, "it expires", id="end"),
    ],
)
def test_why_a_key_is_replaced(wish: dict[str, Any], key: dict[str, Any], now: float, why: str) -> None:
    one = a_key(**key)
    [step] = decide(replace(WISH, **wish), Seen((one,), SECRET, {1: one.id}), now).steps
    assert isinstance(step, Issue)
    assert why in step.why
    assert step.sequence == 2
    assert not step.lost


def test_a_format_that_was_not_noted_is_no_reason() -> None:
    """Earlier versions of the operator did not note it."""
    assert decide(replace(WISH, form=PayloadFormat.ENCODED), Seen((a_key(),), SECRET), NOW).steps == ()


def test_a_younger_key_than_the_current_one_keeps_its_overlap() -> None:
    """Somebody restored an earlier secret, or declares again what was declared before."""
    keys = (a_key(1, created=NOW - 5 * DAY), replace(a_key(2), slot=Slot("another", 1)))
    seen = Seen(keys, versions(State.ENABLED))
    decision = decide(WISH, seen, NOW)
    assert decision.current == keys[0]
    assert decision.steps == ()
    assert decision.overlap_until == NOW + WISH.overlap
    assert decide(WISH, seen, NOW + WISH.overlap).steps == (Revoke(keys[1:], "the overlap is over"),)


def test_a_request_that_was_answered_is_no_reason() -> None:
    wish = replace(WISH, requested="now")
    assert decide(wish, Seen((a_key(requested="now"),), SECRET), NOW).steps == ()


class TestOverlap:
    seen = Seen((a_key(1), a_key(2, created=NOW)), versions(State.ENABLED, State.ENABLED))

    def test_both_work_until_it_is_over(self) -> None:
        decision = decide(WISH, self.seen, NOW + DAY - 1)
        assert decision.steps == ()
        assert decision.phase is Phase.OVERLAP
        assert (decision.after, decision.overlap_until) == (1, NOW + DAY)

    def test_then_the_old_key_goes_and_then_its_version(self) -> None:
        [revoke] = decide(WISH, self.seen, NOW + DAY).steps
        assert revoke == Revoke((a_key(1),), "the overlap is over")
        after = replace(self.seen, keys=(a_key(2),))
        assert decide(WISH, after, NOW + DAY).steps == (Disable((1,)),)
        after = replace(after, secret=versions(State.DISABLED, State.ENABLED))
        decision = decide(WISH, after, NOW + DAY)
        assert decision.steps == ()
        assert decision.after == 7 * DAY
        assert decide(WISH, after, NOW + 8 * DAY).steps == (Destroy((1,)),)

    def test_a_rotation_waits_for_its_end(self) -> None:
        wish = replace(WISH, requested="now")
        decision = decide(wish, self.seen, NOW)
        assert decision.steps == ()
        assert "when the overlap is over" in decision.waits
        assert decision.after == DAY


class TestUse:
    """An old version that Cloud Run hands out by its number."""

    wish = replace(WISH, waits_for_users=True)
    secret = replace(versions(State.ENABLED, State.ENABLED), names=("projects/p/secrets/s",))
    seen = Seen((a_key(1), a_key(2, created=NOW)), secret)

    def test_it_is_asked_for_when_the_overlap_is_over_and_not_before(self) -> None:
        assert decide(self.wish, self.seen, NOW + DAY - 1).steps == ()
        assert decide(self.wish, self.seen, NOW + DAY).steps == (AskUsers(),)

    @pytest.mark.parametrize("pins", [Pins({1: "revision a"}), Pins({}, "no answer")], ids=["used", "unknown"])
    def test_the_key_stays_while_it_is_in_use_or_may_be(self, pins: Pins) -> None:
        decision = decide(replace(self.wish, requested="now"), replace(self.seen, pins=pins), NOW + DAY)
        assert decision.steps == ()
        assert decision.deferred.startswith("version 1: ")
        assert decision.waits
        assert decision.after == ASK_AGAIN

    @pytest.mark.parametrize("pins", [Pins({}), Pins({2: "revision a"})], ids=["unused", "only the new one"])
    def test_the_key_goes_when_nobody_has_it(self, pins: Pins) -> None:
        [step] = decide(self.wish, replace(self.seen, pins=pins), NOW + DAY).steps
        assert step == Revoke((a_key(1),), "the overlap is over")

    def test_numbers_of_another_secret_of_the_name_are_not_meant(self) -> None:
        before = a_key(1, slot=Slot("s0", 1))
        seen = replace(self.seen, keys=(before, a_key(2, created=NOW)), pins=Pins({1: "revision a"}))
        assert decide(self.wish, seen, NOW + DAY).steps == (Revoke((before,), "the overlap is over"),)

    def test_nobody_is_asked_where_cloud_run_cannot_have_it_or_it_does_not_matter(self) -> None:
        for wish, secret in ((self.wish, versions(State.ENABLED, State.ENABLED)), (WISH, self.secret)):
            [step] = decide(wish, replace(self.seen, secret=secret), NOW + DAY).steps
            assert isinstance(step, Revoke)


class TestLost:
    def test_a_key_that_is_stored_nowhere_goes_before_another_is_made(self) -> None:
        lost = a_key(2, slot=NOWHERE)
        assert decide(WISH, Seen((a_key(1), lost), SECRET), NOW).steps == (Revoke((lost,), "its value was not stored"),)

    def test_it_may_be_in_a_version_whose_storing_was_cut_off(self) -> None:
        lost = a_key(2, slot=NOWHERE)
        seen = Seen((a_key(1), lost), versions(State.ENABLED, State.ENABLED))
        assert decide(WISH, seen, NOW).steps == (Read(2),)
        assert decide(WISH, replace(seen, holds={2: "key-2"}), NOW).steps == (Note(lost, Slot("s1", 2)),)
        assert decide(WISH, replace(seen, holds={2: ""}), NOW).steps == (Revoke((lost,), "its value was not stored"),)

    @pytest.mark.parametrize("state", [State.DISABLED, State.DESTROYED])
    def test_a_version_that_nobody_can_read_is_replaced(self, state: State) -> None:
        [step] = decide(WISH, Seen((a_key(),), versions(state)), NOW).steps
        assert isinstance(step, Issue)
        assert step.lost

    @pytest.mark.parametrize("keys", [(), (a_key(slot=Slot("another", 1)),)], ids=["gone", "elsewhere"])
    def test_a_version_with_no_key_that_works_is_replaced(self, keys: tuple[Key, ...]) -> None:
        [step] = decide(WISH, Seen(keys, SECRET), NOW).steps
        assert isinstance(step, Issue)

    def test_what_was_read_counts_more_than_what_was_noted(self) -> None:
        [step] = decide(WISH, Seen((a_key(),), SECRET, {1: "key-9"}), NOW).steps
        assert isinstance(step, Issue)

    def test_the_oldest_goes_when_there_are_two_and_neither_can_be_read(self) -> None:
        seen = Seen((a_key(1), a_key(2)), versions(State.DISABLED, State.DISABLED))
        [step] = decide(WISH, seen, NOW).steps
        assert isinstance(step, Revoke)
        assert step.keys == (a_key(1),)

    def test_no_clock_of_ours_ends_a_key_that_elasticsearch_lists(self) -> None:
        [step] = decide(WISH, Seen((a_key(expires=NOW - 1),), SECRET), NOW).steps
        assert isinstance(step, Issue)
        assert not step.lost
        assert step.replaces == "key-1"


class TestAges:
    """The age of keys is measured by a clock that does not jump, where it is known."""

    seen = Seen((a_key(1), a_key(2)), versions(State.ENABLED, State.ENABLED))

    @pytest.mark.parametrize("jump", [-900 * DAY, -2 * HOUR, 2 * HOUR, 40 * DAY])
    def test_no_jump_rotates_ends_an_overlap_or_destroys(self, jump: float) -> None:
        young = Seen((a_key(1),), SECRET, ages={"key-1": HOUR})
        assert decide(WISH, replace(young, keys=(a_key(1, expires=None, auth=Auth.PASSWORD),)), NOW + jump).steps == (
            Issue(2, lifetime(WISH), "it is for Password, and ApiKey is declared", "key-1"),
        )
        users = replace(WISH, auth=Auth.PASSWORD)
        user = a_key(1, auth=Auth.PASSWORD, expires=None)
        assert decide(users, replace(young, keys=(user,)), NOW + jump).steps == ()
        overlapping = replace(self.seen, ages={"key-1": 30 * DAY, "key-2": HOUR})
        assert decide(WISH, overlapping, NOW + jump).steps == ()
        cleared = Seen((a_key(2),), versions(State.DISABLED, State.ENABLED), ages={"key-2": 2 * DAY})
        assert not [step for step in decide(WISH, cleared, NOW + jump).steps if isinstance(step, Destroy)]

    def test_they_count_for_all_that_is_due(self) -> None:
        def age(days: float) -> dict[str, float]:
            return {"key-1": 60 * DAY, "key-2": days * DAY}

        assert decide(WISH, replace(self.seen, ages=age(0.75)), NOW).after == DAY / 4
        [step] = decide(WISH, replace(self.seen, ages=age(1)), NOW).steps
        assert isinstance(step, Revoke)
        alone = Seen((a_key(2),), versions(State.DISABLED, State.ENABLED))
        assert decide(WISH, replace(alone, ages=age(7)), NOW).after == DAY
        assert decide(WISH, replace(alone, ages=age(8)), NOW).steps == (Destroy((1,)),)
        [step] = decide(WISH, replace(alone, ages=age(31)), NOW).steps
        assert isinstance(step, Issue)

    def test_a_key_is_replaced_before_it_expires_by_either_clock(self) -> None:
        ending = Seen((a_key(expires=NOW + 10 * DAY),), SECRET, ages={"key-1": 0.0})
        assert decide(WISH, ending, NOW).steps == ()
        for now, seen in ((NOW + 9 * DAY, ending), (NOW, replace(ending, ages={"key-1": 9 * DAY}))):
            [step] = decide(WISH, seen, now).steps
            assert isinstance(step, Issue)
            assert step.why == "it expires"


def test_a_key_of_unknown_age_is_replaced_while_a_third_of_its_lifetime_is_left() -> None:
    """As after a start, where the login may not read Elasticsearch's time: the store may fail for as long."""
    started = Seen((a_key(),), SECRET, ages={"key-1": 0.0})
    decision = decide(WISH, started, NOW + 30 * DAY)
    assert decision.steps == ()
    assert decision.after == pytest.approx(DAY * 2 / 3)
    [step] = decide(WISH, started, NOW + 31 * DAY).steps
    assert isinstance(step, Issue)
    assert step.why == "it expires"


WHY = "another login created it, and it is not in use"


class TestForged:
    """Whoever may make API keys may write any metadata, but not as the operator's login, nor into the store."""

    forged = a_key(99, ours=False, slot=Slot("s1", 1))

    def test_one_of_ours_is_believed_and_the_other_goes_when_all_else_is_done(self) -> None:
        seen = Seen((a_key(1), self.forged), SECRET)
        decision = decide(WISH, seen, NOW)
        assert decision.steps == (Revoke((self.forged,), WHY, may_fail=True),)
        assert (decision.current, decision.phase) == (a_key(1), Phase.ACTIVE)

    @pytest.mark.parametrize("slot", [NOWHERE, Slot("s1", 1), Slot("s1", 7), Slot("elsewhere", 1)], ids=str)
    def test_an_emergency_rotation_does_not_wait_for_it(self, slot: Slot) -> None:
        forged = a_key(9_999_999_999_999_999_999, ours=False, slot=slot)
        revoke, step = decide(replace(WISH, requested="leaked"), Seen((a_key(1), forged), SECRET), NOW).steps
        assert revoke == Revoke((forged,), WHY, may_fail=True)
        assert isinstance(step, Issue)
        assert (step.sequence, step.replaces) == (2, "key-1")
        after = Seen((a_key(2, requested="leaked"), a_key(1), forged), versions(State.ENABLED, State.ENABLED))
        [step] = decide(replace(WISH, requested="leaked", overlap=0), after, NOW).steps
        assert step == Revoke((a_key(1),), "the overlap is over")

    def test_many_of_them_displace_no_key(self) -> None:
        lost = replace(versions(State.DISABLED, State.DISABLED))
        seen = Seen((a_key(1), *(a_key(number, ours=False) for number in range(50, 90))), lost)
        revoke, step = decide(WISH, seen, NOW).steps
        assert isinstance(revoke, Revoke)
        assert len(revoke.keys) == 40
        assert isinstance(step, Issue)
        assert step.replaces == "key-1"

    def test_the_real_one_of_an_earlier_login_is_recognized_by_what_its_version_holds(self) -> None:
        theirs = a_key(1, ours=False)
        assert decide(WISH, Seen((theirs, self.forged), SECRET), NOW).steps == (Read(1),)
        revoke, step = decide(WISH, Seen((theirs, self.forged), SECRET, {1: "key-1"}), NOW).steps
        assert revoke == Revoke((self.forged,), WHY, may_fail=True)
        assert isinstance(step, Issue)
        assert "another login" in step.why

    def test_where_a_version_holds_something_else_nobody_elses_key_counts(self) -> None:
        seen = Seen((a_key(1, ours=False), self.forged), SECRET, {1: "something else"})
        revoke, step = decide(WISH, seen, NOW).steps
        assert isinstance(revoke, Revoke)
        assert revoke.keys == seen.keys
        assert isinstance(step, Issue)
        assert step.lost
        assert step.replaces == ""

    def test_a_key_of_an_earlier_login_keeps_its_overlap_after_it_was_replaced(self) -> None:
        before = a_key(1, ours=False, slot=NOWHERE)
        kept = Seen((before, a_key(2, replaces="key-1")), replace(SECRET, versions=(Version(2),)))
        assert decide(WISH, kept, NOW + DAY - 1).steps == ()
        assert decide(WISH, kept, NOW + DAY).steps == (Revoke((before,), "the overlap is over"),)

    def test_it_vouches_for_nobody_itself(self) -> None:
        friend = a_key(98, ours=False)
        seen = Seen((a_key(1), replace(self.forged, replaces="key-98"), friend), SECRET)
        assert set(seen.strangers()) == {replace(self.forged, replaces="key-98"), friend}


def test_other_rights_change_the_keys_in_place_first() -> None:
    other = RoleBody(entries=(Entry(("x",), ("all",)),))
    seen = Seen((a_key(1, rights=other), a_key(2, rights=other)), versions(State.ENABLED, State.ENABLED))
    [step] = decide(WISH, seen, NOW).steps
    assert isinstance(step, Update)
    assert len(step.keys) == 2


def test_what_is_not_ours_is_not_touched() -> None:
    for secret in (replace(SECRET, owner=""), replace(SECRET, owner="uid-2")):
        decision = decide(WISH, Seen((), secret), NOW)
        assert decision.conflict
        assert decision.steps == ()
        assert withdraw("uid-1", Seen((), secret)).steps == ()


def test_it_is_withdrawn_rights_first() -> None:
    seen = Seen((a_key(1), a_key(2)), versions(State.ENABLED, State.ENABLED))
    [step] = withdraw("uid-1", seen).steps
    assert isinstance(step, Revoke)
    assert withdraw("uid-1", replace(seen, keys=())).steps == (RemoveSecret(),)
    assert withdraw("uid-1", Seen()).steps == ()


@pytest.mark.parametrize(("left", "goes_on"), [(2 * DAY - 1, True), (2 * DAY + 1, False)])
def test_keys_that_cannot_be_replaced_yet_are_prolonged_in_time(left: float, *, goes_on: bool) -> None:
    wish, secret = replace(WISH, waits_for_users=True), replace(versions(State.ENABLED, State.ENABLED), names=("s",))
    old, new = NOW - 45 * DAY, NOW - 40 * DAY
    keys = (a_key(1, expires=NOW + left, created=old), a_key(2, expires=NOW + left, created=new))
    decision = decide(wish, Seen(keys, secret, pins=Pins({1: "revision one"})), NOW)
    assert decision.deferred
    assert decision.waits
    assert decision.steps == ((Prolong(keys, 3 * DAY),) if goes_on else ())


def test_a_secret_of_a_former_installation_is_a_conflict_unless_a_key_in_it_says_whose_it_was() -> None:
    former = replace(a_key(), owner="uid-before", former="another-controller")
    secret = replace(SECRET, owner="uid-before")
    assert decide(WISH, Seen((former,), secret), NOW).conflict
    heir = replace(WISH, predecessors=frozenset({"uid-before"}))
    decision = decide(heir, Seen((former,), secret), NOW)
    [step] = decision.steps
    assert isinstance(step, Issue)
    assert (step.replaces, decision.current) == (former.id, former)
    assert "former installation" in step.why


def test_a_former_key_ends_after_the_overlap() -> None:
    heir = replace(WISH, predecessors=frozenset({"uid-before"}))
    former = replace(a_key(), owner="uid-before", former="another-controller")
    seen = Seen((former, a_key(2)), versions(State.ENABLED, State.ENABLED))
    assert decide(heir, seen, NOW).steps == ()
    [step] = decide(heir, seen, NOW + DAY + 1).steps
    assert step == Revoke((former,), "the overlap is over")
