"""Our finalizer, in place before anything is written elsewhere."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from searchaccess.api.constants import FINALIZER
from searchaccess.api.reasons import Reason
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.state import Context
from searchaccess.engine.status.publish import ref_of
from searchaccess.ports.errors import ExternalError

CONCURRENT: Final = 32
"""Finalizers written at once."""


async def ensure_finalizers(context: Context, records: Sequence[AccessRecord]) -> dict[str, AccessDecision]:
    """Put our finalizer into SearchAccesses; give by uid those that must be left alone, as it could not be written."""
    gate = asyncio.Semaphore(CONCURRENT)
    held: dict[str, AccessDecision] = {}

    async def ensure(record: AccessRecord) -> None:
        access = record.access
        after = (*access.finalizers, FINALIZER)
        async with gate:
            try:
                version = await context.kubernetes.set_finalizers(ref_of(access), access.finalizers, after)
            except ExternalError as error:
                message = f"the finalizer could not be written: {error.message}"
                held[access.uid] = AccessDecision(Do.HOLD, Reason.PENDING, message)
            else:
                context.inventory.wrote(access.uid, version)
                record.access = replace(record.access, finalizers=after)

    await asyncio.gather(*(ensure(record) for record in records))
    return held
