"""Which fields of an index have what audit events say: its mapping decides, so that every shipper's layout is read.

Elasticsearch's own names are in
https://www.elastic.co/guide/en/elasticsearch/reference/8.19/audit-event-types.html, those of Filebeat's module and of
Elastic Agent have ``elasticsearch.audit.`` before them, apart from ECS fields such as ``user.name``. Without a
template, a text field has its keyword in ``.keyword``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from searchaccess.core.model.intake.reading import mapping
from searchaccess.ports.errors import Rejected

_KEYWORDS: Final = frozenset({"keyword", "constant_keyword", "wildcard"})
_DATES: Final = frozenset({"date", "date_nanos"})
_SHIPPED: Final = "elasticsearch.audit."
_TIMES: Final = ("@timestamp", "timestamp")
_UNMAPPED: Final = "unmapped"
"""Stands for indices that lack a field: they have no event with it."""


def _names(*names: str) -> tuple[str, ...]:
    return tuple(name + end for name in names for end in ("", ".keyword"))


_USER: Final = _names("user.name")
_KIND: Final = _names("event.action")
_KEY_ID: Final = _names(f"{_SHIPPED}apikey.id", "apikey.id")
_KEY_NAME: Final = _names(f"{_SHIPPED}apikey.name", "apikey.name")
_INDICES: Final = _names(f"{_SHIPPED}indices", "indices")
_OPAQUE: Final = _names(f"{_SHIPPED}opaque_id", "opaque_id")
ACTIONS: Final = _names(f"{_SHIPPED}action", "action")
"""Where the name of the action is. A field that is missing, or cannot be searched, matches nothing."""
ASKED: Final = (*_TIMES, *_USER, *_KIND, *_KEY_ID, *_KEY_NAME, *_INDICES, *_OPAQUE)
"""The fields whose types are asked for."""
SOURCE: Final = tuple(
    f"{before}{name}"
    for before in ("", _SHIPPED)
    for name in (
        "@timestamp", "timestamp", "event.action", "user.name", "action", "request.name", "indices", "opaque_id",
        "trace.id", "apikey.id", "apikey.name",
    )
)  # fmt: skip
"""What is read of an event, in all layouts."""


@dataclass(frozen=True, slots=True)
class AuditFields:
    """Names of fields. Without the optional ones, less can be asked for.

    Attributes:
        time: when it happened.
        user: as whom.
        kind: ``access_granted``, ….
        key_ids: of API keys, one for each layout; none: no event has one.
        key_names: of API keys.
        indices: of the request; none: they cannot be searched.
        opaque: the header ``X-Opaque-Id``.
    """

    time: str
    user: str
    kind: str
    key_ids: tuple[str, ...] = ()
    key_names: tuple[str, ...] = ()
    indices: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()


def fields_in(capabilities: Any, index: str) -> AuditFields:
    """Choose the fields from an answer about fields' types.

    Args:
        capabilities: as the API ``_field_caps`` gives it.
        index: for messages.

    Raises:
        Rejected: a necessary field is missing, or cannot be searched.
    """
    known = mapping(mapping(capabilities).get("fields"))
    shipped, logged = (mapping(known.get(name)) for name in _TIMES)
    if _UNMAPPED in shipped and _is(shipped, _DATES) and _is(logged, _DATES):
        raise Rejected(
            f"{index}: some of these indices have the time of events in {_TIMES[0]} and others only in {_TIMES[1]}; "
            "name indices of one layout"
        )
    return AuditFields(
        time=_needed(known, _TIMES, _DATES, index, "a date"),
        user=_needed(known, _USER, _KEYWORDS, index, "a keyword"),
        kind=_needed(known, _KIND, _KEYWORDS, index, "a keyword"),
        key_ids=_all(known, _KEY_ID),
        key_names=_all(known, _KEY_NAME),
        indices=_all(known, _INDICES),
        opaque=_all(known, _OPAQUE),
    )


def _all(known: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if _is(known.get(name), _KEYWORDS))


def _needed(known: Mapping[str, Any], names: tuple[str, ...], types: frozenset[str], index: str, wanted: str) -> str:
    for name in names:
        if _is(known.get(name), types):
            return name
        if types & mapping(known.get(name)).keys():
            # Another name would find the events of some indices only.
            break
    there = ", ".join(sorted(mapping(known.get(names[0])).keys() - {_UNMAPPED})[:3])
    how = f"has the type {there} in some index" if there else "is missing"
    raise Rejected(
        f"{index} cannot be read as audit events: the field {names[0]} {how}, and must be {wanted} in all of them; "
        "docs/audit.md has the layouts"
    )


def _is(described: Any, types: frozenset[str]) -> bool:
    """Return whether a field has one of some types in every index that has it, and can be searched and aggregated."""
    kinds = {kind: about for kind, about in mapping(described).items() if kind != _UNMAPPED}
    return bool(kinds) and all(
        kind in types and mapping(about).get("searchable") is True and mapping(about).get("aggregatable") is True
        for kind, about in kinds.items()
    )
