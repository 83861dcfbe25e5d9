"""Log lines about an object: its problems, and drift. Never a secret value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from searchaccess.api.conditions.events import EventReason
from searchaccess.api.status import Drift, DriftItem, Status
from searchaccess.core.status.events import Note

_NO_DRIFT: Final = Drift(open=0)
_DRIFT: Final = frozenset({EventReason.DRIFT_DETECTED, EventReason.DRIFT_CORRECTED})


@dataclass(frozen=True, slots=True)
class Line:
    """A warning to log."""

    event: str
    fields: Mapping[str, str | int]


def lines_of(previous: Status, status: Status, notes: Sequence[Note]) -> list[Line]:
    """Return what is logged about a new status: a line for each difference, and one for each other warning.

    Args:
        previous: the status as it is in Kubernetes.
        status: the new one.
        notes: the events about it.
    """
    warnings = [note for note in notes if note.warning and note.reason not in _DRIFT]
    lines = [Line("problem", {"reason": str(note.reason), "message": note.message}) for note in warnings]
    return [*_drift_lines(previous.drift or _NO_DRIFT, status.drift or _NO_DRIFT), *lines]


def _drift_lines(before: Drift, drift: Drift) -> Iterator[Line]:
    """Yield a line for each difference that is listed; the last one says how many more there are."""
    if drift.corrected > before.corrected:
        event, number = "drift corrected", drift.corrected - before.corrected
        items = [item for item in drift.items if item.action == "Corrected"]
    elif drift.detected > before.detected:
        event, number = "drift detected", drift.detected - before.detected
        standing = {_key(item) for item in before.items if item.action == "Reported"}
        items = [item for item in drift.items if item.action == "Reported" and _key(item) not in standing]
    else:
        return
    for position, item in enumerate(items, start=1):
        more = number - len(items) if position == len(items) else 0
        fields = {"object": item.object, "path": item.path, "want": item.want, "have": item.have}
        yield Line(event, fields | ({"more": more} if more > 0 else {}))


def _key(item: DriftItem) -> tuple[str, str, str]:
    return item.object, item.path, item.have
