"""What a gateway keeps of bodies and answers that nobody reads: little, however many there are."""

import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from searchaccess.core.gateway.settings import CallerLimits, GatewaySettings, Upstream
from tests.contract.gateway.conftest import MEGABYTE, with_limits
from tests.contract.gateway.tokens import Forger
from tests.stack.gateway.envoy import Gateway
from tests.stack.gateway.slow import SlowServer
from tests.stack.trust.certificates import ServerCertificate

_CONNECTIONS = 100
_EACH = 4 * MEGABYTE
"""Bytes of a body: together four fifths of what the gateway may have at all."""
_MOST = 64 * MEGABYTE
"""Of memory, for all of them together."""
_STILL = 1.0
"""Seconds without a byte more, after which nothing more is taken."""
_DOMAIN = "@acme-shop.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def slow(loopback: ServerCertificate) -> Iterator[SlowServer]:
    with SlowServer(loopback) as server:
        yield server


@pytest.fixture
def crowded(settings: GatewaySettings, slow: SlowServer, request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """A gateway with a caller that may send less than others."""
    own = with_limits(settings, CallerLimits(100 * MEGABYTE), small=CallerLimits(8 * MEGABYTE))
    before = request.session.testsfailed
    server = Gateway(replace(own, upstreams=(Upstream("127.0.0.1", slow.port),)))
    try:
        server.start()
        yield server
    finally:
        slow.release()
        server.close(failed=request.session.testsfailed > before)


def _allocated(gateway: Gateway) -> int:
    return int(gateway.admin("GET", "/memory").json()["allocated"])


class _Upload:
    """A body that is sent for as long as it is taken, and never ends."""

    def __init__(self, gateway: Gateway, token: str, framing: str) -> None:
        plain = socket.create_connection(("127.0.0.1", gateway.paths.port))
        self.socket = gateway.trust().wrap_socket(plain, server_hostname="127.0.0.1")
        head = f"POST /i/_bulk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{framing}\r\n\r\n"
        chunk = f"{_EACH:x}\r\n" if "chunked" in framing else ""
        self.socket.sendall((head + chunk).encode())
        self.socket.settimeout(0)
        self.left = _EACH - 1

    def goes_on(self) -> bool:
        """Send what is taken now; whether anything was."""
        try:
            sent = self.socket.send(b" " * min(self.left, 64 * 1024)) if self.left else 0
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return False
        self.left -= sent
        return sent > 0


@pytest.mark.parametrize(
    "framing", ["Transfer-Encoding: chunked", f"Content-Length: {_EACH}"], ids=["chunked", "sized"]
)
@pytest.mark.parametrize("caller", ["small", "other"])
def test_bodies_that_elasticsearch_does_not_read_take_little_memory(
    caller: str, framing: str, crowded: Gateway, slow: SlowServer, forger: Forger
) -> None:
    token = forger.mint(caller + _DOMAIN)
    before = _allocated(crowded)
    slow.hold()
    with ExitStack() as stack:
        uploads = [_Upload(crowded, token, framing) for _ in range(_CONNECTIONS)]
        for one in uploads:
            stack.enter_context(one.socket)
        last = time.monotonic()
        while time.monotonic() - last < _STILL:
            if sum(one.goes_on() for one in uploads):
                last = time.monotonic()
        assert _allocated(crowded) - before < _MOST
        slow.release()
        # Once it reads, the rest of them is taken, but for the last byte.
        last = time.monotonic()
        while any(one.left for one in uploads):
            if sum(one.goes_on() for one in uploads):
                last = time.monotonic()
            assert time.monotonic() - last < 60, "they are stuck"
        assert _allocated(crowded) - before < _MOST


def test_answers_that_callers_do_not_read_take_little_memory(
    crowded: Gateway, slow: SlowServer, forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow, "answer_bytes", _EACH)
    token = forger.mint(f"other{_DOMAIN}")
    before = _allocated(crowded)
    request = f"GET /i/_search HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    with ExitStack() as stack:
        sockets = []
        for _ in range(_CONNECTIONS):
            plain = socket.create_connection(("127.0.0.1", crowded.paths.port))
            # Otherwise the system takes all of an answer.
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
            sockets.append(stack.enter_context(crowded.trust().wrap_socket(plain, server_hostname="127.0.0.1")))
            sockets[-1].sendall(request)
        received, last = -1, time.monotonic()
        while time.monotonic() - last < _STILL:
            now = crowded.statistic("cluster.elasticsearch.upstream_cx_rx_bytes_total")
            if now != received:
                received, last = now, time.monotonic()
        assert _allocated(crowded) - before < _MOST
        for one in sockets:
            one.settimeout(60)
            got = b""
            while b"\r\n\r\n" not in got:
                got += one.recv(64 * 1024)
            head, _, rest = got.partition(b"\r\n\r\n")
            assert re.match(rb"HTTP/1.1 200", head)
            left = _EACH - len(rest)
            while left:
                left -= len(one.recv(64 * 1024)) or left
