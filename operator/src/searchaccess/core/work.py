"""Long pure work in parts: whoever drives it may let others run between two of them.

A function that may take long is a generator. It yields how many steps each part took, a microsecond or two each, and
returns its result. ``completed`` drives it to its end at once.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Work: TypeAlias = Generator[int, None, T]
"""Yields the steps of each part, and returns the result."""


def completed(work: Work[T]) -> T:
    """Do some work at once, and return its result."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result


@dataclass(slots=True)
class Tally:
    """How many steps some work took until now."""

    steps: int = 0


def counted(work: Work[T], tally: Tally) -> Work[T]:
    """Do some work, and count its steps."""
    while True:
        try:
            steps = next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        tally.steps += steps
        yield steps
