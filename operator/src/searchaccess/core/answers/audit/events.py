"""Events that say who did what: of Elasticsearch's audit log, and of the gateway's log.

Elasticsearch's fields are in https://www.elastic.co/guide/en/elasticsearch/reference/8.19/audit-event-types.html, the
gateway's in ``docs/gateway-log.md``.
"""

from collections.abc import Mapping
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Any, Final

import msgspec

_FIELDS: Final = {
    "written": "timestamp",
    "kind": "event.action",
    "user": "user.name",
    "action": "action",
    "indices": "indices",
    "opaque": "opaque_id",
    "trace": "trace.id",
    "key_id": "apikey.id",
    "key_name": "apikey.name",
}
GRANTED: Final = "access_granted"
DENIED: Final = "access_denied"
NO_IDENTITY: Final = frozenset({"anonymous_access_denied", "authentication_failed", "realm_authentication_failed"})
"""Events of requests whose caller is unknown."""


class AuditEvent(msgspec.Struct, rename=_FIELDS, gc=False, frozen=True):
    """One line of Elasticsearch's audit log. What a line lacks is empty."""

    written: str = ""
    """When, such as ``2026-11-29T23:05:57,525+0000``."""
    kind: str = ""
    """``access_granted``, ``access_denied``, …."""
    user: str = ""
    """The user with whose rights it was decided; with ``run_as``, the one that was run as."""
    action: str = ""
    """Name of the action, such as ``indices:data/read/search``."""
    indices: tuple[str, ...] = ()
    opaque: str = ""
    """The header ``X-Opaque-Id``, which the caller chose."""
    trace: str = ""
    key_id: str = ""
    key_name: str = ""


class GatewayEvent(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """One line of the gateway's log. What a line lacks is empty."""

    time: str = ""
    principal: str | None = None
    method: str | None = None
    path: str | None = None
    status: int | str | None = None
    details: str | None = None
    opaque_id: str | None = None
    traceparent: str | None = None


def flat(document: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    """Write nested fields with dots, as Elasticsearch's own log does; shippers often nest them.

    Args:
        document: of an index or a log entry.
        within: name of the field that it is in.
    """
    found: dict[str, Any] = {}
    for name, value in document.items():
        path = f"{within}.{name}" if within else name
        if isinstance(value, Mapping):
            found |= flat(value, path)
        else:
            found[path] = value
    return found


_PREFIXES: Final = ("elasticsearch.audit.", "jsonPayload.")
_OTHER_NAMES: Final = {"@timestamp": "timestamp", "elasticsearch.audit.request.name": "request.name"}


def from_document(document: Mapping[str, Any]) -> AuditEvent:
    """Read an event that a shipper stored: flat or nested, also with the names of Filebeat's module ``elasticsearch``.

    Args:
        document: as it is stored.

    Returns:
        The event; fields of another type count as missing.
    """
    fields = flat(document)
    named = {_OTHER_NAMES.get(name, name): value for name, value in fields.items()}
    for prefix in _PREFIXES:
        named = {
            name.removeprefix(prefix): value
            for name, value in sorted(named.items(), key=lambda item: item[0].startswith(prefix))
        }
    chosen: dict[str, Any] = {}
    for field, name in _FIELDS.items():
        value = named.get(name)
        if field == "indices":
            given = value if isinstance(value, list | tuple) else [value]
            chosen[field] = tuple(str(item) for item in given if isinstance(item, str))
        elif isinstance(value, str):
            chosen[field] = value
    return AuditEvent(**chosen)


def instant(written: str) -> datetime | None:
    """Read when an event happened.

    Args:
        written: as Elasticsearch (``2026-11-29T23:05:57,525+0000``) or RFC 3339 writes it.

    Returns:
        The time, with its zone; None: it has none, or cannot be read.
    """
    try:
        read = datetime.fromisoformat(written)
    except ValueError:
        return None
    # In the first and the last year, it may not exist in another zone.
    return read if read.tzinfo and MINYEAR < read.year < MAXYEAR else None
