"""Our double of Secret Manager answers Google's library as a stranger's does, as far as that goes."""

import secrets
from collections.abc import Iterator

import google_crc32c
import grpc
import pytest
from google.api_core import exceptions
from google.cloud.secretmanager_v1 import Secret, SecretManagerServiceClient, SecretPayload
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport

from tests.stack.trust.certificates import ServerCertificate
from tests.support.servers.secretserver import SecretManagerServer

OURS, ANOTHER = "ours", "a stranger's"
PARENT = "projects/acme-secrets"
AUTOMATIC = Secret(replication={"automatic": {}}, labels={"managed-by": "searchaccess"})


@pytest.fixture(params=[OURS, ANOTHER])
def client(request: pytest.FixtureRequest, certificate: ServerCertificate) -> Iterator[SecretManagerServiceClient]:
    if request.param == ANOTHER:
        address = request.getfixturevalue("secret_manager_emulator").address
        with grpc.insecure_channel(address) as channel:
            yield SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
        return
    token = grpc.access_token_call_credentials("the-token")
    trust = grpc.ssl_channel_credentials(certificate.ca_file.read_bytes())
    both = grpc.composite_channel_credentials(trust, token)
    with SecretManagerServer(certificate) as server, grpc.secure_channel(server.address, both) as channel:
        yield SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))


@pytest.fixture
def name() -> str:
    return f"orders-{secrets.token_hex(4)}"


def test_a_secret_as_it_was_made(client: SecretManagerServiceClient, name: str) -> None:
    made = client.create_secret(parent=PARENT, secret_id=name, secret=AUTOMATIC)
    found = client.get_secret(name=f"{PARENT}/secrets/{name}")
    assert found == made
    assert found.name.endswith(f"/secrets/{name}")
    assert dict(found.labels) == dict(AUTOMATIC.labels)
    assert found.create_time


def test_versions_count_from_one_and_latest_is_the_newest(client: SecretManagerServiceClient, name: str) -> None:
    path = f"{PARENT}/secrets/{name}"
    client.create_secret(parent=PARENT, secret_id=name, secret=AUTOMATIC)
    for number, data in enumerate((b"one", b"two"), start=1):
        payload = SecretPayload(data=data, data_crc32c=google_crc32c.value(data))
        made = client.add_secret_version(parent=path, payload=payload)
        assert made.name.endswith(f"/secrets/{name}/versions/{number}")
        assert made.state.name == "ENABLED"
    for version, data in (("1", b"one"), ("2", b"two"), ("latest", b"two")):
        assert client.access_secret_version(name=f"{path}/versions/{version}").payload.data == data


def test_what_is_there_already(client: SecretManagerServiceClient, name: str) -> None:
    client.create_secret(parent=PARENT, secret_id=name, secret=AUTOMATIC)
    with pytest.raises(exceptions.AlreadyExists):
        client.create_secret(parent=PARENT, secret_id=name, secret=AUTOMATIC)


def test_what_is_not_there(client: SecretManagerServiceClient, name: str) -> None:
    path = f"{PARENT}/secrets/{name}"
    for ask in (
        lambda: client.get_secret(name=path),
        lambda: client.delete_secret(name=path),
        lambda: client.add_secret_version(parent=path, payload=SecretPayload(data=b"x")),
        lambda: client.access_secret_version(name=f"{path}/versions/1"),
    ):
        with pytest.raises(exceptions.NotFound):
            ask()


def test_a_deleted_secret_is_gone_with_its_versions(client: SecretManagerServiceClient, name: str) -> None:
    path = f"{PARENT}/secrets/{name}"
    client.create_secret(parent=PARENT, secret_id=name, secret=AUTOMATIC)
    client.add_secret_version(parent=path, payload=SecretPayload(data=b"x"))
    client.delete_secret(name=path)
    with pytest.raises(exceptions.NotFound):
        client.access_secret_version(name=f"{path}/versions/1")
    client.create_secret(parent=PARENT, secret_id=name, secret=AUTOMATIC)
    with pytest.raises(exceptions.NotFound):
        client.access_secret_version(name=f"{path}/versions/latest")
