"""Callers that call a gateway all the time."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from tests.stack.gateway.envoy import Gateway
from tests.support.waiting import eventually

_EACH = 200
"""Requests that succeed before and after a change."""


class Load:
    """What callers in the background got."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    @property
    def succeeded(self) -> int:
        return self.seen["200"]

    def goes_on(self) -> None:
        """Wait until many more requests have succeeded."""
        enough = self.succeeded + _EACH
        eventually(lambda: self.succeeded >= enough, within=240, what=f"more than {dict(self.seen)}")


@contextmanager
def load(
    gateway: Gateway, token: str, path: str = "/orders/_doc/1", *, connections: Callable[[], httpx.Client] | None = None
) -> Iterator[Load]:
    """Four callers in the background; afterwards none of their requests has failed.

    Args:
        gateway: which they call.
        token: of all of them.
        path: what they get.
        connections: gives each its connection; by default to the gateway.
    """
    result, end = Load(), threading.Event()

    def call() -> None:
        with connections() if connections else gateway.client(token) as client:
            while not end.is_set():
                try:
                    result.seen[str(client.get(path).status_code)] += 1
                except httpx.TransportError as error:
                    result.seen[repr(error)] += 1

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        result.goes_on()
        yield result
        result.goes_on()
    finally:
        end.set()
        for thread in threads:
            thread.join()
    assert set(result.seen) == {"200"}, result.seen
