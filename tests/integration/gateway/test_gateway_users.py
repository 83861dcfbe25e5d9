"""Callers behind a gateway, on real Elasticsearch: they run as the users that the operator keeps.

A client with the gateway's login stands in for the gateway. Kubernetes is in memory.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.core.clusters.connection import Connection
from searchaccess.ports.elasticsearch import ElasticsearchPort
from tests.stack.elasticsearch import ElasticsearchServer, License, LocalElasticsearch
from tests.support.loop.stage import LOGIN_SECRET, OPERATOR, Stage, search_cluster
from tests.support.worlds.world import OPERATOR_PASSWORD, OPERATOR_ROLE, OPERATOR_USER, access, account, grant

PATIENCE = 120.0
IDENTITY: dict[str, Any] = {
    "gateway": {"audience": "https://es.example.com", "url": "https://es.example.com", "namespace": "search"}
}
GATEWAY = "searchaccess-gateway.default.searchaccess-gateway"
FENCE = r"/searchaccess\.default\.[a-z0-9\-\.]+\@([a-z0-9\-]+\.)+gserviceaccount\.com/"
ORDERS = account("orders")
ROLE = OPERATOR.role_name(ORDERS)
MINE = access("orders", grant("orders-*"))
RESTRICTED = access("bills", grant("orders-*", where={"term": {"region": "eu"}}))


class RealStage(Stage):
    """The operator's loop, in real time, on a real Elasticsearch."""

    async def open(self, connection: Connection, cluster: str = "") -> ElasticsearchPort:  # noqa: ARG002 - of the port
        return ElasticsearchClient(connection)


@dataclass
class Callers:
    """What callers behind the gateway can do."""

    server: ElasticsearchServer
    admin: httpx.Client
    login: tuple[str, str]

    def client(self, login: tuple[str, str]) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.server.url, verify=self.server._trust(), auth=login, timeout=30)

    async def search(self, principal: str = ORDERS) -> int:
        """Return the status of a search as the gateway sends it."""
        async with self.client(self.login) as client:
            headers = {"es-security-runas-user": OPERATOR.role_name(principal)}
            return (await client.get("/orders-1/_search", headers=headers)).status_code

    async def found(self, principal: str) -> int:
        async with self.client(self.login) as client:
            headers = {"es-security-runas-user": OPERATOR.role_name(principal)}
            body = (await client.get("/orders-1/_search", headers=headers)).json()
            return int(body["hits"]["total"]["value"]) if "hits" in body else -1

    async def log_in(self, name: str, password: str) -> int:
        """Return the status of a login with a password, past the gateway."""
        async with self.client((name, password)) as client:
            return (await client.get("/_security/_authenticate")).status_code

    def user(self, name: str = ROLE) -> dict[str, Any]:
        answer = self.admin.get(f"/_security/user/{name}")
        return dict(answer.json().get(name, {})) if answer.is_success else {}


def make(kind: License) -> Iterator[Callers]:
    with LocalElasticsearch(license=kind, heap="512m") as server, server.client() as admin:
        login = (f"{GATEWAY}.a", secrets.token_urlsafe(16))
        for path, body in {
            f"role/{GATEWAY}": {"run_as": [FENCE]},
            f"user/{login[0]}": {"password": login[1], "roles": [GATEWAY]},
            f"role/{OPERATOR_USER}": OPERATOR_ROLE,
            f"user/{OPERATOR_USER}": {"password": OPERATOR_PASSWORD, "roles": [OPERATOR_USER]},
        }.items():
            admin.put(f"/_security/{path}", json=body).raise_for_status()
        for region in ("eu", "us"):
            admin.post("/orders-1/_doc?refresh=true", json={"region": region}).raise_for_status()
        yield Callers(server, admin, login)


@pytest.fixture(scope="module")
def basic(built_elasticsearch: None) -> Iterator[Callers]:  # noqa: ARG001 - it has to be built
    yield from make("basic")


@pytest.fixture(scope="module")
def trial(built_elasticsearch: None) -> Iterator[Callers]:  # noqa: ARG001 - it has to be built
    yield from make("trial")


@asynccontextmanager
async def operated(callers: Callers, *objects: dict[str, Any]) -> AsyncIterator[RealStage]:
    """Let an operator run on a SearchCluster with a gateway; remove everything in the end."""
    stage = RealStage()
    stage.kubernetes.sources[LOGIN_SECRET] = {
        "username": OPERATOR_USER.encode(),
        "password": OPERATOR_PASSWORD.encode(),
    }
    stage.start()
    authorities = {"inline": callers.server.ca_file.read_text()}
    stage.apply(search_cluster(url=callers.server.url, ca=authorities, identity=IDENTITY), *objects)
    try:
        yield stage
        for raw in objects:
            if stage.get(raw["metadata"]["name"]):
                stage.delete(raw["metadata"]["name"])
        await until(lambda: not any(stage.get(raw["metadata"]["name"]) for raw in objects))
    finally:
        await stage.stop()


