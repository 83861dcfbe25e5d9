"""API keys of a SearchAccess that ends: none is valid for longer, and none for less."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.api.stores.credentials import Auth
from searchaccess.core.credentials.credential import Key, Secret, Seen, State
from searchaccess.core.credentials.ending import LEAST, SLACK, TOLERANCE, outliving
from searchaccess.core.credentials.rotation import Phase, decide, lifetime
from searchaccess.core.credentials.steps import Issue, Prolong
from tests.unit.credentials.test_rotation import DAY, HOUR, NOW, SECRET, WISH, a_key, versions

ENDING = replace(WISH, ends=NOW + HOUR)


def expiring(seconds: float) -> Key:
    return a_key(expires=NOW + seconds)


def test_a_key_is_made_for_no_longer_than_its_access_lasts() -> None:
    [step] = decide(ENDING, Seen(), NOW).steps
    assert isinstance(step, Issue)
    assert step.lifetime == HOUR - SLACK


def test_it_is_made_for_no_longer_than_its_rotation_rule_says() -> None:
    [step] = decide(replace(WISH, ends=NOW + 1000 * DAY), Seen(), NOW).steps
    assert isinstance(step, Issue)
    assert step.lifetime == lifetime(WISH)


def test_none_is_made_when_there_is_no_time_left() -> None:
    decision = decide(replace(WISH, ends=NOW + SLACK + LEAST / 2), Seen(), NOW)
    assert decision.steps == ()
    assert decision.phase is Phase.MISSING
    assert "end" in decision.waits


def test_one_that_ends_with_its_access_is_not_replaced_because_it_ends() -> None:
    decision = decide(ENDING, Seen((expiring(HOUR - SLACK),), SECRET), NOW)
    assert decision.steps == ()
    assert decision.phase is Phase.ACTIVE


@pytest.mark.parametrize("expires", [46 * DAY, HOUR + 1], ids=["long", "a second too long"])
def test_one_that_would_outlive_its_access_is_cut_short(expires: float) -> None:
    key = expiring(expires)
    assert decide(ENDING, Seen((key,), SECRET), NOW).steps == (Prolong((key,), HOUR - SLACK),)
    assert decide(ENDING, Seen((key,), None), NOW).steps == (Prolong((key,), HOUR - SLACK),), "whoever reads it"


def test_one_that_was_to_end_earlier_goes_on_if_its_access_does() -> None:
    key = expiring(HOUR)
    later = replace(WISH, ends=NOW + 2 * DAY)
    assert decide(later, Seen((key,), SECRET), NOW).steps == (Prolong((key,), 2 * DAY - SLACK),)
    much_later = replace(WISH, ends=NOW + 1000 * DAY)
    assert decide(much_later, Seen((key,), SECRET), NOW).steps == (Prolong((key,), lifetime(WISH)),)


def test_one_is_replaced_when_its_access_does_not_end_any_more() -> None:
    [step] = decide(WISH, Seen((expiring(HOUR),), SECRET), NOW).steps
    assert isinstance(step, Issue)
    assert step.why == "it expires"
    decision = decide(WISH, Seen((expiring(WISH.overlap + HOUR),), SECRET), NOW)
    assert decision.steps == ()
    assert decision.after == HOUR, "before it would be too late"


def test_one_that_was_to_end_earlier_works_for_the_whole_overlap_after_it_was_replaced() -> None:
    former, current = a_key(1, created=NOW - DAY, expires=NOW + HOUR), a_key(2, created=NOW - HOUR)
    seen = Seen((former, current), versions(State.ENABLED, State.ENABLED))
    left = WISH.overlap - HOUR
    assert decide(WISH, seen, NOW).steps == (Prolong((former,), left + DAY),)
    enough = replace(seen, keys=(replace(former, expires=NOW + left), current))
    assert decide(WISH, enough, NOW).steps == ()
    over = replace(seen, keys=(former, replace(current, created=NOW - WISH.overlap)))
    assert not [step for step in decide(WISH, over, NOW).steps if isinstance(step, Prolong)]
    assert Prolong((former,), left + DAY) not in decide(ENDING, seen, NOW).steps


def test_of_a_held_access_only_what_would_outlive_it_is_cut_short() -> None:
    key, short, user = expiring(2 * HOUR), expiring(HOUR), a_key(auth=Auth.PASSWORD, expires=None)
    stranger = replace(key, ours=False)
    assert outliving((key, short, user, stranger), NOW + HOUR, NOW) == Prolong((key,), HOUR - SLACK)
    assert outliving((short, user, stranger), NOW + HOUR, NOW) is None
    assert outliving((key,), None, NOW) is None
    assert outliving((key,), NOW + SLACK, NOW) is None, "it is revoked in a moment"


def test_users_have_no_end_of_their_own() -> None:
    user = a_key(auth=Auth.PASSWORD, expires=None)
    assert decide(replace(ENDING, auth=Auth.PASSWORD), Seen((user,), SECRET), NOW).steps == ()


@given(
    st.floats(SLACK + LEAST, 400 * DAY),
    st.floats(-HOUR, 400 * DAY),
    st.sampled_from([SECRET, None]),
    st.floats(0, 400 * DAY),
)
def test_after_one_step_no_key_outlives_its_access_and_nothing_repeats(
    ends: float, expires: float, secret: Secret | None, age: float
) -> None:
    wish = replace(WISH, ends=NOW + ends)
    key = a_key(created=NOW - age, expires=NOW + expires)
    seen = Seen((key,), secret)
    for step in decide(wish, seen, NOW).steps:
        if isinstance(step, Prolong):
            changed = replace(key, expires=NOW + step.lifetime)
            assert changed.expires is not None
            assert changed.expires <= NOW + ends
            again = decide(wish, replace(seen, keys=(changed,)), NOW).steps
            assert not any(isinstance(one, Prolong) for one in again)
        if isinstance(step, Issue):
            assert 0 < step.lifetime <= ends
    if not any(isinstance(step, Prolong) for step in decide(wish, seen, NOW).steps):
        assert NOW + expires <= NOW + ends + TOLERANCE
