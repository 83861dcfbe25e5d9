"""Adds our finalizer before anything is written elsewhere."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.constants import FINALIZER
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.status.access import Failure
from searchaccess.engine.barrier import caught
from searchaccess.engine.inventory.records import AccessRecord
from searchaccess.engine.state import Context
from searchaccess.engine.status.publish import ref_of
from searchaccess.ports.errors import ExternalError, NotFound

CONCURRENT: Final = 32
"""Finalizers written at once."""
WITHIN: Final = 2.0
"""Seconds that a reconcile waits for one of them, for example if a webhook of its namespace does not answer. Then the
outbox continues with all of that namespace, so that they delay nobody else."""

_PENDING: Final = Failure(Reason.PENDING, "its finalizer is being written")


async def ensure_finalizers(context: Context, records: Sequence[AccessRecord]) -> dict[str, AccessDecision]:
    """Add our finalizer to SearchAccesses; return by uid those that are held because they still lack it.

    The outbox retries failed writes, and requeues the SearchAccess when one succeeds.
    """
    held: dict[str, AccessDecision] = {}
    slow: set[str] = set()
    """Namespaces whose finalizers are left to the outbox."""
    waiting = iter(records)

    async def work() -> None:
        for record in waiting:
            if (why := await _ensure(context, record, slow)) is not None:
                reason = Reason.INTERNAL_ERROR if why.reason is Reason.INTERNAL_ERROR else Reason.PENDING
                held[record.access.uid] = AccessDecision(Do.HOLD, reason, why.message)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(CONCURRENT, len(records))):
            group.create_task(work())
    return held


async def _ensure(context: Context, record: AccessRecord, slow: set[str]) -> Failure | None:
    """Add our finalizer to one SearchAccess; return why it still lacks it."""
    access, outbox = record.access, context.outbox
    ref, before, after = ref_of(access), access.finalizers, (*access.finalizers, FINALIZER)
    if outbox.sets_finalizers(access.uid):
        return outbox.trouble_of(access.uid) or _PENDING
    if access.namespace in slow:
        outbox.put_finalizers(ref, before, after)
        return _PENDING
    failure = _PENDING
    try:
        async with asyncio.timeout(WITHIN):
            version = await context.kubernetes.set_finalizers(ref, before, after)
    except TimeoutError:
        slow.add(access.namespace)
        outbox.put_finalizers(ref, before, after)
    except ExternalError as error:
        failure = Failure(error.reason, f"its finalizer cannot be written: {error.message}")
        if not isinstance(error, NotFound):
            outbox.put_finalizers(ref, before, after, failed=error)
    except Exception as error:  # noqa: BLE001 - an internal error affects this SearchAccess alone
        failure = caught(context.meter, access.cluster, "finalizer", error)
        outbox.put_finalizers(ref, before, after)
    else:
        context.inventory.wrote(access.uid, version)
        record.access = replace(record.access, finalizers=after)
        return None
    return failure
