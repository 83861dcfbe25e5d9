"""What a row of the tables is, and how requests are written."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.contract.gateway.tokens import Forger

CALLER = "orders@acme-shop.iam.gserviceaccount.com"
VICTIM = "payments@acme-pay.iam.gserviceaccount.com"
PREFIX = "searchaccess.prod."
GOOD = b"<good token>"
"""Stands for a token of the caller."""
CLOSED = 0
"""In place of a status: the connection is closed, or stays open, without an answer."""


@dataclass(frozen=True, slots=True)
class Row:
    """An attack, or a request that looks like one and is served."""

    name: str
    request: Callable[[Forger], bytes]
    status: int
    """Of the first answer."""
    why: str
    arrives: int = 0
    """How many requests arrive at Elasticsearch."""

    def __str__(self) -> str:
        return self.name


def raw(
    target: str = "/orders/_doc/1",
    *headers: str,
    method: str = "GET",
    body: bytes = b"",
    token: bytes | None = GOOD,
    version: str = "HTTP/1.1",
) -> bytes:
    """A request as bytes. Headers are lines."""
    lines = [f"{method} {target} {version}", "Host: es.example.com", *headers]
    if token is not None:
        lines.append(f"Authorization: Bearer {token.decode('latin-1')}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def row(name: str, request: bytes, status: int, why: str, arrives: int = 0) -> Row:
    """A row whose request is the same for all keys, except for the caller's token."""
    return Row(name, lambda forger: request.replace(GOOD, forger.mint(CALLER).encode()), status, why, arrives)


def with_token(name: str, token: Callable[[Forger], str | bytes], status: int, why: str) -> Row:
    """A row with another token. It arrives if it is served."""

    def request(forger: Forger) -> bytes:
        made = token(forger)
        return raw(token=made if isinstance(made, bytes) else made.encode())

    return Row(name, request, status, why, arrives=int(status == 200))


def names_are_unique(rows: Iterable[Row]) -> list[Row]:
    """All rows; fails if two have one name."""
    listed = list(rows)
    names = [one.name for one in listed]
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
    return listed
