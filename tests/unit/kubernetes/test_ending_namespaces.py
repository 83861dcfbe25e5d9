"""Refusals of the API server in a namespace that is being deleted."""

import json
from typing import Any

import pytest
from kubernetes.aio.client.exceptions import ApiException

from searchaccess.adapters.kubernetes.errors import map_error
from searchaccess.ports.errors import NamespaceEnds, PermissionDenied, Rejected

CAUSES = {"causes": [{"reason": "NamespaceTerminating", "message": "…", "field": "metadata.namespace"}]}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        pytest.param(403, {"message": "no", "details": CAUSES}, NamespaceEnds, id="it ends"),
        pytest.param(403, {"message": "no"}, PermissionDenied, id="no details"),
        pytest.param(
            403, {"message": "no", "details": {"causes": [{"reason": "Other"}]}}, PermissionDenied, id="other"
        ),
        pytest.param(403, {"message": "no", "details": {"causes": "odd"}}, PermissionDenied, id="odd causes"),
        pytest.param(403, [], PermissionDenied, id="no object"),
        pytest.param(422, {"message": "no", "details": CAUSES}, Rejected, id="another status"),
    ],
)
def test_only_a_refusal_with_that_cause_says_that_the_namespace_ends(status: int, body: Any, kind: type) -> None:
    error = map_error(ApiException(status=status, reason="x", body=json.dumps(body)))
    assert type(error) is kind
