"""Attacks by HTTP/2, where headers are no lines of text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from tests.contract.gateway.attacks.row import CALLER, VICTIM
from tests.contract.gateway.attacks.test_attacks import assert_is_the_callers
from tests.contract.gateway.tokens import Forger
from tests.contract.gateway.wire import connect
from tests.stack.gateway.envoy import Gateway
from tests.stack.gateway.servers import Recorder

_RUN_AS = f"searchaccess.prod.{VICTIM}"
_RESET = 0
"""In place of a status: the gateway resets the stream or ends the connection."""

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Row:
    """An attack: how the headers of a good request are changed, and what follows."""

    name: str
    change: Callable[[Headers], Headers]
    status: int
    why: str
    body: bytes = b""
    trailers: Sequence[tuple[str, str]] = field(default=())

    def __str__(self) -> str:
        return self.name


def _more(*headers: tuple[str, str]) -> Callable[[Headers], Headers]:
    return lambda good: [*good, *headers]


def _first(*headers: tuple[str, str]) -> Callable[[Headers], Headers]:
    return lambda good: [*headers, *good]


def _with(name: str, value: str) -> Callable[[Headers], Headers]:
    return lambda good: [(one, value if one == name else said) for one, said in good]


def _without(name: str) -> Callable[[Headers], Headers]:
    return lambda good: [(one, said) for one, said in good if one != name]


ROWS = [
    Row("good", _more(), 200, "the control"),
    Row("no token", _without("authorization"), 401, "no token"),
    Row("run as somebody", _more(("es-security-runas-user", _RUN_AS)), 200, "removed"),
    Row("run as somebody, in capitals", _more(("Es-Security-Runas-User", _RUN_AS)), _RESET, "names are in lower case"),
    Row("another secret", _more(("es-secondary-authorization", "Basic eDp4")), 200, "removed"),
    Row("a second token", _more(("authorization", "Basic eDp4")), 401, "two values are no token"),
    Row("security API", _with(":path", "/_security/user"), 403, "refused"),
    Row("path with dots", _with(":path", "/x/../_security/user"), 403, "refused"),
    Row("path empty", _with(":path", ""), _RESET, "no request"),
    Row("path without a slash", _with(":path", "_security/user"), _RESET, "no path"),
    Row("path an address", _with(":path", "http://x/_security/user"), _RESET, "no path"),
    Row("path with a space", _with(":path", "/a HTTP/1.1"), _RESET, "would be another request in HTTP/1.1"),
    Row(
        "path with a line",
        _with(":path", f"/a HTTP/1.1\r\nes-security-runas-user: {_RUN_AS}\r\n\r\n"),
        _RESET,
        "the same",
    ),
    Row("no path", _without(":path"), _RESET, "no request"),
    Row("two paths", _first((":path", "/_security/user")), _RESET, "no request"),
    Row("no method", _without(":method"), _RESET, "no request"),
    Row("method with a line", _with(":method", "GET / HTTP/1.1\r\nx: y"), _RESET, "would be another request"),
    Row("method CONNECT", _with(":method", "CONNECT"), _RESET, "no tunnel"),
    Row("method PATCH", _with(":method", "PATCH"), 403, "not needed"),
    Row("scheme of something else", _with(":scheme", "javascript"), 200, "not passed on"),
    Row("no authority", _without(":authority"), _RESET, "no request"),
    Row("authority with a login", _with(":authority", "a:b@es.example.com"), _RESET, "no host"),
    Row("unknown part of the first line", _first((":run-as", _RUN_AS)), _RESET, "no request"),
    Row("first line at the end", lambda good: [*good[4:], *good[:4]], _RESET, "no request"),
    Row("to become a tunnel", _first((":protocol", "websocket")), _RESET, "not offered"),
    Row("connection", _more(("connection", "authorization")), _RESET, "not HTTP/2"),
    Row("chunks", _more(("transfer-encoding", "chunked")), _RESET, "not HTTP/2"),
    Row("upgrade", _more(("upgrade", "h2c")), _RESET, "not HTTP/2"),
    Row("value with a line", _more(("x-a", f"1\r\nes-security-runas-user: {_RUN_AS}")), _RESET, "another header"),
    Row("value with a zero byte", _more(("x-a", "1\0")), _RESET, "no value"),
    Row("name with a colon", _more((f"es-security-runas-user: {_RUN_AS}\r\nx", "1")), _RESET, "another header"),
    Row("name with a space", _more(("es-security-runas-user ", _RUN_AS)), _RESET, "no name"),
    Row("name with underscores", _more(("es_security_runas_user", _RUN_AS)), _RESET, "refused"),
    Row("name empty", _more(("", "1")), _RESET, "no name"),
    Row("80 headers", _more(*[(f"x-{number}", "1") for number in range(80)]), _RESET, "at most 64"),
    Row("length too small", _more(("content-length", "1")), _RESET, "the body is longer", body=b"{}"),
    Row("length too large", _more(("content-length", "9")), _RESET, "the body is shorter", body=b"{}"),
    Row("two lengths", _more(("content-length", "2"), ("content-length", "3")), _RESET, "ambiguous", body=b"{}"),
    Row("a body", _more(("content-length", "2")), 200, "as it is", body=b"{}"),
    Row(
        "trailers",
        _more(),
        200,
        "dropped",
        body=b"{}",
        trailers=(("es-security-runas-user", _RUN_AS), ("authorization", "Basic eDp4")),
    ),
]


def _ask(gateway: Gateway, headers: Headers, body: bytes, trailers: Sequence[tuple[str, str]]) -> int:
    plain = H2Configuration(
        client_side=True,
        header_encoding="latin-1",
        validate_outbound_headers=False,
        normalize_outbound_headers=False,
        validate_inbound_headers=False,
    )
    with connect(gateway, "h2") as connection:
        client = H2Connection(plain)
        client.initiate_connection()
        client.send_headers(1, headers, end_stream=not body)
        if body:
            client.send_data(1, body, end_stream=not trailers)
        if trailers:
            client.send_headers(1, list(trailers), end_stream=True)
        connection.sendall(client.data_to_send())
        status = _RESET
        while received := connection.recv(65536):
            try:
                events: list[Any] = list(client.receive_data(received))
            except ProtocolError:
                break
            for event in events:
                if isinstance(event, ResponseReceived):
                    headers_of_answer: dict[Any, Any] = dict(event.headers or [])
                    status = int(headers_of_answer[":status"])
                elif isinstance(event, DataReceived):
                    client.acknowledge_received_data(event.flow_controlled_length or 0, 1)
                elif isinstance(event, StreamEnded | StreamReset | ConnectionTerminated):
                    return status
            connection.sendall(client.data_to_send())
    return status


@pytest.mark.parametrize("attack", ROWS, ids=str)
def test_each_attack_ends_as_the_table_says(attack: Row, gateway: Gateway, recorder: Recorder, forger: Forger) -> None:
    recorder.arrived.clear()
    good = [
        (":method", "POST" if attack.body else "GET"),
        (":path", "/orders/_doc/1"),
        (":scheme", "https"),
        (":authority", "es.example.com"),
        ("authorization", f"Bearer {forger.mint(CALLER)}"),
    ]
    assert _ask(gateway, attack.change(good), attack.body, attack.trailers) == attack.status
    assert len(recorder.arrived) == (1 if attack.status == 200 else 0)
    for arrived in recorder.arrived:
        assert_is_the_callers(arrived)


def test_the_table_is_long_and_the_gateway_survived_it(gateway: Gateway) -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 20
    assert gateway.is_running
