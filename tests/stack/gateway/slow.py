"""An Elasticsearch that reads nothing for a while, and answers of any length."""

import asyncio
import re
from typing import Final

from tests.stack.gateway.servers import Answer, Arrived, Server
from tests.stack.trust.certificates import ServerCertificate

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PIECE: Final = 64 * 1024
_OK: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"


class SlowServer(Server):
    """Answers each request with `answer_bytes`; reads bodies unless told not to, and throws them away.

    Args:
        certificate: for TLS.
    """

    def __init__(self, certificate: ServerCertificate) -> None:
        super().__init__(certificate)
        self._reads = asyncio.Event()
        self._reads.set()
        self.answer_bytes = 2
        self.served = 0

    def hold(self) -> None:
        """Read no more bodies."""
        self._run(self._reads.clear)

    def release(self) -> None:
        """Read bodies again."""
        self._run(self._reads.set)

    def answer(self, request: Arrived, /) -> Answer:
        """Not used: nothing is kept that arrives."""
        raise NotImplementedError(request.line)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self._reads.wait()
                await _discard(reader, head)
                writer.write(_OK % self.answer_bytes)
                left = self.answer_bytes
                while left > 0:
                    writer.write(b" " * min(left, _PIECE))
                    left -= _PIECE
                    await writer.drain()
                self.served += 1
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()


async def _discard(reader: asyncio.StreamReader, head: bytes) -> None:
    if b"chunked" in head.lower():
        end = b""
        while not end.endswith(_LAST_CHUNK):
            piece = await reader.read(_PIECE)
            if not piece:
                raise asyncio.IncompleteReadError(b"", None)
            end = (end + piece)[-len(_LAST_CHUNK) :]
        return
    found = _LENGTH.search(head)
    left = int(found[1]) if found else 0
    while left > 0:
        piece = await reader.read(min(left, _PIECE))
        if not piece:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(piece)
