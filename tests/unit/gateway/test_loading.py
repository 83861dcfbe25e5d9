"""Whose limits have reached all pods."""

import random
from dataclasses import replace

from searchaccess.core.gateway.facts import GRACE, PodAnswer, Pods
from searchaccess.core.gateway.limits import strictest
from searchaccess.core.gateway.loading import Loading
from searchaccess.core.gateway.settings import CallerLimits, Rate

DEFAULT = CallerLimits(100)
STRICT = CallerLimits(100, Rate(1, 2))
LOOSE = CallerLimits(200)


def pods(*versions: str) -> Pods:
    """Return what pods say; ``!``: nothing."""
    answers = (
        PodAnswer(f"pod-{number}", "" if version == "!" else version, trouble="mute" if version == "!" else "")
        for number, version in enumerate(versions)
    )
    return Pods(tuple(answers))


def loading(*rounds: dict[str, CallerLimits], at: float = 0.0) -> Loading:
    """Return one for which limits were declared and written, one after the other, as ``v1``, ``v2`` …"""
    found = Loading()
    for limits in rounds:
        number = found.declare(limits, DEFAULT)
        found.wrote(f"v{number}", number, at)
    return found


def test_a_caller_waits_until_every_pod_has_its_limits_or_later_ones() -> None:
    found = loading({}, {"a": STRICT}, {"a": STRICT, "b": STRICT})
    assert found.waiting(pods("v1", "v3"), 1) == {"a", "b"}
    assert found.waiting(pods("v2", "v3"), 1) == {"b"}
    assert found.waiting(pods("v3", "v3"), 1) == frozenset()
    assert found.waiting(pods("v3", "other"), 1) == {"a", "b"}, "of a process before this one"


def test_what_is_not_written_yet_is_in_no_pod() -> None:
    found = loading({})
    found.declare({"a": STRICT}, DEFAULT)
    assert found.waiting(pods("v1"), 10 * GRACE) == {"a"}


def test_limits_that_are_no_stricter_than_the_default_are_not_waited_for() -> None:
    found = loading({}, {"a": LOOSE})
    assert found.waiting(pods("v1"), 1) == frozenset()


def test_other_limits_of_the_same_caller_are_waited_for_again() -> None:
    found = loading({"a": STRICT}, {"a": STRICT, "b": LOOSE}, {"a": CallerLimits(50), "b": LOOSE}, {"b": LOOSE})
    number = found.declare({"a": STRICT}, DEFAULT)
    found.wrote("again", number, 0)
    assert found.waiting(pods("v1"), 1) == {"a", "b"}, "it had others meanwhile"
    assert found.waiting(pods("again"), 1) == frozenset()


MIDDLE = CallerLimits(150)


def test_limits_looser_than_the_default_are_waited_for_where_pods_may_have_still_looser_ones() -> None:
    narrowed = loading({}, {"a": LOOSE}, {"a": MIDDLE})
    assert narrowed.waiting(pods("v2"), 1) == {"a"}
    assert narrowed.waiting(pods("v3"), 1) == frozenset()
    removed = loading({}, {"a": LOOSE}, {})
    assert removed.waiting(pods("v2"), 1) == {"a"}
    assert removed.waiting(pods("v3"), 1) == frozenset()


def test_limits_that_become_looser_are_not_waited_for() -> None:
    found = loading({}, {"a": CallerLimits(50)}, {"a": MIDDLE})
    assert found.waiting(pods("v2"), 1) == frozenset()
    assert found.waiting(pods("v1"), 1) == frozenset(), "the default, before it had any, is stricter too"
    assert found.waiting(pods("other"), 1) == frozenset(), "it was never looser"


def test_who_has_the_default_again_waits_for_nothing() -> None:
    found = loading({}, {"a": STRICT}, {})
    for each in ("v1", "v2", "v3"):
        assert found.waiting(pods(each), 1) == frozenset()


