"""What is made of Vault's answers and of what goes wrong on the way to them."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchaccess.adapters.vault.errors import by_status, mapped
from searchaccess.adapters.vault.session import answer_of
from searchaccess.ports.errors import (
    Conflict,
    ExternalError,
    Rejected,
    Unexpected,
    Unreachable,
)
from tests.unit.adapters.anything import damaged

SECRET = "hunter2"
WHOSE = "Vault, a secret"
CHANGED = {"errors": ["check-and-set parameter did not match the current version"]}
BODIES = (
    damaged(CHANGED).map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=20)
    | st.sampled_from([b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"data": ' + b"9" * 5000 + b"}"])
)


def outcome(status: int, body: bytes) -> Mapping[str, object] | ExternalError:
    try:
        return answer_of(WHOSE, status, body)
    except ExternalError as error:
        return error


@given(BODIES, st.sampled_from([200, 204, 400]) | st.integers(min_value=100, max_value=599))
def test_any_answer_is_an_object_or_an_error_of_ours(body: bytes, status: int) -> None:
    found = outcome(status, body)
    if isinstance(found, ExternalError):
        assert found.message.startswith(f"{WHOSE}: ")
        assert len(found.message) < 200
    else:
        assert status in {200, 204}
        assert isinstance(found, dict)


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b"<html>", b"\xff", b'{"data": '])
def test_an_answer_that_is_no_object_is_not_understood(body: bytes) -> None:
    assert type(outcome(200, body)) is Unexpected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TimeoutError(), Unreachable),
        (ConnectionResetError(), Unreachable),
        (OSError(SECRET), Unreachable),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, SECRET), Unexpected),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.__name__,
)
def test_pythons_own_errors_become_ours(error: Exception, expected: type[ExternalError]) -> None:
    with pytest.raises(ExternalError, match=r"^Vault, a secret: ") as caught, mapped(WHOSE):
        raise error
    assert type(caught.value) is expected
    assert SECRET not in caught.value.message


@pytest.mark.parametrize("kind", [KeyError, TypeError, AttributeError, RecursionError])
def test_a_fault_of_ours_is_not_taken_for_one_of_vault(kind: type[Exception]) -> None:
    with pytest.raises(kind), mapped(WHOSE):
        raise kind


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (json.dumps(CHANGED).encode(), Conflict),
        (b'{"errors": ["x", "check-and-set parameter did not match the current version"]}', Conflict),
        (b'{"errors": ["no handler for route"]}', Rejected),
        (b'{"errors": "check-and-set parameter did not match"}', Rejected),
        (b'{"errors": [null, 1]}', Rejected),
        (b'["errors"]', Rejected),
        (b"<html>", Rejected),
        (b"", Rejected),
    ],
)
def test_a_failed_check_and_set_is_a_conflict(body: bytes, expected: type[ExternalError]) -> None:
    assert type(by_status(WHOSE, 400, body)) is expected
