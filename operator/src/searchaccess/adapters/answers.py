"""Reads the bodies of HTTP answers, within bounds, for every adapter that gets JSON."""

import json
import re
from typing import Any, Final

import aiohttp

from searchaccess.ports.errors import TooLong

LONGEST: Final = 256 * 1024 * 1024
"""Bytes of one answer: twelve megabytes are the roles of 10,000 principals."""
_CHUNK: Final = 65536
CUT: Final = 200
"""Levels below which an answer is cut: more than any reader accepts, with room for enclosing lists."""
_CUT_OFF: Final = b'"(nested too deeply)"'

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{}]', re.DOTALL)
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPES: Final = re.compile(rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\.", re.DOTALL)
_REPLACED: Final = b"\\ufffd"
_LONGEST_NUMBER: Final = 100


def decode(body: bytes) -> Any:
    r"""Read JSON of any depth.

    Where it is nested deeper than Python's own reader takes (about 950 levels), what is below level ``CUT`` is cut
    off. What is left of it is still deeper than any reader of ours accepts, so an object that was cut is never
    mistaken for one that was not, and all others of the answer are as they are. Half characters, such as the escape
    ``\ud800`` that Elasticsearch keeps (measured), become U+FFFD.

    Raises:
        ValueError: it is no JSON.
    """
    text = as_text(body)
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except (RecursionError, ValueError):  # Or a number of more digits than Python reads (sys.get_int_max_str_digits).
        return _decode_odd(text)


def as_text(body: bytes) -> str:
    """Return a body as text, without characters that cannot be encoded again."""
    if _HALF.search(body):
        body = _ESCAPES.sub(lambda found: _REPLACED if found[1] else found[0], body)
    return body.decode(errors="replace")


def _decode_odd(text: str) -> Any:
    try:
        return json.loads(text, parse_int=number)
    except RecursionError:
        return json.loads(_cut_off(text.encode()).decode(), parse_int=number)


def number(digits: str) -> int | str:
    """Read the digits of a number; of too many, return a text that says so."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else "(a number too long)"


def _cut_off(body: bytes) -> bytes:
    """Replace everything that is nested too deeply by a text."""
    kept, depth, start = [], 0, 0
    for found in _TOKEN.finditer(body):
        token = found[0]
        if token == b'"':  # It has no end. Without this, each escaped quote in it would be tried as a beginning.
            return b""
        if token in {b"[", b"{"}:
            depth += 1
            if depth == CUT + 1:
                kept += [body[start : found.start()], _CUT_OFF]
        elif token in {b"]", b"}"}:
            if depth == CUT + 1:
                start = found.end()
            depth -= 1
    return b"".join([*kept, body[start:]]) if depth == 0 else body[:0]


async def body_of(response: aiohttp.ClientResponse, whose: str, longest: int = LONGEST) -> bytes:
    """Read the body of an answer.

    Args:
        response: the answer, of which nothing was read yet.
        whose: for the message, such as ``the API server``.
        longest: bytes; by default, more than any answer that makes sense.

    Raises:
        TooLong: it is longer than that.
    """
    parts, size = [], 0
    async for part in response.content.iter_chunked(_CHUNK):
        size += len(part)
        if size > longest:
            response.close()
            raise TooLong(f"{whose}: its response has more than {longest} bytes")
        parts.append(part)
    return b"".join(parts)
