"""Answers of the API server that Python's JSON reader does not take."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from searchaccess.adapters.answers import CUT
from searchaccess.adapters.kubernetes.reading import Sieve, TolerantResponse, read_json, readable
from searchaccess.core.model.restrictions.where import ALL_DEPTH
from searchaccess.engine.inventory.intake import STATUS_DEPTH
from tests.support.failures.odd import cut_json, depth_of

WRAPPED = 6
"""Levels of a list around a ``where``: the list, its items, the object, its spec, grants, a grant."""


def deep(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


@pytest.mark.parametrize("text", ['{"a":[1,2.5,null]}', "7", '"x"', b"[]"])
def test_usual_json_is_read_as_ever(text: str | bytes) -> None:
    assert read_json(text) == json.loads(text)


@pytest.mark.parametrize("levels", [900, 1500, 10_000])
def test_what_is_nested_deeper_than_python_reads_is_cut(levels: int) -> None:
    found = read_json(f'[{deep(levels)},{{"b":[true]}}]')
    assert depth_of(found[0]) == CUT - 1 if levels > 1000 else depth_of(found[0]) >= CUT - 1
    assert found[1] == {"b": [True]}


def test_nothing_that_is_cut_passes_for_whole() -> None:
    assert max(ALL_DEPTH, STATUS_DEPTH) + WRAPPED + 1 < CUT


def test_a_number_that_python_does_not_write_is_read_as_something_else() -> None:
    assert read_json(f'{{"a":{"9" * 4301},"b":7}}') == {"a": "(a number too long)", "b": 7}


@pytest.mark.parametrize("text", ["{", "", "nope", deep(1500)[:-1]])
def test_what_cannot_be_read_at_all_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(text)


def test_only_what_is_deep_is_replaced() -> None:
    value: dict[str, Any] = {"a": [1, {"b": [[2]]}]}
    assert cut_json(value) is value
    assert value == {"a": [1, {"b": [[2]]}]}


class _Stream:
    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks
        self.total_bytes = sum(map(len, chunks))

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


def _lines(*chunks: bytes, sieve: Sieve | None = None) -> list[bytes]:
    from searchaccess.adapters.kubernetes.reading import _Lines  # noqa: PLC0415 - kopf meets it as a stream

    async def read() -> bytes:
        stream = _Lines(_Stream(*chunks), sieve)  # type: ignore[arg-type]
        assert stream.total_bytes == sum(map(len, chunks))
        return b"".join([part async for part in stream.iter_chunked(100)])

    return asyncio.run(read()).split(b"\n")


def test_lines_of_a_watch_are_whole_however_they_come() -> None:
    one, other = b'{"type":"ADDED","object":{"a":1}}', deep(1500).encode()
    whole = one + b"\n" + other + b"\n" + one
    for size in (1, 7, 100, len(whole)):
        found = _lines(*(whole[start : start + size] for start in range(0, len(whole), size)))
        assert [found[0], found[2]] == [one, one]
        assert depth_of(json.loads(found[1])) == CUT


def test_a_watch_passes_on_what_its_sieve_does_however_it_comes() -> None:
    def passes(kind: str, event: str | None, raw: Mapping[str, Any]) -> bool:
        asked.append((kind, event))
        return bool(raw["number"] % 2 == 0)

    events = [json.dumps({"type": "ADDED", "object": {"kind": "A", "number": number}}).encode() for number in range(5)]
    odd = [b'{"type":"ERROR"}', b'{"type":"ERROR","object":7}', b"[]", b"no json"]
    whole = b"\n".join([*events, *odd])
    for size in (1, 7, 100, len(whole)):
        asked = list[tuple[str, str | None]]()
        chunks = (whole[start : start + size] for start in range(0, len(whole), size))
        found = [line for line in _lines(*chunks, sieve=passes) if line]
        assert found == [events[0], events[2], events[4], *odd]
        assert asked == [("A", "ADDED")] * 5


def test_a_line_that_is_wide_and_not_deep_stays_as_it_is() -> None:
    line = json.dumps({"a": [{}] * 1000}, indent=None).encode()
    assert readable(line) is line
    assert readable(b"{" * 1000) == b"{" * 1000


def test_kopf_gets_answers_of_this_kind() -> None:
    from kopf import ConnectionInfo  # noqa: PLC0415 - it takes a while

    from searchaccess.operator.sources.events import session_of  # noqa: PLC0415

    async def play() -> None:
        made = session_of(ConnectionInfo(server="https://kubernetes", token="t"))
        session = made.aiohttp_session
        assert session._response_class is TolerantResponse
        assert (made.server, session.headers["Authorization"]) == ("https://kubernetes", "Bearer t")
        await session.close()

    asyncio.run(play())
