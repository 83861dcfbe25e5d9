"""Lists what is declared again before a replica writes where another one wrote before it (docs/adr/0022).

The watch may lag behind: what the former owner granted for an object that is not known here yet would look like the
rights of a deleted one, and what it revoked would be granted again.
"""

import asyncio

from searchaccess.engine.inventory.namespaces import NamespaceLabels
from searchaccess.engine.lister import Lister
from searchaccess.ports.clock import Clock
from searchaccess.ports.errors import WaitingError


class CatchUp:
    """Knows from when on what is declared is known, and lists it again on request.

    Args:
        lister: lists all objects.
        labels: lists namespaces, if anybody needs them.
        clock: the time.
    """

    def __init__(self, lister: Lister, labels: NamespaceLabels, clock: Clock) -> None:
        self._lister = lister
        self._labels = labels
        self._clock = clock
        self._lock = asyncio.Lock()
        self._since = float("-inf")

    def has(self, moment: float) -> bool:
        """Return whether all that was declared until a moment, in monotonic seconds, is known."""
        return moment <= self._since

    async def until(self, moment: float, final: type[WaitingError] | tuple[()] = ()) -> None:
        """List, with retries, until all that was declared until a moment is known. Concurrent calls share a list.

        Labels of namespaces are tried once: SearchAccesses that depend on unknown ones are held.

        Args:
            moment: in monotonic seconds.
            final: errors that are raised, not retried; a refusal only once a new right would have spread.
        """
        async with self._lock:
            if self.has(moment):
                return
            began = self._clock.monotonic()
            await self._lister.complete(final)
            await self._labels.read()
            self._since = began
