"""Audit events of Elasticsearch as shippers store them, in the layouts that there are."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx

AGENT, RAW, PLAIN = "Elastic Agent", "its own names, without a template", "its own names and times, with a template"
LAYOUTS: Final = (AGENT, RAW, PLAIN)
_KEYWORDS: Final = [{"strings": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 1024}}}]
_MAPPINGS: Final[Mapping[str, dict[str, Any]]] = {
    AGENT: {"dynamic_templates": _KEYWORDS, "properties": {"@timestamp": {"type": "date"}}},
    RAW: {"properties": {"@timestamp": {"type": "date"}}},
    PLAIN: {
        "dynamic_templates": _KEYWORDS,
        "properties": {"timestamp": {"type": "date", "format": "yyyy-MM-dd'T'HH:mm:ss,SSSZ"}},
    },
}


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        user: of the caller.
        at: seconds since the epoch.
        indices: names of the request.
        kind: of the event.
        action: of Elasticsearch.
        opaque: the header.
        key_id: of the API key; empty: none.
        key_name: of the API key.
    """

    user: str
    at: float
    indices: Sequence[str] = ("orders-1",)
    kind: str = "access_granted"
    action: str = "indices:data/read/search"
    opaque: str = ""
    key_id: str = ""
    key_name: str = ""

    def as_logged(self) -> dict[str, Any]:
        """Return it as Elasticsearch's own log has it."""
        moment = datetime.fromtimestamp(self.at, UTC)
        found = {
            "type": "audit",
            "timestamp": f"{moment:%Y-%m-%dT%H:%M:%S},{moment.microsecond // 1000:03}+0000",
            "event.type": "transport",
            "event.action": self.kind,
            "user.name": self.user,
            "action": self.action,
            "request.name": "SearchRequest",
            "indices": list(self.indices),
            "opaque_id": self.opaque,
            "apikey.id": self.key_id,
            "apikey.name": self.key_name,
        }
        return {name: value for name, value in found.items() if value}

    def stored(self, layout: str) -> dict[str, Any]:
        """Return it as it is stored."""
        logged = self.as_logged()
        if layout == PLAIN:
            return logged
        moment = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")
        if layout == RAW:
            return {"@timestamp": moment, **logged}
        # https://github.com/elastic/integrations/tree/main/packages/elasticsearch/data_stream/audit
        audit = {
            name: value
            for name, value in logged.items()
            if name not in {"type", "timestamp", "event.type", "event.action", "user.name", "request.name"}
        }
        return {
            "@timestamp": moment,
            "event": {"action": self.kind, "category": "database", "dataset": "elasticsearch.audit"},
            "user": {"name": self.user},
            "elasticsearch": {"audit": {"layer": "transport", "request": {"name": "SearchRequest"}, **audit}},
        }


def store(admin: httpx.Client, index: str, layout: str, events: Sequence[Event]) -> None:
    """Store events in an index, which is made if it is not there."""
    if admin.head(f"/{index}").status_code != httpx.codes.OK:
        body = {"mappings": _MAPPINGS[layout], "settings": {"number_of_replicas": 0}}
        admin.put(f"/{index}", json=body).raise_for_status()
    lines = "".join(f'{{"create":{{}}}}\n{json.dumps(event.stored(layout))}\n' for event in events)
    answer = admin.post(f"/{index}/_bulk?refresh=true", content=lines, headers={"Content-Type": "application/x-ndjson"})
    assert answer.raise_for_status().json()["errors"] is False, answer.text
