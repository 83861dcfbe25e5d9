"""JSON of any depth is read, and one odd object in it costs itself alone."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.adapters.answers import decode
from searchaccess.core.model.intake.reading import within
from tests.unit.adapters.anything import VALUES


def deep(levels: int, leaf: str = "1") -> str:
    return '{"a":' * levels + leaf + "}" * levels


@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    try:
        body = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        body = json.dumps(value).replace("\\ud800", "\\ufffd").encode()
    assert json.dumps(decode(body)) == json.dumps(json.loads(body))


@pytest.mark.parametrize("levels", [500, 900, 970, 2000, 100_000])
@pytest.mark.parametrize("leaf", ["1", '"]}"', '"[{\\""', "[]", '["\\\\", "}"]'])
def test_a_deep_object_leaves_the_others_as_they_are(levels: int, leaf: str) -> None:
    others = {"first": {"metadata": {"a": ["]", "{", '"', "\\"]}}, "last": {"metadata": {}}}
    first, last = (json.dumps(item) for item in others.values())
    found = decode(f'{{"first": {first}, "deep": {{"metadata": {deep(levels, leaf)}}}, "last": {last}}}'.encode())
    assert list(found) == ["first", "deep", "last"]
    assert not within(found.pop("deep")), "what was cut off is still too deep for every reader"
    assert found == others


@pytest.mark.parametrize("digits", [400, 4300, 4301, 100_000])
def test_a_long_number_leaves_the_others_as_they_are(digits: int) -> None:
    found = decode(f'{{"a": {"9" * digits}, "b": {{"c": 1}}}}'.encode())
    assert found["b"] == {"c": 1}
    found = decode(f'{{"a": {"9" * digits}, "deep": {deep(3000)}, "b": {{"c": 1}}}}'.encode())
    assert found["b"] == {"c": 1}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb'"\ud800"', "�"),
        (rb'"a\uD83d\uDE00b"', "a😀b"),
        (rb'"\\ud800"', r"\ud800"),
        (rb'"\\\ud800\u0041"', "\\�A"),
        (rb'"\udc00\ud800"', "��"),
        (b'"\xed\xa0\x80"', "���"),
        (b'"\xff"', "�"),
    ],
)
def test_every_text_can_be_encoded(body: bytes, value: str) -> None:
    assert decode(body) == value
    assert value.encode()


NO_JSON = [b"", b"{", b"[" * 3000, b"<html>", b"[" * 2000 + b'"' + b'\\"' * 100_000, b"{" * 2000 + b"}" * 3000]


@pytest.mark.parametrize("body", NO_JSON, ids=range(len(NO_JSON)))
def test_what_is_no_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(body)


@given(st.binary(max_size=30) | st.text('{}[]",:1a\\u', max_size=30).map(str.encode))
def test_any_bytes_are_json_or_a_value_error(body: bytes) -> None:
    try:
        decode(body)
    except ValueError:
        pass
    else:
        assert body
