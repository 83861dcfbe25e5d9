"""Random histories of a credential against the real Elasticsearch and each store, with crashes and lost replies.

Far fewer than against the doubles (tests/component/test_random_credentials.py): they show that the doubles do not lie.
Time does not pass here, so there is no overlap.
"""

import asyncio
import base64
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from searchaccess.adapters.clock import SystemClock
from searchaccess.adapters.kubernetes.client import KubernetesClient, load_configuration
from searchaccess.adapters.kubernetes.secrets import KubernetesSecrets
from searchaccess.api.stores.credentials import Auth
from searchaccess.core.credentials.credential import Wish
from searchaccess.core.credentials.keys import key_from_json, names_of_keys
from searchaccess.core.credentials.users import names_of_users
from searchaccess.core.model.parsing import access_from_object
from searchaccess.core.rights.ownership import Operator
from searchaccess.engine.credentials.observe import read_users
from searchaccess.engine.credentials.steps import Credentials, Job
from searchaccess.engine.pacing.sharedclock import SharedClock
from searchaccess.ports.errors import ExternalError, Unreachable
from searchaccess.ports.stores import Owner, Place, SecretStore
from tests.contract.credentials.test_keys import connect, install_makers, rights_to
from tests.contract.stores.test_stores import OPERATOR, in_kubernetes
from tests.contract.stores.test_vault import ca_of
from tests.contract.stores.vaultstore import Tokens, declared, opened
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.kubernetes import KubernetesServers
from tests.stack.others.vault import VaultServer
from tests.support.failures.faults import Crash, Fault, Faults
from tests.support.memory.google import MemoryGoogle
from tests.support.worlds.world import access, grant

NUMBER = "SEARCHACCESS_TEST_HISTORIES"
"""How many for each store. Every write waits for Elasticsearch's refresh of a second: some seconds a rotation."""
DAY = 86400.0
WRITES = {
    "create_key", "update_keys", "note_key", "revoke_keys", "create_user", "note_user", "delete_users", "replace_roles",
    "delete_roles", "add", "disable", "destroy", "remove",
}  # fmt: skip


class Interrupted:
    """Something real, whose n-th write from now on is cut off before it, after it, or on the way back."""

    def __init__(self, real: Any, plan: "Plan") -> None:
        self._real = real
        self._plan = plan

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)

        async def call(*arguments: Any) -> Any:
            fault = self._plan.next(name)
            if fault is Fault.CRASH_BEFORE:
                self._plan.dead = True
                raise Crash
            answer = await method(*arguments)
            if fault is Fault.CRASH_AFTER:
                self._plan.dead = True
                raise Crash
            if fault is Fault.LOSE_REPLY:
                raise Unreachable("the reply was lost")
            return answer

        return call


class Plan:
    """What goes wrong next."""

    def __init__(self) -> None:
        self.dead = False
        self._left: list[tuple[int, Fault]] = []

    def add(self, number: int, fault: Fault) -> None:
        self._left.append((number, fault))

    def next(self, method: str) -> Fault | None:
        if self.dead:
            raise Crash
        if method not in WRITES:
            return None
        due = [fault for number, fault in self._left if number == 0]
        self._left = [(number - 1, fault) for number, fault in self._left if number > 0]
        return due[0] if due else None

    def clear(self) -> None:
        self.dead = False
        self._left = []


class Outside:
    """The servers, and what a consumer and other people do there.

    Args:
        elasticsearch: the cluster.
        open_store: opens the store, in the running loop.
        newest: gives what a consumer reads at a place, if anything.
        namespace: whose secrets they are.
        owner: uid of the SearchAccess.
    """

    def __init__(
        self,
        elasticsearch: ElasticsearchServer,
        open_store: Callable[[], Any],
        newest: Callable[[Place], dict[str, Any] | None],
        namespace: str = "shop",
        owner: str = "uid-1",
    ) -> None:
        self.elasticsearch = elasticsearch
        self.open_store = open_store
        self.newest = newest
        self.namespace = namespace
        self.owner = owner


