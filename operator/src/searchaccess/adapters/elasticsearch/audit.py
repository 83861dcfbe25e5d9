"""Reads audit events from an index, with the official asynchronous client: last uses, and whole events."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from elasticsearch import AsyncElasticsearch

from searchaccess.adapters.answers import LONGEST
from searchaccess.adapters.elasticsearch.auditfields import ACTIONS, ASKED, SOURCE, AuditFields, fields_in
from searchaccess.adapters.elasticsearch.errors import mapped
from searchaccess.adapters.elasticsearch.node import at_most
from searchaccess.adapters.elasticsearch.part import ClientPart
from searchaccess.adapters.longanswers import LongAnswer, decoded
from searchaccess.core.answers.audit.events import DENIED, GRANTED, NO_IDENTITY, AuditEvent, from_document
from searchaccess.core.answers.audit.wanted import EventsWanted
from searchaccess.core.model.intake.reading import mapping, objects, text
from searchaccess.core.usage.uses import Use, Uses, UsesWanted
from searchaccess.ports.errors import ExternalError, NotFound, PermissionDenied, Rejected, TooLong, Unexpected

CALLERS: Final = 5000
"""Callers that one answer has at most."""
MOST_ANSWERS: Final = 20
"""Requests for callers in one read; more callers are refused."""
MOST_NAMES: Final = 60_000
"""Names in one query; Elasticsearch takes 65,536 by default. With more, all callers are read."""
EVENTS: Final = 5000
"""Events in one answer at most."""
FIRST: Final = 200
"""Events in the first answer, before it is known how long they are."""
PAGE: Final = 8 * 1024 * 1024
"""Bytes of one answer: decoded, it takes several times as much memory. An event may name thousands of indices."""
_STEP: Final = 8
"""By how much the number of events changes at once, at most."""
WITHIN: Final = "20s"
"""How long Elasticsearch may take for an aggregation."""
_KEPT: Final = "2m"
"""How long a point in time is kept between two requests."""
_FILTER: Final = "timed_out,aggregations.callers.after_key,aggregations.callers.buckets"
_LENIENT: Final[dict[str, Any]] = {"ignore_unavailable": True, "allow_no_indices": True}
_READ: Final = "read"
_ASKED_RIGHTS: Final = "cluster:admin/xpack/security/user/list_privileges"
"""The action of ``GET _security/user/_privileges``."""


class AuditClient(ClientPart):
    """The part of the client that is about audit events."""

    async def last_uses(self, wanted: UsesWanted) -> Uses:
        """Read when callers were last allowed a request."""
        with mapped():
            api = await self._api()
            fields = await _fields(api, wanted.index)
            newest = await _edge(api, wanted, fields, "desc")
            first = await _edge(api, wanted, fields, "asc") if wanted.from_the_first and newest else None
            uses = [use async for use in _uses(api, wanted, fields)] if newest else []
        return Uses(tuple(uses), first, newest, keys=bool(fields.key_ids and fields.key_names))

    async def audit_events(self, wanted: EventsWanted) -> AsyncIterator[tuple[list[AuditEvent], int]]:
        """Read events page by page, as they were at the beginning.

        Args:
            wanted: which events.

        Yields:
            Some events, in no order, and how many there are in all.

        Raises:
            ExternalError: they cannot be read.
        """
        with mapped():
            api = await self._api()
            fields = await _fields(api, wanted.index)
            opened = await api.open_point_in_time(index=wanted.index, keep_alive=_KEPT, ignore_unavailable=True)
        point = text(mapping(opened.body).get("id"), 1 << 20)
        if not point:
            raise Unexpected("Elasticsearch: its response lacks the point in time")
        try:
            after: list[Any] | None = None
            total, size = 0, min(FIRST, EVENTS)
            while True:
                try:
                    body, received = await self._page(point, events_query(wanted, fields), size, after)
                except TooLong:
                    if size == 1:
                        raise
                    size = max(1, size // _STEP)
                    continue
                point = text(body.get("pit_id"), 1 << 20) or point
                held = mapping(body.get("hits"))
                total = mapping(held.get("total")).get("value", total)
                hits = objects(held.get("hits"))
                if not hits:
                    return
                yield [from_document(mapping(hit.get("_source"))) for hit in hits], total
                after = hits[-1].get("sort")
                if not isinstance(after, list) or len(hits) < size:
                    return
                size = next_size(size, received)
        finally:
            # Otherwise it ends by itself after a while.
            with suppress(ExternalError), mapped():
                api = await self._api()
                await api.close_point_in_time(id=point)

    async def _page(
        self, point: str, query: Mapping[str, Any], size: int, after: list[Any] | None
    ) -> tuple[Mapping[str, Any], int]:
        """Read some events; return them with the bytes of the answer.

        Raises:
            TooLong: these are too many at once. One alone may be as long as any answer.
        """
        with mapped(), at_most(PAGE if size > 1 else LONGEST):
            api = await self._api()
            answer = await api.search(
                pit={"id": point, "keep_alive": _KEPT},
                query=query,
                size=size,
                sort=["_shard_doc"],
                search_after=after,
                source_includes=list(SOURCE),
                # Counted once, for the progress.
                track_total_hits=after is None,
                allow_partial_search_results=False,
                filter_path="pit_id,timed_out,hits.total.value,hits.hits._source,hits.hits.sort",
            )
        received = len(answer.body.body) if isinstance(answer.body, LongAnswer) else 0
        return mapping(await decoded(answer.body)), received


def next_size(size: int, received: int) -> int:
    """Return how many events to ask for next, so that an answer has about half of the bytes that are allowed.

    Args:
        size: how many were asked for.
        received: bytes of their answer; 0: few.
    """
    wanted = size * PAGE // (2 * received) if received else size * _STEP
    return max(1, min(EVENTS, size * _STEP, wanted))


async def _fields(api: AsyncElasticsearch, index: str) -> AuditFields:
    """Find the fields of an index.

    Raises:
        PermissionDenied: the login may not read it.
        NotFound: there is none.
        Rejected: it has no audit events.
    """
    try:
        with mapped():
            answer = await api.field_caps(index=index, fields=list(ASKED), include_unmapped=True, **_LENIENT)
    except PermissionDenied:
        raise _denied(index) from None
    body = mapping(await decoded(answer.body))
    if not body.get("indices"):
        # A pattern matches only what the login may read.
        asked = await api.security.has_privileges(index=[{"names": [index], "privileges": [_READ]}])
        if mapping(asked.body).get("has_all_requested") is not True:
            raise _denied(index)
        raise NotFound(f"no index or data stream matches {index}: check its name, and what ships the audit events")
    return fields_in(body, index)


def _denied(index: str) -> PermissionDenied:
    return PermissionDenied(f"this login may not read {index}: give its role the privilege read on it")


def granted(fields: AuditFields) -> dict[str, Any]:
    """Return the query for allowed requests."""
    return {"term": {fields.kind: GRANTED}}


async def _edge(api: AsyncElasticsearch, wanted: UsesWanted, fields: AuditFields, order: str) -> float | None:
    """Return when the first (``asc``) or the newest (``desc``) allowed request was; None: there is none.

    One with a time that is still to come, of a node whose clock is wrong, would hide that no more events arrive.
    """
    answer = await api.search(
        index=wanted.index,
        query={"bool": {"filter": [granted(fields), _between(fields, None, wanted.until)]}},
        size=1,
        sort=[{fields.time: {"order": order, "format": "epoch_millis", "numeric_type": "date"}}],
        source=False,
        track_total_hits=False,
        timeout=WITHIN,
        allow_partial_search_results=False,
        filter_path="timed_out,hits.hits.sort",
        **_LENIENT,
    )
    body = _in_time(answer.body)
    values = [hit.get("sort") for hit in objects(mapping(body.get("hits")).get("hits"))]
    if not values:
        return None
    return _seconds(values[0][0] if isinstance(values[0], list) and values[0] else None)


def uses_query(wanted: UsesWanted, fields: AuditFields) -> dict[str, Any]:
    """Return the query for the allowed requests of some callers.

    Args:
        wanted: whose.
        fields: of the index.
    """
    filters: list[dict[str, Any]] = [granted(fields), _between(fields, wanted.since, wanted.until)]
    callers: list[dict[str, Any]] = []
    if wanted.users:
        callers.append({"terms": {fields.user: list(wanted.users)}})
    if wanted.prefix:
        callers += [{"prefix": {name: wanted.prefix}} for name in (fields.user, *fields.key_names)]
    if len(wanted.users) <= MOST_NAMES:
        filters.append({"bool": {"should": callers, "minimum_should_match": 1}})
    # The operator asks for itself what a caller has; that is no use.
    asked = [{"term": {name: _ASKED_RIGHTS}} for name in ACTIONS]
    return {"bool": {"filter": filters, "must_not": asked}}


async def _uses(api: AsyncElasticsearch, wanted: UsesWanted, fields: AuditFields) -> AsyncIterator[Use]:
    sources: list[dict[str, Any]] = [{"user": {"terms": {"field": fields.user}}}]
    sources += [
        {f"{kind}{number}": {"terms": {"field": name, "missing_bucket": True}}}
        for kind, names in (("id", fields.key_ids), ("name", fields.key_names))
        for number, name in enumerate(names)
    ]
    following: Mapping[str, Any] = {}
    for _ in range(MOST_ANSWERS):
        composite: dict[str, Any] = {"size": CALLERS, "sources": sources}
        answer = await api.search(
            index=wanted.index,
            query=uses_query(wanted, fields),
            size=0,
            track_total_hits=False,
            timeout=WITHIN,
            allow_partial_search_results=False,
            filter_path=_FILTER,
            aggs={
                "callers": {
                    "composite": composite | ({"after": dict(following)} if following else {}),
                    "aggs": {"last": {"max": {"field": fields.time}}},
                }
            },
            **_LENIENT,
        )
        body = _in_time(await decoded(answer.body))
        callers = mapping(mapping(body.get("aggregations")).get("callers"))
        buckets = objects(callers.get("buckets"))
        for bucket in buckets:
            if use := _use(bucket):
                yield use
        following = mapping(callers.get("after_key"))
        if not following or len(buckets) < CALLERS:
            return
    raise Rejected(f"{wanted.index} names more than {CALLERS * MOST_ANSWERS:,} callers under the operator's names")


def _use(bucket: Mapping[str, Any]) -> Use | None:
    key, at = mapping(bucket.get("key")), _seconds(mapping(bucket.get("last")).get("value"))
    user = text(key.get("user"), 1024)
    if user is None or at is None:
        return None
    found = {kind: _first(key, kind) for kind in ("id", "name")}
    return Use(user, found["id"], found["name"], at)


def _first(key: Mapping[str, Any], kind: str) -> str:
    return next((value for name, value in key.items() if name.startswith(kind) and isinstance(value, str)), "")


def _seconds(value: Any) -> float | None:
    """Return seconds of milliseconds since the epoch, as a number or as text."""
    try:
        return float(value) / 1000
    except (TypeError, ValueError):
        return None


def _between(fields: AuditFields, since: float | None, until: float | None) -> dict[str, Any]:
    bounds = {"gte": since, "lt": until}
    given = {name: round(at * 1000) for name, at in bounds.items() if at is not None}
    return {"range": {fields.time: given | {"format": "epoch_millis"}}}


def _in_time(answer: Any) -> Mapping[str, Any]:
    body = mapping(answer)
    if body.get("timed_out") is True:
        raise Unexpected(f"Elasticsearch: the audit events could not be aggregated within {WITHIN}")
    return body


def events_query(wanted: EventsWanted, fields: AuditFields) -> dict[str, Any]:
    """Return the query for some events. It may find more than is wanted, where fields cannot be searched.

    Args:
        wanted: which events.
        fields: of the index.
    """
    kinds = sorted({DENIED, *NO_IDENTITY} if wanted.denied else {GRANTED, DENIED, *NO_IDENTITY})
    filters: list[dict[str, Any]] = [{"terms": {fields.kind: kinds}}]
    if wanted.since is not None or wanted.until is not None:
        filters.append(_between(fields, wanted.since, wanted.until))
    if wanted.index_pattern and fields.indices:
        filters.append(_any([{"wildcard": {name: {"value": wanted.index_pattern}}} for name in fields.indices]))
    if wanted.callers is not None and fields.opaque and fields.key_ids and fields.key_names:
        callers = wanted.callers
        filters.append(
            _any(
                [
                    {"terms": {fields.user: sorted(callers.users)}},
                    *({"prefix": {fields.user: each}} for each in callers.user_prefixes),
                    *({"prefix": {name: each}} for name in fields.opaque for each in callers.opaque_prefixes),
                    *({"terms": {name: sorted(callers.key_ids)}} for name in fields.key_ids),
                    *({"wildcard": {name: {"value": each}}} for name in fields.key_names for each in callers.key_names),
                ]
            )
        )
    return {"bool": {"filter": filters}}


def _any(queries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"bool": {"should": list(queries), "minimum_should_match": 1}}
