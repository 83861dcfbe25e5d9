"""Answers that are computed once for each question."""

from collections.abc import Callable
from typing import Final, TypeVar

from searchaccess.core.work import Work

K = TypeVar("K")
V = TypeVar("V")
_CHARACTERS: Final = 500
"""That count as one more question: one may name thousands of indices or fields."""
_BEGUN: Final = 100
"""Answers of each kind that are kept while they are not finished."""
_STEPS_AT_ONCE: Final = 100
"""Others need not run in between: to find unfinished work again takes long where the question is."""


class Answers(dict[K, V]):
    """Answers by question.

    Args:
        kept: so many at most, long questions counted as several: then it begins anew.
    """

    def __init__(self, kept: int) -> None:
        super().__init__()
        self._kept = kept
        self._weight = 0

    def _keep(self, question: K, found: V) -> V:
        weight = weight_of(question)
        if self._weight + weight > self._kept:
            self.clear()
            self._weight = 0
        self[question] = found
        self._weight += weight
        return found


class Remembered(Answers[K, V]):
    """Answers that are computed at once.

    Args:
        answer: computes one; it depends on the question alone.
        kept: so many at most.
    """

    def __init__(self, answer: Callable[[K], V], kept: int) -> None:
        super().__init__(kept)
        self._answer = answer

    def __missing__(self, question: K) -> V:
        return self._keep(question, self._answer(question))


class RememberedWork(Answers[K, V]):
    """Answers that are computed in parts: all who need the same one continue the same work.

    Args:
        answer: computes one; it depends on the question alone.
        kept: so many at most.
    """

    def __init__(self, answer: Callable[[K], Work[V]], kept: int) -> None:
        super().__init__(kept)
        self._answer = answer
        self._begun: dict[K, Work[V]] = {}

    def find(self, question: K) -> Work[V]:
        """Compute the answer, or return what it was."""
        while (known := self.get(question)) is None:
            work = self._begun.pop(question, None) or self._answer(question)
            try:
                steps = next(work)
                while steps < _STEPS_AT_ONCE:
                    steps += next(work)
            except StopIteration as end:
                return self._keep(question, end.value)
            if len(self._begun) >= _BEGUN:
                self._begun.clear()
            # Whoever gives up after this leaves it to the others; work that failed is begun anew.
            self._begun[question] = work
            yield steps
        return known


def weight_of(question: object) -> int:
    """Return as how many questions one counts, by the memory that it takes."""
    return 1 + _characters(question) // _CHARACTERS


def _characters(question: object) -> int:
    if isinstance(question, str):
        return len(question)
    if not isinstance(question, tuple):
        return 0
    return sum([8 + _characters(each) for each in question])
