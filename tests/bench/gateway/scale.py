"""How much is measured."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Scale:
    """How much is measured; all of it grows with the size of the bench."""

    principals: int
    """Callers with limits of their own."""
    users: int
    """SearchAccesses behind a gateway, each with a principal and so a user of its own."""
    steps: int
    """Requests of about 1 kB on each way, one after the other; fewer of larger ones."""
    rounds: int
    """Rounds in which as many requests are sent as get through."""
    seconds: float
    """Of a round on one way."""
    large: int
    """Bytes of bodies that nobody reads for a while."""
    samples: int
    """SearchAccesses that are created one by one."""

    @classmethod
    def of(cls, size: int) -> Self:
        """Return the scale of a bench with so many SearchAccesses: 5,000 by default."""
        return cls(
            principals=max(2, size * 3 // 5),
            users=max(2, size * 2),
            steps=max(3, min(3000, size * 3 // 5)),
            rounds=5 if size >= 500 else 1,
            seconds=1.5 if size >= 500 else 0.1,
            large=min(100, max(1, size // 10)) * 1024 * 1024,
            samples=10 if size >= 500 else 1,
        )
