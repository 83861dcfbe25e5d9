"""Answers that are computed once for each question."""

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(dict[K, V]):
    """Answers by question.

    Args:
        answer: computes one; it depends on the question alone.
        kept: so many at most: then it begins anew.
    """

    def __init__(self, answer: Callable[[K], V], kept: int) -> None:
        super().__init__()
        self._answer = answer
        self._kept = kept

    def __missing__(self, question: K) -> V:
        found = self._answer(question)
        if len(self) >= self._kept:
            self.clear()
        self[question] = found
        return found
