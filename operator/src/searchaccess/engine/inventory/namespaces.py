"""Labels of namespaces, for SearchClusters that select by them."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from searchaccess.engine.barrier import caught
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.pacing.backoff import Backoff
from searchaccess.ports.errors import ExternalError
from searchaccess.ports.kubernetes import KubernetesPort
from searchaccess.ports.meter import Meter

READ_EVERY: Final = 15.0
"""Seconds between lists of namespaces."""
APART: Final = 1.0
"""Minimum of seconds between two lists."""
PLACE: Final = "namespaces"

log = structlog.get_logger(__name__)


class NamespaceLabels:
    """Keeps the labels of namespaces up to date while a SearchCluster needs them.

    Args:
        inventory: receives them, and knows who needs them.
        kubernetes: lists them.
        meter: counts internal errors.
    """

    def __init__(self, inventory: Inventory, kubernetes: KubernetesPort, meter: Meter) -> None:
        self._inventory = inventory
        self._kubernetes = kubernetes
        self._meter = meter

    async def run(self) -> None:
        """List them periodically until cancelled."""
        backoff = Backoff(cap=READ_EVERY)
        wanted = self._inventory.namespaces.labels_wanted
        while True:
            needed = self._inventory.namespaces.needs_labels
            if not needed:
                # They are not followed from now on. Nothing may be decided by them when they are needed again.
                self._inventory.namespaces.forget_labels()
            with suppress(TimeoutError):
                # While nobody needs them there is no timeout: the first that does sets the event.
                async with asyncio.timeout(READ_EVERY if needed else None):
                    await wanted.wait()
            wanted.clear()
            if await self.read():
                backoff.reset()
                await asyncio.sleep(APART)
            else:
                await asyncio.sleep(backoff.next())
                wanted.set()

    async def read(self) -> bool:
        """List them now if anybody needs them; return whether that succeeded. Never raises."""
        try:
            await self._read()
        except ExternalError as error:
            log.warning("cannot list namespaces", error=error.message)
            return False
        except Exception as error:  # noqa: BLE001 - the barrier: the known labels stay in force
            caught(self._meter, "", PLACE, error)
            return False
        return True

    async def _read(self) -> None:
        if not self._inventory.namespaces.needs_labels:
            return
        labels: dict[str, dict[str, str]] = {}
        following = ""
        while True:
            page = await self._kubernetes.list_namespaces(following)
            labels |= page.labels
            following = page.following
            if not following:
                self._inventory.see_namespaces(labels)
                return
