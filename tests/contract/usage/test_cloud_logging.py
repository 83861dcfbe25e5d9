"""Google's own library against Google's own messages: audit events in Cloud Logging."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.auth import default as application_default
from google.cloud.logging_v2 import types
from google.oauth2.credentials import Credentials
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct

from searchaccess.adapters.googlecloud.logentries import TRIES, LogEntries
from searchaccess.core.answers.audit.events import AuditEvent
from searchaccess.core.answers.audit.loggingfilter import filter_of
from searchaccess.core.answers.audit.wanted import EventsWanted
from searchaccess.ports.errors import ExternalError, LoginMissing, PermissionDenied, Rejected, Throttled, Unreachable
from tests.stack.trust.certificates import ServerCertificate
from tests.support.auditevents import AGENT, PLAIN, Event
from tests.support.servers.loggingserver import LoggingServer

PROJECT = "acme-search"
FILTER = filter_of(PROJECT, EventsWanted())
AT = 1_767_261_600.0


def entry(payload: dict[str, Any] | str, at: float = AT) -> types.LogEntry:
    about: dict[str, Any] = {
        "log_name": f"projects/{PROJECT}/logs/stdout",
        "timestamp": datetime.fromtimestamp(at, UTC),
    }
    if isinstance(payload, str):
        return types.LogEntry(text_payload=payload, **about)
    return types.LogEntry(json_payload=ParseDict(payload, Struct()), **about)


@pytest.fixture
def server(certificate: ServerCertificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoggingServer]:
    with LoggingServer(certificate, page=2) as running:
        monkeypatch.setattr("google.auth.default", lambda **_: (Credentials("the-token"), PROJECT))
        yield running


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
async def entries(server: LoggingServer, pauses: list[float]) -> AsyncIterator[LogEntries]:
    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    client = LogEntries(PROJECT, server.address, pause=pause)
    yield client
    await client.close()


async def read(entries: LogEntries, chosen: str = FILTER) -> list[AuditEvent]:
    return [event async for page in entries.events(chosen) for event in page]


async def test_events_come_by_pages_in_every_form(server: LoggingServer, entries: LogEntries) -> None:
    first = Event("orders@acme", AT, ("orders-1",), key_id="id-7", key_name="a key")
    without_time = {name: value for name, value in first.stored(PLAIN).items() if name != "timestamp"}
    server.entries = [
        entry(first.stored(PLAIN)),
        entry(without_time, AT + 60),
        entry("[INFO] not an event"),
        entry({"message": "neither"}),
        entry(first.stored(AGENT)),
    ]
    found = await read(entries)
    assert [(event.user, event.kind, event.indices, event.key_id) for event in found] == [
        ("orders@acme", "access_granted", ("orders-1",), "id-7")
    ] * 3
    assert [event.written for event in found] == [
        "2026-01-01T10:00:00,000+0000",
        "2026-01-01T10:01:00Z",
        "2026-01-01T10:00:00.000+00:00",
    ]
    assert [request.page_token for request in server.requests] == ["", "2", "4"]
    assert {(tuple(each.resource_names), each.filter, each.order_by, each.page_size) for each in server.requests} == {
        (("projects/acme-search",), FILTER, "timestamp asc", 1000)
    }


async def test_an_exhausted_quota_is_waited_for(
    server: LoggingServer, entries: LogEntries, pauses: list[float]
) -> None:
    server.entries = [entry(Event("orders@acme", AT).stored(PLAIN))]
    server.statuses = [grpc.StatusCode.RESOURCE_EXHAUSTED] * 3 + [grpc.StatusCode.UNAVAILABLE]
    assert len(await read(entries)) == 1
    assert pauses == [1, 2, 4, 8]
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    ("status", "kind", "message", "requests"),
    [
        (
            grpc.StatusCode.PERMISSION_DENIED,
            PermissionDenied,
            r"logging\.logEntries\.list \(roles/logging\.viewer\)",
            1,
        ),
        (grpc.StatusCode.INVALID_ARGUMENT, Rejected, "check the project's id and --log-name", 1),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Throttled, "a quota is exhausted", TRIES),
        (grpc.StatusCode.UNAVAILABLE, Unreachable, "it does not answer", TRIES),
    ],
    ids=str,
)
async def test_errors_name_the_next_step(
    server: LoggingServer,
    entries: LogEntries,
    status: grpc.StatusCode,
    kind: type[ExternalError],
    message: str,
    requests: int,
) -> None:
    server.statuses = [status] * TRIES
    with pytest.raises(kind, match=message) as raised:
        await read(entries)
    assert "secret-in-a-message" not in str(raised.value)
    assert raised.value.message.startswith("Cloud Logging, projects/acme-search: ")
    assert len(server.requests) == requests


async def test_a_filter_that_cannot_be_read_is_rejected(entries: LogEntries) -> None:
    with pytest.raises(Rejected, match="does not take the filter"):
        await read(entries, 'jsonPayload."user.name"="open')


async def test_without_an_account_the_command_is_named(server: LoggingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("google.auth.default", application_default)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")
    client = LogEntries(PROJECT, server.address)
    with pytest.raises(LoginMissing, match="gcloud auth application-default login"):
        await read(client)
    await client.close()
