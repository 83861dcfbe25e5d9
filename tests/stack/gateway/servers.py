"""Servers of the tests' own process, in a thread: what the gateway connects to."""

import asyncio
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.stack.running.processes import free_port
from tests.stack.trust.certificates import ServerCertificate

_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request as it arrived."""

    line: str
    """Method, target and version."""
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def method(self) -> str:
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    def all(self, name: str) -> list[str]:
        """The values of a header."""
        return [value for header, value in self.headers if header.lower() == name]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answers."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False
    """Whether it says nothing, and keeps the connection."""
    breaks: bool = False
    """Whether it closes the connection in place of an answer."""
    delay: float = 0.0


class Server(ABC):
    """HTTP/1.1 on a free loopback port; no more of it than Envoy needs."""

    def __init__(self, certificate: ServerCertificate | None = None, port: int = 0) -> None:
        self.port = port or free_port()
        self._context: ssl.SSLContext | None = None
        if certificate:
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._context.load_cert_chain(certificate.certificate_file, certificate.key_file)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=type(self).__name__, daemon=True)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    @abstractmethod
    def answer(self, request: Arrived, /) -> Answer:
        """What is answered, in the server's thread."""

    def start(self) -> None:
        if not self._thread.is_alive():
            self._thread.start()
        self._run(self._listen)

    def stop(self) -> None:
        """Close the port and all connections; `start` opens it again."""
        self._run(self._close)

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, step: Callable[[], object]) -> None:
        async def run() -> None:
            done = step()
            if asyncio.iscoroutine(done):
                await done

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(_START_SECONDS)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._context)

    async def _close(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._server is None:
                # It connected while the port was being closed.
                return
            while (request := await _read(reader)) is not None:
                answer = self.answer(request)
                if answer.hangs:
                    await reader.read()
                    return
                await asyncio.sleep(answer.delay)
                if answer.breaks:
                    return
                writer.write(_as_bytes(answer, without_body=request.method == "HEAD"))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()


class Recorder(Server):
    """An upstream that records each request that arrives, and what it cannot read.

    Args:
        certificate: for TLS.
        port: where it listens; a free one by default.
    """

    def __init__(self, certificate: ServerCertificate | None = None, port: int = 0) -> None:
        super().__init__(certificate, port)
        self.arrived: list[Arrived] = []
        self.answers: Callable[[Arrived], Answer] = lambda _: Answer()

    def answer(self, request: Arrived, /) -> Answer:
        self.arrived.append(request)
        return self.answers(request)


class KeyPublisher(Server):
    """Publishes a JSON Web Key Set, or what is set instead.

    Args:
        certificate: for TLS.
        keys: the set.
    """

    def __init__(self, certificate: ServerCertificate, keys: str) -> None:
        super().__init__(certificate)
        self.certificate = certificate
        self.published = Answer(body=keys.encode())
        self.asked = 0

    def publish(self, keys: str) -> None:
        self.published = Answer(body=keys.encode())

    def answer(self, _request: Arrived, /) -> Answer:
        self.asked += 1
        return self.published


async def _read(reader: asyncio.StreamReader) -> Arrived | None:
    head = (await _until(reader, b"\r\n\r\n"))[:-4].decode("latin-1")
    if not head:
        return None
    line, *lines = head.split("\r\n")
    headers = tuple((name, value.strip()) for name, _, value in (one.partition(":") for one in lines))
    known = {name.lower(): value for name, value in headers}
    if known.get("transfer-encoding") == "chunked":
        body = await _chunks(reader)
    else:
        body = await reader.readexactly(int(known.get("content-length", "0")))
    return Arrived(line, headers, body)


async def _until(reader: asyncio.StreamReader, end: bytes) -> bytes:
    try:
        return await reader.readuntil(end)
    except asyncio.IncompleteReadError as error:
        return error.partial


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body


def _as_bytes(answer: Answer, *, without_body: bool) -> bytes:
    headers = {"content-type": "application/json", "content-length": str(len(answer.body)), **answer.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status} OK\r\n{head}\r\n".encode() + (b"" if without_body else answer.body)
