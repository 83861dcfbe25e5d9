"""Reads what the API server sends, also objects that are nested deeper than Python's JSON reader goes.

Whoever may write a SearchAccess may nest its ``where`` 10,000 deep. Python's reader accepts a bit less than 1,000
levels: one such object would make a whole list unreadable, and end a watch. So levels below what our readers accept are
dropped here, and the object can be named and refused like any other.
"""

import json
from collections.abc import AsyncIterator
from typing import Any, Final, Self

import aiohttp

from searchaccess.adapters.answers import CUT, decode
from searchaccess.core.model.intake.reading import within

_SHALLOW: Final = 300
"""Brackets in one line that any reader accepts, however they are nested."""


def read_json(text: str | bytes) -> Any:
    """Read JSON; of what is nested deeper than Python reads, all below level ``CUT`` is left out.

    Raises:
        ValueError: it is no JSON.
    """
    return decode(text.encode(errors="replace") if isinstance(text, str) else text)


class _Lines:
    """A stream of lines of JSON, each of which any reader accepts.

    Args:
        stream: as the API server sends it.
    """

    def __init__(self, stream: aiohttp.StreamReader) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Yield whole lines, one or more at a time."""
        rest = b""
        async for chunk in self._stream.iter_chunked(size):
            head, end, tail = chunk.rpartition(b"\n")
            if not end:
                rest += tail
                continue
            yield b"".join(readable(line) + b"\n" for line in (rest + head).split(b"\n"))
            rest = tail
        if rest:
            yield readable(rest)


def readable(line: bytes) -> bytes:
    """Return a line of JSON in a form that Python's reader takes; one that is no JSON stays as it is."""
    if line.count(b"{") + line.count(b"[") <= _SHALLOW:
        return line
    try:
        value = read_json(line)
    except ValueError:
        return line
    return line if within(value, CUT - 1) else json.dumps(value).encode()


class TolerantResponse(aiohttp.ClientResponse):
    """An answer of the API server, for those who read it with Python's JSON reader (kopf)."""

    async def start(self, connection: Any) -> Self:
        """Begin to read."""
        await super().start(connection)
        self.content = _Lines(self.content)  # type: ignore[assignment]  # it is one, by all its other methods
        return self

    async def json(self, **options: Any) -> Any:
        """Return the answer's body."""
        return await super().json(**{"loads": read_json} | options)
