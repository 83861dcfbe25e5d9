"""The filter for Cloud Logging. Whatever values are, each is one quoted text in it.

https://cloud.google.com/logging/docs/view/logging-query-language
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from searchaccess.api.times.moments import LAST
from searchaccess.core.answers.audit.events import DENIED, GRANTED, NO_IDENTITY
from searchaccess.core.answers.audit.wanted import EventsWanted

LONGEST: Final = 20_000
"""Characters that Cloud Logging takes."""
_EARLIER: Final = timedelta(minutes=1)
_LATER: Final = timedelta(hours=1)
"""How much an entry's time may be before, and after, that of its event. The report has the event's own time."""
_KIND, _USER, _OPAQUE, _KEY_ID, _KEY_NAME = "event.action", "user.name", "opaque_id", "apikey.id", "apikey.name"


def quoted(text: str) -> str:
    """Return a text as the query language has it: in quotes, with escapes for these and for control characters."""
    shown = "".join(_escaped(character) for character in text)
    return f'"{shown}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    number = ord(character)
    return character if number >= ord(" ") and character.isprintable() else _by_number(number)


def _by_number(number: int) -> str:
    return f"\\u{number:04x}" if number <= 0xFFFF else chr(number)  # noqa: PLR2004 - what the escape can have


def filter_of(project: str, wanted: EventsWanted, log_name: str = "") -> str:
    """Return the filter for audit events of Elasticsearch. It may find more than is wanted.

    Args:
        project: id of the project.
        wanted: which events; an index is not filtered.
        log_name: last part of the log's name, such as ``stdout``; empty: any log.
    """
    kinds = sorted({DENIED, *NO_IDENTITY} if wanted.denied else {GRANTED, DENIED, *NO_IDENTITY})
    parts = [_field(_KIND, "=", kinds)]
    if log_name:
        path = f"projects/{project}/logs/{quote(log_name, safe='')}"
        parts.append(f"logName={quoted(path)}")
    if wanted.since is not None:
        parts.append(f"timestamp>={_time(wanted.since, -_EARLIER)}")
    if wanted.until is not None:
        parts.append(f"timestamp<{_time(wanted.until, _LATER)}")
    if wanted.callers is not None and (callers := _callers(wanted)) and len(callers) < LONGEST // 2:
        parts.append(callers)
    return " AND ".join(parts)


def _callers(wanted: EventsWanted) -> str:
    callers = wanted.callers
    if callers is None:
        return ""
    # `:` finds a part of a text, so that it stands for "begins with", too.
    names = [name.strip("*").removeprefix("searchaccess.").strip("*") for name in callers.key_names]
    found = (
        _field(_USER, "=", sorted(callers.users)),
        _field(_USER, ":", callers.user_prefixes),
        _field(_OPAQUE, ":", callers.opaque_prefixes),
        _field(_KEY_ID, "=", sorted(callers.key_ids)),
        _field(_KEY_NAME, ":", names),
    )
    return f"({' OR '.join(part for part in found if part)})"


def _field(name: str, operator: str, values: Iterable[str]) -> str:
    """Return that a field has one of some values: in Elasticsearch's own names with dots, or nested by a shipper."""
    choices = " OR ".join(quoted(value) for value in values)
    if not choices:
        return ""
    return f'(jsonPayload."{name}"{operator}({choices}) OR jsonPayload.{name}{operator}({choices}))'


def _time(at: float, more: timedelta) -> str:
    shifted = min(max(at + more.total_seconds(), 0.0), float(LAST))
    return quoted(datetime.fromtimestamp(shifted, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
