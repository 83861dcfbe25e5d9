"""Reads an AdmissionReview and builds the response.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from searchaccess.core.model.intake.bounds import DIGITS, excess
from searchaccess.core.model.intake.metadata import part
from searchaccess.core.model.intake.reading import is_label, is_uid, mapping
from searchaccess.core.webhook.ruling import Ruling
from searchaccess.core.work import Work

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"
MOST_WARNINGS: Final = 10
LONGEST_WARNING: Final = 250
"""Characters: the API server may cut longer ones."""
LONGEST_MESSAGE: Final = 2_000
"""Characters of the message of a denial."""
MOST_VALUES: Final = 500_000
"""Of both objects, with their metadata: reading so many takes some tenths of a second."""

_DEPTH: Final = 200
"""Levels of an AdmissionReview: more than a spec that can be read has."""
_TEXT: Final = 4_200_000
_SMALL: Final = 64 * 1024
"""Bytes: a smaller request cannot have too many values or characters."""
_ZEROS: Final = bytes(ord("0") if chr(code).isdecimal() else code for code in range(256))
"""Translates all digits to zeros."""
_LONG_NUMBER: Final = b"0" * (DIGITS + 1)
_BEGIN_VALUES: Final = (b",", b"[", b"{")
"""Texts may contain these characters too, but few compared with the limit."""
_JUDGED: Final = frozenset({"CREATE", "UPDATE"})
_FORBIDDEN: Final = 403


class BadReview(ValueError):
    """It is not an AdmissionReview that can be answered."""


@dataclass(frozen=True, slots=True)
class Review:
    """A request of the API server.

    Args:
        uid: identifies the request.
        new: the object as it would be stored; empty for other operations than CREATE and UPDATE.
        old: the object as it is stored; empty: there is none.
    """

    uid: str
    new: Mapping[str, Any]
    old: Mapping[str, Any]


def reading(body: bytes | bytearray) -> Work[Review]:
    """Read the body of a request, in several parts if it is large: each may take a tenth of a second.

    Raises:
        BadReview: it is no AdmissionReview, or exceeds the bounds within which objects are read.
    """
    raw = parsed(body)
    if is_within_bounds(body):
        return review_from(raw, is_bounded=True)
    yield len(body)
    review = review_from(raw)
    yield len(body)
    return review


def parsed(body: bytes | bytearray) -> Any:
    """Return the JSON of a request.

    Raises:
        BadReview: it is not JSON, or has so many values that parsing alone would take too long.
    """
    if len(body) > _SMALL and sum(map(body.count, _BEGIN_VALUES)) > MOST_VALUES:
        raise BadReview(f"more than {MOST_VALUES} values")
    try:
        # It accepts less than Python's json, which is what Kubernetes never sends: half characters, NaN, infinity.
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise BadReview("the request is not readable JSON") from None


def is_within_bounds(body: bytes | bytearray) -> bool:
    """Return whether what ``parsed`` returns is certain to be within the bounds: most requests are.

    Counting the values takes longer than parsing them.
    """
    is_shallow = body.count(b"{") + body.count(b"[") <= _DEPTH
    return len(body) <= _SMALL and is_shallow and _LONG_NUMBER not in body.translate(_ZEROS)


def review_from(raw: Any, *, is_bounded: bool = False) -> Review:
    """Read an AdmissionReview.

    Args:
        raw: its JSON.
        is_bounded: whether it is certain that it is within the bounds, see ``is_within_bounds``.

    Raises:
        BadReview: it is none, or exceeds the bounds within which objects are read.
    """
    if not is_bounded and (found := excess(raw, depth=_DEPTH, nodes=MOST_VALUES, text=_TEXT)):
        raise BadReview(found)
    request = part(raw, "request")
    uid = request.get("uid")
    if mapping(raw).get("apiVersion") != API_VERSION or not is_uid(uid):
        raise BadReview(f"not an {KIND} of {API_VERSION} with a request")
    judged = request.get("operation") in _JUDGED and not request.get("subResource")
    new = part(request, "object") if judged else {}
    if judged and not is_label(part(new, "metadata").get("namespace")):
        raise BadReview("the request has no object of a namespace")
    return Review(str(uid), new, part(request, "oldObject") if judged else {})


def response_to(review: Review, ruling: Ruling) -> dict[str, Any]:
    """Return the AdmissionReview that answers a request."""
    response: dict[str, Any] = {"uid": review.uid, "allowed": ruling.allowed}
    if not ruling.allowed:
        message = _shown(ruling.message, LONGEST_MESSAGE)
        response["status"] = {"code": _FORBIDDEN, "reason": "Forbidden", "message": message}
    if ruling.warnings:
        response["warnings"] = [_shown(each, LONGEST_WARNING) for each in ruling.warnings[:MOST_WARNINGS]]
    return {"apiVersion": API_VERSION, "kind": KIND, "response": response}


def _shown(text: str, limit: int) -> str:
    """Return a text that fits into a header line."""
    plain = " ".join(text.split())
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"
