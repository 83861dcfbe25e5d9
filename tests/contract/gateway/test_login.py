"""A gateway's login, in memory and for real: what its users and its role may do."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.api.clusters.gateway import Gateway
from searchaccess.core.clusters.cluster import cluster_from_object
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.login import OVERLAP, LoginNames, diff_role, parts_of, run_as_patterns, wanted_role
from searchaccess.core.gateway.objects import Holder, Place
from searchaccess.core.gateway.proof import OTHER, UNKNOWN_USER, RunAsAnswers, is_refused, judge_run_as
from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.rights.ownership import Operator, Role
from searchaccess.engine.gateway.job import Job
from searchaccess.engine.gateway.login import LoginKeeper
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.engine.outbox import Outbox
from searchaccess.engine.state import ClusterState, Context, Session
from searchaccess.ports.errors import Rejected
from tests.contract.elasticsearch_sides import ElasticsearchSide
from tests.stack.elasticsearch import ElasticsearchServer
from tests.support.failures.faults import Faults
from tests.support.loop.clocks import SettableClock
from tests.support.loop.stage import search_cluster
from tests.support.memory.gateways import MemoryGateways
from tests.support.memory.google import MemoryGoogle
from tests.support.memory.kubernetes import MemoryKubernetes
from tests.support.memory.store import MemoryStores
from tests.support.worlds.world import OPERATOR_PASSWORD, OPERATOR_USER, account

GATEWAY: Final = {"audience": "https://es.example.com", "url": "https://gateway.example.com", "namespace": "gateways"}


async def test_users_read_back_by_name_at_once(search: ElasticsearchSide) -> None:
    name, metadata = search.name("gateway.a"), {"gateway": {"cluster": "prod"}, "sequence": 1}
    assert await search.port.users_named([name]) == {}
    with pytest.raises(Rejected):
        await search.port.put_gateway_user(name, "role", metadata, None)
    await search.port.put_gateway_user(name, "role", metadata, Sealed("s3cret-s3cret"))
    found = await search.port.users_named([name, search.name("gateway.b")])
    assert found.keys() == {name}
    assert (found[name]["roles"], found[name]["metadata"], found[name]["enabled"]) == (["role"], metadata, True)
    await search.port.put_gateway_user(name, "role", metadata | {"sequence": 2}, None)
    assert (await search.port.users_named([name]))[name]["metadata"]["sequence"] == 2
    await search.port.delete_users([name])
    assert await search.port.users_named([name]) == {}


async def test_the_role_reads_back_as_it_was_written(search: ElasticsearchSide) -> None:
    operator, holder = Operator(search.prefix.strip("."), "kube-system"), Holder("default", "prod", "uid-1")
    role = wanted_role(operator, holder, "edge", ["*@example.com"])
    role = replace(role, name=search.name("gateway"))
    await search.port.replace_roles([role])
    raw = (await search.port.roles([role.name]))[role.name]
    assert diff_role(role, Role(role.name, role_from_json(raw), dict(raw["metadata"]))) == []


async def test_no_node_has_run_as_off(search: ElasticsearchSide) -> None:
    assert await search.port.nodes_without_run_as() == []


# What they may do, on the real server


@dataclass
class Real:
    """A keeper of a login on a real server."""

    server: ElasticsearchServer
    admin: httpx.Client
    port: ElasticsearchClient
    job: Job
    keeper: LoginKeeper
    clock: SettableClock
    gateways: MemoryGateways
    names: LoginNames

    async def reconcile(self, **cluster: Any) -> None:
        """Do what is due."""
        self.job.session.cluster = replace(self.job.session.cluster, **cluster)
        self.job.drift.clear()
        await self.keeper.reconcile(self.job, shared=False)

    def login(self) -> tuple[str, Sealed]:
        """Return what the gateway's pods have."""
        stored = self.gateways.objects[Place("gateways", self.names.gateway).login]
        parts = parts_of(stored.observed.login)
        assert parts is not None
        return parts

    def request(self, login: tuple[str, Sealed], run_as: str = "") -> httpx.Response:
        """Ask who a login is, as a gateway does."""
        headers = {"es-security-runas-user": run_as} if run_as else {}
        auth = (login[0], login[1].reveal())
        with httpx.Client(verify=self.server._trust(), auth=auth, timeout=30) as client:
            return client.get(f"{self.server.url}/_security/_authenticate", headers=headers)

    def role_name(self, principal: str) -> str:
        return self.job.context.operator.role_name(principal)

    async def judge(self, login: tuple[str, Sealed]) -> tuple[tuple[bool | None, str], bool]:
        """Test a login as the operator does."""
        connection = replace(self.job.session.connection, username=login[0], password=login[1].reveal())
        port = ElasticsearchClient(connection)
        try:
            answers = [
                RunAsAnswers(
                    self.server.url,
                    await port.authenticate_as(self.role_name(UNKNOWN_USER)),
                    await port.authenticate_as(OTHER),
                )
            ]
        finally:
            await port.close()
        judgement = judge_run_as(answers, login[0], await self.port.nodes_without_run_as())
        return (judgement[0], str(judgement[1])), is_refused(answers)


def connection_to(server: ElasticsearchServer) -> Connection:
    """Connect as the operator does."""
    return Connection((server.url,), Path(server.ca_file).read_text(), OPERATOR_USER, OPERATOR_PASSWORD)


