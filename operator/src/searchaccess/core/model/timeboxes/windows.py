"""Windows in which rights are in force: cron, a time zone, and a duration."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from searchaccess.api.times.durations import DURATION_PATTERN, seconds
from searchaccess.api.times.windows import BAD_CRON, BAD_ZONE, CRON_PATTERN, LONGEST_CRON, LONGEST_ZONE, ZONE_PATTERN

_SHIFT: Final = timedelta(hours=3)
"""More than clocks are ever set forward or back."""
_MOST: Final = 500
"""Beginnings within that time, before and after: one a minute, and as many that fall into an hour that is left out."""
_TOGETHER: Final = 60
"""Windows that are joined at most: two milliseconds. After these, the schedule is asked again."""
_REFERENCE: Final = datetime(2024, 1, 1, tzinfo=UTC)
"""From here on, a schedule must begin within the 50 years that cronsim searches: what it answers does not change."""
_LEAST: Final = 60.0
_LONGEST: Final = 8760 * 3600.0
_NEVER: Final = "the cron never begins a window"
_DURATION: Final = "write a duration between 1m and 8760h, such as 10h"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Windows, already validated.

    Args:
        cron: five fields.
        zone: name of a time zone.
        duration: seconds of each window.
    """

    cron: str
    zone: str
    duration: int


@dataclass(frozen=True, slots=True)
class Window:
    """What a schedule says at a time.

    Args:
        is_open: whether rights are in force.
        until: when to ask again, in seconds since the epoch: the end of the window, or the beginning of the next; None:
            there is no other. Windows that overlap or touch are one. It may go on after that if it is very many.
    """

    is_open: bool
    until: int | None


def schedule_in(raw: object) -> Schedule:
    """Read a schedule.

    Raises:
        ValueError: it cannot be read, or never begins a window.
    """
    given: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    cron = _text(given, "cron", LONGEST_CRON, CRON_PATTERN, BAD_CRON)
    zone = _text(given, "timeZone", LONGEST_ZONE, ZONE_PATTERN, BAD_ZONE)
    length = seconds(_text(given, "duration", 20, DURATION_PATTERN, _DURATION))
    if not _LEAST <= length <= _LONGEST:
        raise ValueError(f"spec.schedule.duration: {_DURATION}")
    if problem := _problem(cron, zone):
        raise ValueError(f"spec.schedule.{problem}")
    return Schedule(cron, zone, int(length))


def _text(given: Mapping[str, Any], key: str, limit: int, pattern: str, wanted: str) -> str:
    text = given.get(key)
    if not isinstance(text, str) or len(text) > limit or not re.fullmatch(pattern, text):
        raise ValueError(f"spec.schedule.{key}: {wanted}")
    return text


@lru_cache(1 << 8)
def _problem(cron: str, zone: str) -> str:
    try:
        place = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return f"timeZone: there is no time zone {zone}; {BAD_ZONE}"
    try:
        first = next(CronSim(cron, _REFERENCE.astimezone(place)), None)
    except CronSimError as error:
        return f"cron: {cron} cannot be used ({str(error).lower()})"
    return "" if first else f"cron: {_NEVER}"


@lru_cache(1 << 8)
def window_at(schedule: Schedule, now: int) -> Window:
    """Return what a schedule says.

    Args:
        schedule: the schedule.
        now: seconds since the epoch.
    """
    try:
        began, ahead = _around(schedule, datetime.fromtimestamp(now, ZoneInfo(schedule.zone)))
        if began is None or now >= began + schedule.duration:
            return Window(is_open=False, until=next(ahead, None))
    except (OverflowError, ValueError):
        # The end of all calendars.
        return Window(is_open=False, until=None)
    return Window(is_open=True, until=_end(began + schedule.duration, ahead, schedule.duration))


def _end(ends: int, ahead: Iterator[int], duration: int) -> int:
    """Return when a window ends, with those that begin before that, or just then."""
    with suppress(OverflowError, ValueError):
        for begins in islice(ahead, _TOGETHER):
            if begins > ends:
                break
            ends = max(ends, begins + duration)
    return ends


def _around(schedule: Schedule, now: datetime) -> tuple[int | None, Iterator[int]]:
    """Return the last beginning until now, and those after.

    Where clocks are set back, cronsim takes the hour that comes twice for one. So the search starts hours away, and
    skips what is on the wrong side.
    """
    at = now.timestamp()
    later, earlier = ((now.astimezone(UTC) + shift).astimezone(now.tzinfo) for shift in (_SHIFT, -_SHIFT))
    past = (begin for begin in _beginnings(CronSim(schedule.cron, later, reverse=True)) if begin <= at)
    ahead = (begin for begin in _beginnings(CronSim(schedule.cron, earlier)) if begin > at)
    return next(past, None), ahead


def _beginnings(found: Iterator[datetime]) -> Iterator[int]:
    return (int(begin.timestamp()) for begin in islice(found, _MOST))
