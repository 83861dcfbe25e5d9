"""Stores of secrets: in memory and for real."""

import base64
import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from searchaccess.adapters.kubernetes.client import FIELD_MANAGER, KubernetesClient, load_configuration
from searchaccess.adapters.kubernetes.secrets import KEY, KubernetesSecrets
from searchaccess.api.stores.credentials import Auth, PayloadFormat, SecretForm
from searchaccess.core.credentials.credential import Slot, Version
from searchaccess.core.credentials.payload import build_payload
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.rights.ownership import Operator
from searchaccess.ports.errors import Conflict, PermissionDenied
from searchaccess.ports.stores import Owner, Place, SecretStore
from tests.contract.conftest import MEMORY, REAL
from tests.stack.kubernetes import KubernetesServers
from tests.support.failures.faults import Faults
from tests.support.memory.store import MemoryStore
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.world import AS_OPERATOR, SYSTEM, access

OPERATOR = Operator("default", "kube-system")


def payload(key_id: str = "key-1") -> Sealed:
    return build_payload(
        PayloadFormat.JSON, Auth.API_KEY, key_id, Sealed("s3cret"), "https://es", "2026-01-01T00:00:00Z"
    )


class Side(ABC):
    """A store with the newest value alone, and what others can do there."""

    store: SecretStore
    place: Place
    owner: Owner

    @abstractmethod
    def write(self, value: str) -> None:
        """Write a secret by hand, or change the value of one that is there and nothing else."""

    @abstractmethod
    def value(self) -> str:
        """Return what a consumer reads."""

    @abstractmethod
    def parts(self) -> dict[str, str]:
        """Return the parts that a consumer finds beside the value."""

    @abstractmethod
    def declare(self, form: SecretForm) -> None:
        """Have secrets written in another form from now on."""

    def heir(self) -> Owner:
        """Return another owner that exists."""
        return replace(self.owner, uid="7b0e5d7a-0000-4000-8000-000000000002")

    @abstractmethod
    async def close(self) -> None:
        """Clean up."""


class InMemory(Side):
    def __init__(self) -> None:
        self.store: MemoryStore = MemoryStore(Faults(), versions=False)
        self.place = Place("shop", "orders-elasticsearch")
        self.owner = Owner("uid-1", "shop", "orders")

    def write(self, value: str) -> None:
        kept = self.store.kept.get(self.place)
        if kept is None:
            self.store.put(self.place, value)
        else:
            self.store.kept[self.place] = replace(kept, values=dict.fromkeys(kept.values, value))

    def value(self) -> str:
        return self.store.newest(self.place) or ""

    def parts(self) -> dict[str, str]:
        return self.store.parts(self.place)

    def declare(self, form: SecretForm) -> None:
        self.store.form = form

    async def close(self) -> None:
        """Nothing is left."""


class InKubernetes(Side):
    def __init__(self, servers: KubernetesServers, client: KubernetesClient, owner: Owner) -> None:
        self._servers = servers
        self._client = client
        self.store = KubernetesSecrets(client, OPERATOR)
        self.place = Place(owner.namespace, "orders-elasticsearch")
        self.owner = owner

    def write(self, value: str) -> None:
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "stringData": {KEY: value}}
        body["metadata"] = {"name": self.place.name, "namespace": self.place.namespace}
        self._servers.run_kubectl("apply", "-f", "-", input=json.dumps(body))

    def value(self) -> str:
        return base64.b64decode(self.raw()["data"][KEY]).decode()

    def parts(self) -> dict[str, str]:
        data = self.raw()["data"]
        return {name: base64.b64decode(data[name]).decode() for name in data if name != KEY}

    def declare(self, form: SecretForm) -> None:
        self.store = KubernetesSecrets(self._client, OPERATOR, form)

    def raw(self) -> dict[str, Any]:
        kubectl = self._servers.run_kubectl
        options = ("-n", self.place.namespace, "-o", "json", "--show-managed-fields")
        return dict(json.loads(kubectl("get", "secret", self.place.name, *options).stdout))

    def heir(self) -> Owner:
        # The garbage collector removes what is owned by nobody that exists.
        name, namespace = "heir", self.place.namespace
        return Owner(declared(self._servers, name, namespace), namespace, name)

    async def close(self) -> None:
        self._servers.run_kubectl("delete", "namespace", self.place.namespace, "--wait=false")
        await self._client.close()


def declared(servers: KubernetesServers, name: str, namespace: str) -> str:
    """Create a SearchAccess; return its uid."""
    raw = access(name, {"indices": ["x"], "can": ["read"]}, namespace=namespace)
    made = servers.run_kubectl("create", "-o", "json", "-f", "-", input=json.dumps(raw))
    return str(json.loads(made.stdout)["metadata"]["uid"])


