"""Labels of namespaces, for SearchClusters that choose by them."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from searchaccess.engine.backoff import Backoff
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.ports.errors import ExternalError
from searchaccess.ports.kubernetes import KubernetesPort

LOOK_EVERY: Final = 15.0
"""Seconds between lists of namespaces."""
APART: Final = 1.0
"""Seconds between two lists at least."""

log = structlog.get_logger(__name__)


class NamespaceLabels:
    """Keeps the labels of namespaces known, while a SearchCluster asks for them.

    Args:
        inventory: where they go, and who asks.
        kubernetes: has them.
    """

    def __init__(self, inventory: Inventory, kubernetes: KubernetesPort) -> None:
        self._inventory = inventory
        self._kubernetes = kubernetes

    async def run(self) -> None:
        """List them again and again until cancelled."""
        backoff = Backoff()
        while True:
            wanted = self._inventory.labels_wanted
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await wanted.wait()
            wanted.clear()
            try:
                await self.look()
            except ExternalError as error:
                log.warning("cannot list namespaces", error=error.message)
                await asyncio.sleep(backoff.next())
                wanted.set()
            else:
                backoff.reset()
                await asyncio.sleep(APART)

    async def look(self) -> None:
        """List them now, if anybody asks for them.

        Raises:
            ExternalError: they could not be read.
        """
        if not self._inventory.needs_labels:
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
