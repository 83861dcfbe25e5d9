"""What a secret holds, how it is read back, and that a value cannot get out by accident."""

import base64
import copy
import json
import logging
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.api.stores.credentials import Auth, PayloadFormat
from searchaccess.core.credentials.payload import PART_NAMES, build_payload, held_key, parts_of
from searchaccess.core.credentials.sealed import Sealed

EXPIRES = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("auth", [Auth.API_KEY, Auth.PASSWORD])
@pytest.mark.parametrize("form", PayloadFormat)
def test_the_key_is_read_back(form: PayloadFormat, auth: Auth) -> None:
    value = build_payload(form, auth, "VuaCfGcBCdbkQm-e5aOx", Sealed("ui2lp2axTNmsyakw9tvNnw"), "https://es", EXPIRES)
    assert held_key(value.reveal()) == held_key(value.reveal().encode()) == "VuaCfGcBCdbkQm-e5aOx"


def test_its_forms() -> None:
    value = build_payload(PayloadFormat.JSON, Auth.API_KEY, "id", Sealed("key"), "https://es", EXPIRES)
    encoded = base64.b64encode(b"id:key").decode()
    assert json.loads(value.reveal()) == {
        "id": "id", "api_key": "key", "encoded": encoded, "url": "https://es", "expires": EXPIRES
    }  # fmt: skip
    for auth in (Auth.API_KEY, Auth.PASSWORD):
        alone = build_payload(PayloadFormat.ENCODED, auth, "id", Sealed("key"), "https://es", EXPIRES)
        assert alone.reveal() == encoded
    value = build_payload(PayloadFormat.JSON, Auth.PASSWORD, "id", Sealed("key"), "https://es", "")
    assert json.loads(value.reveal()) == {"username": "id", "password": "key", "encoded": encoded, "url": "https://es"}


def parts(form: PayloadFormat, auth: Auth) -> dict[str, str]:
    value = build_payload(form, auth, "id", Sealed("key"), "https://es", EXPIRES)
    found = parts_of(value.reveal())
    assert {*found} <= PART_NAMES
    assert all(re.fullmatch("[A-Z][A-Z0-9_]*", name) for name in found), "a shell takes each as a variable's name"
    return {name: part.reveal() for name, part in found.items()}


def test_its_parts_as_environment_variables() -> None:
    assert parts(PayloadFormat.JSON, Auth.API_KEY) == {
        "ELASTICSEARCH_URL": "https://es",
        "ELASTICSEARCH_API_KEY": base64.b64encode(b"id:key").decode(),
        "ELASTICSEARCH_API_KEY_ID": "id",
        "ELASTICSEARCH_API_KEY_EXPIRES": EXPIRES,
    }
    assert parts(PayloadFormat.JSON, Auth.PASSWORD) == {
        "ELASTICSEARCH_URL": "https://es", "ELASTICSEARCH_USERNAME": "id", "ELASTICSEARCH_PASSWORD": "key"
    }  # fmt: skip
    assert parts(PayloadFormat.ENCODED, Auth.API_KEY) == {}


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_what_is_no_payload_has_no_parts(content: str | bytes) -> None:
    assert parts_of(content) == {}


@pytest.mark.parametrize(
    "content",
    ["", "mine", "{}", "[]", "null", '{"id": "a"}', '{"id": "a", "encoded": "Yjp4"}', '{"id": 1, "encoded": 2}', "YQ==",
     b"\xff\xfe", "[" * 100_000, "Yjp4" * 20_000],
)  # fmt: skip
def test_anything_else_holds_no_key(content: str | bytes) -> None:
    assert held_key(content) == ""


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_no_content_is_too_odd(content: str | bytes) -> None:
    assert isinstance(held_key(content), str)


class TestSealed:
    value = Sealed("s3cret-value")

    def test_it_does_not_show(self, caplog: pytest.LogCaptureFixture) -> None:
        logging.getLogger("x").warning("%s %r", self.value, {"value": self.value})
        texts = [str(self.value), repr(self.value), f"{self.value}", f"{[self.value]:}", caplog.text]
        assert not [text for text in texts if "s3cret" in text]
        assert self.value.reveal() == "s3cret-value"

    def test_it_is_not_serialized_copied_or_compared(self) -> None:
        with pytest.raises(TypeError):
            pickle.dumps(self.value)
        with pytest.raises(TypeError):
            copy.deepcopy(self.value)
        with pytest.raises(TypeError):
            json.dumps(self.value)
        with pytest.raises(TypeError):
            _ = self.value == Sealed("x")
        with pytest.raises(TypeError):
            hash(self.value)
        assert not hasattr(self.value, "__dict__")
