"""Reads what the API server sends, also objects that are nested deeper than Python's JSON reader goes.

Whoever may write a SearchAccess may nest its ``where`` 10,000 deep. Python's reader accepts a bit less than 1,000
levels: one such object would make a whole list unreadable, and end a watch. So levels below what our readers accept are
dropped here, and the object can be named and refused like any other.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, Self, TypeAlias

import aiohttp

from searchaccess.adapters.answers import CUT, decode
from searchaccess.core.model.intake.reading import within

_SHALLOW: Final = 300
"""Brackets in one line that any reader accepts, however they are nested."""

Sieve: TypeAlias = Callable[[str, str | None, Mapping[str, Any]], bool]
"""Returns whether whoever reads an answer gets an object: by its kind, the type of its event (None: it is in a list),
and the object itself."""


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
        sieve: says which events are passed on; None: all.
    """

    def __init__(self, stream: aiohttp.StreamReader, sieve: Sieve | None = None) -> None:
        self._stream = stream
        self._sieve = sieve

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
            passed = [line for line in (rest + head).split(b"\n") if self._passes(line)]
            if passed:
                yield b"".join(readable(line) + b"\n" for line in passed)
            rest = tail
        if rest and self._passes(rest):
            yield readable(rest)

    def _passes(self, line: bytes) -> bool:
        if self._sieve is None:
            return True
        try:
            event = read_json(line)
        except ValueError:
            return True
        raw = event.get("object") if isinstance(event, dict) else None
        return not isinstance(raw, dict) or self._sieve(str(raw.get("kind")), str(event.get("type")), raw)


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

    @staticmethod
    def sieve() -> Sieve | None:
        """Return what says what is passed on; None: all is."""
        return None

    async def start(self, connection: Any) -> Self:
        """Begin to read."""
        await super().start(connection)
        self.content = _Lines(self.content, self.sieve())  # type: ignore[assignment]  # it is one, by all its other methods
        return self

    async def json(self, **options: Any) -> Any:
        """Return the answer's body; of a list, only what the sieve passes on."""
        answer = await super().json(**{"loads": read_json} | options)
        sieve, items = self.sieve(), answer.get("items") if isinstance(answer, dict) else None
        if sieve is None or not isinstance(items, list):
            return answer
        kind = str(answer.get("kind")).removesuffix("List")
        return answer | {"items": [raw for raw in items if not isinstance(raw, dict) or sieve(kind, None, raw)]}


def sifting(sieve: Sieve) -> type[TolerantResponse]:
    """Return a class of answers that pass on only some objects: what nobody needs costs its reader nothing."""

    class Sifted(TolerantResponse):
        @staticmethod
        def sieve() -> Sieve:
            return sieve

    return Sifted
