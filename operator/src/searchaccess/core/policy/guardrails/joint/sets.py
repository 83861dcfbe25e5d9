"""Sets of policies: numbers with a bit for each."""

from collections.abc import Iterator


def each_of(policies: int) -> Iterator[int]:
    """Yield the position of each policy in a set, in order."""
    while policies:
        lowest = policies & -policies
        yield lowest.bit_length() - 1
        policies ^= lowest
