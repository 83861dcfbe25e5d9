"""Requests to Elasticsearch with the tokens of service accounts, what must come of each, and what came."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.demo.data import ORDERS, count_of

SEARCH = "/orders-*/_search"
_WORDS = {
    200: "ok",
    201: "created",
    401: "unauthenticated",
    403: "refused",
    404: "not found",
}
_SECRETS = ("customer.ssn", "payment.iban")
EU, ALL = count_of("eu"), sum(map(len, ORDERS.values()))
_ENTRY = {"at": "2026-11-09T09:00:00Z", "event": "refunded"}


def status(answer: httpx.Response) -> str:
    return f"{answer.status_code} {_WORDS.get(answer.status_code, answer.reason_phrase)}"


def orders(answer: httpx.Response) -> str:
    """How many orders came, and of which regions."""
    if not answer.is_success:
        return status(answer)
    hits = answer.json()["hits"]["hits"]
    regions = sorted({hit["_source"]["region"] for hit in hits})
    return f"{answer.status_code}: {len(hits)} orders ({', '.join(regions)})"


def secrets(answer: httpx.Response) -> str:
    """Which of the fields that identify a customer came."""
    if not answer.is_success:
        return status(answer)
    sources = [hit["_source"] for hit in answer.json()["hits"]["hits"]]
    names = {path for source in sources for path in _paths(source)}
    shown = [name.rsplit(".", 1)[-1] for name in _SECRETS if name in names]
    return f"{answer.status_code}: {' and '.join(shown) or 'neither'}"


def hits(answer: httpx.Response) -> str:
    if not answer.is_success:
        return status(answer)
    number = len(answer.json()["hits"]["hits"])
    return f"{answer.status_code}: {number} hit{'' if number == 1 else 's'}"


def _paths(document: dict[str, Any], prefix: str = "") -> Iterable[str]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


@dataclass(frozen=True)
class Call:
    """One request, and what must come of it."""

    method: str
    path: str
    expected: str
    describe: Callable[[httpx.Response], str] = status
    body: dict[str, Any] | None = None
    note: str = ""
    token: dict[str, Any] = field(default_factory=dict)
    """What is different about the token."""

    def send(self, client: httpx.Client) -> str:
        return self.describe(client.request(self.method, self.path, json=self.body))

    def __str__(self) -> str:
        return f"{self.method} {self.path}" + (f"  ({self.note})" if self.note else "")


@dataclass(frozen=True)
class Caller:
    """A service account, in what capacity it comes, and what it tries."""

    name: str
    capacity: str
    calls: tuple[Call, ...]


_ORDER = "/orders-2026-11/_doc/1007"
_NEW_ORDER = {**ORDERS["orders-2026-11"][0], "order": 1008, "region": "us"}

CALLERS = (
    Caller(
        "shop-web",
        "reads orders of the eu, without ssn and payment (orders-reader)",
        (
            Call("GET", SEARCH, f"200: {EU} orders (eu)", orders),
            Call("GET", SEARCH, "200: neither", secrets, note="ssn and iban?"),
            Call("GET", f"{SEARCH}?q=customer.ssn:281*", "200: 0 hits", hits),
            Call("GET", "/orders-2026-11/_doc/1004", "404 not found", note="a us order"),
            Call("PUT", _ORDER, "403 refused", body=_NEW_ORDER),
            Call("DELETE", _ORDER, "403 refused"),
            Call("GET", "/audit-payments/_search", "403 refused"),
        ),
    ),
    Caller(
        "orders-indexer",
        "reads and writes orders, appends to its log (orders-indexer)",
        (
            Call("GET", SEARCH, f"200: {ALL} orders (eu, us)", orders),
            Call("GET", SEARCH, "200: ssn and iban", secrets, note="ssn and iban?"),
            Call("GET", f"{SEARCH}?q=customer.ssn:281*", "200: 1 hit", hits),
            Call("PUT", "/orders-2026-11/_doc/1008", "201 created", body=_NEW_ORDER),
            Call("DELETE", "/orders-2026-11/_doc/1008", "403 refused"),
            Call("POST", "/indexer-log/_doc", "201 created", body={"at": "2026-11-09T09:00:00Z", "indexed": 1}),
            Call("GET", "/indexer-log/_search", "403 refused"),
            Call("GET", "/_cluster/health", "200 ok"),
        ),
    ),
    Caller(
        "payments",
        "appends to the audit trail, and nothing else (audit-writer)",
        (
            Call("POST", "/audit-payments/_doc", "201 created", body=_ENTRY),
            Call("PUT", "/audit-payments/_doc/1", "403 refused", body=_ENTRY, note="overwrite"),
            Call("DELETE", "/audit-payments/_doc/1", "403 refused"),
            Call("GET", "/audit-payments/_search", "403 refused"),
        ),
    ),
    Caller(
        "audit-report",
        "is declared with mode: Observe, so nothing is granted yet (audit-reader)",
        (Call("GET", "/audit-payments/_search", "403 refused"),),
    ),
    Caller(
        "marketing",
        "has no SearchAccess",
        (
            Call("GET", SEARCH, "403 refused"),
            Call("PUT", "/_security/role/mine", "403 refused", body={"cluster": ["all"]}),
        ),
    ),
    Caller(
        "shop-web",
        "with a token that must be refused",
        (
            Call(
                "GET",
                SEARCH,
                "401 unauthenticated",
                note="another audience",
                token={"audience": "https://other.example.com"},
            ),
            Call("GET", SEARCH, "401 unauthenticated", note="expired", token={"lifetime": -600}),
        ),
    ),
)
