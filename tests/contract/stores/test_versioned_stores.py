"""Stores of secrets that keep versions: in memory, Google's library against Google's messages, a real Vault."""

import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.cloud.secretmanager_v1 import SecretVersion
from google.oauth2.credentials import Credentials

from searchaccess.adapters.googlecloud.account import OperatorAccount
from searchaccess.adapters.googlecloud.secrets import GoogleSecrets
from searchaccess.adapters.vault.secrets import VaultSecrets
from searchaccess.adapters.vault.session import VaultSession
from searchaccess.api.stores.credentials import GoogleSecretManagerStore
from searchaccess.api.stores.vault import VaultStore
from searchaccess.core.clusters.vault import VaultAccess
from searchaccess.core.credentials.credential import Secret, State, Version
from searchaccess.core.rights.ownership import Operator
from searchaccess.ports.errors import (
    Conflict,
    ExternalError,
    LoginRefused,
    PermissionDenied,
    Rejected,
    Throttled,
    Unexpected,
    Unreachable,
)
from searchaccess.ports.stores import Found, Owner, Place, SecretStore
from tests.contract.conftest import MEMORY
from tests.contract.stores.test_stores import payload
from tests.stack.others.vault import VaultServer
from tests.stack.trust.certificates import ServerCertificate
from tests.support.failures.faults import Faults
from tests.support.loop.clocks import SettableClock
from tests.support.memory.store import MemoryStore
from tests.support.servers.googleserver import PROJECT_NUMBER
from tests.support.servers.googlestate import PROJECT
from tests.support.servers.secretserver import SecretManagerServer

OPERATOR = Operator("default", "kube-system")
PLACE = Place("shop", "orders-elasticsearch")
OWNER = Owner("7b0e5d7a-0000-4000-8000-000000000001", "shop", "orders")
GOOGLE = "by gRPC"
VAULT = "Vault"


class Side(ABC):
    """A store with versions, and what others can do there."""

    store: SecretStore

    @abstractmethod
    def put(self, value: str) -> None:
        """Add a version by hand; of a secret that is not there, make it."""

    @abstractmethod
    def newest(self) -> str | None:
        """Return what a consumer reads."""

    @abstractmethod
    def forget(self) -> None:
        """Delete the secret by hand."""


class InMemory(Side):
    def __init__(self) -> None:
        self.store: MemoryStore = MemoryStore(Faults())

    def put(self, value: str) -> None:
        self.store.put(PLACE, value)

    def newest(self) -> str | None:
        return self.store.newest(PLACE)

    def forget(self) -> None:
        del self.store.kept[PLACE]


class AtGoogle(Side):
    def __init__(self, server: SecretManagerServer, **spec: Any) -> None:
        self.server = server
        self.store = open_store(server, **spec)

    def put(self, value: str) -> None:
        self.server.put(PROJECT, PLACE.name, value)

    def newest(self) -> str | None:
        return self.server.newest(PROJECT, PLACE.name)

    def forget(self) -> None:
        del self.server.secrets[f"projects/{PROJECT}/secrets/{PLACE.name}"]


class InVault(Side):
    def __init__(self, server: VaultServer) -> None:
        self.server = server
        self.path = f"test-{secrets.token_hex(4)}"
        spec = VaultStore.model_validate(
            {
                "address": server.url,
                "path": self.path,
                "auth": {"tokenSecretRef": {"namespace": "x", "name": "x"}},
            }
        )

        async def access() -> VaultAccess:
            return VaultAccess(server.ca_file.read_text(), server.root_token)

        async def no_token() -> str:
            raise AssertionError("it needs none")

        self.store = VaultSecrets(spec, OPERATOR, VaultSession(spec, access, no_token, SettableClock()))

    @property
    def _place(self) -> str:
        return f"{self.path}/{PLACE.namespace}/{PLACE.name}"

    def put(self, value: str) -> None:
        self.server.call("POST", f"secret/data/{self._place}", {"data": {"value": value}})

    def newest(self) -> str | None:
        value = self.server.value(self._place)
        return None if value is None else value.get("value") or json.dumps(value)

    def forget(self) -> None:
        self.server.call("DELETE", f"secret/metadata/{self._place}")


