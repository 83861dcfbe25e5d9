"""Waiting for an effect, instead of for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(
    observe: Callable[[], T], *, within: float = 30.0, every: float = 0.05, what: str | Callable[[], object] = ""
) -> T:
    """Observe again and again until the answer is true; return it.

    The last observation begins after the time is over: a machine that stands still in between costs no observation.

    Args:
        observe: returns what is observed.
        within: seconds for it.
        every: seconds between two observations.
        what: names what is awaited, for the message; a function is called only if it was not observed.

    Raises:
        AssertionError: it never was; says what was observed last.
    """
    end = time.monotonic() + within
    while True:
        late = time.monotonic() > end
        answer = observe()
        if answer:
            return answer
        if late:
            awaited = what() if callable(what) else what
            raise AssertionError(f"not within {within} s: {awaited or observe!r}; last: {answer!r}")
        time.sleep(every)
