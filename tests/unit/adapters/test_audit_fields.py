"""Which fields of an index are read as audit events, by its mapping."""

from typing import Any

import pytest

from searchaccess.adapters.elasticsearch.auditfields import ASKED, AuditFields, fields_in
from searchaccess.ports.errors import Rejected


def caps(**types: str | list[str]) -> dict[str, Any]:
    """Return an answer of ``_field_caps``; in names, ``__`` stands for a dot and ``at_`` for ``@``."""
    fields: dict[str, Any] = {}
    for name, kinds in types.items():
        searchable = {
            kind: {"type": kind, "searchable": kind != "unmapped", "aggregatable": kind not in {"text", "unmapped"}}
            for kind in ([kinds] if isinstance(kinds, str) else kinds)
        }
        fields[name.replace("__", ".").replace("at_", "@")] = searchable
    return {"indices": ["audit"], "fields": fields}


AGENT = {"at_timestamp": "date", "user__name": "keyword", "event__action": "keyword"}
RAW = {
    "at_timestamp": "date",
    "user__name": "text",
    "user__name__keyword": "keyword",
    "event__action": "text",
    "event__action__keyword": "keyword",
    "apikey__id": "text",
    "apikey__id__keyword": "keyword",
}


def test_the_names_of_each_layout() -> None:
    shipped = caps(**AGENT, elasticsearch__audit__apikey__id="keyword", elasticsearch__audit__indices="keyword")
    assert fields_in(shipped, "audit") == AuditFields(
        "@timestamp",
        "user.name",
        "event.action",
        ("elasticsearch.audit.apikey.id",),
        (),
        ("elasticsearch.audit.indices",),
    )
    found = fields_in(caps(**RAW), "audit")
    assert (found.user, found.kind, found.key_ids) == (
        "user.name.keyword",
        "event.action.keyword",
        ("apikey.id.keyword",),
    )
    assert fields_in(
        caps(timestamp="date_nanos", user__name="keyword", event__action="constant_keyword"), "a"
    ).time == ("timestamp")


def test_an_index_that_has_no_event_yet_does_not_matter() -> None:
    fresh = {name: [kind, "unmapped"] for name, kind in AGENT.items()}
    assert fields_in(caps(**fresh), "audit").user == "user.name"


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ({}, "the field @timestamp is missing, and must be a date"),
        ({"at_timestamp": "date"}, "the field user.name is missing, and must be a keyword"),
        (RAW | {"user__name": ["keyword", "text"]}, "the field user.name has the type keyword, text in some index"),
        (AGENT | {"at_timestamp": ["date", "unmapped"], "timestamp": "date"}, "others only in timestamp"),
        (AGENT | {"at_timestamp": "text"}, "the field @timestamp has the type text"),
    ],
)
def test_what_cannot_be_read_is_named(types: dict[str, Any], message: str) -> None:
    with pytest.raises(Rejected, match=message):
        fields_in(caps(**types), "audit")


@pytest.mark.parametrize("answer", [None, [], {}, {"fields": []}, {"fields": dict.fromkeys(ASKED, 7)}])
def test_odd_answers_are_refused(answer: Any) -> None:
    with pytest.raises(Rejected):
        fields_in(answer, "audit")