def open_store(server: SecretManagerServer, operator: Operator = OPERATOR, **spec: Any) -> GoogleSecrets:
    declared = GoogleSecretManagerStore.model_validate({"project": PROJECT} | spec)
    return GoogleSecrets(declared, operator, OperatorAccount(), server.address)


@pytest.fixture
def server(certificate: ServerCertificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretManagerServer]:
    with SecretManagerServer(certificate) as running:
        monkeypatch.setattr("google.auth.default", lambda **_: (Credentials("the-token"), PROJECT))
        yield running


@pytest.fixture(params=[MEMORY, GOOGLE, VAULT])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    side: Side = InMemory()
    if request.param == GOOGLE:
        side = AtGoogle(request.getfixturevalue("server"))
    elif request.param == VAULT:
        side = InVault(request.getfixturevalue("vault_server"))
    yield side
    if isinstance(side.store, GoogleSecrets | VaultSecrets):
        await side.store.close()


async def observe(side: Side) -> Found:
    found = await side.store.find(PLACE)
    assert found is not None
    return found


async def fill(side: Side, versions: int) -> Found:
    """Add some versions; return the secret as it is then."""
    for number in range(1, versions + 1):
        found = await side.store.find(PLACE)
        await side.store.add(PLACE, OWNER, found.secret if found else None, number, payload(f"key-{number}"))
    return await observe(side)


async def test_what_is_stored_is_found_without_its_value(side: Side) -> None:
    assert await side.store.find(PLACE) is None
    slot = await side.store.add(PLACE, OWNER, None, 9, payload())
    found = await observe(side)
    assert found.secret.owner == OWNER.uid
    assert found.secret.versions == (Version(1),)
    assert found.secret.slot(1) == slot
    assert found.holds == {}
    assert "s3cret" not in repr(found)
    assert json.loads(side.newest() or "")["api_key"] == "s3cret"


async def test_older_versions_stay_and_all_are_listed(side: Side) -> None:
    found = await fill(side, 5)
    assert {version.number for version in found.secret.versions} == {1, 2, 3, 4, 5}
    assert found.secret.newest == Version(5)
    assert [await side.store.read(PLACE, number) for number in (1, 5)] == ["key-1", "key-5"]


async def test_versions_are_disabled_and_destroyed_and_that_is_done_once(side: Side) -> None:
    await fill(side, 3)
    for _ in range(2):
        await side.store.disable(PLACE, (await observe(side)).secret, [1, 2])
    found = await observe(side)
    states = {version.number: version.state for version in found.secret.versions}
    assert states == {1: State.DISABLED, 2: State.DISABLED, 3: State.ENABLED}
    await side.store.destroy(PLACE, found.secret, [1])
    states = {version.number: version.state for version in (await observe(side)).secret.versions}
    assert states == {1: State.DESTROYED, 2: State.DISABLED, 3: State.ENABLED}
    assert json.loads(side.newest() or "")["id"] == "key-3"


async def test_a_secret_is_its_heirs_with_the_next_version(side: Side) -> None:
    before = (await fill(side, 1)).secret
    heir = Owner("7b0e5d7a-0000-4000-8000-000000000002", "shop", "orders")
    await side.store.add(PLACE, heir, before, 2, payload("key-2"))
    after = (await observe(side)).secret
    assert (after.identity, after.owner) == (before.identity, heir.uid)
    assert [await side.store.read(PLACE, number) for number in (1, 2)] == ["key-1", "key-2"]
    another = Owner("7b0e5d7a-0000-4000-8000-000000000003", "shop", "orders")
    with pytest.raises(Conflict):
        await side.store.add(PLACE, another, before, 3, payload("key-3"))
    assert (await observe(side)).secret == after