def test_limits_between_those_before_wait_for_what_was_looser() -> None:
    found = loading({}, {"a": LOOSE}, {"a": STRICT}, {"a": MIDDLE})
    assert found.waiting(pods("v2"), 1) == {"a"}
    assert found.waiting(pods("v3"), 1) == frozenset()


def test_limits_of_before_this_process_are_waited_for_where_they_may_have_been_looser() -> None:
    found = loading({"a": STRICT}, {"a": LOOSE}, {})
    assert found.waiting(pods("v2"), 1) == {"a"}
    assert found.waiting(pods("v3"), 1) == frozenset()
    found = loading({"a": STRICT}, {})
    assert found.waiting(pods("v1"), 1) == frozenset()
    assert found.waiting(pods("other"), 1) == {"a"}


def test_new_limits_looser_than_a_default_that_was_narrowed_wait_until_pods_have_that() -> None:
    found = Loading()
    for number, (limits, default) in enumerate([({}, LOOSE), ({}, DEFAULT), ({"a": MIDDLE}, DEFAULT)], 1):
        found.wrote(f"v{number}", found.declare(limits, default), 0)
    assert found.waiting(pods("v1"), 1) == {"a"}, "the pod has the former default, which allows more"
    assert found.waiting(pods("v2"), 1) == frozenset()


def test_a_wider_default_leaves_limits_to_be_waited_for() -> None:
    found, limits = Loading(), {"a": MIDDLE}
    found.wrote("v1", found.declare({}, DEFAULT), 0)
    found.wrote("v2", found.declare(limits, DEFAULT), 0)
    found.wrote("v3", found.declare(limits, LOOSE), 0)
    found.wrote("v4", found.declare({**limits, "b": MIDDLE}, LOOSE), 0)
    assert found.waiting(pods("v3"), 1) == {"b"}


def test_what_pods_had_before_this_process_is_not_known() -> None:
    found = loading({"a": LOOSE})
    assert found.waiting(pods("other"), 10 * GRACE) == {"a"}
    assert found.waiting(pods("v1"), 1) == frozenset()


def test_the_same_object_is_no_change() -> None:
    found, limits = Loading(), {"a": STRICT}
    assert found.declare(limits, DEFAULT) == found.declare(limits, DEFAULT) == 1


def test_pods_that_cannot_be_asked_have_what_was_written_long_ago() -> None:
    found = loading({}, {"a": STRICT}, at=100)
    for unknown in (Pods(), Pods(trouble="forbidden"), pods("!"), pods("v2", "!")):
        assert found.waiting(unknown, 100 + GRACE - 1) == {"a"}
        assert found.waiting(unknown, 100 + GRACE) == frozenset()
    assert found.waiting(pods("v1", "!"), 100 + GRACE) == {"a"}, "it says that it has not"


def test_pods_that_were_not_asked_yet_may_say_that_they_have_another_version() -> None:
    found = loading({}, {"a": STRICT}, at=100)
    assert found.waiting(None, 100 + 10 * GRACE) == {"a"}


def test_pods_of_a_former_gateway_limit_nobody_anew() -> None:
    found = loading({}, {"a": STRICT})
    assert found.waiting(replace(pods("v2"), former=True), 10 * GRACE) == {"a"}


def test_later_versions_do_not_start_the_time_again() -> None:
    found = loading({}, {"a": STRICT}, at=100)
    found.wrote("v9", found.declare({"a": STRICT, "b": STRICT}, DEFAULT), 100 + GRACE)
    assert found.waiting(Pods(), 101 + GRACE) == {"b"}


def test_the_same_version_may_have_newer_limits() -> None:
    found = loading({}, {"a": STRICT})
    found.wrote("v2", found.declare({"a": STRICT}, DEFAULT), 1)
    found.wrote("v2", found.declare({"a": STRICT, "b": STRICT}, DEFAULT), 2)
    assert found.waiting(pods("v2"), 3) == frozenset()


def test_other_pods_have_nothing_yet() -> None:
    found = loading({}, {"a": STRICT})
    found.forget_written()
    assert found.waiting(pods("v2"), 10 * GRACE) == {"a"}


