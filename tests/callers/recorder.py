"""A TLS server in Elasticsearch's place that remembers the headers of each request, and gives configured answers."""

import json
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.stack.trust.certificates import write_server_certificate

_EMPTY = {
    "took": 1,
    "timed_out": False,
    "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
    "hits": {"total": {"value": 0, "relation": "eq"}, "hits": []},
}

_WRITTEN = {"_index": "orders", "_version": 1, "result": "created", "_seq_no": 0, "_primary_term": 1, "status": 201}
_BULK = {"took": 1, "errors": False, "items": [{"index": {"_id": f"order-{n}"} | _WRITTEN} for n in (1, 2)]}

CUT, HANGS = 0, -1
"""Instead of a status: the connection ends before the answer; nothing comes until the caller ends it."""


class Recorder:
    """What was sent.

    Args:
        url: where the server is.
        ca_file: whom to trust.
    """

    def __init__(self, url: str, ca_file: Path) -> None:
        self.url = url
        self.ca_file = ca_file
        self.requests: list[Mapping[str, str]] = []
        """Headers, with names in small letters."""
        self.bodies: list[str] = []
        self.statuses: list[int] = []
        """What the next requests are answered with: a status, `CUT` or `HANGS`. 200 when there is none."""
        self.location = ""
        """Where every answer redirects to, if its status does."""


@contextmanager
def recording(folder: Path, statuses: Iterable[int] = ()) -> Iterator[Recorder]:
    """Serve until the end of the block."""
    certificate = write_server_certificate(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate_file, certificate.key_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    recorder = Recorder(f"https://127.0.0.1:{server.server_port}", certificate.ca_file)
    recorder.statuses += statuses
    server.RequestHandlerClass = _handler(recorder)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()


def _handler(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            recorder.requests.append({name.lower(): value for name, value in self.headers.items()})
            recorder.bodies.append(self._body().decode())
            status = recorder.statuses.pop(0) if recorder.statuses else 200
            if status == CUT:
                self.close_connection = True
                return
            if status == HANGS:
                self.close_connection = True
                self.connection.settimeout(60)
                while self.connection.recv(1024):  # Until the caller gives up.
                    pass
                return
            found = _BULK if self.path.partition("?")[0].endswith("/_bulk") else _EMPTY
            body: dict[str, Any] = found if status == 200 else {"error": {"type": "as configured"}, "status": status}
            answer = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            if recorder.location:
                self.send_header("Location", recorder.location)
            self.end_headers()
            self.wfile.write(answer)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 - as the base class calls them.

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class calls it.
            """Say nothing."""

    return Handler