async def test_what_others_noted_on_a_secret_stays_when_it_gets_an_heir(
    server: SecretManagerServer, vault_server: VaultServer
) -> None:
    google, vault = AtGoogle(server), InVault(vault_server)
    heir = Owner("7b0e5d7a-0000-4000-8000-000000000002", "shop", "orders")
    for side in (google, vault):
        await fill(side, 1)
    kept = server.kept(PROJECT, PLACE.name)
    assert kept
    kept.secret.labels["team"] = "shop"
    notes = f"secret/metadata/{vault._place}"
    before = vault_server.call("GET", notes)["data"]["custom_metadata"]
    vault_server.call("POST", notes, {"custom_metadata": before | {"team": "shop"}})
    for side in (google, vault):
        await side.store.add(PLACE, heir, (await observe(side)).secret, 2, payload("key-2"))
        assert (await observe(side)).secret.owner == heir.uid
        assert isinstance(side.store, GoogleSecrets | VaultSecrets)
        await side.store.close()
    assert kept.secret.labels["team"] == "shop"
    assert vault_server.call("GET", notes)["data"]["custom_metadata"]["team"] == "shop"


async def test_what_others_made_is_not_ours(side: Side) -> None:
    side.put("somebody else's")
    assert (await observe(side)).secret.owner == ""
    with pytest.raises(Conflict):
        await side.store.add(PLACE, OWNER, None, 1, payload())
    assert side.newest() == "somebody else's"


async def test_a_version_that_somebody_added_holds_no_key(side: Side) -> None:
    await fill(side, 1)
    side.put("mine")
    found = await observe(side)
    assert found.secret.owner == OWNER.uid
    assert await side.store.read(PLACE, 2) == ""


async def test_it_is_removed_once(side: Side) -> None:
    found = await fill(side, 2)
    await side.store.remove(PLACE, found.secret)
    assert await side.store.find(PLACE) is None
    await side.store.remove(PLACE, found.secret)


async def test_a_secret_that_is_made_anew_is_another_one(side: Side) -> None:
    before = await fill(side, 1)
    side.forget()
    after = await fill(side, 1)
    assert before.secret.slot(1) != after.secret.slot(1)
    with pytest.raises(Conflict):
        await side.store.remove(PLACE, before.secret)


# Google Secret Manager


@pytest.fixture
async def google(server: SecretManagerServer) -> AsyncIterator[GoogleSecrets]:
    store = open_store(server)
    yield store
    await store.close()


async def test_how_a_secret_is_marked(google: GoogleSecrets, server: SecretManagerServer) -> None:
    await google.add(PLACE, OWNER, None, 1, payload())
    kept = server.kept(PROJECT, PLACE.name)
    assert kept is not None
    assert dict(kept.secret.labels) == {
        "managed-by": "searchaccess",
        "searchaccess-instance": "default",
        "searchaccess-owner-uid": OWNER.uid,
    }
    assert dict(kept.secret.annotations) == {"searchaccess-namespace": "shop", "searchaccess-name": "orders"}
    assert "automatic" in kept.secret.replication
    another = open_store(server, Operator("another", "kube-system"))
    found = await another.find(PLACE)
    assert found is not None
    assert found.secret.owner == ""
    await another.close()


async def test_what_cloud_run_calls_it(google: GoogleSecrets, server: SecretManagerServer) -> None:
    await google.add(PLACE, OWNER, None, 1, payload())
    kept = server.kept(PROJECT, PLACE.name)
    assert kept is not None
    kept.secret.version_aliases = {"live": 1}
    found = await google.find(PLACE)
    assert found is not None
    assert set(found.secret.names) == {f"projects/{name}/secrets/{PLACE.name}" for name in (PROJECT, PROJECT_NUMBER)}
    assert found.secret.aliases == (("live", 1),)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"replicaLocations": ["europe-west1", "europe-west4"]}, ["europe-west1", "europe-west4"]),
        ({"kmsKey": "projects/p/locations/global/keyRings/r/cryptoKeys/k"}, "projects/p/locations/global/keyRings/r/"),
        ({"location": "europe-west1"}, f"projects/{PROJECT}/locations/europe-west1/secrets/{PLACE.name}"),
    ],
    ids=["replicas", "KMS", "regional"],
)
async def test_where_and_how_it_is_kept(server: SecretManagerServer, spec: dict[str, Any], expected: Any) -> None:
    store = open_store(server, **spec)
    await store.add(PLACE, OWNER, None, 1, payload())
    found = await store.find(PLACE)
    assert found is not None
    assert found.secret.owner == OWNER.uid
    [(path, kept)] = server.secrets.items()
    shown = [path, str(kept.secret)]
    for text in expected if isinstance(expected, list) else [expected]:
        assert any(text in item for item in shown)
    await store.close()


