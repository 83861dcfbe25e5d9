"""Waiting for an effect, instead of for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], *, within: float = 30.0, every: float = 0.05, what: str = "") -> T:
    """Look again and again until the answer is true; give it.

    Raises:
        AssertionError: it never was; says what the last look gave.
    """
    end = time.monotonic() + within
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {within} s: {what or look!r}; last: {answer!r}")
        time.sleep(every)