class Histories(RuleBasedStateMachine):
    """One credential."""

    def __init__(self, outside: Outside) -> None:
        super().__init__()
        self.outside = outside
        self.runner = asyncio.Runner()
        self.plan = Plan()
        self.operator = Operator(f"keys-{secrets.token_hex(4)}", "kube-system")
        self.place = Place(outside.namespace, f"orders-{secrets.token_hex(4)}")
        self.admin = outside.elasticsearch.client()
        self.wish = Wish(outside.owner, rights_to("keys-*"), 30 * DAY, overlap=0, grace=0)
        self.requests = 0
        self.whole = False
        self.error: BaseException | None = None
        self.spent: set[str] = set()
        self.runner.run(self._open())

    async def _open(self) -> None:
        self.port = connect(self.outside.elasticsearch, "key-maker")
        self.store: SecretStore = await self.outside.open_store()

    async def _pass(self, *, withdraw: bool = False) -> None:
        raw = access("orders", grant("keys-*"))
        raw["metadata"] |= {
            "uid": self.outside.owner,
            "namespace": self.outside.namespace,
            "generation": 1,
            "resourceVersion": "1",
        }
        port: Any = Interrupted(self.port, self.plan)
        store: Any = Interrupted(self.store, self.plan)
        clock = SharedClock(SystemClock())
        credentials = Credentials(self.operator, port, MemoryGoogle(Faults()), clock)
        job = Job(access_from_object(raw), self.wish, self.place, store, "main", "https://es")
        me = await self.port.login()
        found = await self.port.keys(names_of_keys(self.operator))
        keys = [key for item in found if (key := key_from_json(item, self.operator, me))]
        keys += (await read_users(self.port, self.operator))[0]
        await clock.observe(self.port, keys)
        await (credentials.withdraw(job, keys) if withdraw else credentials.keep(job, keys))

    def _try(self, *, withdraw: bool = False) -> bool:
        try:
            self.runner.run(self._pass(withdraw=withdraw))
        except (ExternalError, Crash) as error:
            self.plan.clear()
            self.error = error
            return False
        return True

    def _live(self) -> set[str]:
        options = {"name": names_of_keys(self.operator), "active_only": "true"}
        keys = {item["id"] for item in self.admin.get("/_security/api_key", params=options).json()["api_keys"]}
        query = {"query": {"prefix": {"username": names_of_users(self.operator)}}, "size": 100}
        users = self.admin.request("GET", "/_security/_query/user", json=query).raise_for_status().json()["users"]
        return keys | {item["username"] for item in users}

    def _roles(self) -> set[str]:
        ours = self.operator.role_name("")
        return {name for name in self.admin.get("/_security/role").json() if name.startswith(ours)}

    def _works(self, encoded: str) -> bool:
        """Say whether a value lets a consumer in: an API key's, or a user's with its password."""
        is_user = base64.b64decode(encoded).startswith(b"searchaccess.")
        headers = {"Authorization": f"{'Basic' if is_user else 'ApiKey'} {encoded}"}
        answer = httpx.get(
            f"{self.outside.elasticsearch.url}/keys-*/_count",
            headers=headers,
            verify=self.outside.elasticsearch._trust(),
            timeout=30,
        )
        return answer.status_code == 200

    @initialize()
    def begin(self) -> None:
        assert self._try()
        self.whole = True

    @rule()
    def observe(self) -> None:
        if self._try():
            self.whole = True

    @rule()
    def somebody_asks_for_a_rotation(self) -> None:
        self.requests += 1
        self.wish = replace(self.wish, requested=f"request-{self.requests}")
        self.observe()

    @rule(auth=st.sampled_from([Auth.API_KEY, Auth.PASSWORD]))
    def somebody_declares_another_kind(self, auth: Auth) -> None:
        self.wish = replace(self.wish, auth=auth)
        self.observe()

    @rule(number=st.integers(0, 4), fault=st.sampled_from(Fault))
    def a_rotation_is_cut_off(self, number: int, fault: Fault) -> None:
        self.plan.add(number, fault)
        self.somebody_asks_for_a_rotation()

    @rule(index=st.sampled_from(["keys-*", "keys-1"]))
    def somebody_declares_other_rights(self, index: str) -> None:
        self.wish = replace(self.wish, rights=rights_to(index))
        self.observe()

    @rule()
    def somebody_invalidates_a_key(self) -> None:
        self.whole = False
        for one in sorted(self._live())[:1]:
            if one.startswith("searchaccess."):
                self.admin.put(f"/_security/user/{one.replace('/', '%2F')}/_disable").raise_for_status()
            else:
                self.admin.request("DELETE", "/_security/api_key", json={"ids": [one]}).raise_for_status()

    @invariant()
    def what_consumers_read_works(self) -> None:
        assert len(self._live()) <= 2
        value = self.outside.newest(self.place)
        if value:
            self.spent.add(str(value["encoded"]))
        if self.whole:
            assert value is not None
            assert self._works(str(value["encoded"]))

    def teardown(self) -> None:
        try:
            self.plan.clear()
            assert self._try(), self.error
            value = self.outside.newest(self.place)
            assert value is not None
            assert self._live() == {value.get("id", value.get("username"))}
            assert self._roles() == ({value["username"]} if self.wish.auth is Auth.PASSWORD else set())
            assert self._try(withdraw=True), self.error
            assert not self._live()
            assert not self._roles()
            assert self.outside.newest(self.place) is None
            assert not any(self._works(encoded) for encoded in self.spent), "no key that ever was read works"
        finally:
            self.admin.close()
            self.runner.run(self.port.close())
            self.runner.run(_close(self.store))
            self.runner.close()


