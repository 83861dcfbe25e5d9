"""Points in time, as RFC 3339 has them."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

_RFC3339: Final = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(?:[Zz]|([+-])(\d{2}):(\d{2}))", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = 253_402_300_799
"""The last second of the year 9999."""
_MOST_HOURS: Final = 23
_MOST_MINUTES: Final = 59
ENDS_BEFORE_IT_BEGINS: Final = "validUntil must be later than validFrom"
WANTED: Final = "write a time with a time zone, as in 2027-01-31T00:00:00Z"


def moment(text: str) -> float | None:
    """Return the seconds since the epoch, between 1970 and 9999; None: it is no time as RFC 3339 has them.

    A leap second is none either: computers do not have them.
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    *parts, fraction, sign, hours, minutes = found.groups()
    try:
        whole = (datetime(*map(int, parts), tzinfo=UTC) - _EPOCH).total_seconds()  # type: ignore[misc, arg-type]
    except ValueError:
        return None
    offset = 0
    if sign:
        if int(hours) > _MOST_HOURS or int(minutes) > _MOST_MINUTES:
            return None
        offset = (int(hours) * 3600 + int(minutes) * 60) * (1 if sign == "+" else -1)
    return min(max(whole + float(fraction or 0) - offset, 0.0), float(LAST))


def _readable(text: str) -> str:
    if moment(text) is None:
        raise ValueError(WANTED)
    return text


Moment = Annotated[str, Field(max_length=40, json_schema_extra={"format": "date-time"}), AfterValidator(_readable)]
"""A time that somebody declares."""


def first_second(raw: Mapping[str, Any], key: str) -> int | None:
    """Return the first whole second at or after a declared time.

    Raises:
        ValueError: it cannot be read.
    """
    found = _declared(raw, key)
    return None if found is None else math.ceil(found)


def last_second(raw: Mapping[str, Any], key: str) -> int | None:
    """Return the last whole second at or before a declared time.

    Raises:
        ValueError: it cannot be read.
    """
    found = _declared(raw, key)
    return None if found is None else math.floor(found)


def _declared(raw: Mapping[str, Any], key: str) -> float | None:
    if key not in raw:
        return None
    text = raw[key]
    found = moment(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"spec.{key}: {WANTED}")
    return found


_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")
_LENGTH, _MARKS = len("2026-01-01T10:00:00Z"), "--T::Z"


def _written(text: str) -> str:
    # A fast path for our own format: every reconcile reads thousands of times.
    ours = len(text) == _LENGTH and text[4::3] == _MARKS
    if not ours and not _WRITTEN.fullmatch(text):
        raise ValueError("not a time in RFC 3339")
    datetime.fromisoformat(text)
    return text


DateTime = Annotated[str, AfterValidator(_written), Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339; written in UTC, whole seconds."""

NEVER = "1970-01-01T00:00:00Z"
"""Represents an unknown time."""