async def until(is_true: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if is_true():
                return
            await asyncio.sleep(0.05)


def is_ready(stage: Stage, name: str = "orders") -> bool:
    return stage.ready(name) == ("True", "InSync")


async def test_on_basic_a_grant_lets_a_caller_in_and_a_revocation_refuses_its_next_request(basic: Callers) -> None:
    async with operated(basic, MINE, access("other", grant("other-*"))) as stage:
        await until(lambda: is_ready(stage))
        assert await basic.search() == 200
        assert await basic.search(account("other")) == 403
        stage.delete("orders")
        await until(lambda: not stage.get("orders"))
        assert await basic.search() == 403
        assert basic.user() == {}


async def test_a_password_that_somebody_set_stops_working_while_the_caller_is_never_refused(basic: Callers) -> None:
    async with operated(basic, MINE) as stage:
        await until(lambda: is_ready(stage))
        seen, done = list[int](), asyncio.Event()

        async def call() -> None:
            while not done.is_set():
                seen.append(await basic.search())

        calling = asyncio.create_task(call())
        stage.spared.add(calling)
        try:
            answer = basic.admin.put(f"/_security/user/{ROLE}/_password", json={"password": "longer than six"})
            assert answer.is_success
            assert await basic.log_in(ROLE, "longer than six") == 200
            await until(lambda: "PasswordsReset" in stage.notes("prod"))
            at_reset = len(seen)
            await until(lambda: len(seen) > at_reset + 5)
        finally:
            done.set()
            await calling
        # Only now: Elasticsearch takes the user of a login that it refuses for unknown, in a request that runs as it at
        # the same moment.
        assert await basic.log_in(ROLE, "longer than six") == 401
        assert set(seen) == {200}


async def test_what_somebody_changed_of_a_user_is_corrected(basic: Callers) -> None:
    async with operated(basic, MINE) as stage:
        await until(lambda: is_ready(stage))
        as_it_was = basic.user()
        assert (as_it_was["roles"], as_it_was["enabled"]) == ([ROLE], True)
        changed = {"roles": ["superuser"], "enabled": False, "metadata": as_it_was["metadata"]}
        assert basic.admin.put(f"/_security/user/{ROLE}", json=changed).is_success
        await until(lambda: basic.user() == as_it_was)
        basic.admin.delete(f"/_security/user/{ROLE}")
        await until(lambda: basic.user() == as_it_was)
        assert await basic.search() == 200
        await until(lambda: is_ready(stage))
        drift = stage.get("orders")["status"]["drift"]
        assert drift["corrected"] >= 2


async def test_a_foreign_user_of_our_name_is_left_alone(basic: Callers) -> None:
    foreign = {"password_hash": f"$2a$10${'a' * 53}", "roles": ["viewer"], "metadata": {"mine": True}}
    assert basic.admin.put(f"/_security/user/{ROLE}", json=foreign).is_success
    async with operated(basic, MINE) as stage:
        await until(lambda: stage.ready("orders") == ("False", "OwnershipConflict"))
        assert basic.user()["metadata"] == {"mine": True}
        basic.admin.delete(f"/_security/user/{ROLE}")
        await until(lambda: is_ready(stage))


async def test_on_basic_what_needs_more_is_refused_before_it_is_written(basic: Callers) -> None:
    async with operated(basic, RESTRICTED) as stage:
        await until(lambda: stage.ready("bills") == ("False", "LicenseInsufficient"))
        assert basic.user(OPERATOR.role_name(account("bills"))) == {}


async def test_a_license_that_ends_shows_nobody_more_and_revocations_still_work(trial: Callers) -> None:
    async with operated(trial, MINE, RESTRICTED) as stage:
        await until(lambda: is_ready(stage) and is_ready(stage, "bills"))
        assert await trial.found(ORDERS) == 2
        assert await trial.found(account("bills")) == 1
        assert trial.admin.post("/_license/start_basic?acknowledge=true").json()["basic_was_started"]
        assert await trial.search(account("bills")) == 403, "not everything"
        assert await trial.search() == 200
        await until(lambda: stage.ready("bills") == ("False", "LicenseInsufficient"))
        await until(lambda: is_ready(stage))
        stage.delete("bills")
        await until(lambda: not stage.get("bills"))
        assert trial.user(OPERATOR.role_name(account("bills"))) == {}
