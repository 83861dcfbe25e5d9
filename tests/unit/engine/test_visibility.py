"""What the login may see is asked in few requests, and one odd pattern spoils nobody else's answer."""

from collections.abc import Sequence
from typing import Any, cast

from searchaccess.engine.rights.background.visibility import CHECK_EVERY, Visibility
from searchaccess.ports.errors import Rejected
from tests.support.loop.clocks import SettableClock, run_virtually

ODD = "/odd/"


class Port:
    """Answers which indices may be seen."""

    def __init__(self, *visible: str) -> None:
        self.visible = visible
        self.asked: list[int] = []

    async def hidden(self, patterns: Sequence[str]) -> frozenset[str]:
        self.asked.append(len(patterns))
        if ODD in patterns:
            raise Rejected("too complex")
        return frozenset(patterns) - frozenset(self.visible)


class Connected:
    """A session with such a port."""

    def __init__(self, port: Port) -> None:
        self.port = port


def refresh(visibility: Visibility, port: Port, *patterns: str, **more: Any) -> list[str]:
    run_virtually(visibility.refresh(cast("Any", Connected(port)), patterns, **more))
    return visibility.hidden_of(patterns)


def test_each_pattern_is_asked_once_until_all_are_asked_anew() -> None:
    clock = SettableClock()
    visibility, port = Visibility(clock), Port("a")
    assert visibility.is_stale()
    assert refresh(visibility, port, "a", "b") == ["b"]
    assert not visibility.is_stale(), "all that is known was just asked"
    assert refresh(visibility, port, "a", "b", "c") == ["b", "c"]
    assert port.asked == [3, 1]
    assert refresh(visibility, port, "a", "b", refresh_all=True) == ["b"]
    assert not visibility.is_stale()
    clock.advance(CHECK_EVERY)
    assert visibility.is_stale()


def test_who_may_see_everything_is_asked_once() -> None:
    visibility, port = Visibility(SettableClock()), Port("*")
    assert refresh(visibility, port, *(f"orders-{number}" for number in range(5_000))) == []
    assert port.asked == [1_000]


def test_many_are_asked_in_parts() -> None:
    visibility, port = Visibility(SettableClock()), Port()
    assert len(refresh(visibility, port, *(f"orders-{number}" for number in range(2_500)))) == 2_500
    assert port.asked == [1_000, 1_000, 501]


def test_a_pattern_that_cannot_be_evaluated_counts_as_hidden_and_no_other() -> None:
    visibility, port = Visibility(SettableClock()), Port("a", "b", "c")
    assert refresh(visibility, port, "a", "b", ODD, "c") == [ODD]
