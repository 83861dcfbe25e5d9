"""A caller that costs little itself: one kept connection, raw HTTP/1.1, answers counted and not kept."""

import re
import socket
import ssl
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END: Final = b"\r\n\r\n"
_CHUNKED: Final = b"\r\ntransfer-encoding: chunked"
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"
_BUFFER: Final = 256 * 1024
_TIMEOUT: Final = 120.0


class Refused(Exception):
    """A request was not answered as it should be."""


def request(method: str, target: str, authorization: str, body: bytes = b"", length: int | None = None) -> bytes:
    """Return a request as it is sent.

    Args:
        method: in capital letters.
        target: path and query.
        authorization: value of the header.
        body: JSON, or JSON lines.
        length: of a body that is sent afterwards; None: the body is the whole one. -1: it comes in chunks.
    """
    size = len(body) if length is None else length
    framing = "transfer-encoding: chunked" if size < 0 else f"content-length: {size}"
    head = (
        f"{method} {target} HTTP/1.1\r\nhost: es.example.com\r\nauthorization: {authorization}\r\n"
        f"content-type: application/x-ndjson\r\n{framing}\r\n\r\n"
    )
    return head.encode() + body


class Connection:
    """A connection with TLS.

    Args:
        url: where to connect.
        trust: what is trusted.
    """

    def __init__(self, url: str, trust: ssl.SSLContext) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        plain = socket.create_connection((parts.hostname, parts.port), timeout=_TIMEOUT)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = trust.wrap_socket(plain, server_hostname=parts.hostname)
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)

    def ask(self, raw: bytes) -> int:
        """Send a request and read its answer; return the bytes of the answer's body.

        Raises:
            Refused: the status is another than 200.
        """
        self.socket.sendall(raw)
        return self.answer()

    def answer(self) -> int:
        """Read an answer; return the bytes of its body.

        Raises:
            Refused: the status is another than 200, or the answer has neither a length nor chunks.
        """
        got = 0
        while (end := self._buffer.find(_END, 0, got)) < 0:
            got += self._receive(got)
        head = bytes(self._buffer[: end + len(_END)])
        if not head.startswith(b"HTTP/1.1 200"):
            raise Refused(bytes(self._buffer[: min(got, 1000)]).decode(errors="replace"))
        if _CHUNKED in head.lower():
            # As small answers are that Elasticsearch writes before it knows their length.
            while not self._buffer.endswith(_LAST_CHUNK, 0, got):
                got += self._receive(got)
            return got - len(head)
        length = _LENGTH.search(head)
        if length is None:
            raise Refused(f"no length: {head.decode(errors='replace')}")
        size = int(length[1])
        left = size - (got - end - len(_END))
        while left > 0:
            left -= self._receive(0)
        return size

    def _receive(self, start: int) -> int:
        count = self.socket.recv_into(self._view[start:])
        if not count:
            raise Refused("the connection was closed")
        return count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()
