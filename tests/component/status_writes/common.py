"""An admission webhook of one namespace: it refuses writes, or does not answer."""

import asyncio
from collections.abc import Collection
from typing import Any

from searchaccess.ports.errors import ExternalError
from searchaccess.ports.kubernetes import ObjectRef
from tests.support.loop.stage import Stage
from tests.support.worlds.world import access, account, grant

REFUSED = "billing"
"""The namespace that has the webhook."""
WRITES = ("replace_status", "set_finalizers", "create_event")


class Webhook:
    """Stands before the API server of a stage.

    Args:
        stage: whose.
        error: what it answers.
        seconds: that it takes.
        writes: which writes it sees.
    """

    def __init__(
        self, stage: Stage, error: ExternalError, *, seconds: float = 0, writes: Collection[str] = WRITES
    ) -> None:
        self.error: ExternalError | None = error
        self.seconds = seconds
        self.hits: list[tuple[str, str]] = []
        for method in writes:
            setattr(stage.kubernetes, method, self._guarded(method, getattr(stage.kubernetes, method)))

    def _guarded(self, method: str, write: Any) -> Any:
        async def guarded(ref: ObjectRef, *arguments: Any) -> Any:
            error = self.error
            if ref.namespace == REFUSED and error is not None:
                self.hits.append((method, ref.name))
                await asyncio.sleep(self.seconds)
                raise type(error)(error.message)
            return await write(ref, *arguments)

        return guarded


def refused_accesses(count: int) -> list[dict[str, Any]]:
    """Return SearchAccesses of the namespace with the webhook."""
    return [
        access(f"refused-{number}", grant("x-*"), principal=account(f"refused-{number}"), namespace=REFUSED)
        for number in range(count)
    ]
