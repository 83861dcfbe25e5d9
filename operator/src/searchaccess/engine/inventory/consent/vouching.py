"""Whether the API server checks who requests and who approves, read from its admission policies."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from searchaccess.api.vouching import OBJECTS, AdmissionObject
from searchaccess.core.policy.consent.vouching import NOT_READ, vouching_of
from searchaccess.engine.barrier import caught
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.ports.errors import ExternalError, NotFound
from searchaccess.ports.kubernetes import KubernetesPort
from searchaccess.ports.meter import Meter

READ_EVERY: Final = 15.0
"""Seconds between two readings while a policy requires approvals."""
PLACE: Final = "approvals"

log = structlog.get_logger(__name__)


class VouchingReader:
    """Keeps up to date whether approvals count.

    Args:
        inventory: receives it, and knows whether a policy requires approvals.
        kubernetes: has the admission policies.
        meter: counts internal errors.
    """

    def __init__(self, inventory: Inventory, kubernetes: KubernetesPort, meter: Meter) -> None:
        self._inventory = inventory
        self._kubernetes = kubernetes
        self._meter = meter

    async def run(self) -> None:
        """Read them periodically until cancelled."""
        while True:
            wanted = self._inventory.policies.approvals_wanted
            with suppress(TimeoutError):
                async with asyncio.timeout(READ_EVERY if self._inventory.policies.needs_approvals else None):
                    await wanted.wait()
            wanted.clear()
            await self.read()

    async def read(self) -> None:
        """Read them now if a policy requires approvals. Never raises: what is known stays if they cannot be read."""
        if not self._inventory.policies.needs_approvals:
            # It may be another by the time that a policy needs it again.
            self._inventory.approvals.vouching = NOT_READ
            return
        try:
            found = vouching_of({each: await self._find(each) for each in OBJECTS})
        except ExternalError as error:
            log.warning("cannot read the admission policies for approvals", error=error.message)
            return
        except Exception as error:  # noqa: BLE001 - the barrier: what is known stays in force
            caught(self._meter, "", PLACE, error)
            return
        approvals = self._inventory.approvals
        if found == approvals.vouching:
            return
        if found.problem:
            log.warning("approvals do not count", problem=found.problem)
        approvals.vouching = found
        self._inventory.policies.judge_all()

    async def _find(self, each: AdmissionObject) -> dict[str, object] | None:
        try:
            return await self._kubernetes.read_admission(each)
        except NotFound:
            return None