def test_a_pod_that_is_being_deleted_counts_with_what_it_has_and_gets_nothing_with_time() -> None:
    found = loading({}, {"a": STRICT})
    for version in ("v1", "", "other"):
        ending = replace(pods("v2"), ending=pods(version).answers)
        assert found.waiting(ending, 10 * GRACE) == {"a"}
        assert found.waiting(replace(ending, answers=()), 10 * GRACE) == {"a"}
    mute = (replace(pods("!").answers[0], version="v2"),)
    assert found.waiting(replace(pods("v2"), ending=mute), 1) == frozenset(), "as it last said"
    assert found.everyone_waits(replace(pods("v2"), ending=pods("other").answers), 1)


def test_everyone_waits_while_a_pod_may_have_what_was_written_before_this_process() -> None:
    found = loading({})
    for unknown in (None, pods("v1", "other"), pods("v1", ""), pods("!"), Pods(), replace(pods("v1"), former=True)):
        assert found.everyone_waits(unknown, 1)
    assert not found.everyone_waits(pods("v1"), 1)
    for known in (None, pods("v1", ""), pods("!"), replace(pods("v1"), former=True)):
        assert not found.everyone_waits(known, 1), "all had it once"
    assert found.everyone_waits(pods("v1", "other"), 1)


def test_pods_that_cannot_be_asked_have_nothing_of_before_this_process_after_their_time() -> None:
    found = loading({}, at=100)
    assert found.everyone_waits(pods("!"), 100 + GRACE - 1)
    assert not found.everyone_waits(pods("!"), 100 + GRACE)


def test_where_nothing_was_written_before_nobody_waits_unless_a_pod_says_otherwise() -> None:
    assert not Loading().everyone_waits(None, 1), "there is no gateway"
    found = loading({})
    found.look_back(found=False, first=True)
    assert not found.everyone_waits(None, 1)
    assert not found.everyone_waits(pods(""), 1)
    assert found.everyone_waits(pods("", "other"), 1)


def test_another_place_that_was_empty_says_nothing_about_the_former_one() -> None:
    found = loading({})
    found.look_back(found=False, first=False)
    assert found.everyone_waits(None, 1)
    found.everyone_waits(pods("v1"), 1)
    found.forget_written()
    found.look_back(found=True, first=False)
    assert found.everyone_waits(None, 1), "it was used before"


def test_old_versions_and_callers_are_forgotten() -> None:
    found = loading(
        {"gone": LOOSE}, {"a": STRICT}, *({"b": CallerLimits(number)} for number in range(3_000, 1_999, -1))
    )
    assert len(found._written) == 1_000
    assert "b" in found.waiting(pods("v2"), 1)
    assert found._since.keys() == {"b"}


def test_who_waits_is_who_had_looser_limits_in_what_a_pod_has_or_may_still_get() -> None:
    some = [DEFAULT, STRICT, LOOSE, MIDDLE, CallerLimits(200, Rate(5, 10)), CallerLimits(50, Rate(9, 18))]
    for seed in range(200):
        chance, found, default = random.Random(seed), Loading(), DEFAULT  # noqa: S311 - no secret
        history: list[tuple[dict[str, CallerLimits], CallerLimits]] = []
        for number in range(1, chance.randint(2, 12)):
            default = chance.choice([default, default, *some])
            limits = {name: chance.choice(some) for name in "abc" if chance.random() < 0.6}
            history.append(({name: one for name, one in limits.items() if one != default}, default))
            found.wrote(f"v{number}", found.declare(*history[-1]), 0)
        for number in range(1, len(history) + 1):
            expected = set()
            for name in set[str]().union(*(limits for limits, _ in history)):
                # Those that never had limits of their own are not waited for.
                *_, now = each = [limits.get(name, default) for limits, default in history[number - 1 :]]
                expected |= {name} if any(strictest(now, then) != then for then in each if then != now) else set()
            assert found.waiting(pods(f"v{number}"), 1) == expected, (seed, number)