@pytest.fixture
async def real(login: ElasticsearchServer) -> AsyncIterator[Real]:
    connection = connection_to(login)
    port = ElasticsearchClient(connection)
    clock, faults = SettableClock(), Faults()
    gateways, kubernetes = MemoryGateways(faults), MemoryKubernetes(faults, clock.now)
    operator, inventory = Operator(f"gw-{secrets.token_hex(3)}", "kube-system"), Inventory()
    context = Context(
        operator, inventory, kubernetes, Outbox(kubernetes, inventory), clock, MemoryGoogle(faults),
        MemoryStores(faults), gateways=gateways.gateways,
    )  # fmt: skip
    raw = search_cluster(identity={"gateway": GATEWAY})
    cluster = cluster_from_object({**raw, "metadata": {**raw["metadata"], "uid": "uid-1", "generation": 1}})
    session = Session(cluster, connection, port, ClusterState())
    job = Job(context, gateways.gateways, session, Gateway.model_validate(GATEWAY), {})
    with login.client() as admin:
        made = Real(
            login,
            admin,
            port,
            job,
            LoginKeeper(clock),
            clock,
            gateways,
            LoginNames(operator.instance, job.gateway.name),
        )
        yield made
        await port.delete_users(made.names.users)
        await port.delete_roles([made.names.role])
    await port.close()


def path_of(user: str) -> str:
    """Return the path of a user."""
    return f"/_security/user/{user.replace('/', '%2F')}"


def make_caller(real: Real, name: str) -> str:
    """Make a caller's user; return its name."""
    user = real.role_name(name)
    body = {"password": secrets.token_hex(16), "roles": []}
    real.admin.put(path_of(user), json=body).raise_for_status()
    return user


async def test_it_runs_as_callers_of_this_instance_and_as_nobody_else(real: Real) -> None:
    await real.reconcile()
    login = real.login()
    caller = make_caller(real, account("orders"))
    others = [
        make_caller(real, "shop/orders.1.abcdef01"),
        make_caller(real, f"eu.{account('orders')}x"),
        make_caller(real, "orders@example.com"),
    ]
    answer = real.request(login, caller).raise_for_status().json()
    assert answer["username"] == caller
    for other in (*others, "elastic", OPERATOR_USER, *real.names.users):
        if other != login[0]:
            assert real.request(login, other).status_code in {401, 403}, other
    # By itself it has no rights.
    body = real.request(login).json()
    assert (body["username"], body["roles"]) == (login[0], [real.names.role])
    for user in (caller, *others):
        real.admin.delete(path_of(user)).raise_for_status()


async def test_people_are_covered_by_their_domain_alone(real: Real) -> None:
    patterns = run_as_patterns(real.job.context.operator.instance, ["*@example.com"])
    await real.reconcile()
    body = {"run_as": patterns, "metadata": {"x": 1}}
    real.admin.put(f"/_security/role/{real.names.role}.people", json=body).raise_for_status()
    user = f"{real.names.role}.people"
    password = secrets.token_hex(16)
    real.admin.put(f"/_security/user/{user}", json={"password": password, "roles": [user]}).raise_for_status()
    ada, eve = make_caller(real, "ada.l+x@example.com"), make_caller(real, "eve@example.com.evil.org")
    assert real.request((user, Sealed(password)), ada).status_code == 200
    assert real.request((user, Sealed(password)), eve).status_code == 403
    for name in (ada, eve, user):
        real.admin.delete(f"/_security/user/{name}").raise_for_status()
    real.admin.delete(f"/_security/role/{user}").raise_for_status()


async def test_a_rotation_has_both_logins_for_the_overlap_and_then_one(real: Real) -> None:
    await real.reconcile()
    first = real.login()
    await real.reconcile(rotate_requested="now")
    second = real.login()
    assert {first[0], second[0]} == set(real.names.users)
    assert [real.request(one).status_code for one in (first, second)] == [200, 200]
    real.clock.advance(OVERLAP - 30)
    await real.reconcile()
    assert real.request(first).status_code == 200
    real.clock.advance(60)
    await real.reconcile()
    assert [real.request(one).status_code for one in (first, second)] == [401, 200]
    assert await real.judge(second) == ((True, "RunAsEnabled"), False)
    assert real.job.drift == []


async def test_what_somebody_does_to_the_login_is_found_and_corrected(real: Real) -> None:
    await real.reconcile()
    login = real.login()
    role = real.admin.get(f"/_security/role/{real.names.role}").json()[real.names.role]
    role.pop("transient_metadata", None)
    widened = role | {"run_as": ["*"], "cluster": ["all"]}
    real.admin.put(f"/_security/role/{real.names.role}", json=widened).raise_for_status()
    assert (await real.judge(login))[0] == (False, "RunAsTooWide")
    await real.reconcile()
    assert {one.path for one in real.job.drift} == {"run_as", "cluster"}
    assert (await real.judge(login))[0] == (True, "RunAsEnabled")

    path = f"/_security/user/{login[0]}"
    user = real.admin.get(path).json()[login[0]]
    more = {"roles": [real.names.role, "superuser"], "metadata": user["metadata"]}
    real.admin.put(path, json=more).raise_for_status()
    await real.reconcile()
    assert [one.path for one in real.job.drift] == ["roles"]
    assert real.request(login).json()["roles"] == [real.names.role]

    real.admin.post(f"{path}/_password", json={"password": "somebody-chose-this"}).raise_for_status()
    assert await real.judge(login) == ((False, "GatewayLoginRefused"), True)
    real.keeper.refused = login[0]
    await real.reconcile()
    assert real.login()[0] != login[0]
    assert (await real.judge(real.login()))[0] == (True, "RunAsEnabled")
    assert list(await real.port.users_named(real.names.users)) == [real.login()[0]]


async def test_a_login_that_is_gone_is_made_again(real: Real) -> None:
    await real.reconcile()
    first = real.login()
    await real.port.delete_users([first[0]])
    await real.reconcile()
    assert real.request(real.login()).status_code == 200
    assert f"user/{first[0]}" in {one.object for one in real.job.drift}
