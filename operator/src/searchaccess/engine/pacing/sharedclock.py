"""Elasticsearch's time, so that all replicas and runs of the operator agree on a key's age."""

from collections.abc import Collection, Iterable
from typing import Final

from searchaccess.core.credentials.credential import Key
from searchaccess.core.status.credential import epoch
from searchaccess.ports.clock import Clock
from searchaccess.ports.elasticsearch import ElasticsearchPort

READ_EVERY: Final = 600.0
"""Seconds for which the monotonic clock extends Elasticsearch's time before it is read again."""


class SharedClock:
    """Elasticsearch's time, and when keys were made.

    Clocks jump: this machine's, and rarely Elasticsearch's. So Elasticsearch's time is read only when a key
    appears that was not seen before; from then on the key ages by the monotonic clock. A key that this process made
    needs no request. If Elasticsearch does not report its time, a key counts as made when it was first seen: then it is
    replaced later, but nothing ends too early.

    Args:
        clock: this machine's. Its time of day is read once, and used until Elasticsearch reports its own.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = epoch(clock.now()) - clock.monotonic()
        self._read_at = float("-inf")
        self._is_shared = False
        self._births: dict[str, float] = {}
        """By id of the key, the monotonic time at which it was made."""

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return self._offset + self._clock.monotonic()

    def ages(self, keys: Iterable[Key]) -> dict[str, float]:
        """Return how many seconds ago keys were made, by their ids."""
        now = self._clock.monotonic()
        return {key.id: now - self._births[key.id] for key in keys if key.id in self._births}

    async def observe(self, port: ElasticsearchPort, keys: Collection[Key], *, dates: bool = False) -> None:
        """Record when keys were made that were not seen before.

        Args:
            port: the cluster; one request at most.
            keys: the keys that were read there.
            dates: this clock dates what is made next: Elasticsearch does not record when a user was made.

        Raises:
            ExternalError: it did not answer.
        """
        new = [key for key in keys if key.id not in self._births]
        if (new or (dates and not self._is_shared)) and self._clock.monotonic() - self._read_at >= READ_EVERY:
            reported = await port.time()
            self._read_at = self._clock.monotonic()
            if reported is not None:
                self.set_time(reported)
                new = [key for key in keys if key.id not in self._births]
        now = self._clock.monotonic()
        for key in new:
            age = max(0.0, self.now() - key.created) if self._is_shared else 0.0
            self._births[key.id] = now - age

    def set_time(self, now: float) -> None:
        """Record Elasticsearch's time, in seconds since the epoch."""
        self._offset = now - self._clock.monotonic()
        if not self._is_shared:
            # Keys seen before were not dated.
            self._births.clear()
        self._is_shared = True

    def made(self, key: Key) -> None:
        """Record that this process has just made a key."""
        self._births[key.id] = self._clock.monotonic()

    def keep(self, keys: Iterable[Key]) -> None:
        """Forget all other keys."""
        ids = {key.id for key in keys}
        self._births = {key_id: born for key_id, born in self._births.items() if key_id in ids}
