"""Counts events: one entry for each combination of who, what, where and how, however many events there are."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeAlias

from searchaccess.core.answers.audit.events import DENIED, GRANTED, NO_IDENTITY, AuditEvent, GatewayEvent, instant
from searchaccess.core.answers.audit.naming import kind_of, of_request, revision_of

MOST_ENTRIES: Final = 50_000
"""Beyond it, revisions and then indices are no longer told apart, so that memory stays bounded."""
MOST_INDICES: Final = 250_000
"""Names of indices in all entries, beyond which it is the same: one request may name thousands."""
MOST_TRACES: Final = 500_000
_REMEMBERED: Final = 20_000
"""Combinations in events whose entry is found at once: those of most clusters, in a few megabytes."""
_FEW: Final = 8
"""Names of indices in such an event."""
_SHORT: Final = 200
"""Characters of a header ``X-Opaque-Id`` that is worth remembering; whoever sends it chooses them."""
ELASTICSEARCH, GATEWAY = "elasticsearch", "gateway"
"""Whose log an event is from."""
ELSEWHERE: Final = "…"
"""Stands for indices and revisions that are not told apart."""
_HOUR: Final = 13
_REFUSED: Final = frozenset({401, 403, 413, 429})


_Key: TypeAlias = tuple[str, str, str, str, tuple[str, ...], str, str, bool, bool, str]
"""The fields of ``Use``, with all indices of an event."""
_Same: TypeAlias = tuple[str, str, str, str, str, tuple[str, ...], str]
"""What an event says beside its time and its trace: kind, action, user, key, name of the key, indices, opaque id."""


@dataclass(frozen=True, slots=True)
class Use:
    """Who did what where.

    Attributes:
        user: the principal; empty: the caller is unknown.
        key_id: of the API key; empty: none.
        key_name: of the API key.
        kind: of the action, as ``naming`` has it.
        index: one name; empty: the request names none.
        service: the Cloud Run workload.
        revision: its revision or execution; empty: the request names none.
        proven: the revision is from Cloud Run's own request log, by the trace; otherwise the caller claims it.
        allowed: Elasticsearch allowed it.
        through: ``elasticsearch`` or ``gateway``: whose log it is from.
    """

    user: str
    key_id: str
    key_name: str
    kind: str
    index: str
    service: str
    revision: str
    proven: bool
    allowed: bool
    through: str


@dataclass(slots=True)
class Count:
    """How often, and when."""

    number: int
    first: datetime
    last: datetime

    def add(self, other: "Count") -> None:
        """Add another count of the same."""
        self.number += other.number
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)


@dataclass(slots=True)
class Tally:
    """Counts of events.

    Attributes:
        since: events before it are left out.
        until: events from it on are left out; None: none.
        revisions: service and revision by trace id, from Cloud Run's request logs.
    """

    since: datetime
    until: datetime | None = None
    revisions: dict[str, tuple[str, str]] = field(default_factory=dict)
    events: int = 0
    unread: int = 0
    """Lines that are no events, or have no time."""
    merged: bool = False
    """There were too many combinations: some are not told apart."""
    nameless: bool = False
    """Of some of these, not even users and keys are told apart: nobody is certainly not among them."""
    hours: dict[tuple[str, bool], int] = field(default_factory=dict)
    """How many were allowed and refused, by hour of the log's own time."""
    _entries: dict[_Key, Count] = field(default_factory=dict)
    _indices: int = 0
    """Names of indices in all entries."""
    _names: dict[str, tuple[str, str]] = field(default_factory=dict)
    _kinds: dict[str, str] = field(default_factory=dict)
    _same: dict[_Same, Count] = field(default_factory=dict)
    """Entries by what events say: nearly all repeat an earlier one."""

    def add(self, event: AuditEvent) -> None:
        """Count an event of Elasticsearch's audit log."""
        if self._kinds.get(event.action) == "":
            return
        same = (event.kind, event.action, event.user, event.key_id, event.key_name, event.indices, event.opaque)
        entry = self._same.get(same)
        if entry is None or event.trace in self.revisions:
            self._add_other(event, same)
        elif (at := self._time_of(event.written)) is not None:
            self._note(entry, at, event.written, event.kind == GRANTED)

    def _add_other(self, event: AuditEvent, same: _Same) -> None:
        allowed = event.kind == GRANTED
        if not allowed and event.kind != DENIED and event.kind not in NO_IDENTITY:
            return
        kind = self._kinds.get(event.action)
        if kind is None:
            kind = self._kinds[event.action] = kind_of(event.action) if event.action else "unknown"
        if not kind:
            return
        # Whoever is refused may have given any name: it would look like that caller, or like one that nobody declared.
        who = ("", "", "") if event.kind in NO_IDENTITY else (event.user, event.key_id, event.key_name)
        entry = self._count(
            event.written, *who, kind, event.indices, event.opaque, event.trace, allowed, ELASTICSEARCH,
        )  # fmt: skip
        if entry is not None and len(self._same) < _REMEMBERED and self._repeats(event):
            self._same[same] = entry

    def _repeats(self, event: AuditEvent) -> bool:
        """Return whether an event is worth remembering: nobody chose a part of it, or made it large."""
        is_named = event.kind not in NO_IDENTITY and event.trace not in self.revisions
        return is_named and len(event.indices) <= _FEW and (not event.opaque or event.opaque in self._names)

    def add_request(self, event: GatewayEvent) -> None:
        """Count a request of the gateway's log."""
        kind, names = of_request(event.method or "", event.path or "/")
        status = event.status if isinstance(event.status, int) else int(event.status or 0)
        trace = (event.traceparent or "")[3:35]
        self._count(
            event.time, event.principal or "", "", "", kind, names, event.opaque_id or "", trace,
            status not in _REFUSED, GATEWAY,
        )  # fmt: skip

    def _count(
        self,
        written: str,
        user: str,
        key_id: str,
        key_name: str,
        kind: str,
        indices: tuple[str, ...],
        opaque: str,
        trace: str,
        allowed: bool,  # noqa: FBT001 - named arguments cost time with each event
        through: str,
    ) -> Count | None:
        """Count an event; return its entry, or None if it does not count."""
        at = self._time_of(written)
        if at is None:
            return None
        found = self.revisions.get(trace) if trace else None
        service, revision = found or self._claimed(opaque)
        key = (user, key_id, key_name, kind, indices, service, revision, found is not None, allowed, through)
        entry = self._entries.get(key)
        if entry is None and self._is_full(1):
            self.merged = True
            key = (user, key_id, key_name, kind, indices, "", ELSEWHERE, False, allowed, through)
            if key not in self._entries and self._is_full(2):
                self.nameless = self.nameless or bool(key_id)
                key = (user, "", "", kind, (ELSEWHERE,), "", ELSEWHERE, False, allowed, through)
            entry = self._entries.get(key)
            if entry is None and self._is_full(3):
                self.nameless = True
                key = (ELSEWHERE, "", "", kind, (ELSEWHERE,), "", ELSEWHERE, False, allowed, through)
                entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = Count(0, at, at)
            self._indices += len(key[4])
        self._note(entry, at, written, allowed)
        return entry

    def _time_of(self, written: str) -> datetime | None:
        """Return when an event happened; None: it does not count."""
        at = instant(written)
        if at is None:
            self.unread += 1
            return None
        return None if at < self.since or (self.until and at >= self.until) else at

    def _note(self, entry: Count, at: datetime, written: str, allowed: bool) -> None:  # noqa: FBT001 - see ``_count``
        self.events += 1
        hour = (written[:_HOUR], allowed)
        self.hours[hour] = self.hours.get(hour, 0) + 1
        entry.number += 1
        if at > entry.last:
            entry.last = at
        elif at < entry.first:
            entry.first = at

    def _is_full(self, times: int) -> bool:
        return len(self._entries) >= times * MOST_ENTRIES or self._indices >= times * MOST_INDICES

    def _claimed(self, opaque: str) -> tuple[str, str]:
        if not opaque:
            return "", ""
        found = self._names.get(opaque)
        if found is None:
            found = revision_of(opaque)
            # Some callers send another id with each request: only revisions are worth remembering.
            if found[1] and len(opaque) <= _SHORT and len(self._names) < MOST_ENTRIES:
                self._names[opaque] = found
        return found

    def uses(self) -> Iterator[tuple[Use, Count]]:
        """Give each use with its count, one for each index; the same use may come several times."""
        for key, count in self._entries.items():
            user, key_id, key_name, kind, indices, service, revision, proven, allowed, through = key
            for index in indices or ("",):
                use = Use(user, key_id, key_name, kind, index, service, revision, proven, allowed, through)
                yield use, count

    def total(self) -> dict[Use, Count]:
        """Return the count of each use."""
        found: dict[Use, Count] = {}
        for use, count in self.uses():
            if use in found:
                found[use].add(count)
            else:
                found[use] = Count(count.number, count.first, count.last)
        return found


ALWAYS: Final = datetime.min.replace(tzinfo=UTC)
"""Before all events."""
