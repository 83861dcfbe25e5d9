"""The drift part of a status: which differences are open, new and corrected."""

from collections.abc import Sequence
from typing import Final

from searchaccess.api.base import COUNT_LIMIT
from searchaccess.api.status import DRIFT_ITEMS_LIMIT, Drift, DriftAction, DriftItem
from searchaccess.core.rights.diff import Difference
from searchaccess.core.status.conditions import shorten
from searchaccess.core.status.differences import VALUE_LIMIT

NO_DRIFT: Final = Drift(open=0)


def _items(
    differences: tuple[Difference, ...], pending: Sequence[Difference], previous: Drift, now: str, *, corrected: bool
) -> list[DriftItem]:
    before = {(item.object, item.path): item for item in previous.items}
    if not (differences or pending):
        # Corrected differences stay listed. Differences that were only reported and are gone are dropped.
        return [item for item in previous.items if item.action == "Corrected"]
    items: list[DriftItem] = []
    action: DriftAction = "Corrected" if corrected else "Reported"
    reported: list[tuple[Difference, DriftAction]] = [(difference, action) for difference in differences]
    reported += [(difference, "Pending") for difference in pending]
    for difference, action in reported[:DRIFT_ITEMS_LIMIT]:
        path = shorten(difference.path, VALUE_LIMIT)
        old = before.get((difference.object, path))
        items.append(
            DriftItem(
                object=difference.object,
                path=path,
                want=shorten(difference.want, VALUE_LIMIT),
                have=shorten(difference.have, VALUE_LIMIT),
                first_seen=old.first_seen if old and _stands(old.action, action) else now,
                action=action,
            )
        )
    return items


def _stands(before: DriftAction, action: DriftAction) -> bool:
    """Return whether a difference is the same as before; one that was corrected and recurs is a new one."""
    return before == "Reported" or before == action == "Pending"


def new_drift(drift: tuple[Difference, ...], previous: Drift) -> list[Difference]:
    """Return the differences that the drift part of a status does not list yet."""
    reported = [item for item in previous.items if item.action == "Reported"]
    standing = {(item.object, item.path, item.have) for item in reported}
    unlisted = [
        item
        for item in drift
        if (item.object, shorten(item.path, VALUE_LIMIT), shorten(item.have, VALUE_LIMIT)) not in standing
    ]
    # The list is limited. Open differences beyond the limit are not new either.
    known = max(0, previous.open - len(reported))
    return unlisted[: max(0, len(unlisted) - known)]


def advance_drift(
    drift: tuple[Difference, ...],
    pending: Sequence[Difference],
    previous: Drift | None,
    now: str,
    *,
    corrected: bool,
) -> Drift:
    """Return the drift part of a status after a reconcile.

    Args:
        drift: what somebody changed; counted.
        pending: declared changes that are not applied; listed, but not counted as drift.
        previous: the drift part as it was.
        now: RFC 3339, UTC, whole seconds.
        corrected: whether the differences were corrected in this reconcile.
    """
    before = previous or NO_DRIFT
    new = new_drift(drift, before)
    return Drift(
        open=0 if corrected else len(drift),
        items=_items(drift, pending, before, now, corrected=corrected),
        detected=min(COUNT_LIMIT, before.detected + len(new)),
        corrected=min(COUNT_LIMIT, before.corrected + (len(drift) if corrected else 0)),
        last_detected=now if new else before.last_detected,
        last_corrected=now if corrected and drift else before.last_corrected,
    )
