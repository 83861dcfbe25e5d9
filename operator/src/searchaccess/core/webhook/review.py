"""Reads an AdmissionReview and builds the response.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from searchaccess.core.model.intake.bounds import excess
from searchaccess.core.model.intake.metadata import part
from searchaccess.core.model.intake.reading import is_label, is_uid, mapping
from searchaccess.core.webhook.ruling import Ruling

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"
MOST_WARNINGS: Final = 10
LONGEST_WARNING: Final = 250
"""Characters: the API server may cut longer ones."""
LONGEST_MESSAGE: Final = 2_000
"""Characters of the message of a denial."""
MOST_VALUES: Final = 500_000
"""Of both objects, with their metadata: some tenths of a second to read."""

_DEPTH: Final = 200
"""Levels of an AdmissionReview: more than a spec that can be read has."""
_TEXT: Final = 4_200_000
_JUDGED: Final = frozenset({"CREATE", "UPDATE"})
_FORBIDDEN: Final = 403


class BadReview(ValueError):
    """It is no AdmissionReview that can be answered."""


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


def review_from(raw: Any) -> Review:
    """Read an AdmissionReview.

    Raises:
        BadReview: it is none, or exceeds the bounds within which objects are read.
    """
    if found := excess(raw, depth=_DEPTH, nodes=MOST_VALUES, text=_TEXT):
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
