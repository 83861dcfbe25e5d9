"""What the client for workloads sends and refuses, seen by a server that records it; and what importing it needs."""

import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from elasticsearch import ApiError, AuthenticationException, ConnectionTimeout, TransportError

from searchaccess_client import AsyncElasticsearch, Elasticsearch, backoff
from searchaccess_client.transports import opaque_id
from tests.callers.conftest import InTurn
from tests.callers.recorder import HANGS, Recorder, recording
from tests.stack.trust.certificates import write_server_certificate
from tests.stack.trust.tokens import TokenIssuer
from tests.support.leaks import leaks
from tests.support.metadata import MetadataServer

AUDIENCE = "https://es.example.com"
SECRET = "kept in secret manager, 100% of it"


@pytest.fixture
def server(tmp_path: Path, on_cloud_run: None) -> Iterator[Recorder]:  # noqa: ARG001
    with recording(tmp_path) as recorder:
        yield recorder


def client_of(server: Recorder, **options: Any) -> Elasticsearch:
    return Elasticsearch(server.url, audience=AUDIENCE, ca_certs=str(server.ca_file), **options)


def test_the_shared_client_secret_goes_with_each_request(server: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"), client_of(server, client_secret=SECRET) as client:
        client.search(index="orders")
        client.options(request_timeout=5).indices.get_alias()
    assert [sent["es-client-authentication"] for sent in server.requests] == [f"SharedSecret {SECRET}"] * 2
    assert "Es-Client-Authentication: SharedSecret <hidden>" in caplog.text
    assert not leaks({"log": caplog.text, "client": f"{client!r} {client.transport!r}"}, [SECRET])


async def test_the_shared_client_secret_goes_with_each_request_with_asyncio_too(server: Recorder) -> None:
    async with AsyncElasticsearch(
        server.url, audience=AUDIENCE, ca_certs=str(server.ca_file), client_secret=SECRET
    ) as client:
        await client.search(index="orders")
    assert server.requests[0]["es-client-authentication"] == f"SharedSecret {SECRET}"


def test_without_a_secret_there_is_no_such_header(server: Recorder) -> None:
    with client_of(server) as client:
        client.search(index="orders")
    assert "es-client-authentication" not in server.requests[0]
    assert server.requests[0]["authorization"].startswith("Bearer ey")
    assert server.requests[0]["x-opaque-id"] == "orders/orders-00042-abc"


def test_an_opaque_id_given_to_the_client_wins(server: Recorder) -> None:
    with client_of(server, opaque_id="nightly") as client:
        client.search(index="orders")
    assert server.requests[0]["x-opaque-id"] == "nightly"


def test_a_login_that_one_request_asks_for_is_left_alone(server: Recorder, metadata: MetadataServer) -> None:
    server.statuses += [401]
    with client_of(server) as client, pytest.raises(AuthenticationException):
        client.options(api_key="a2V5").search(index="orders")
    assert [sent["authorization"] for sent in server.requests] == ["ApiKey a2V5"]
    assert metadata.audiences == []


@pytest.mark.parametrize("status", [403, 404, 409])
def test_no_other_answer_makes_a_request_go_out_again(server: Recorder, status: int) -> None:
    server.statuses += [status]
    with client_of(server) as client:
        assert client.options(ignore_status=status).search(index="orders").meta.status == status
    assert len(server.requests) == 1


def test_a_request_that_stays_refused_goes_out_twice_and_no_more(server: Recorder, metadata: MetadataServer) -> None:
    server.statuses += [401] * 10
    with client_of(server, max_retries=5, retry_on_timeout=True) as client, pytest.raises(AuthenticationException):
        client.search(index="orders", query={"match_all": {}})
    assert len(server.requests) == 2
    assert len(set(server.bodies)) == 1
    assert len(metadata.audiences) == 2


# Elasticsearch is busy, or unavailable


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long a client waits before each retry; nobody does."""
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(backoff, "time", SimpleNamespace(sleep=waited.append))
    monkeypatch.setattr(backoff, "asyncio", SimpleNamespace(sleep=wait))
    return waited


def grow(pauses: list[float]) -> bool:
    """Whether each is about twice the one before, and the first about half a second."""
    return all(0.25 * 2**retry <= pause <= 0.75 * 2**retry for retry, pause in enumerate(pauses))


def test_it_waits_longer_before_each_retry(server: Recorder, pauses: list[float]) -> None:
    server.statuses += [429, 503, 502]
    with client_of(server, max_retries=3) as client:
        client.search(index="orders", query={"match_all": {}})
    assert len(server.requests) == 4
    assert len(set(server.bodies)) == 1
    assert len(pauses) == 3
    assert grow(pauses)


async def test_it_waits_longer_before_each_retry_with_asyncio_too(server: Recorder, pauses: list[float]) -> None:
    server.statuses += [429, 503, 502]
    options: dict[str, Any] = {"audience": AUDIENCE, "ca_certs": str(server.ca_file), "max_retries": 3}
    async with AsyncElasticsearch(server.url, **options) as client:
        await client.search(index="orders", query={"match_all": {}})
    assert len(server.requests) == 4
    assert len(pauses) == 3
    assert grow(pauses)


@pytest.mark.parametrize(
    ("options", "requests"),
    [
        ({"max_retries": 0}, 1),
        ({"max_retries": 2}, 3),
        ({"retry_on_status": ()}, 1),
        ({"retry_on_status": (429,)}, 1),
    ],
    ids=str,
)
def test_elastics_own_options_say_whether_and_how_often(
    server: Recorder, pauses: list[float], options: dict[str, Any], requests: int
) -> None:
    server.statuses += [503] * 20
    with client_of(server) as client, pytest.raises(ApiError):
        client.options(**options).search(index="orders")
    assert len(server.requests) == requests
    assert len(pauses) == requests - 1


def test_no_pause_is_longer_than_seconds() -> None:
    assert all(backoff.pause(retry) <= 12 for retry in range(100))


def test_a_token_that_expires_between_two_retries_is_replaced(
    server: Recorder, metadata: MetadataServer, pauses: list[float]
) -> None:
    metadata.issuer = InTurn(TokenIssuer(), metadata.issuer)
    server.statuses += [503, 401, 503]
    with client_of(server) as client:
        client.search(index="orders")
    assert [sent["authorization"] for sent in server.requests].count(server.requests[0]["authorization"]) == 2
    assert len(server.requests) == 4
    assert len(pauses) == 2


# Elasticsearch cannot be reached, or does not answer

NOWHERE = "https://127.0.0.1:1"
WRITE = {"index": "orders", "document": {"total": 1}}


async def search_and_write(url: str, ca_file: Path, kind: type, call: str, **options: Any) -> Exception | None:
    """Return the error of one request by one of the two clients."""
    client = kind(url, audience=AUDIENCE, ca_certs=str(ca_file), **options)
    arguments: dict[str, Any] = WRITE if call == "index" else {"index": "orders"}
    try:
        answer = getattr(client, call)(**arguments)
        if kind is AsyncElasticsearch:
            await answer
    except TransportError as error:
        return error
    finally:
        closed = client.close()
        if closed:
            await closed
    return None


BOTH = pytest.mark.parametrize("kind", [Elasticsearch, AsyncElasticsearch])


@BOTH
@pytest.mark.parametrize(("call", "requests"), [("search", 2), ("index", 1)])
async def test_a_read_whose_connection_is_cut_is_sent_again_and_a_write_is_not(
    server: Recorder, pauses: list[float], kind: type, call: str, requests: int
) -> None:
    server.statuses += [0]
    error = await search_and_write(server.url, server.ca_file, kind, call)
    assert len(server.requests) == requests
    assert len(pauses) == requests - 1
    assert (error is None) is (call == "search")
    if error:
        assert "isconnected" in str(error), "it says why"


@BOTH
@pytest.mark.parametrize(("call", "requests"), [("search", 2), ("index", 1)])
async def test_after_a_gateway_gave_up_a_read_is_sent_again_and_a_write_is_not(
    server: Recorder, pauses: list[float], kind: type, call: str, requests: int
) -> None:
    server.statuses += [504]
    with suppress(ApiError):
        await search_and_write(server.url, server.ca_file, kind, call)
    assert len(server.requests) == requests
    assert len(pauses) == requests - 1


@BOTH
@pytest.mark.parametrize("call", ["search", "index"])
async def test_a_refused_connection_is_tried_again_with_pauses_and_the_error_says_why(
    server: Recorder, pauses: list[float], kind: type, call: str
) -> None:
    error = await search_and_write(NOWHERE, server.ca_file, kind, call, max_retries=3)
    assert "127.0.0.1" in str(error)
    assert "refused" in str(error) or "Connect call failed" in str(error)
    assert isinstance(error, TransportError)
    assert len(error.errors) == 4, "the cause, and the attempts before"
    assert len(pauses) == 3
    assert grow(pauses)


@BOTH
async def test_a_certificate_that_cannot_be_verified_is_final(
    server: Recorder, pauses: list[float], kind: type, tmp_path: Path
) -> None:
    other = write_server_certificate(tmp_path / "other").ca_file
    error = await search_and_write(server.url, other, kind, "search")
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert server.requests == []
    assert pauses == []


@BOTH
@pytest.mark.parametrize(("call", "requests"), [("search", 2), ("index", 1)])
async def test_where_a_timeout_may_be_retried_a_write_is_not(
    server: Recorder, pauses: list[float], kind: type, call: str, requests: int
) -> None:
    server.statuses += [HANGS, HANGS]
    more = {"retry_on_timeout": True, "max_retries": 1, "request_timeout": 2.0}
    error = await search_and_write(server.url, server.ca_file, kind, call, **more)
    assert isinstance(error, ConnectionTimeout)
    assert len(server.requests) == requests
    assert len(pauses) == requests - 1


# What it says and refuses


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"K_SERVICE": "shop", "K_REVISION": "shop-7", "K_CONFIGURATION": "shop"}, "shop/shop-7"),
        ({"CLOUD_RUN_JOB": "nightly", "CLOUD_RUN_EXECUTION": "nightly-x7"}, "nightly/nightly-x7"),
        ({"CLOUD_RUN_WORKER_POOL": "pool", "CLOUD_RUN_WORKER_POOL_REVISION": "pool-3"}, "pool/pool-3"),
        ({"K_SERVICE": "shop"}, "shop"),
        ({"HOSTNAME": "laptop"}, ""),
    ],
)
def test_services_jobs_and_worker_pools_are_recognized_by_what_cloud_run_sets(
    environment: Mapping[str, str], expected: str
) -> None:
    assert opaque_id(environment) == expected


def test_outside_of_cloud_run_there_is_no_opaque_id(server: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("K_SERVICE")
    with client_of(server) as client:
        client.search(index="orders")
    assert "x-opaque-id" not in server.requests[0]


def lax() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    return context


@pytest.mark.parametrize("kind", [Elasticsearch, AsyncElasticsearch])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hosts": "http://es.example.com:9200"}, "es.example.com:9200 must use https"),
        ({"hosts": ["https://a:9200", "http://b:9200"]}, "b:9200 must use https"),
        ({"verify_certs": False, "ssl_show_warn": False}, "must be verified"),
        ({"ssl_assert_hostname": False}, "must be verified"),
        ({"ssl_context": lax()}, "must be verified"),
        ({"audience": ""}, "audience is required"),
        ({"api_key": "a2V5"}, "api_key: this client logs in only with the workload's identity token"),
        ({"basic_auth": ("elastic", "changeme")}, "basic_auth: this client"),
    ],
    ids=lambda value: None if isinstance(value, str) else next(iter(value)),
)
def test_what_would_give_the_token_away_is_refused(kind: type, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**{"hosts": "https://es.example.com:9200", "audience": AUDIENCE} | options)


_IMPORT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"{{name}} is not installed", name=name)

sys.meta_path.insert(0, Absent())
import searchaccess_client
searchaccess_client.Elasticsearch("https://es.example.com:9200", audience="a")
print(*sorted(name for name in sys.modules if name.startswith("searchaccess")))
"""
_ABSENT = {"aiohttp", "kopf", "kubernetes", "pydantic", "rich", "structlog", "typer", "yaml"}
"""All that the project depends on, apart from elasticsearch and google-auth."""


def test_importing_it_needs_elasticsearch_and_google_auth_only() -> None:
    script = _IMPORT.format(absent=_ABSENT)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        f"searchaccess_client{part}"
        for part in ("", ".attempts", ".backoff", ".clients", ".exchange", ".failures", ".tokens", ".transports")
    ]