async def test_checksums_are_sent_and_checked(
    google: GoogleSecrets, server: SecretManagerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await google.add(PLACE, OWNER, None, 1, payload())
    found = await google.find(PLACE)
    assert found is not None
    monkeypatch.setattr("searchaccess.adapters.googlecloud.secrets.google_crc32c", SimpleNamespace(value=lambda _: 1))
    with pytest.raises(Rejected):
        await google.add(PLACE, OWNER, found.secret, 2, payload("key-2"))
    with pytest.raises(Unexpected, match="CRC32C"):
        await google.read(PLACE, 1)
    assert json.loads(server.newest(PROJECT, PLACE.name) or "")["id"] == "key-1"


async def test_a_version_that_somebody_changed_meanwhile_is_not_touched(
    google: GoogleSecrets, server: SecretManagerServer
) -> None:
    await google.add(PLACE, OWNER, None, 1, payload())
    found = await google.find(PLACE)
    assert found is not None
    server.set_state(PROJECT, PLACE.name, 1, SecretVersion.State.DISABLED)
    with pytest.raises(Conflict):
        await google.destroy(PLACE, found.secret, [1])
    found = await google.find(PLACE)
    assert found is not None
    assert found.secret.versions == (Version(1, State.DISABLED),)


async def test_a_destruction_that_waits_is_not_asked_for_again(
    google: GoogleSecrets, server: SecretManagerServer
) -> None:
    await google.add(PLACE, OWNER, None, 1, payload())
    found = await google.find(PLACE)
    kept = server.kept(PROJECT, PLACE.name)
    assert found is not None
    assert kept is not None
    kept.secret.version_destroy_ttl = {"seconds": 86400}
    await google.destroy(PLACE, found.secret, [1])
    assert kept.versions[0].state is not State.DESTROYED
    found = await google.find(PLACE)
    assert found is not None
    assert found.secret.versions == (Version(1, State.DESTROYED),)


async def test_a_name_with_a_dot_is_refused_before_anything_is_asked(
    google: GoogleSecrets, server: SecretManagerServer
) -> None:
    with pytest.raises(Rejected, match="not allow dots"):
        await google.find(Place("shop", "a.b"))
    assert server.calls == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (grpc.StatusCode.UNAVAILABLE, Unreachable),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Throttled),
        (grpc.StatusCode.PERMISSION_DENIED, PermissionDenied),
        (grpc.StatusCode.UNAUTHENTICATED, LoginRefused),
        (grpc.StatusCode.FAILED_PRECONDITION, Conflict),
        (grpc.StatusCode.INVALID_ARGUMENT, Rejected),
    ],
    ids=lambda item: getattr(item, "name", ""),
)
async def test_what_goes_wrong_is_reported_without_the_librarys_words(
    google: GoogleSecrets, server: SecretManagerServer, status: grpc.StatusCode, error: type[ExternalError]
) -> None:
    server.failing["*"] = status
    for ask in (google.find(PLACE), google.read(PLACE, 1), google.add(PLACE, OWNER, None, 1, payload())):
        with pytest.raises(error) as raised:
            await ask
        assert "secret-in-a-message" not in raised.value.message
        assert "s3cret" not in raised.value.message
        assert f"Secret Manager, projects/{PROJECT}/secrets/{PLACE.name}" in raised.value.message
    with pytest.raises(error):
        await google.remove(PLACE, Secret("x", OWNER.uid))


async def test_a_read_costs_two_calls_and_a_new_version_one(google: GoogleSecrets, server: SecretManagerServer) -> None:
    await google.add(PLACE, OWNER, None, 1, payload())
    assert [method for method, _ in server.calls] == ["CreateSecret", "AddSecretVersion"]
    server.calls.clear()
    found = await google.find(PLACE)
    assert found is not None
    await google.add(PLACE, OWNER, found.secret, 2, payload("key-2"))
    assert [method for method, _ in server.calls] == ["GetSecret", "ListSecretVersions", "AddSecretVersion"]
    assert server.tokens == {"Bearer the-token"}
