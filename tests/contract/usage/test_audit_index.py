"""Audit events in an index: in each layout that shippers use, who was last there, and what happened."""

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from searchaccess.adapters.elasticsearch import audit
from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.core.answers.audit.events import AuditEvent
from searchaccess.core.answers.audit.wanted import CallersWanted, EventsWanted
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.usage.uses import Use, Uses, UsesWanted
from searchaccess.ports.errors import NotFound, PermissionDenied, Rejected
from tests.contract.elasticsearch_sides import MemorySide
from tests.stack.elasticsearch import ElasticsearchServer
from tests.support.auditevents import AGENT, LAYOUTS, PLAIN, RAW, Event, store
from tests.support.worlds.world import account

LOGIN, PASSWORD = "contract.audit.login", "long enough"
NAMES = dict(zip(LAYOUTS, ("contract-audit-agent", "contract-audit-raw", "contract-audit-plain"), strict=True))
NOW = float(int(time.time()))
HOUR = 3600.0
OWNER = "searchaccess-operator"
PREFIX = "searchaccess.default."
KEY = {"key_id": "id-7", "key_name": f"{PREFIX}shop/keyed.7"}
ASKED_RIGHTS = "cluster:admin/xpack/security/user/list_privileges"
"""The operator asks for itself what a caller behind a gateway has."""
EVENTS = (
    Event(account("orders"), NOW - 9 * HOUR, opaque="orders/orders-00001-abc"),
    Event(account("orders"), NOW - 3 * HOUR, ("orders-1", "orders-2"), opaque="orders/orders-00001-abc"),
    Event(account("orders"), NOW - HOUR, ("stock-1",), kind="access_denied", action="indices:data/write/delete"),
    Event(account("stock"), NOW - 5 * HOUR, ("stock-1",)),
    Event(OWNER, NOW - 2 * HOUR, **KEY),
    Event(f"{PREFIX}shop/password.1.0123abcd", NOW - 4 * HOUR),
    Event(account("stock"), NOW - HOUR, (), action=ASKED_RIGHTS),
    Event("ada", NOW - HOUR / 2),
    Event("", NOW - HOUR / 4, (), kind="anonymous_access_denied", action=""),
)


@pytest.fixture(scope="module")
def admin(elasticsearch_server: ElasticsearchServer) -> Iterator[httpx.Client]:
    with elasticsearch_server.client() as client:
        for layout, index in NAMES.items():
            store(client, index, layout, EVENTS)
        role = {"indices": [{"names": ["contract-audit-*"], "privileges": ["read"]}]}
        client.put(f"/_security/role/{LOGIN}", json=role).raise_for_status()
        client.put(f"/_security/user/{LOGIN}", json={"password": PASSWORD, "roles": [LOGIN]}).raise_for_status()
        yield client
        for index in NAMES.values():
            client.delete(f"/{index}").raise_for_status()
        client.delete(f"/_security/user/{LOGIN}")
        client.delete(f"/_security/role/{LOGIN}")


@pytest.fixture
async def port(elasticsearch_server: ElasticsearchServer, admin: httpx.Client) -> AsyncIterator[ElasticsearchClient]:  # noqa: ARG001 - it makes the login
    client = ElasticsearchClient(connection_to(elasticsearch_server))
    yield client
    await client.close()


def connection_to(server: ElasticsearchServer) -> Connection:
    return Connection((server.url,), Path(server.ca_file).read_text(), LOGIN, PASSWORD)


@pytest.fixture
def other_index(admin: httpx.Client, request: pytest.FixtureRequest) -> Iterator[str]:
    """An index with some events, that only this test has: its parameter is its name, and its events."""
    name, events = request.param
    if events:
        store(admin, name, AGENT, events)
    else:
        body = {"mappings": {"properties": {"user": {"properties": {"name": {"type": "text"}}}}}}
        admin.put(f"/{name}", json=body).raise_for_status()
    yield name
    admin.delete(f"/{name}").raise_for_status()


