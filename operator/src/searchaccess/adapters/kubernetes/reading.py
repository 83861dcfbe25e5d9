"""Reads what the API server sends, also objects that are nested deeper than Python's JSON reader goes.

Whoever may write a SearchAccess may nest its ``where`` 10,000 deep. Python's reader takes a bit less than 1,000 levels:
one such object would keep a whole list from being read, and end a watch. What is nested deeper than any reader of ours
takes is left out here, so that the object can be named and refused like any other.
"""

import json
import sys
from collections.abc import AsyncIterator
from typing import Any, Final, Self

import aiohttp

from searchaccess.core.model.bounds import DIGITS, depth_of

DEEPEST: Final = 10_000
"""Levels that the API server takes (``maxNestingDepth`` of Go's encoding/json)."""
KEPT: Final = 200
"""Levels that are kept: more than all bounds of our readers, so that nothing that was cut passes for whole."""
_MARGIN: Final = 1_000
"""For the frames of whoever calls, and the list or event around an object."""
_SHALLOW: Final = 300
"""Brackets in one line that any reader takes, however they are nested."""


def read_json(text: str | bytes) -> Any:
    """Read JSON; what is nested more than ``KEPT`` levels deep is replaced by null if it is more than Python reads.

    Raises:
        ValueError: it is not JSON, or nested deeper than the API server takes.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except (RecursionError, ValueError):
        return cut_json(_read_deep(text))


def _read_deep(text: str | bytes) -> Any:
    usual = sys.getrecursionlimit()
    # Only the reader in C goes so deep, at 300 bytes of stack a level, and nothing else runs meanwhile.
    sys.setrecursionlimit(DEEPEST + _MARGIN)
    try:
        return json.loads(text, parse_int=_number)
    except RecursionError:
        raise ValueError("nested too deep") from None
    finally:
        sys.setrecursionlimit(usual)


def _number(digits: str) -> int | str:
    return int(digits) if len(digits) <= DIGITS else digits[:DIGITS]


def cut_json(value: Any) -> Any:
    """Replace what is nested too deep, in place; give the value."""
    todo = [(value, 1)] if isinstance(value, dict | list) else []
    while todo:
        item, level = todo.pop()
        for key, inner in list(item.items() if isinstance(item, dict) else enumerate(item)):
            if not isinstance(inner, dict | list):
                continue
            if level >= KEPT:
                item[key] = None
            else:
                todo.append((inner, level + 1))
    return value


class _Lines:
    """A stream of lines of JSON, each of which any reader takes.

    Args:
        stream: as the API server sends it.
    """

    def __init__(self, stream: aiohttp.StreamReader) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Give whole lines, one or more at a time."""
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
    """Give a line of JSON in a form that Python's reader takes; one that is no JSON stays as it is."""
    if line.count(b"{") + line.count(b"[") <= _SHALLOW:
        return line
    try:
        value = read_json(line)
    except ValueError:
        return line
    return line if depth_of(value) < KEPT else json.dumps(value).encode()


class TolerantResponse(aiohttp.ClientResponse):
    """An answer of the API server, for those who read it with Python's JSON reader (kopf)."""

    async def start(self, connection: Any) -> Self:
        """Begin to read."""
        await super().start(connection)
        self.content = _Lines(self.content)  # type: ignore[assignment]  # it is one, by all its other methods
        return self

    async def json(self, **options: Any) -> Any:
        """Give the answer's body."""
        return await super().json(**{"loads": read_json} | options)
