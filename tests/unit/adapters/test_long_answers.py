"""Long answers are decoded in pieces, and mean the same as if they were decoded at once."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.adapters import longanswers
from searchaccess.adapters.answers import decode
from searchaccess.adapters.elasticsearch.client import BoundedJson
from searchaccess.adapters.longanswers import AT_ONCE, LongAnswer, decoded
from searchaccess.ports.errors import Unexpected
from tests.unit.adapters.anything import VALUES, nested
from tests.unit.engine.test_publish import most_at_once


def whole(body: bytes) -> Any:
    return asyncio.run(decoded(LongAnswer(body)))


@given(
    st.dictionaries(st.text(max_size=4), VALUES | st.lists(VALUES, max_size=4), max_size=4), st.sampled_from([None, 2])
)
def test_an_object_means_the_same_in_pieces(value: dict[str, Any], indent: int | None) -> None:
    body = json.dumps(value, indent=indent).encode()
    assert json.dumps(whole(body)) == json.dumps(decode(body))
    assert json.dumps(dict(LongAnswer(body))) == json.dumps(decode(body))


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": {"b": 1}, "a": {"c": 2}}',
        b' \n{ "a" : [ ] , "b" : [ { } , [ ] ] } \n',
        b'{"a": [1, {"b": ' + b"9" * 5000 + b'}, 3], "c": {}}',
        b'{"a": "\\ud800", "b": "\xff"}',
        json.dumps({"deep": nested(500), "b": [nested(400)]}).encode(),
        b'{"deep": ' + b"[" * 3000 + b"]" * 3000 + b', "b": {}}',
    ],
)
def test_an_odd_object_means_the_same_in_pieces(body: bytes) -> None:
    assert whole(body) == dict(LongAnswer(body)) == decode(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"a"',
        b'{"a": 1',
        b'{"a": 1,}',
        b'{"a": [1,]}',
        b'{"a": [1',
        b"{1: 2}",
        b'{"a" 1}',
        b"{} {}",
        b"[" * 3000,
    ],
)
def test_what_is_no_object_is_unexpected(body: bytes) -> None:
    for read in (whole, lambda some: len(LongAnswer(some))):
        with pytest.raises(Unexpected, match="not a JSON object"):
            read(body)


def test_only_long_answers_wait_to_be_decoded() -> None:
    reader = BoundedJson()
    short, long = b'{"a": 1}', json.dumps({"a": "x" * AT_ONCE}).encode()
    assert isinstance(reader.loads(short), dict)
    answer = reader.loads(long)
    assert isinstance(answer, LongAnswer)
    assert list(answer) == ["a"]
    assert asyncio.run(decoded({"a": 1})) == {"a": 1}


@pytest.mark.parametrize("keys", [True, False], ids=["list", "object"])
def test_others_run_while_a_long_answer_is_decoded(monkeypatch: pytest.MonkeyPatch, *, keys: bool) -> None:
    items = {f"role-{number}": {"metadata": {"number": number}} for number in range(1000)}
    body = json.dumps({"api_keys": list(items.values())} if keys else items).encode()
    monkeypatch.setattr(longanswers, "AT_ONCE", len(body) // 20)
    values = 0
    actual = longanswers._Cursor.value

    def value(cursor: Any) -> Any:
        nonlocal values
        values += 1
        return actual(cursor)

    monkeypatch.setattr(longanswers._Cursor, "value", value)

    async def play() -> None:
        assert 0 < await most_at_once(lambda: decoded(LongAnswer(body)), lambda: values) <= 2 * 1000 // 20 + 10

    asyncio.run(play())
    assert values >= 1000


def test_objects_of_a_long_answer_share_their_keys() -> None:
    """Each is decoded by a call of its own, and thousands of them are in memory at once."""
    found = whole(json.dumps({"a": {"indices": 1}, "b": [{"indices": 2}], "c": {"d": {"indices": 3}}}).encode())
    keys = [next(iter(item)) for item in (found["a"], found["b"][0], found["c"]["d"])]
    assert len(set(map(id, keys))) == 1
