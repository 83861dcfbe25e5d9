"""When the rights of a SearchAccess are in force: what is declared, and what that says at a time."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from searchaccess.api.times.durations import DURATION_PATTERN, seconds
from searchaccess.api.times.moments import ENDS_BEFORE_IT_BEGINS, LAST, first_second, last_second, moment
from searchaccess.core.model.timeboxes.windows import Schedule, schedule_in, window_at

LEAD: Final = 300
"""Seconds before rights begin in which what takes its time is made ready: limits reach pods in two minutes."""


class Term(StrEnum):
    """Whether rights are in force."""

    IN_FORCE = "Active"
    NOT_YET = "NotYetValid"
    EXPIRED = "Expired"
    OUTSIDE = "OutsideSchedule"
    UNREADABLE = "Unreadable"
    """What is declared cannot be read."""
    UNKNOWN = "Unknown"
    """It was not compared with a clock yet."""


@dataclass(frozen=True, slots=True)
class TimeBox:
    """When rights are in force, as declared. Times are whole seconds since the epoch.

    Args:
        begins: when they begin; None: they begin at once.
        ends: when they end; None: they do not end.
        schedule: the windows in which they are in force between these; None: all the time.
        problem: why it cannot be read; empty: it can.
        removed_at: when the SearchAccess itself may be deleted; None: it stays.
    """

    begins: int | None = None
    ends: int | None = None
    schedule: Schedule | None = None
    problem: str = ""
    removed_at: int | None = None

    @property
    def is_limited(self) -> bool:
        """Whether it depends on the time."""
        return self != UNLIMITED

    @property
    def has_end(self) -> bool:
        """Whether rights may have to end."""
        return self.ends is not None or self.schedule is not None or bool(self.problem)


UNLIMITED: Final = TimeBox()


@dataclass(frozen=True, slots=True)
class Validity:
    """What a time box says at a time.

    Args:
        term: whether rights are in force.
        changes_at: when that changes next, in seconds since the epoch; None: never.
        is_removable: whether the SearchAccess itself may be deleted.
        is_near: whether rights are not in force yet, and begin within ``LEAD``.
        is_begin: whether rights begin when it changes, if they are not in force.
    """

    term: Term
    changes_at: int | None = None
    is_removable: bool = False
    is_near: bool = False
    is_begin: bool = True

    @property
    def due_at(self) -> int | None:
        """When it is to be compared with the clock again, later than it was; None: never."""
        waits = self.term in {Term.NOT_YET, Term.OUTSIDE} and self.is_begin and not self.is_near
        return self.changes_at - LEAD if waits and self.changes_at is not None else self.changes_at


ALWAYS: Final = Validity(Term.IN_FORCE)
NOT_COMPARED: Final = Validity(Term.UNKNOWN)


def time_box_in(spec: Mapping[str, Any], created_at: str = "") -> TimeBox:
    """Read when rights are in force, from a spec that may be invalid elsewhere: otherwise an error would keep them.

    Never raises for what somebody declares.

    Args:
        spec: of the SearchAccess.
        created_at: when it was created (RFC 3339); empty: not known, so that it is never deleted.
    """
    try:
        begins, ends = first_second(spec, "validFrom"), last_second(spec, "validUntil")
        schedule = schedule_in(spec["schedule"]) if "schedule" in spec else None
    except ValueError as error:
        return TimeBox(problem=str(error))
    if begins is not None and ends is not None and begins >= ends:
        return TimeBox(problem=f"spec: {ENDS_BEFORE_IT_BEGINS}")
    box = TimeBox(begins, ends, schedule, removed_at=_removed_at(spec, ends, created_at))
    return box if box.is_limited else UNLIMITED


def _removed_at(spec: Mapping[str, Any], ends: int | None, created_at: str) -> int | None:
    """Return when a SearchAccess may be deleted; None: never, also if that cannot be read.

    One that was created after its end, such as by a GitOps controller that puts it back, stays as long as any other.
    Otherwise both would delete and create it all the time.
    """
    declared = spec.get("ttlAfterExpired")
    if ends is None or not isinstance(declared, str) or not re.fullmatch(DURATION_PATTERN, declared):
        return None
    created = moment(created_at)
    if created is None:
        return None
    return min(math.ceil(max(float(ends), created) + seconds(declared)), LAST)


def validity_at(box: TimeBox, now: float) -> Validity:
    """Return what a time box says.

    Args:
        box: the time box.
        now: seconds since the epoch.
    """
    if box.problem:
        return Validity(Term.UNREADABLE)
    if box.ends is not None and now >= box.ends:
        later = box.removed_at is not None and now < box.removed_at
        return Validity(Term.EXPIRED, box.removed_at if later else None, box.removed_at is not None and not later)
    if box.begins is not None and now < box.begins:
        opens = box.schedule is None or window_at(box.schedule, box.begins).is_open
        return _waiting(Term.NOT_YET, box.begins, now, begins=opens)
    if box.schedule is None:
        return Validity(Term.IN_FORCE, box.ends)
    window = window_at(box.schedule, int(now))
    changes = [time for time in (window.until, box.ends) if time is not None]
    at = min(changes, default=None)
    if window.is_open:
        return Validity(Term.IN_FORCE, at)
    return _waiting(Term.OUTSIDE, at, now, begins=at is not None and at != box.ends)


def _waiting(term: Term, at: int | None, now: float, *, begins: bool) -> Validity:
    return Validity(term, at, is_near=begins and at is not None and at - now <= LEAD, is_begin=begins)


def is_during(box: TimeBox, other: TimeBox) -> bool:
    """Return whether rights are in force only while those of another time box with the same windows are."""
    if box == other:
        return True
    if box.problem or other.problem or box.schedule != other.schedule:
        return False
    is_later = other.begins is None or (box.begins is not None and box.begins >= other.begins)
    return is_later and (other.ends is None or (box.ends is not None and box.ends <= other.ends))


def shown_time(seconds: int) -> str:
    """Return a time as RFC 3339, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
