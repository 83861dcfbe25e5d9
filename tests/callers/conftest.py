"""A workload on Cloud Run, as far as it sees: its metadata server, its environment, and a real Elasticsearch.

This Elasticsearch writes an audit log and allows no clock skew, so that a token ends when it says.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from searchaccess_client import AsyncElasticsearch, Elasticsearch, tokens
from tests.callers.programs import RUNTIMES, SERVICE, command_of
from tests.stack.elasticsearch import LocalElasticsearch
from tests.stack.running.logs import entries_of
from tests.stack.trust.tokens import TokenIssuer
from tests.support.metadata import RENEWED_BEFORE, MetadataServer
from tests.support.waiting import eventually
from tests.support.worlds.world import account

PRINCIPAL = account("orders-caller")

_NAMES = (
    "K_SERVICE",
    "K_REVISION",
    "CLOUD_RUN_JOB",
    "CLOUD_RUN_EXECUTION",
    "CLOUD_RUN_WORKER_POOL",
    "CLOUD_RUN_WORKER_POOL_REVISION",
)


@pytest.fixture(scope="package")
def elasticsearch(built_elasticsearch: None) -> Iterator[LocalElasticsearch]:  # noqa: ARG001 - built before any test.
    skew = f"xpack.security.authc.realms.jwt.{LocalElasticsearch.realm}.allowed_clock_skew"
    with LocalElasticsearch(settings={skew: "0s"}, audit=True, heap="512m") as server:
        with server.client() as admin:
            rights = {"names": ["orders-*"], "privileges": ["read", "write", "view_index_metadata", "create_index"]}
            rules = {"field": {"username": PRINCIPAL}}
            for path, body in (
                ("/_security/role/orders-caller", {"indices": [rights]}),
                ("/_security/role_mapping/caller", {"roles": ["orders-caller"], "enabled": True, "rules": rules}),
                ("/orders-eu/_doc/1?refresh=true", {"total": 12}),
                ("/invoices-eu/_doc/1?refresh=true", {"total": 12}),
            ):
                admin.put(path, json=body).raise_for_status()
        yield server


@pytest.fixture
def metadata(elasticsearch: LocalElasticsearch) -> Iterator[MetadataServer]:
    with MetadataServer(elasticsearch.issuer, PRINCIPAL) as server:
        yield server


@pytest.fixture
def on_cloud_run(metadata: MetadataServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a revision of a Cloud Run service, in this process; the metadata server may be slow on a busy machine."""
    monkeypatch.setattr(tokens, "LIMIT", 60.0)
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in SERVICE.items():
        monkeypatch.setenv(name, value)
    metadata.show_to(monkeypatch)


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a renewal be tried at each call."""
    monkeypatch.setattr(tokens, "PAUSE", 0.0)


@pytest.fixture
def client(elasticsearch: LocalElasticsearch, on_cloud_run: None) -> Iterator[Elasticsearch]:  # noqa: ARG001
    with closing(Elasticsearch(elasticsearch.url, **_options(elasticsearch))) as client:
        yield client


@pytest.fixture
def make_async(elasticsearch: LocalElasticsearch, on_cloud_run: None) -> Callable[[], AsyncElasticsearch]:  # noqa: ARG001
    """Return a client in the test's own event loop."""
    return lambda: AsyncElasticsearch(elasticsearch.url, **_options(elasticsearch))


@pytest.fixture(params=RUNTIMES)
def command(request: pytest.FixtureRequest) -> list[str]:
    """How an example is started, without the indices to search."""
    return command_of(request.param)


def _options(server: LocalElasticsearch) -> dict[str, Any]:
    return {"audience": server.audience, "ca_certs": str(server.ca_file)}


def audited(server: LocalElasticsearch, **wanted: str) -> list[dict[str, Any]]:
    """Return the audit log's events of the workload that have these values, once there are any."""

    def observe() -> list[dict[str, Any]]:
        events = entries_of(server.audit_file.read_text())
        return [event for event in events if event.items() >= ({"user.name": PRINCIPAL} | wanted).items()]

    return eventually(observe, what=f"in the audit log: {wanted}")


class InTurn(TokenIssuer):
    """Signs by one issuer after the other, and by the last one forever.

    Args:
        issuers: who signs.
    """

    def __init__(self, *issuers: TokenIssuer) -> None:
        self._issuers = list(issuers)

    def mint(self, email: str, **options: Any) -> str:
        issuer = self._issuers.pop(0) if len(self._issuers) > 1 else self._issuers[0]
        return issuer.mint(email, **options)


class FirstNearItsEnd(TokenIssuer):
    """The first of its tokens ends so soon that it is to be renewed.

    Args:
        issuer: signs.
    """

    def __init__(self, issuer: TokenIssuer) -> None:
        self._issuer = issuer
        self._first = True

    def mint(self, email: str, **options: Any) -> str:
        if self._first:
            options["lifetime"] = RENEWED_BEFORE - 5
        self._first = False
        return self._issuer.mint(email, **options)
