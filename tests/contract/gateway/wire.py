"""Requests as bytes, over TLS, and what comes back."""

import socket
import ssl
from contextlib import suppress

from tests.stack.gateway.envoy import Gateway

_ANSWER_SECONDS = 60.0
_QUIET_SECONDS = 0.05


def connect(gateway: Gateway, protocol: str = "http/1.1") -> ssl.SSLSocket:
    """A connection that speaks a protocol."""
    context = gateway.trust()
    context.set_alpn_protocols([protocol])
    plain = socket.create_connection(("127.0.0.1", gateway.paths.port), timeout=_ANSWER_SECONDS)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


def exchange(gateway: Gateway, request: bytes, *, silent: bool = False, answers: int = 1) -> list[tuple[int, bytes]]:
    """Send bytes; return status and body of each answer, until the gateway is quiet or closes the connection.

    Args:
        gateway: who is asked.
        request: what is sent.
        silent: no answer is expected.
        answers: how many are waited for; more may follow at once.
    """
    with connect(gateway) as connection:
        with suppress(OSError):
            connection.sendall(request)
        received = b""
        connection.settimeout(_QUIET_SECONDS if silent else _ANSWER_SECONDS)
        while True:
            try:
                part = connection.recv(65536)
            except TimeoutError:
                break
            except OSError:
                part = b""
            if not part:
                break
            received += part
            if len(known := parsed(received)) >= answers and known[-1][2]:
                connection.settimeout(_QUIET_SECONDS)
    return [(status, body) for status, body, _ in parsed(received)]


def parsed(received: bytes) -> list[tuple[int, bytes, bool]]:
    """Status, body and completeness of each answer."""
    found = []
    while received.startswith(b"HTTP/1.1 "):
        head, separator, rest = received.partition(b"\r\n\r\n")
        if not separator:
            break
        status = int(head[9:12])
        lengths = [
            line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        ]
        length = int(lengths[0]) if lengths else 0
        if status >= 200:
            found.append((status, rest[:length], len(rest) >= length))
        received = rest[length:]
    return found
