"""Google's own libraries against Google's own messages, and the port in memory: both say the same."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from google.auth import default as application_default
from google.cloud import run_v2
from google.oauth2.credentials import Credentials

from searchaccess.adapters.googlecloud.client import GoogleClient
from searchaccess.adapters.googlecloud.convert import service_found
from searchaccess.core.model.identities.workload import Account, SecretUse, Serving, Template, Workload, WorkloadKind
from searchaccess.ports.errors import (
    Conflict,
    ExternalError,
    LoginMissing,
    LoginRefused,
    NotFound,
    PermissionDenied,
    Throttled,
    TlsNotVerified,
    Unexpected,
    Unreachable,
)
from searchaccess.ports.google import GooglePort
from tests.stack.trust.certificates import ServerCertificate, write_server_certificate
from tests.stack.trust.tokens import TokenIssuer
from tests.support.failures.faults import Faults
from tests.support.memory.google import MemoryGoogle
from tests.support.metadata import MetadataServer
from tests.support.servers.googleserver import GoogleServer
from tests.support.servers.googlestate import DEFAULT_ACCOUNT, PROJECT, GoogleState, a_workload
from tests.support.waiting import eventually
from tests.support.worlds.world import account

SERVICE, POOL, JOB = (
    a_workload("orders", kind) for kind in (WorkloadKind.SERVICE, WorkloadKind.WORKER_POOL, WorkloadKind.JOB)
)
ORDERS, OTHER = account("orders"), account("other")


@pytest.fixture
def state() -> GoogleState:
    return GoogleState()


@pytest.fixture
def server(
    state: GoogleState, certificate: ServerCertificate, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GoogleServer]:
    with GoogleServer(state, certificate, page=2) as running:
        monkeypatch.setattr("google.auth.default", lambda **_: (Credentials("the-token"), PROJECT))
        yield running


@pytest.fixture
async def google_client(server: GoogleServer) -> AsyncIterator[GoogleClient]:
    client = GoogleClient(server.address, server.address)
    yield client
    await client.close()


@pytest.fixture(params=["real", "memory"])
async def google(request: pytest.FixtureRequest, state: GoogleState) -> AsyncIterator[GooglePort]:
    if request.param == "memory":
        memory = MemoryGoogle(Faults(), page=2)
        memory.state = state
        yield memory
        return
    server: GoogleServer = request.getfixturevalue("server")
    client = GoogleClient(server.address, server.address)
    yield client
    await client.close()


@pytest.mark.parametrize("workload", [SERVICE, POOL, JOB], ids=str)
async def test_a_workload_as_deployed(google: GooglePort, state: GoogleState, workload: Workload) -> None:
    state.deploy(workload, ORDERS)
    assert await google.get_workload(workload) == state.workloads[workload]


@pytest.mark.parametrize("workload", [SERVICE, POOL], ids=str)
async def test_shares_tags_and_what_is_under_way(google: GooglePort, state: GoogleState, workload: Workload) -> None:
    old, new = state.deploy(workload, ORDERS), state.deploy(workload, OTHER, ready=False)
    tag = "canary" if workload is SERVICE else ""
    serving = (Serving(old, 100), Serving(new, 0 if tag else 5, tag))
    state.workloads[workload] = replace(state.workloads[workload], serving=serving, reconciling=True)
    found = await google.get_workload(workload)
    assert found == state.workloads[workload]
    assert (await google.revision_template(workload, old), await google.revision_template(workload, new)) == (
        Template(ORDERS),
        Template(OTHER),
    )


@pytest.mark.parametrize("kind", WorkloadKind)
async def test_lists_come_by_pages(google: GooglePort, state: GoogleState, kind: WorkloadKind) -> None:
    workloads = [a_workload(name, kind) for name in ("a", "b", "c")]
    for workload in (*workloads, a_workload("elsewhere", kind, location="us-east1")):
        state.deploy(workload)
    first = await google.list_workloads(workloads[0].place)
    assert [found.workload for found in first.items] == workloads[:2]
    second = await google.list_workloads(workloads[0].place, first.following)
    assert ([found.workload for found in second.items], second.following) == (workloads[2:], "")


async def test_executions_that_run(google: GooglePort, state: GoogleState) -> None:
    state.deploy(JOB, ORDERS)
    first, second = state.execute(JOB), state.execute(JOB)
    state.complete(JOB, first)
    assert (await google.running_executions(JOB)).running == {second: Template(ORDERS)}


USES = (SecretUse("orders-elasticsearch", "3"), SecretUse("projects/other/secrets/x", "latest"))


@pytest.mark.parametrize("workload", [SERVICE, JOB, POOL], ids=str)
async def test_secrets_in_templates(google: GooglePort, state: GoogleState, workload: Workload) -> None:
    revision = state.deploy(workload, ORDERS, uses=USES)
    assert (await google.get_workload(workload)).uses == USES
    [listed] = (await google.list_workloads(workload.place)).items
    assert listed.uses == USES
    if workload is JOB:
        name = state.execute(JOB)
        assert (await google.running_executions(JOB)).running[name] == Template(ORDERS, USES)
    else:
        assert await google.revision_template(workload, revision) == Template(ORDERS, USES)


SECRET = (f"projects/{PROJECT}/secrets/orders-elasticsearch",)


@pytest.mark.parametrize("workload", [SERVICE, JOB, POOL], ids=str)
async def test_a_version_is_written_into_a_template(google: GooglePort, state: GoogleState, workload: Workload) -> None:
    first = state.deploy(workload, ORDERS, uses=USES)
    await google.roll(workload, SECRET, 4)
    found = await google.get_workload(workload)
    assert found.uses == (SecretUse("orders-elasticsearch", "4"), USES[1])
    assert found.service_account == ORDERS
    assert found.latest_created != first or workload is JOB
    await google.roll(workload, SECRET, 4)
    assert await google.get_workload(workload) == found, "there is no second revision"
    with pytest.raises(NotFound):
        await google.roll(a_workload("nobody", workload.place.kind), SECRET, 4)


async def test_a_revision_that_cannot_serve_is_reported(google: GooglePort, state: GoogleState) -> None:
    old = state.deploy(SERVICE, ORDERS, uses=USES)
    state.broken = "the container did not start"
    await google.roll(SERVICE, SECRET, 4)
    found = await google.get_workload(SERVICE)
    assert found.failed == "the container did not start"
    assert [serving.revision for serving in found.serving] == [old]


async def test_accounts_and_their_ids(google: GooglePort, state: GoogleState) -> None:
    for email in (ORDERS, OTHER, DEFAULT_ACCOUNT):
        state.add_account(email)
    assert await google.get_account(ORDERS) == Account(ORDERS, state.accounts[ORDERS])
    first = await google.list_accounts(PROJECT)
    second = await google.list_accounts(PROJECT, first.following)
    assert {item.email for item in first.items + second.items} == {ORDERS, OTHER, DEFAULT_ACCOUNT}
    before = state.accounts[ORDERS]
    state.add_account(ORDERS)
    assert (await google.get_account(ORDERS)).unique_id != before


async def test_what_is_not_there(google: GooglePort) -> None:
    for asked in (
        google.get_workload(SERVICE),
        google.get_workload(JOB),
        google.revision_template(SERVICE, "x"),
        google.get_account(ORDERS),
    ):
        with pytest.raises(NotFound):
            await asked


STATUSES: list[tuple[grpc.StatusCode, type[ExternalError]]] = [
    (grpc.StatusCode.UNAVAILABLE, Unreachable),
    (grpc.StatusCode.DEADLINE_EXCEEDED, Unreachable),
    (grpc.StatusCode.INTERNAL, Unreachable),
    (grpc.StatusCode.UNKNOWN, Unreachable),
    (grpc.StatusCode.ABORTED, Unreachable),
    (grpc.StatusCode.CANCELLED, Unreachable),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, Throttled),
    (grpc.StatusCode.PERMISSION_DENIED, PermissionDenied),
    (grpc.StatusCode.UNAUTHENTICATED, LoginRefused),
    (grpc.StatusCode.NOT_FOUND, NotFound),
    (grpc.StatusCode.INVALID_ARGUMENT, Unexpected),
    (grpc.StatusCode.UNIMPLEMENTED, Unexpected),
    (grpc.StatusCode.DATA_LOSS, Unexpected),
]
REQUESTS: dict[str, Callable[[GooglePort], Awaitable[object]]] = {
    "GetService": lambda google: google.get_workload(SERVICE),
    "ListJobs": lambda google: google.list_workloads(JOB.place),
    "GetRevision": lambda google: google.revision_template(SERVICE, "orders-00001"),
    "ListExecutions": lambda google: google.running_executions(JOB),
    "ListServiceAccounts": lambda google: google.list_accounts(PROJECT),
    "GetServiceAccount": lambda google: google.get_account(ORDERS),
}


@pytest.mark.parametrize(("status", "kind"), STATUSES, ids=str)
async def test_an_error_is_named_and_asked_for_once(
    server: GoogleServer, status: grpc.StatusCode, kind: type[ExternalError]
) -> None:
    server.failing["*"] = status
    client = GoogleClient(server.address, server.address)
    for ask in REQUESTS.values():
        with pytest.raises(kind) as caught:
            await ask(client)
        assert type(caught.value) is kind
        assert "secret-in-a-message" not in caught.value.message
    await client.close()
    assert [method for method, _ in server.calls] == list(REQUESTS)
    assert server.tokens == {"Bearer the-token"}


async def test_a_template_that_somebody_changed_meanwhile_is_not_overwritten(
    server: GoogleServer, state: GoogleState, google_client: GoogleClient
) -> None:
    state.deploy(SERVICE, ORDERS, uses=USES)
    server.before["UpdateService"] = lambda: state.deploy(SERVICE, OTHER, uses=USES)
    with pytest.raises(Conflict):
        await google_client.roll(SERVICE, SECRET, 4)
    assert (state.workloads[SERVICE].service_account, state.workloads[SERVICE].uses) == (OTHER, USES)
    assert [method for method, _ in server.calls] == ["GetService", "UpdateService"]


async def test_an_update_that_is_refused_is_named(
    server: GoogleServer, state: GoogleState, google_client: GoogleClient
) -> None:
    state.deploy(SERVICE, ORDERS, uses=USES)
    server.failing["UpdateService"] = grpc.StatusCode.PERMISSION_DENIED
    with pytest.raises(PermissionDenied, match=f"Cloud Run, {SERVICE.path}"):
        await google_client.roll(SERVICE, SECRET, 4)


async def test_a_server_that_is_not_trusted_gets_no_token(
    server: GoogleServer, state: GoogleState, tmp_path: Path
) -> None:
    with GoogleServer(state, write_server_certificate(tmp_path)) as stranger:
        client = GoogleClient(stranger.address, stranger.address)
        for ask in REQUESTS.values():
            with pytest.raises(TlsNotVerified):
                await ask(client)
        await client.close()
        assert stranger.calls == []
    assert server.calls == []


@pytest.mark.usefixtures("server")
async def test_nobody_there() -> None:
    client = GoogleClient("127.0.0.1:1", "127.0.0.1:1")
    for ask in REQUESTS.values():
        with pytest.raises(Unreachable):
            await ask(client)
    await client.close()


async def test_a_connection_that_is_closed_meanwhile(server: GoogleServer, state: GoogleState) -> None:
    state.deploy(SERVICE, ORDERS)
    client = GoogleClient(server.address, server.address)
    await client.get_workload(SERVICE)
    for raw in client._clients.values():  # As if the operator ended between the look-up of a client and its use.
        await raw.transport.close()
    with pytest.raises(Unreachable):
        await client.get_workload(SERVICE)


async def test_a_request_can_be_called_off(server: GoogleServer, state: GoogleState) -> None:
    state.deploy(SERVICE, ORDERS)
    server.delay = 5
    client = GoogleClient(server.address, server.address)
    asking = asyncio.create_task(client.get_workload(SERVICE))
    await asyncio.to_thread(eventually, lambda: server.calls)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await client.close()


@pytest.fixture
def metadata(server: GoogleServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[MetadataServer]:  # noqa: ARG001
    monkeypatch.setattr("google.auth.default", application_default)
    with MetadataServer(TokenIssuer(), account("searchaccess-operator")) as running:
        running.show_to(monkeypatch)
        yield running


async def test_a_token_from_the_metadata_server(
    server: GoogleServer, state: GoogleState, metadata: MetadataServer
) -> None:
    state.deploy(SERVICE, ORDERS)
    client = GoogleClient(server.address, server.address)
    metadata.without_account = True
    with pytest.raises(LoginMissing):
        await client.get_workload(SERVICE)
    metadata.without_account = False
    metadata.away = True
    with pytest.raises(Unreachable):
        await client.get_workload(SERVICE)
    metadata.away = False
    assert server.calls == []
    assert (await client.get_workload(SERVICE)).service_account == ORDERS
    await client.close()
    assert server.tokens == {"Bearer an-access-token"}


def test_what_goes_to_the_latest_revision_has_no_name() -> None:
    raw = run_v2.Service(
        name=SERVICE.path,
        latest_ready_revision=f"{SERVICE.path}/revisions/orders-2",
        traffic_statuses=[
            {"type_": 1, "percent": 60},
            {"type_": 2, "revision": "orders-2", "tag": "now"},
            {"type_": 2, "revision": "orders-1", "percent": 10},
            {"type_": 2, "revision": "orders-1", "percent": 30, "tag": "old"},
            {"type_": 2, "revision": "orders-0"},
        ],
        generation=3,
        observed_generation=3,
    )
    found = service_found(SERVICE.place, raw)
    assert found.serving == (Serving("orders-2", 60, "now"), Serving("orders-1", 40, "old"))
    assert not found.reconciling
    assert service_found(SERVICE.place, run_v2.Service(generation=3, observed_generation=2)).reconciling


def test_no_revision_is_ready_yet() -> None:
    raw = run_v2.Service(name=SERVICE.path, traffic_statuses=[{"type_": 1, "percent": 100}])
    assert service_found(SERVICE.place, raw).serving == ()


def test_the_operator_starts_without_googles_libraries() -> None:
    code = "import sys, searchaccess.operator.app; sys.exit(any(m in sys.modules for m in ('grpc', 'google.cloud')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