async def in_kubernetes(servers: KubernetesServers, *, allowed: bool = True) -> InKubernetes:
    kubectl, namespace = servers.run_kubectl, f"store-{secrets.token_hex(3)}"
    kubectl("create", "namespace", namespace)
    if allowed:
        kubectl("apply", "-n", namespace, "-f", str(ROOT / "deploy" / "kubernetes-store.yaml"))
    uid = declared(servers, "orders", namespace)
    kubeconfig = servers.service_account_kubeconfig(SYSTEM, "searchaccess-operator")
    client = KubernetesClient(await load_configuration(kubeconfig))
    if allowed:
        eventually(lambda: servers.may("create", "secrets", "-n", namespace, AS_OPERATOR), within=60)
    return InKubernetes(servers, client, Owner(uid, namespace, "orders"))


@pytest.fixture(params=[MEMORY, REAL])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    side: Side = InMemory() if request.param == MEMORY else await in_kubernetes(request.getfixturevalue("installed"))
    yield side
    await side.close()


async def test_what_is_stored_is_found_without_its_value(side: Side) -> None:
    assert await side.store.find(side.place) is None
    slot = await side.store.add(side.place, side.owner, None, 3, payload())
    found = await side.store.find(side.place)
    assert found is not None
    assert found.secret.owner == side.owner.uid
    assert found.secret.versions == (Version(3),)
    assert found.secret.slot(3) == slot
    assert found.holds == {3: "key-1"}
    assert await side.store.read(side.place, 3) == "key-1"
    assert "s3cret" not in repr(found)
    assert json.loads(side.value())["api_key"] == "s3cret"


async def test_the_next_value_takes_its_place(side: Side) -> None:
    first = await side.store.add(side.place, side.owner, None, 1, payload())
    found = await side.store.find(side.place)
    assert found is not None
    second = await side.store.add(side.place, side.owner, found.secret, 2, payload("key-2"))
    assert second == Slot(first.secret, 2)
    found = await side.store.find(side.place)
    assert found is not None
    assert found.holds == {2: "key-2"}
    assert json.loads(side.value())["id"] == "key-2"


async def test_it_is_not_written_if_it_is_not_as_it_was_looked_at(side: Side) -> None:
    await side.store.add(side.place, side.owner, None, 1, payload())
    with pytest.raises(Conflict):
        await side.store.add(side.place, side.owner, None, 2, payload("key-2"))
    found = await side.store.find(side.place)
    assert found is not None
    await side.store.add(side.place, side.owner, found.secret, 2, payload("key-2"))
    with pytest.raises(Conflict):
        await side.store.add(side.place, side.owner, found.secret, 3, payload("key-3"))
    assert json.loads(side.value())["id"] == "key-2"


async def test_it_is_its_heirs_with_the_next_value(side: Side) -> None:
    await side.store.add(side.place, side.owner, None, 1, payload())
    found = await side.store.find(side.place)
    assert found is not None
    heir = side.heir()
    await side.store.add(side.place, heir, found.secret, 2, payload("key-2"))
    after = await side.store.find(side.place)
    assert after is not None
    assert (after.secret.identity, after.secret.owner) == (found.secret.identity, heir.uid)
    assert json.loads(side.value())["id"] == "key-2"


async def test_what_others_made_is_not_ours(side: Side) -> None:
    side.write("somebody else's")
    found = await side.store.find(side.place)
    assert found is not None
    assert found.secret.owner == ""
    with pytest.raises(Conflict):
        await side.store.add(side.place, side.owner, None, 1, payload())
    assert side.value() == "somebody else's"


@pytest.mark.parametrize("value", ["", "mine", payload("key-2").reveal()], ids=["empty", "text", "another key"])
async def test_a_value_that_somebody_replaced_is_seen(side: Side, value: str) -> None:
    await side.store.add(side.place, side.owner, None, 1, payload())
    side.write(value)
    found = await side.store.find(side.place)
    assert found is not None
    assert found.secret.owner == side.owner.uid
    assert found.holds[1] != "key-1"
    await side.store.add(side.place, side.owner, found.secret, 2, payload("key-3"))
    assert json.loads(side.value())["id"] == "key-3"


async def test_it_is_removed_once_and_only_if_it_is_the_same(side: Side) -> None:
    await side.store.add(side.place, side.owner, None, 1, payload())
    found = await side.store.find(side.place)
    assert found is not None
    with pytest.raises(Conflict):
        await side.store.remove(side.place, replace(found.secret, identity="another"))
    await side.store.remove(side.place, found.secret)
    assert await side.store.find(side.place) is None
    await side.store.remove(side.place, found.secret)


PARTS = {"ELASTICSEARCH_URL", "ELASTICSEARCH_API_KEY", "ELASTICSEARCH_API_KEY_ID", "ELASTICSEARCH_API_KEY_EXPIRES"}


async def test_the_parts_of_a_value_are_beside_it_and_change_with_it(side: Side) -> None:
    side.declare(SecretForm.KEYS)
    await side.store.add(side.place, side.owner, None, 1, payload())
    assert side.parts().keys() == PARTS
    assert side.parts()["ELASTICSEARCH_API_KEY"] == json.loads(side.value())["encoded"]
    found = await side.store.find(side.place)
    assert found is not None
    assert (found.holds, found.secret.form_differs) == ({1: "key-1"}, False)
    await side.store.add(side.place, side.owner, found.secret, 2, payload("key-2"))
    assert side.parts()["ELASTICSEARCH_API_KEY_ID"] == json.loads(side.value())["id"] == "key-2"


