"""Requests to Google: paced, fairly shared, each with a timeout, and with a barrier for internal errors."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, TypeVar

from searchaccess.decorators.paced import FairGate, TokenBucket
from searchaccess.engine.barrier import caught
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import ExternalError, Unexpected, Unreachable
from searchaccess.ports.meter import Meter

RATE: Final = 10.0
"""Requests a second: a fifth of the smallest quota.

https://cloud.google.com/run/quotas (3,000 reads a minute and region), https://cloud.google.com/iam/quotas
"""
BURST: Final = 100
CONCURRENT: Final = 24
CONCURRENT_IN_LANE: Final = 8
"""Requests in flight: a namespace whose requests hang leaves room for others."""
WITHIN: Final = 30.0
"""Timeout of a request in seconds, whatever the client does."""
PLACE: Final = "identities"

T = TypeVar("T")
Lane: TypeAlias = tuple[str, bool]
"""Who pays for a request: a namespace, and whether it is for a first result. Lanes take turns."""


class Calls:
    """Makes requests to Google.

    Args:
        clock: the time.
        meter: counts internal errors.
    """

    def __init__(self, clock: Clock, meter: Meter) -> None:
        self._meter = meter
        self._bucket = TokenBucket(clock, RATE, BURST)
        self._gate = FairGate(CONCURRENT, CONCURRENT_IN_LANE)

    async def call(self, lane: Lane, request: Callable[[], Awaitable[T]]) -> T:
        """Make a request when its lane's turn comes.

        Raises:
            ExternalError: as the request does; ``Unreachable``: it timed out.
        """
        async with self._gate.slot(lane):
            await self._bucket.take()
            try:
                async with asyncio.timeout(WITHIN):
                    return await request()
            except TimeoutError:
                raise Unreachable(f"Google did not answer within {WITHIN:.0f} s") from None

    async def attempt(self, work: Awaitable[T]) -> T | ExternalError:
        """Run a coroutine; return its result or its error. Never raises."""
        try:
            return await work
        except ExternalError as error:
            return error
        except Exception as error:  # noqa: BLE001 - the barrier: an internal error affects this item alone
            return self.fault(error)

    def fault(self, error: Exception) -> ExternalError:
        """Log and count an internal error; return the error to report on the items concerned."""
        return Unexpected(caught(self._meter, "", PLACE, error).message)
