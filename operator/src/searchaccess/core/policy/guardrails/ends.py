"""When access ends: within the time that a policy accepts, and when exceptions of policies do."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from searchaccess.api.searchaccesspolicy import PolicyException
from searchaccess.api.times.durations import seconds
from searchaccess.api.times.moments import LAST, moment
from searchaccess.core.model.timeboxes.timebox import shown_time
from searchaccess.core.policy.guardrails.asked import Times

_FRACTION: Final = re.compile(r"[.,](\d{1,9})\d*")
"""Of a second, as the API server accepts it: with more digits than computers use, and with a comma."""


def too_late(longest: str, times: Times) -> Iterator[str]:
    """Yield what is wrong with the end of a SearchAccess.

    Only what is declared counts, not the current time: what is accepted once stays accepted.

    Args:
        longest: the duration within which access must end.
        times: when the rights begin and end. Without ``validFrom`` the duration begins when it was created.
    """
    begins = moment(times.created_at) if times.begins is None else float(times.begins)
    if begins is None:
        yield "validUntil: it is not known when the SearchAccess was created: write validFrom and validUntil"
        return
    latest = int(min(begins + seconds(longest), LAST))
    if times.ends is not None and times.ends <= latest:
        return
    wrong = "validUntil is required" if times.ends is None else f"validUntil: {shown_time(times.ends)} is too late"
    since = "validFrom" if times.begins is not None else "it was created; for a later end, also write validFrom"
    yield f"{wrong}: write {shown_time(latest)} or an earlier time, at most {longest} after {since}"


def end_of(exception: PolicyException) -> datetime | None:
    """Return when an exception ends; None: it cannot be read."""
    found = moment(_FRACTION.sub(r".\1", exception.until, count=1))
    return None if found is None else datetime.fromtimestamp(found, UTC)
