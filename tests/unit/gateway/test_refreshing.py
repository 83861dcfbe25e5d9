"""When a pod is marked, so that its kubelet looks for changed files."""

from dataclasses import replace

import pytest

from searchaccess.core.gateway.facts import LoginInUse, Pod, PodAnswer
from searchaccess.core.gateway.refreshing import AGAIN, MOST, Current, refresh_mark
from searchaccess.core.status.credential import epoch

MADE = "2026-11-30T06:00:00Z"
NOW = epoch(MADE) + 100
CURRENT = Current("v2", NOW, LoginInUse("gateway.a", MADE))
OLD = Pod("pod", "10.0.0.1", "2026-11-29T06:00:00Z")
NEW = replace(OLD, started="2026-11-30T06:00:01Z")
MARKED = replace(OLD, mark=f"{MADE} v1 0")
LATE, LOADED, MUTE = PodAnswer("pod", "v1"), PodAnswer("pod", "v2"), PodAnswer("pod", trouble="mute")


@pytest.mark.parametrize(
    ("pod", "answer", "marked"),
    [
        (OLD, LATE, True),
        (OLD, MUTE, True),
        (OLD, LOADED, True),  # It may have a former login.
        (replace(OLD, started="?"), LOADED, True),
        (NEW, LOADED, False),
        (NEW, LATE, True),
        (MARKED, LOADED, False),
        (MARKED, LATE, True),
        (replace(OLD, mark="2026-11-29T06:00:00Z v2 0"), LOADED, True),
        (replace(OLD, mark=f"{MADE} v2 0"), LATE, False),
        (OLD, None, False),
    ],
)
def test_who_may_lack_something_is_marked_once(pod: Pod, answer: PodAnswer | None, *, marked: bool) -> None:
    mark = refresh_mark(pod, answer, CURRENT, NOW)
    assert mark == (f"{MADE} v2 0" if marked else "")
    assert refresh_mark(replace(pod, mark=mark or pod.mark), answer, CURRENT, NOW) == ""


def test_who_still_lacks_it_is_marked_again_a_few_times() -> None:
    pod, marks = OLD, []
    for seconds in range(0, int(20 * AGAIN), 10):
        if mark := refresh_mark(pod, LATE, CURRENT, NOW + seconds):
            marks.append(mark)
            pod = replace(pod, mark=mark)
    assert marks == [f"{MADE} v2 {times}" for times in range(MOST + 1)]


def test_without_a_login_only_the_configuration_counts() -> None:
    current = replace(CURRENT, login=None)
    assert refresh_mark(OLD, LOADED, current, NOW) == ""
    assert refresh_mark(OLD, LATE, current, NOW) == " v2 0"
