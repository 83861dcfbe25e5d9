"""Whether patterns contain each other or meet is what automata-lib says of their automata."""

from collections import Counter
from collections.abc import Iterator

import pytest

from searchaccess.core.patterns import meeting
from searchaccess.core.patterns.containment import contained
from searchaccess.core.patterns.expressions import Expression
from searchaccess.core.patterns.parsed import TooComplicatedError, find_name
from tests.support.indexpatterns.families import families
from tests.support.indexpatterns.languages import are_contained, do_meet
from tests.support.runs.effort import examples

FAMILIES = 112
"""90 pairs each for containment, and 100 for meeting: more than 10,000."""
UNDECIDED_CONTAINED = 0.02
"""At most so many of the answers may be that it takes too long to find out."""
UNDECIDED_MEETING = 0.1
"""The same where each pattern is also compared with the backing indices of the other's data streams."""
EACH_ANSWER = 0.1
"""At least so many are yes, and so many are no."""


def judged(family: list[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each pattern with each other, and with one or two more in most cases."""
    for at, pattern in enumerate(family):
        others = family[:at] + family[at + 1 :]
        yield from ((pattern, tuple(others[place : place + 1 + (at + place) % 3])) for place in range(len(others)))


def test_what_is_contained_is_contained_as_automata() -> None:
    wrong, seen = [], Counter[str]()
    for pattern, others in (pair for family in families(examples(FAMILIES)) for pair in judged(family)):
        verdict = contained(pattern, others)
        seen["undecided" if verdict.undecided else "yes" if verdict.contained else "no"] += 1
        if not verdict.undecided and verdict.contained != are_contained(pattern, others):
            wrong.append((pattern, others, verdict))

    assert wrong == []
    assert seen.total() == 90 * examples(FAMILIES)
    assert seen["undecided"] <= UNDECIDED_CONTAINED * seen.total()
    assert min(seen["yes"], seen["no"]) >= EACH_ANSWER * seen.total()


def compared(several: list[list[str]]) -> Iterator[tuple[str, str]]:
    """Yield each two patterns of a family, and some of two families."""
    for at, family in enumerate(several):
        for place, pattern in enumerate(family):
            yield from ((pattern, other) for other in family[place + 1 :])
            yield from ((pattern, other) for other in several[at - 1][place:])


def test_what_meets_meets_as_automata(monkeypatch: pytest.MonkeyPatch) -> None:
    gave_up = list[Expression]()

    def find(expression: Expression, steps: int) -> str | None:
        try:
            return find_name(expression, steps)
        except TooComplicatedError:
            gave_up.append(expression)
            raise

    monkeypatch.setattr(meeting, "find_name", find)
    wrong, seen = [], Counter[str]()
    for one, another in compared(families(examples(FAMILIES))):
        gave_up.clear()
        meeting._can_meet.cache_clear()
        answer = meeting.can_meet(one, another)
        seen["undecided" if gave_up else "yes" if answer.yes else "no"] += 1
        if answer.yes != (bool(gave_up) or do_meet(one, another)):
            wrong.append((one, another, answer))

    assert wrong == []
    assert seen.total() == 100 * examples(FAMILIES)
    assert seen["undecided"] <= UNDECIDED_MEETING * seen.total()
    assert min(seen["yes"], seen["no"]) >= EACH_ANSWER * seen.total()
