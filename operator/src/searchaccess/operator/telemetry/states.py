"""What metrics need of statuses."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import SearchAccessStatus, SearchClusterStatus, Status, Truth, condition_of
from searchaccess.core.credentials.ending import TOLERANCE
from searchaccess.core.status.aspects.gateway import CONDITIONS
from searchaccess.core.status.credential import epoch
from searchaccess.engine.inventory.records import AccessRecord

_TRUTH: Final[dict[Truth, float]] = {"True": 1.0, "Unknown": 0.5, "False": 0.0}


@dataclass(slots=True)
class State:
    """What metrics need of a SearchAccess's status."""

    text: str
    ready: str = "Unknown"
    reason: str = ""
    drift: int = 0
    break_glass: bool = False
    exclusive: str = ""
    """Why Exclusive is not True; empty: it is, or is absent."""
    phase: str = ""
    rotation: float | None = None
    expiry: float | None = None


def ready_of(status: Status) -> tuple[str, str]:
    """Return status and reason of the condition Ready."""
    found = condition_of(status, ConditionType.READY)
    return (found.status, found.reason) if found else ("Unknown", "")


def gateway_of(status: SearchClusterStatus) -> Iterator[tuple[str, float, str]]:
    """Yield the conditions about a gateway: each with 1, 0.5 (unknown) or 0, and its reason."""
    for kind in CONDITIONS:
        if found := condition_of(status, kind):
            yield kind, _TRUTH[found.status], found.reason


def state_of(record: AccessRecord) -> State:
    """Return what metrics need of the status of a SearchAccess."""
    status = record.status
    credential, exclusive = status.credential, condition_of(status, ConditionType.EXCLUSIVE)
    ready, reason = ready_of(status)
    return State(
        record.status_json,
        ready,
        reason,
        status.drift.open if status.drift else 0,
        condition_of(status, ConditionType.BREAK_GLASS) is not None,
        exclusive.reason if exclusive and exclusive.status != "True" else "",
        credential.phase if credential else "",
        epoch(credential.next_rotation) if credential and credential.next_rotation else None,
        _expiry(status),
    )


def _expiry(status: SearchAccessStatus) -> float | None:
    """Return when an API key expires that should not; one that ends with its SearchAccess should."""
    credential, validity = status.credential, status.validity
    if credential is None or credential.expires is None:
        return None
    expires = epoch(credential.expires)
    ends = validity.next_change if validity else None
    return None if ends and expires >= epoch(ends) - TOLERANCE else expires
