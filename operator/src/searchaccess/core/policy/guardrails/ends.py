"""When access ends: within the time that a policy accepts, and when exceptions of policies do."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from searchaccess.api.searchaccesspolicy import PolicyException
from searchaccess.api.times.durations import seconds
from searchaccess.api.times.moments import LAST, moment
from searchaccess.core.model.access import Access
from searchaccess.core.model.timeboxes.timebox import shown_time

_FRACTION: Final = re.compile(r"[.,](\d{1,9})\d*")
"""Of a second, as the API server accepts it: with more digits than computers use, and with a comma."""


def too_late(longest: str, access: Access) -> Iterator[str]:
    """Yield what is wrong with the end of a SearchAccess.

    Only what is declared counts, not the current time: what is accepted once stays accepted.

    Args:
        longest: the duration within which access must end.
        access: the SearchAccess. Without ``validFrom`` the duration begins when it was created.
    """
    box = access.time_box
    begins = moment(access.created_at) if box.begins is None else float(box.begins)
    if begins is None:
        yield "validUntil: it is not known when the SearchAccess was created: write validFrom and validUntil"
        return
    latest = int(min(begins + seconds(longest), LAST))
    if box.ends is not None and box.ends <= latest:
        return
    wrong = "validUntil is required" if box.ends is None else f"validUntil: {shown_time(box.ends)} is too late"
    since = "validFrom" if box.begins is not None else "it was created; for a later end, also write validFrom"
    yield f"{wrong}: write {shown_time(latest)} or an earlier time, at most {longest} after {since}"


def end_of(exception: PolicyException) -> datetime | None:
    """Return when an exception ends; None: it cannot be read."""
    found = moment(_FRACTION.sub(r".\1", exception.until, count=1))
    return None if found is None else datetime.fromtimestamp(found, UTC)
