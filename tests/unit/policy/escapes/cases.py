"""Escapes that a tenant tries, a line each: the trick, what is written, and what is said of it."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from tests.unit.builders import a_grant, a_search_access

SANDBOX: Final[Mapping[str, Any]] = {
    "allow": [{"indices": ["{namespace}-*", ".ds-{namespace}-*"], "can": ["read", "append"]}],
    "deny": [{"indices": ["shop-vault", "*-pii"]}],
    "subjects": [{"projects": ["acme-{namespace}"]}],
    "require": {"rotateEvery": "168h", "annotations": ["example.com/ticket"]},
    "limits": {
        "grants": 5, "patterns": 20, "privileges": False, "clusterCan": [], "remoteClusters": [], "kibana": False,
        "deletionPolicies": ["Delete"], "adopt": False, "secretStores": ["main"], "secretNames": ["{namespace}-*"],
    },
}  # fmt: skip
"""Of a namespace's own indices, project and secrets."""
PRIVATE: Final[Mapping[str, Any]] = {
    "require": {"fields": True, "where": True, "hiddenFields": ["customer.email", "ssn"]},
}
"""Each grant shows some documents, and never personal data."""
TICKET: Final = {"example.com/ticket": "CHG-1"}
WITHIN: Final[Mapping[str, Any]] = {"grants": [a_grant("shop-orders")], "annotations": TICKET}
"""A SearchAccess within the sandbox, which is accepted."""
NARROW: Final = a_grant("shop-orders", fields={"include": ["region"]}, where={"term": {"region": "eu"}})
"""A grant that shows some documents, without personal data, which is accepted."""
KEY: Final[Mapping[str, Any]] = {
    "auth": "ApiKey",
    "credential": {"store": "main", "name": "shop-orders", "rotateEvery": "24h", "overlap": "1h"},
}


class Escape(NamedTuple):
    """What is written, and what is said of it.

    Args:
        name: says the trick.
        spec: parts of the SearchAccess in which it differs from one that is accepted.
        says: a part of what is said.
        policy: of the policy that is in its way.
    """

    name: str
    spec: Mapping[str, Any]
    says: str
    policy: Mapping[str, Any] = SANDBOX

    @property
    def manifest(self) -> dict[str, Any]:
        """The SearchAccess."""
        return a_search_access(**{**WITHIN, **self.spec})


BEYOND: Final = "read is allowed only on shop-*, .ds-shop-*, not on "
