"""Reads, at a sweep, what mappings copy of fields that are hidden from somebody. Nothing depends on it."""

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog

from searchaccess.core.policy.copies import Copied, copied_in, indices_to_read
from searchaccess.engine.barrier import caught
from searchaccess.engine.concurrency.chunks import in_chunks
from searchaccess.engine.state import NAMES_LIMIT, Context, Session
from searchaccess.ports.errors import ExternalError

EVERY: Final = 60.0
"""Seconds between two reads."""
TIMEOUT: Final = 5.0
"""Seconds after which it is left for the next sweep."""

log = structlog.get_logger(__name__)


class CopiesReader:
    """Reads them now and then.

    Args:
        context: what all reconcilers share.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._read_at = float("-inf")

    def expire(self) -> None:
        """Read them at the next sweep, however soon that is."""
        self._read_at = float("-inf")

    async def changed(self, session: Session) -> bool:
        """Read what the mappings of a cluster copy, and return whether that is news.

        Nothing is read where no fields are hidden, or shortly after the last time: what others do to security objects
        may cause many sweeps. What cannot be read stays as it was known; where the login may not read mappings,
        nothing is known.
        """
        now, before = self._context.clock.monotonic(), session.state.copied
        if now - self._read_at < EVERY:
            return False
        self._read_at = now
        try:
            session.state.copied = await _read(self._context, session)
        except (ExternalError, TimeoutError) as error:
            log.info("cannot read mappings", error=str(error))
        except Exception as error:  # noqa: BLE001 - the barrier: rights are kept whatever mappings are like
            caught(self._context.meter, session.cluster.name, "mappings of indices", error)
        return session.state.copied != before


async def _read(context: Context, session: Session) -> tuple[Copied, ...]:
    names = set[str]()
    async for record in in_chunks(tuple(context.inventory.accesses.values())):
        if record.access.cluster == session.cluster.name:
            names |= indices_to_read((record.access.share,))
    if not names:
        return ()
    async with asyncio.timeout(TIMEOUT):
        found = await session.port.copied_fields(_patterns(names))
    return copied_in(found or {})


def _patterns(names: Iterable[str]) -> list[str] | None:
    """Return what to read; None: everything, where it cannot be said in an address, or is too much for one."""
    listed = sorted(names)
    special = any(name.startswith("/") or "?" in name or "\\" in name for name in listed)
    return None if special or sum(len(name) + 3 for name in listed) > NAMES_LIMIT else listed