async def _close(store: Any) -> None:
    await (store._client if isinstance(store, KubernetesSecrets) else store).close()


@pytest.fixture
def cluster(elasticsearch_server: ElasticsearchServer) -> ElasticsearchServer:
    with elasticsearch_server.client() as admin:
        install_makers(admin)
    return elasticsearch_server


def _check(outside: Outside) -> None:
    number = int(os.environ.get(NUMBER, "3"))
    few = settings(max_examples=number, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck))

    class Here(Histories):
        def __init__(self) -> None:
            super().__init__(outside)

    run_state_machine_as_test(Here, settings=few)


@pytest.mark.one_release
def test_with_vault(cluster: ElasticsearchServer, vault_server: VaultServer) -> None:
    async def store() -> SecretStore:
        return opened(declared(vault_server.url), Tokens(ca_of(vault_server), vault_server.root_token))

    def newest(place: Place) -> dict[str, Any] | None:
        return vault_server.value(f"searchaccess/{place.namespace}/{place.name}")

    _check(Outside(cluster, store, newest))


@pytest.mark.one_release
def test_with_secrets_of_kubernetes(cluster: ElasticsearchServer, installed: KubernetesServers) -> None:
    async def namespace() -> Owner:
        side = await in_kubernetes(installed)
        await side._client.close()
        return side.owner

    owner = asyncio.run(namespace())

    async def store() -> SecretStore:
        return KubernetesSecrets(KubernetesClient(await load_configuration(installed.kubeconfig)), OPERATOR)

    def newest(place: Place) -> dict[str, Any] | None:
        options = ("-n", place.namespace, "--ignore-not-found", "-o", "jsonpath={.data.credential}")
        text = installed.run_kubectl("get", "secret", place.name, *options).stdout
        return dict(json.loads(base64.b64decode(text))) if text else None

    _check(Outside(cluster, store, newest, owner.namespace, owner.uid))
    installed.run_kubectl("delete", "namespace", owner.namespace, "--wait=false")
