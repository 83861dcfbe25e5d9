"""AdmissionReviews are read within bounds and answered in the form of Kubernetes."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from searchaccess.core.model.intake.bounds import excess
from searchaccess.core.webhook.review import (
    LONGEST_MESSAGE,
    LONGEST_WARNING,
    MOST_WARNINGS,
    BadReview,
    is_within_bounds,
    parsed,
    reading,
    response_to,
    review_from,
)
from searchaccess.core.webhook.ruling import ALLOWED, Ruling
from searchaccess.core.work import completed
from tests.unit.webhook.scene import a_review, reads


def deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"a": value}
    return value


BAD: dict[str, Any] = {
    "no object": [],
    "no request": {"apiVersion": "admission.k8s.io/v1"},
    "another version": a_review(reads()) | {"apiVersion": "admission.k8s.io/v2"},
    "no uid": a_review(reads(), uid=None),
    "an odd uid": a_review(reads(), uid="a\nb"),
    "no object in the request": a_review(None),
    "no namespace": a_review({"metadata": {"name": "a"}}),
    "an odd namespace": a_review(reads(namespace="*")),
    "too deep": a_review(reads(where=deep(5_000))),
    "half a character": a_review(reads("\ud800")),
    "too many values": a_review(reads(where=[0] * 600_000)),
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_not_answered(raw: Any) -> None:
    with pytest.raises(BadReview):
        review_from(raw)


def test_an_update_has_both_objects() -> None:
    found = review_from(a_review(reads("a"), reads("b")))
    assert [raw["spec"]["grants"][0]["indices"] for raw in (found.new, found.old)] == [["a"], ["b"]]


@pytest.mark.parametrize("more", [{"operation": "DELETE"}, {"operation": "CONNECT"}, {"subResource": "status"}])
def test_other_operations_have_nothing_to_judge(more: dict[str, Any]) -> None:
    assert not review_from(a_review(reads(), reads(), **more)).new


def test_a_denial_has_the_message() -> None:
    review = review_from(a_review(reads()))
    assert response_to(review, Ruling(allowed=False, message="write shop-*")) == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": "5b1e",
            "allowed": False,
            "status": {"code": 403, "reason": "Forbidden", "message": "write shop-*"},
        },
    }
    assert response_to(review, ALLOWED)["response"] == {"uid": "5b1e", "allowed": True}


def test_texts_are_bounded_and_in_one_line() -> None:
    review = review_from(a_review(reads()))
    found = response_to(review, Ruling(allowed=True, warnings=("a\nb" * 1_000,) * 50))["response"]["warnings"]
    assert (len(found), {len(each) for each in found}) == (MOST_WARNINGS, {LONGEST_WARNING})
    assert found[0].startswith("a ba b")
    message = response_to(review, Ruling(allowed=False, message="x" * 9_000))["response"]["status"]["message"]
    assert len(message) == LONGEST_MESSAGE


def test_what_the_api_server_sends_is_within_the_bounds_without_a_look_at_each_value() -> None:
    assert is_within_bounds(json.dumps(a_review(reads("a"), reads("b"))).encode())


@pytest.mark.parametrize(
    "body",
    [b"[" * 201 + b"]" * 201, b"-" + b"1234567890" * 4 + b"1", b'"' + b"a" * 70_000],
    ids=["too deep", "a long number", "large"],
)
def test_what_may_exceed_the_bounds_is_looked_at(body: bytes) -> None:
    assert not is_within_bounds(body)


@pytest.mark.parametrize(("size", "parts"), [(10, 0), (70_000, 2)])
def test_a_large_request_is_read_in_parts(size: int, parts: int) -> None:
    raw = a_review(reads("a", annotations={"a": "x" * size}))
    body = json.dumps(raw).encode()
    assert len(list(reading(body))) == parts
    assert completed(reading(body)) == review_from(raw)


def test_a_request_beyond_the_bounds_is_not_read() -> None:
    with pytest.raises(BadReview):
        completed(reading(json.dumps(a_review(reads(where=deep(300)))).encode()))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**45), 10**45) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.builds(lambda value: json.dumps(value).encode(), values) | st.binary(max_size=50))
@example(b"1e999")
@example(b'"\\ud800"')
@example(b'"\xed\xa0\x80"')
@example(b"[" * 200 + b"]" * 200)
@example(b"9" * 40)
@example(b"9" * 5_000)
def test_what_is_parsed_is_within_the_bounds_and_is_what_python_reads(body: bytes) -> None:
    try:
        value = parsed(body)
    except BadReview:
        return
    assert value == json.loads(body)
    assert not is_within_bounds(body) or not excess(value, depth=200, nodes=500_000)
