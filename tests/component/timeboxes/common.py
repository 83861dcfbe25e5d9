"""Times on the stage, and SearchAccesses that begin and end at them."""

from typing import Any, Final

from tests.support.loop.clocks import rfc3339
from tests.support.loop.stage import Stage
from tests.support.worlds.world import access, grant

SOON: Final = 2.0
"""Seconds within which rights begin or end."""
NOT_YET = ("False", "NotYetValid")
EXPIRED = ("False", "Expired")
IN_SYNC = ("True", "InSync")


def at(stage: Stage, seconds: float) -> str:
    """Return the time so many seconds from now."""
    return rfc3339(stage.clock.monotonic() + stage.clock.offset + seconds)


def orders(**spec: Any) -> dict[str, Any]:
    """Return a SearchAccess."""
    return access("orders", grant("orders-*"), **spec)


def validity(stage: Stage, name: str = "orders") -> dict[str, Any]:
    """Return what a status says of the time."""
    return dict(stage.get(name)["status"].get("validity") or {})
