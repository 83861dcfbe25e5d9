"""Reads, in a sweep, which hidden fields index mappings copy. It is only for warnings."""

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog

from searchaccess.core.policy.copies import Copied, copied_in, indices_to_read
from searchaccess.engine.barrier import caught
from searchaccess.engine.state import NAMES_LIMIT, Context, Session
from searchaccess.ports.errors import ExternalError

EVERY: Final = 60.0
"""Seconds between two reads."""
TIMEOUT: Final = 5.0
"""Seconds after which the read is left for the next sweep."""

log = structlog.get_logger(__name__)


class CopiesReader:
    """Reads them periodically.

    Args:
        context: what all reconcilers share.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._read_at = float("-inf")

    def expire(self) -> None:
        """Have the next sweep read them, however soon it is."""
        self._read_at = float("-inf")

    async def changed(self, session: Session) -> bool:
        """Read what the mappings of a cluster copy, and return whether that changed.

        Nothing is read if no fields are hidden, or shortly after the last read: others' writes to security objects may
        cause many sweeps. After an error the last result stays; if the login may not read mappings, there is none.
        """
        now, before = self._context.clock.monotonic(), session.state.copied
        if now - self._read_at < EVERY:
            return False
        self._read_at = now
        try:
            session.state.copied = await _read(self._context, session)
        except (ExternalError, TimeoutError) as error:
            log.info("cannot read mappings", error=str(error))
        except Exception as error:  # noqa: BLE001 - the barrier: rights do not depend on mappings
            caught(self._context.meter, session.cluster.name, "mappings of indices", error)
        return session.state.copied != before


async def _read(context: Context, session: Session) -> tuple[Copied, ...]:
    names = set[str]()
    async for record in context.inventory.one_by_one(session.cluster.name):
        names |= indices_to_read((record.access.share,))
    if not names:
        return ()
    async with asyncio.timeout(TIMEOUT):
        found = await session.port.copied_fields(_patterns(names))
    return copied_in(found or {})


def _patterns(names: Iterable[str]) -> list[str] | None:
    """Return the patterns to read; None: all, as these do not fit into a URL."""
    listed = sorted(names)
    special = any(name.startswith("/") or "?" in name or "\\" in name for name in listed)
    return None if special or sum(len(name) + 3 for name in listed) > NAMES_LIMIT else listed
