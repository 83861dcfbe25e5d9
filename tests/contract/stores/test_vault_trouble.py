"""Vault: what is made of answers that are refusals, that are none, or that lead elsewhere."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from searchaccess.ports.errors import (
    ExternalError,
    LoginRefused,
    PermissionDenied,
    Rejected,
    Throttled,
    Unexpected,
    Unreachable,
)
from searchaccess.ports.stores import Place
from tests.contract.stores.test_stores import payload
from tests.contract.stores.vaultstore import OWNER, Tokens, a_place, declared, opened
from tests.stack.running.processes import free_port
from tests.stack.trust.certificates import ServerCertificate


class _Odd(BaseHTTPRequestHandler):
    status = 200
    body = b"{}"
    location = ""
    seen: list[tuple[str, str | None, str | None]]

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers.get("X-Vault-Token"), self.headers.get("X-Vault-Namespace")))
        login = self.path.endswith("lookup-self")
        self.send_response(200 if login else self.status)
        if self.location and not login:
            self.send_header("Location", self.location)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"data": {"ttl": 0, "renewable": false}}' if login else self.body)

    do_POST = do_GET  # noqa: N815 - as the library looks for it

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def odd_server(certificate: ServerCertificate, status: int, body: bytes = b"{}", location: str = "") -> Iterator[Any]:
    answers = {"status": status, "body": body, "location": location, "seen": []}
    handler = type("Handler", (_Odd,), answers)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate_file, certificate.key_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}", handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, Unexpected),
        (400, Rejected),
        (401, LoginRefused),
        (403, PermissionDenied),
        (418, Unexpected),
        (429, Throttled),
        (500, Unreachable),
        (501, Unreachable),
        (502, Unreachable),
        (503, Unreachable),
    ],
)
async def test_what_it_refuses_is_reported_without_its_words(
    certificate: ServerCertificate, status: int, error: type[ExternalError]
) -> None:
    words = json.dumps({"errors": ["secret-in-a-message"]}).encode()
    with odd_server(certificate, status, words) as (address, _):
        store = opened(declared(address), Tokens(certificate.ca_file.read_text(), "t"))
        place = Place("shop", "orders")
        for ask in (store.find(place), store.read(place, 1), store.add(place, OWNER, None, 1, payload())):
            with pytest.raises(error) as raised:
                await ask
            assert "Vault, secret/searchaccess/shop/orders" in raised.value.message
            assert "secret-in-a-message" not in raised.value.message
            assert "s3cret" not in raised.value.message
        await store.close()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data": {}}', b'{"data": {"versions": [], "created_time": 1}}'])
async def test_an_answer_that_is_none_is_not_understood(certificate: ServerCertificate, body: bytes) -> None:
    with odd_server(certificate, 200, body) as (address, _):
        store = opened(declared(address), Tokens(certificate.ca_file.read_text(), "t"))
        with pytest.raises(Unexpected):
            await store.find(Place("shop", "orders"))
        await store.close()


async def test_the_token_goes_nowhere_else_and_the_namespace_is_sent(certificate: ServerCertificate) -> None:
    with (
        odd_server(certificate, 200) as (other, elsewhere),
        odd_server(certificate, 307, location=f"{other}/v1/x") as (address, here),
    ):
        store = opened(declared(address, namespace="team/a"), Tokens(certificate.ca_file.read_text(), "the-token"))
        with pytest.raises(Unexpected):
            await store.find(Place("shop", "orders"))
        await store.close()
    assert elsewhere.seen == []
    assert {(token, namespace) for _, token, namespace in here.seen} == {("the-token", "team/a")}


async def test_one_that_is_away_is_waited_for(certificate: ServerCertificate) -> None:
    address = f"https://127.0.0.1:{free_port()}"
    store = opened(declared(address), Tokens(certificate.ca_file.read_text(), "t"))
    with pytest.raises(Unreachable, match="Vault, login: it does not answer"):
        await store.find(a_place())
    await store.close()
