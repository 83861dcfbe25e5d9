"""Where a GKE cluster is and how to log in there: Google's own library against Google's own messages."""

import base64
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.cloud import container_v1

from searchaccess.adapters.googlecloud.account import OperatorAccount
from searchaccess.adapters.googlecloud.endpoint import GkeEndpoint
from searchaccess.adapters.googlecloud.gke import SCOPES, ControlPlane, GkeCluster, control_plane_of
from searchaccess.operator.connections.login import KubernetesLogin, KubernetesOptions
from searchaccess.operator.sources.events import connection_info
from searchaccess.ports.errors import LoginMissing, NotFound, PermissionDenied, Unreachable
from tests.stack.trust.certificates import ServerCertificate
from tests.stack.trust.tokens import TokenIssuer
from tests.support.metadata import RENEWED_BEFORE, MetadataServer
from tests.support.servers.googleserver import GoogleServer
from tests.support.servers.googlestate import GoogleState
from tests.support.worlds.world import account

NAME = "projects/acme-shop/locations/europe-west1/clusters/prod"
CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PUBLIC, PRIVATE, DNS = "34.1.2.3", "10.0.0.2", "gke-1234.europe-west1.gke.goog"

OLD = {"endpoint": PUBLIC}
OLD_PRIVATE = {
    "endpoint": PRIVATE,
    "private_cluster_config": {"enable_private_endpoint": True, "private_endpoint": PRIVATE},
}
BOTH = {"endpoint": PUBLIC, "private_cluster_config": {"private_endpoint": PRIVATE, "public_endpoint": PUBLIC}}


def new(*, dns: bool, addresses: bool = True, public: bool = True) -> dict[str, Any]:
    found = {"private_endpoint": PRIVATE, "public_endpoint": PUBLIC if public else ""} if addresses else {}
    return {
        "endpoint": PUBLIC if public else PRIVATE,
        "control_plane_endpoints_config": {
            "dns_endpoint_config": {"endpoint": DNS, "allow_external_traffic": dns},
            "ip_endpoints_config": {"enabled": addresses, "enable_public_endpoint": public, **found},
        },
    }


def a_cluster(raw: dict[str, Any]) -> container_v1.Cluster:
    ca = base64.b64encode(CA.encode()).decode()
    return container_v1.Cluster({"name": "prod", "master_auth": {"cluster_ca_certificate": ca}, **raw})


AUTO = GkeEndpoint.AUTO


@pytest.mark.parametrize(
    ("raw", "wanted", "host"),
    [
        (OLD, AUTO, PUBLIC),
        (OLD_PRIVATE, AUTO, PRIVATE),
        (BOTH, AUTO, PUBLIC),
        (BOTH, GkeEndpoint.PRIVATE, PRIVATE),
        (new(dns=True), AUTO, DNS),
        (new(dns=True), GkeEndpoint.PUBLIC, PUBLIC),
        (new(dns=True), GkeEndpoint.PRIVATE, PRIVATE),
        (new(dns=False), AUTO, PUBLIC),
        (new(dns=False, public=False), AUTO, PRIVATE),
        (new(dns=True, addresses=False, public=False), AUTO, DNS),
    ],
)
def test_which_endpoint(raw: dict[str, Any], wanted: GkeEndpoint, host: str) -> None:
    trusted = "" if host == DNS else CA
    assert control_plane_of(a_cluster(raw), wanted) == ControlPlane(f"https://{host}", trusted)


@pytest.mark.parametrize(
    ("raw", "wanted", "have"),
    [
        (OLD, GkeEndpoint.PRIVATE, "public"),
        (OLD_PRIVATE, GkeEndpoint.PUBLIC, "private"),
        (new(dns=False), GkeEndpoint.DNS, "public, private"),
        (new(dns=False, addresses=False, public=False), AUTO, "none"),
    ],
)
def test_no_such_endpoint(raw: dict[str, Any], wanted: GkeEndpoint, have: str) -> None:
    with pytest.raises(LoginMissing, match=rf"has no open {wanted} endpoint \(open: {have}\)"):
        control_plane_of(a_cluster(raw), wanted)


@pytest.fixture
def server(certificate: ServerCertificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleServer]:
    monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(certificate.ca_file))
    state = GoogleState()
    state.clusters[NAME] = a_cluster(BOTH)
    with GoogleServer(state, certificate) as running:
        yield running


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[MetadataServer]:
    with MetadataServer(TokenIssuer(), account("searchaccess-operator")) as running:
        running.show_to(monkeypatch)
        yield running


def number_tokens(metadata: MetadataServer) -> None:
    metadata.make_access_token = lambda: f"token-{len(metadata.scopes)}"


async def test_the_official_client_and_kopf_get_a_token_that_is_good(
    server: GoogleServer, metadata: MetadataServer
) -> None:
    number_tokens(metadata)
    metadata.lifetime = RENEWED_BEFORE - 5  # Each is about to end when it comes.
    login = KubernetesLogin(KubernetesOptions(gke=NAME, container_endpoint=server.address))
    configuration = await login.configuration()
    assert (configuration.host, configuration.ca_cert_data) == (f"https://{PUBLIC}", CA)
    first = configuration.api_key["BearerToken"]
    settings = await configuration.auth_settings()
    second = settings["BearerToken"]["value"] or ""
    assert first.startswith("Bearer token-")
    assert second.startswith("Bearer token-")
    assert first != second, "before each request it is asked whether it is still good"

    metadata.lifetime = 3600
    again = connection_info(await login.configuration(), login.lifetime)
    kept = connection_info(await login.configuration(), login.lifetime)
    assert (again.server, again.ca_data, again.scheme) == (f"https://{PUBLIC}", CA, "Bearer")
    assert again.token not in {None, *(text.removeprefix("Bearer ") for text in (first, second))}
    assert kept.token == again.token, "one that is good for long is kept"
    assert login.lifetime.total_seconds() < RENEWED_BEFORE
    assert [method for method, _ in server.calls] == ["GetCluster"], "Google is asked once where the cluster is"
    assert set(metadata.scopes) == {",".join(SCOPES)}


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, PermissionDenied, "lacks permission"),
        (grpc.StatusCode.UNAVAILABLE, Unreachable, "does not answer"),
    ],
)
async def test_google_does_not_say(
    server: GoogleServer, metadata: MetadataServer, status: grpc.StatusCode, error: type[Exception], says: str
) -> None:
    assert metadata.environment
    server.failing["GetCluster"] = status
    cluster = GkeCluster(NAME, api=server.address)
    with pytest.raises(error, match=f"Kubernetes Engine, {NAME}: .*{says}"):
        await cluster.control_plane()
    server.failing.clear()
    assert (await cluster.control_plane()).host == f"https://{PUBLIC}"


async def test_no_such_cluster_and_no_account(server: GoogleServer, metadata: MetadataServer) -> None:
    with pytest.raises(NotFound, match="not found"):
        await GkeCluster(f"{NAME}-2", api=server.address).control_plane()
    metadata.without_account = True
    with pytest.raises(LoginMissing, match="no Google service account"):
        await GkeCluster(NAME, api=server.address).control_plane()


async def test_a_token_that_is_about_to_end_is_used_while_there_is_no_other(metadata: MetadataServer) -> None:
    number_tokens(metadata)
    metadata.lifetime = RENEWED_BEFORE - 5
    own = OperatorAccount(SCOPES)
    first = (await own.credentials()).token
    metadata.away = True
    assert (await own.credentials()).token == first
    metadata.away = False
    assert (await own.credentials()).token != first