def wanted(index: str = NAMES[AGENT], since: float = NOW - 10 * HOUR) -> UsesWanted:
    return UsesWanted(index, since, NOW, (account("orders"), account("stock"), account("idle")), PREFIX)


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_the_last_uses_are_the_same_in_each_layout(port: ElasticsearchClient, layout: str) -> None:
    found = await port.last_uses(wanted(NAMES[layout]))
    assert set(found.uses) == {
        Use(account("orders"), "", "", NOW - 3 * HOUR),
        Use(account("stock"), "", "", NOW - 5 * HOUR),
        Use(OWNER, "id-7", KEY["key_name"], NOW - 2 * HOUR),
        Use(f"{PREFIX}shop/password.1.0123abcd", "", "", NOW - 4 * HOUR),
    }
    assert (found.first, found.newest, found.keys) == (None, NOW - HOUR / 2, True)


async def test_the_double_answers_the_same(port: ElasticsearchClient) -> None:
    memory = MemorySide("contract.")
    memory.server.audit_index = NAMES[AGENT]
    memory.server.allowed = [
        Use(event.user, event.key_id, event.key_name, event.at)
        for event in EVENTS
        if event.kind == "access_granted" and event.action != ASKED_RIGHTS
    ]
    for ask in (
        wanted(),
        replace(wanted(), from_the_first=True),
        replace(wanted(), since=NOW - 4 * HOUR, until=NOW - 2.5 * HOUR),
        replace(wanted(), until=NOW - 4.5 * HOUR, from_the_first=True),
        replace(wanted(), until=NOW - 20 * HOUR),
        replace(wanted(), users=()),
        replace(wanted(), prefix=""),
    ):
        real, double = await port.last_uses(ask), await memory.port.last_uses(ask)
        assert replace(real, uses=tuple(sorted(real.uses, key=repr))) == replace(
            double, uses=tuple(sorted(double.uses, key=repr))
        )
    with pytest.raises(NotFound, match="no index or data stream matches contract-audit-none"):
        await port.last_uses(wanted("contract-audit-none"))
    with pytest.raises(NotFound, match="no index or data stream matches contract-audit-none"):
        await memory.port.last_uses(wanted("contract-audit-none"))
    memory.server.may_audit = False
    with pytest.raises(PermissionDenied):
        await memory.port.last_uses(wanted())


async def test_several_layouts_at_once_and_pages(port: ElasticsearchClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "CALLERS", 2)
    whole = await port.last_uses(wanted(NAMES[AGENT]))
    assert len(whole.uses) == 4
    # Otherwise the events of one of them would not be found.
    with pytest.raises(Rejected, match="others only in timestamp"):
        await port.last_uses(wanted(f"{NAMES[AGENT]},{NAMES[PLAIN]}"))
    with pytest.raises(Rejected, match=r"the field user\.name has the type keyword, text in some index"):
        await port.last_uses(wanted(f"{NAMES[AGENT]},{NAMES[RAW]}"))
    monkeypatch.setattr(audit, "MOST_ANSWERS", 1)
    with pytest.raises(Rejected, match="more than 2 callers"):
        await port.last_uses(wanted())


@pytest.mark.parametrize("other_index", [("hidden-audit", EVENTS[:1])], indirect=True)
@pytest.mark.parametrize("asked", ["hidden-audit", "hidden-*"])
async def test_what_the_login_may_not_read_is_named(port: ElasticsearchClient, other_index: str, asked: str) -> None:
    assert other_index.startswith(asked[:7])
    with pytest.raises(PermissionDenied, match="give its role the privilege read on it"):
        await port.last_uses(wanted(asked))


@pytest.mark.parametrize("other_index", [("contract-audit-orders", ())], indirect=True)
async def test_an_index_without_events_is_named(port: ElasticsearchClient, other_index: str) -> None:
    with pytest.raises(Rejected, match="the field @timestamp is missing"):
        await port.last_uses(wanted(other_index))


@pytest.mark.parametrize("other_index", [("contract-audit-empty", EVENTS[2:3])], indirect=True)
async def test_an_index_without_a_granted_request_says_so(port: ElasticsearchClient, other_index: str) -> None:
    assert await port.last_uses(wanted(other_index)) == Uses(keys=False)