async def test_another_form_is_written_with_the_same_value_if_nobody_changed_it(side: Side) -> None:
    await side.store.add(side.place, side.owner, None, 1, payload())
    value = side.value()
    for form, parts in ((SecretForm.KEYS, PARTS), (SecretForm.JSON, set())):
        side.declare(form)
        before = await side.store.find(side.place)
        assert before is not None
        assert (before.holds, before.secret.form_differs) == ({1: "key-1"}, True)
        await side.store.rewrite(side.place, side.owner, before.secret, 1)
        after = await side.store.find(side.place)
        assert after is not None
        assert (after.holds, after.secret.form_differs) == ({1: "key-1"}, False)
        assert after.secret.slot(1) == before.secret.slot(1)
        assert (side.value(), {*side.parts()}) == (value, parts)
        with pytest.raises(Conflict):
            await side.store.rewrite(side.place, side.owner, before.secret, 1)


async def test_parts_that_a_secret_was_created_with_go_too(side: Side) -> None:
    side.declare(SecretForm.KEYS)
    await side.store.add(side.place, side.owner, None, 1, payload())
    side.declare(SecretForm.JSON)
    before = await side.store.find(side.place)
    assert before is not None
    await side.store.rewrite(side.place, side.owner, before.secret, 1)
    after = await side.store.find(side.place)
    assert after is not None
    assert (after.holds, after.secret.form_differs, side.parts()) == ({1: "key-1"}, False, {})


async def test_an_heir_keeps_no_parts_of_the_value_before(side: Side) -> None:
    side.declare(SecretForm.KEYS)
    await side.store.add(side.place, side.owner, None, 1, payload())
    side.declare(SecretForm.JSON)
    found = await side.store.find(side.place)
    assert found is not None
    await side.store.add(side.place, side.heir(), found.secret, 2, payload("key-2"))
    assert side.parts() == {}
    after = await side.store.find(side.place)
    assert after is not None
    assert (after.holds, after.secret.form_differs) == ({2: "key-2"}, False)


async def test_older_versions_are_not_there_to_be_disabled(side: Side) -> None:
    await side.store.add(side.place, side.owner, None, 2, payload())
    found = await side.store.find(side.place)
    assert found is not None
    if isinstance(side, InKubernetes):
        await side.store.disable(side.place, found.secret, [1])
        await side.store.destroy(side.place, found.secret, [1])
    assert await side.store.find(side.place) == found


# Secrets of Kubernetes


async def test_how_a_secret_is_marked(installed: KubernetesServers) -> None:
    side = await in_kubernetes(installed)
    await side.store.add(side.place, side.owner, None, 1, payload())
    raw = side.raw()
    [owner] = raw["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("SearchAccess", "orders", side.owner.uid)
    assert raw["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "searchaccess.dev"}
    assert raw["metadata"]["managedFields"][0]["manager"] == FIELD_MANAGER
    assert raw["type"] == "Opaque"
    # Another installation's is foreign.
    another = KubernetesSecrets(side._client, Operator("another", "kube-system"))
    found = await another.find(side.place)
    assert found is not None
    assert found.secret.owner == ""
    await side.close()


@pytest.mark.parametrize("value", ["https://elsewhere", None], ids=["changed", "removed"])
async def test_a_part_that_somebody_changed_is_seen(installed: KubernetesServers, value: str | None) -> None:
    side = await in_kubernetes(installed)
    side.declare(SecretForm.KEYS)
    await side.store.add(side.place, side.owner, None, 1, payload())
    encoded = base64.b64encode(value.encode()).decode() if value else None
    patch = json.dumps({"data": {"ELASTICSEARCH_URL": encoded}})
    installed.run_kubectl("patch", "secret", side.place.name, "-n", side.place.namespace, "--type=merge", "-p", patch)
    found = await side.store.find(side.place)
    assert found is not None
    assert (found.holds, found.secret.form_differs) == ({1: ""}, False)
    await side.store.add(side.place, side.owner, found.secret, 2, payload("key-2"))
    assert side.parts()["ELASTICSEARCH_URL"] == "https://es"
    await side.close()


async def test_without_the_role_it_says_what_is_missing(installed: KubernetesServers) -> None:
    side = await in_kubernetes(installed, allowed=False)
    asked: list[Callable[[], Any]] = [
        lambda: side.store.find(side.place),
        lambda: side.store.add(side.place, side.owner, None, 1, payload()),
    ]
    for ask in asked:
        with pytest.raises(PermissionDenied) as refused:
            await ask()
        assert "secrets" in refused.value.message
        assert side.place.namespace in refused.value.message
        assert "s3cret" not in refused.value.message
    await side.close()
