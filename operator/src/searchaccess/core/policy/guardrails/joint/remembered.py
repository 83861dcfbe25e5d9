"""Answers that are computed once for each question."""

from collections.abc import Callable
from typing import Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")
_CHARACTERS: Final = 500
"""That count as one more question: one may name thousands of indices or fields."""


class Remembered(dict[K, V]):
    """Answers by question.

    Args:
        answer: computes one; it depends on the question alone.
        kept: so many at most, long questions counted as several: then it begins anew.
    """

    def __init__(self, answer: Callable[[K], V], kept: int) -> None:
        super().__init__()
        self._answer = answer
        self._kept = kept
        self._weight = 0

    def __missing__(self, question: K) -> V:
        found = self._answer(question)
        weight = weight_of(question)
        if self._weight + weight > self._kept:
            self.clear()
            self._weight = 0
        self[question] = found
        self._weight += weight
        return found


def weight_of(question: object) -> int:
    """Return as how many questions one counts, by the memory that it takes."""
    return 1 + _characters(question) // _CHARACTERS


def _characters(question: object) -> int:
    if isinstance(question, str):
        return len(question)
    if not isinstance(question, tuple):
        return 0
    return sum([8 + _characters(each) for each in question])
