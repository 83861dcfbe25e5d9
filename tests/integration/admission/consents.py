"""Attempts to get rights that need an approval: what people do on the API server, and whether they get them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import httpx

from tests.support.waiting import eventually
from tests.support.worlds.world import access, grant

BASE: Final = "/apis/searchaccess.dev/v1alpha1"
REQUESTED_BY: Final = "searchaccess.dev/requested-by"
GLASS: Final = "searchaccess.dev/break-glass"
ACCESSES, APPROVALS = "searchaccesses", "searchaccessapprovals"
RULE, SECOND = "example.com/rule", "example.com/second"
BOT: Final = "system:serviceaccount:ci:bot"
ASKER: Final = "system:serviceaccount:shop:asker"
PATIENCE: Final = 60.0


def policy(name: str, rule: dict[str, Any], label: str = RULE) -> dict[str, Any]:
    """Return a policy for SearchAccesses with a label."""
    match = {"labels": {"matchLabels": {label: name}}}
    return {
        "apiVersion": "searchaccess.dev/v1alpha1",
        "kind": "SearchAccessPolicy",
        "metadata": {"name": name},
        "spec": {"match": match, "require": {"approval": rule}},
    }


_BY: Final = {"users": ["bob", BOT], "groups": ["leads"]}
POLICIES: Final = (
    policy("people", {"by": _BY, "within": "1h", "for": "8h"}),
    policy("swift", {"by": _BY, "within": "1m", "for": "8h"}),
    policy("brief", {"by": _BY, "for": "1m"}),
    policy("glass", {"by": _BY, "within": "1h", "for": "8h", "breakGlass": {"for": "1h"}}),
    policy("short-glass", {"by": _BY, "within": "1h", "for": "8h", "breakGlass": {"for": "1m"}}),
    policy("second", {"by": {"users": ["carl"]}, "for": "8h"}, SECOND),
)


class Wait(Enum):
    """What an attempt waits for before it goes on."""

    SEEN = "the operator has seen the SearchAccess as it is"
    MINUTE = "more than a minute is over"


@dataclass
class Play:
    """One attempt, with a SearchAccess of its own.

    Args:
        client: of the API server, with all rights, also to speak as somebody else.
        name: of the SearchAccess.
        token: of the service account `ASKER`, which may request and approve and nothing else.
        refusals: what the API server did not take.
    """

    client: httpx.Client
    name: str
    token: str
    refusals: list[str] = field(default_factory=list)

    def send(self, method: str, path: str, who: str, *groups: str, token: str = "", body: Any = None) -> bool:
        """Send a request as somebody who may do everything, or with a token and the rights that it has."""
        headers = [("Impersonate-User", who)]
        headers += [("Impersonate-Group", group) for group in (*groups, *([] if token else ["system:masters"]))]
        headers += [("Authorization", f"Bearer {token}")] if token else []
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        content = None if body is None else json.dumps(body)
        request = [*headers, ("Content-Type", kind)]
        answer = self.client.request(method, f"{BASE}/{path}", headers=request, content=content)
        if not answer.is_success:
            self.refusals.append(answer.json()["message"])
        return answer.is_success

    @property
    def path(self) -> str:
        """Of the SearchAccess."""
        return f"namespaces/shop/{ACCESSES}/{self.name}"

    def get(self) -> dict[str, Any]:
        """Return the SearchAccess; empty: there is none."""
        answer = self.client.get(f"{BASE}/{self.path}")
        return dict(answer.json()) if answer.is_success else {}

    def until(self, is_so: Callable[[dict[str, Any]], Any], what: str) -> None:
        """Wait until the SearchAccess is so."""
        eventually(lambda: is_so(self.get()), within=PATIENCE, every=0.2, what=f"{self.name}: {what}")

    def request(self, rule: str = "people", by: str = "ann", who: str = "", **annotations: str) -> bool:
        """Create the SearchAccess in somebody's name, who is who sends it unless another one is named."""
        named = {REQUESTED_BY: by} if by else {}
        notes = named | ({GLASS: annotations["glass"]} if "glass" in annotations else {})
        raw = access(self.name, grant(f"{self.name}-*"), annotations=notes)
        raw["metadata"]["labels"] = {RULE: rule} | ({SECOND: "second"} if "second" in annotations else {})
        return self.send("POST", f"namespaces/shop/{ACCESSES}", who or by or "ann", body=raw)

    def edit(self, who: str = "ann", says: str = "", index: str = "other") -> bool:
        """Change the spec, and say whose it is."""
        change: dict[str, Any] = {"spec": {"grants": [grant(f"{self.name}-{index}")]}}
        change |= {"metadata": {"annotations": {REQUESTED_BY: says}}} if says else {}
        return self.send("PATCH", self.path, who, body=change)

    def approval(self, number: int = 1, **more: Any) -> dict[str, Any]:
        """Return an approval by bob of the SearchAccess as it is, with other fields in its spec; null: without."""
        found = self.get()
        about = {"uid": found["metadata"]["uid"], "generation": found["metadata"]["generation"]} if found else {}
        metadata = {"name": f"{self.name}-{number}"} | more.pop("metadata", {})
        spec = {"name": self.name, "approvedBy": {"username": "bob"}} | about | more
        kind = {"apiVersion": "searchaccess.dev/v1alpha1", "kind": "SearchAccessApproval", "metadata": metadata}
        return kind | {"spec": {key: value for key, value in spec.items() if value is not None}}

    def approve(
        self, who: str = "bob", *groups: str, says: str = "", has: tuple[str, ...] | None = None, where: str = "shop",
        token: str = "", **more: Any,
    ) -> bool:  # fmt: skip
        """Create an approval.

        Args:
            who: the user.
            groups: that the approval names.
            says: the name in it, if it is another one.
            has: groups of the user, if they are others.
            where: the namespace.
            token: see ``send``.
            more: see ``approval``.
        """
        named = {"username": says or who} | ({"groups": list(groups)} if groups else {})
        raw = self.approval(**{"approvedBy": named} | more)
        owned = groups if has is None else has
        return self.send("POST", f"namespaces/{where}/{APPROVALS}", who, *owned, token=token, body=raw)

    def withdraw(self, who: str = "bob") -> bool:
        """Delete the first approval."""
        return self.send("DELETE", f"namespaces/shop/{APPROVALS}/{self.name}-1", who)

    def move(self, who: str = "bob", **spec: Any) -> bool:
        """Change the first approval."""
        return self.send("PATCH", f"namespaces/shop/{APPROVALS}/{self.name}-1", who, body={"spec": spec})

    def recreate(self) -> None:
        """Delete the SearchAccess, and create it again."""
        self.send("DELETE", self.path, "ann")
        self.until(lambda found: not found, "gone")
        self.request()


Steps = Iterator[Wait]
"""What is done, and what is waited for meanwhile."""


@dataclass(frozen=True)
class Attempt:
    """What somebody does, and what comes of it.

    Args:
        steps: what is done.
        granted: whether there are rights in the end.
        says: a part of the message of `Ready`.
        refused: a part of what the API server says last of what it does not take; empty: it takes all.
    """

    steps: Callable[[Play], Steps]
    granted: bool
    says: str = ""
    refused: str = ""