# Whole events


async def read(port: ElasticsearchClient, ask: EventsWanted) -> list[AuditEvent]:
    found: list[AuditEvent] = []
    async for events, total in port.audit_events(ask):
        found += events
        assert len(found) <= total
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_events_are_read_as_they_were_logged(
    port: ElasticsearchClient, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "EVENTS", 3)
    found = await read(port, EventsWanted(NAMES[layout]))
    assert sorted((event.user, event.kind, event.indices, event.key_id) for event in found) == sorted(
        (event.user, event.kind, tuple(event.indices), event.key_id) for event in EVENTS
    )
    assert all(event.written and event.kind for event in found)
    by_key = next(event for event in found if event.key_id)
    assert (by_key.action, by_key.key_name) == ("indices:data/read/search", KEY["key_name"])
    assert any(event.opaque == "orders/orders-00001-abc" for event in found)


@pytest.mark.parametrize("page", [1, 1500])
async def test_an_answer_that_is_too_long_is_asked_for_in_smaller_parts(
    port: ElasticsearchClient, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """An event may name thousands of indices: the number of events alone does not bound the memory that they take."""
    sizes = list[int]()
    whole = port._page

    async def spied(point: str, query: object, size: int, after: object) -> object:
        sizes.append(size)
        return await whole(point, query, size, after)  # type: ignore[arg-type]

    monkeypatch.setattr(audit, "PAGE", page)
    monkeypatch.setattr(port, "_page", spied)
    found = await read(port, EventsWanted(NAMES[AGENT]))
    assert sorted(event.written for event in found) == sorted(
        event.written for event in await read(port, EventsWanted(NAMES[AGENT]))
    )
    assert len(found) == len(EVENTS)
    assert sizes[0] == audit.FIRST
    assert min(sizes) <= 3
    assert max(sizes[1:4]) < audit.FIRST


def test_pages_have_half_of_the_bytes_that_are_allowed() -> None:
    assert audit.next_size(200, 0) == 1600
    assert audit.next_size(1600, 0) == audit.EVENTS
    assert audit.next_size(200, audit.PAGE) == 100
    assert audit.next_size(200, audit.PAGE // 4) == 400
    assert audit.next_size(1, 64 * audit.PAGE) == 1
    assert audit.next_size(audit.EVENTS, 1) == audit.EVENTS


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("ask", "number"),
    [
        (EventsWanted(since=NOW - 4.5 * HOUR, until=NOW - 1.5 * HOUR), 3),
        (EventsWanted(denied=True), 2),
        (EventsWanted(index_pattern="stock-*"), 2),
        (EventsWanted(index_pattern="orders-?", denied=True), 0),
        (EventsWanted(callers=CallersWanted(frozenset({account("orders")}))), 3),
        (EventsWanted(callers=CallersWanted(frozenset({"x"}), ("orders@",))), 3),
        (EventsWanted(callers=CallersWanted(frozenset({"x"}), (), ("orders/",))), 2),
        (EventsWanted(callers=CallersWanted(frozenset({"x"}), key_ids=frozenset({"id-7"}))), 1),
        (EventsWanted(callers=CallersWanted(frozenset({"x"}), key_names=("searchaccess.*.shop/keyed.*",))), 1),
    ],
)
async def test_the_server_filters(port: ElasticsearchClient, layout: str, ask: EventsWanted, number: int) -> None:
    assert len(await read(port, replace(ask, index=NAMES[layout]))) == number


async def test_a_point_in_time_is_closed(port: ElasticsearchClient, admin: httpx.Client) -> None:
    def held() -> int:
        # Of this index alone: other tests search other ones.
        found = admin.get(f"/{NAMES[AGENT]}/_stats/search").raise_for_status().json()
        return int(found["_all"]["total"]["search"]["open_contexts"])

    before = held()
    async for _ in port.audit_events(EventsWanted(NAMES[AGENT])):
        assert held() > before
    assert held() == before
