"""Decodes long responses in pieces. A thread would not help: Python's JSON reader holds the interpreter lock."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from sys import intern
from typing import Any, Final

from searchaccess.adapters.answers import as_text, decode, number
from searchaccess.ports.errors import Unexpected

AT_ONCE: Final = 512 * 1024
"""Bytes that are decoded while nobody else can run: a few milliseconds."""

_SPACE: Final = re.compile(r"[ \t\n\r]*")


def _with_shared_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object: json shares equal keys within one call only, and each of thousands of objects is read by one."""
    return {intern(key): value for key, value in pairs}


_READER: Final = json.JSONDecoder(object_pairs_hook=_with_shared_keys)
_READER_OF_LONG_NUMBERS: Final = json.JSONDecoder(parse_int=number, object_pairs_hook=_with_shared_keys)


class LongAnswer(Mapping[str, Any]):
    """An object that is decoded when it is read, or before, in pieces, by ``decoded``.

    Whatever reads it raises ``Unexpected`` where it is no JSON object.

    Args:
        body: of an answer, in JSON.
    """

    def __init__(self, body: bytes) -> None:
        self.body = body

    @cached_property
    def _whole(self) -> Mapping[str, Any]:
        return _at_once(self.body)

    def __getitem__(self, key: str) -> Any:
        return self._whole[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)


def _at_once(body: bytes) -> dict[str, Any]:
    try:
        whole = decode(body)
    except ValueError:
        whole = None
    if not isinstance(whole, dict):
        raise Unexpected("its response is not a JSON object")
    return whole


@dataclass(slots=True)
class _Cursor:
    """A place in a text."""

    text: str
    at: int = 0

    def peek(self) -> str:
        """Return the next character that is not a space; empty: there is none."""
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.text[self.at : self.at + 1]

    def take(self, wanted: str) -> str:
        """Pass one of some characters."""
        found = self.peek()
        if not found or found not in wanted:
            raise ValueError(f"{wanted} expected")
        self.at += 1
        return found

    def value(self) -> Any:
        """Read a value as a whole."""
        self.peek()
        try:
            value, self.at = _READER.raw_decode(self.text, self.at)
        except json.JSONDecodeError:
            raise
        except ValueError:
            value, self.at = _READER_OF_LONG_NUMBERS.raw_decode(self.text, self.at)
        return value

    def key(self) -> str:
        """Read a key with what follows it."""
        key = self.value()
        if not isinstance(key, str):
            raise ValueError("a key is no text")  # noqa: TRY004 - it is what a bad answer raises
        self.take(":")
        return key


def _members(cursor: _Cursor) -> Iterator[tuple[str, Any]]:
    """Read an object value by value, and in it lists element by element: these come with the key of the list.

    A list begins with the key and the empty list to which its elements are to be added.
    """
    cursor.take("{")
    if cursor.peek() == "}":
        cursor.take("}")
        return
    while True:
        key = cursor.key()
        if cursor.peek() == "[":
            yield key, (elements := list[Any]())
            for element in _elements(cursor):
                elements.append(element)
                yield key, elements
        else:
            yield key, cursor.value()
        if cursor.take(",}") == "}":
            return


def _elements(cursor: _Cursor) -> Iterator[Any]:
    cursor.take("[")
    if cursor.peek() == "]":
        cursor.take("]")
        return
    while True:
        yield cursor.value()
        if cursor.take(",]") == "]":
            return


async def decoded(answer: Any) -> Any:
    """Return a decoded answer; a long object is decoded in pieces, and other tasks run in between.

    Raises:
        Unexpected: it is no JSON object.
    """
    if not isinstance(answer, LongAnswer):
        return answer
    cursor = _Cursor(as_text(answer.body))
    found: dict[str, Any] = {}
    paused = 0
    try:
        for key, value in _members(cursor):
            found[key] = value
            if cursor.at - paused >= AT_ONCE:
                paused = cursor.at
                await asyncio.sleep(0)
    except (ValueError, RecursionError):
        pass
    else:
        if not cursor.peek():
            return found
    # It is no JSON, or nested very deeply: whoever reads it at once knows what to do.
    return _at_once(answer.body)
