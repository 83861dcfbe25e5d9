"""Requests to Google: paced, fairly divided, each with a time limit, and with a barrier for internal errors."""

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
"""Requests in flight: a namespace whose requests are not answered leaves room for others."""
WITHIN: Final = 30.0
"""Seconds after which a request counts as unanswered, whatever the client does."""
PLACE: Final = "identities"

T = TypeVar("T")
Lane: TypeAlias = tuple[str, bool]
"""Who pays for a request: a namespace, and whether it is for a first answer. Lanes take turns."""


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
        """Make a request when it is its turn.

        Raises:
            ExternalError: as the request does; ``Unreachable``: it was not answered in time.
        """
        async with self._gate.slot(lane):
            await self._bucket.take()
            try:
                async with asyncio.timeout(WITHIN):
                    return await request()
            except TimeoutError:
                raise Unreachable(f"Google did not answer within {WITHIN:.0f} s") from None

    async def attempt(self, work: Awaitable[T]) -> T | ExternalError:
        """Run a coroutine; return its result, or why there is none. Never raises."""
        try:
            return await work
        except ExternalError as error:
            return error
        except Exception as error:  # noqa: BLE001 - the barrier: an internal error costs this item alone
            return self.fault(error)

    def fault(self, error: Exception) -> ExternalError:
        """Log and count an unexpected error; return what to report on the items concerned."""
        return Unexpected(caught(self._meter, "", PLACE, error).message)
