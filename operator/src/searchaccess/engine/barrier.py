"""The barrier for internal errors: one that it catches affects only the item in which it occurred (docs/adr/0025).

The caller requeues the item, backs off, and publishes what ``caught`` returns as a status.
"""

import traceback
from pathlib import PurePath
from typing import Final, Literal, get_args

import structlog

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.status.access import Failure
from searchaccess.ports.meter import Meter

FRAMES: Final = 12
"""How many of the innermost frames the log shows."""

Place = Literal[
    "admission", "apply", "approvals", "build facts", "credential", "finalizer", "gateway", "grant mapping",
    "hold back", "identities", "intake", "isolate", "judgments", "key", "last uses", "list", "mappings of indices",
    "namespaces", "outbox", "plan role", "policies", "policy statuses", "prove queries", "publish", "read mapping",
    "read others", "read role", "reconcile", "reconciler", "released rights", "renew leases", "revoke mapping",
    "shadowed roles", "supervise", "time boxes", "write roles", "write statuses",
]  # fmt: skip
"""What the operator was doing when an error was caught."""
PLACES: Final[tuple[Place, ...]] = get_args(Place)

log = structlog.get_logger(__name__)


def caught(meter: Meter, cluster: str, place: Place, error: Exception) -> Failure:
    """Log and count an unexpected error.

    The error's own text is never shown: it may quote what was being read, such as a secret.

    Args:
        meter: counts it.
        cluster: name of the SearchCluster concerned; empty: none in particular.
        place: what the operator was doing, one of ``PLACES``.
        error: the error.

    Returns:
        The failure to publish for the items concerned: ``InternalError``.
    """
    frames = [
        f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-FRAMES:]
    ]
    kind = type(error).__name__
    log.error("internal error", place=place, cluster=cluster, error=kind, frames=frames)
    meter.faulted(cluster, place)
    return Failure(Reason.INTERNAL_ERROR, f"the operator met an unexpected {kind} ({place}); it retries by itself")
