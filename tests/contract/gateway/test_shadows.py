"""What Elasticsearch answers about a caller whose role is also in a file of the node, and about one whose is not."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.login import connection_as, run_as_patterns
from searchaccess.core.model.canonical import RoleBody, role_from_json
from searchaccess.core.rights.foreign.shadows import (
    NO_RIGHTS,
    Shadow,
    effective_role,
    ignores_run_as,
    of_everybody,
    shadow_of,
)
from searchaccess.core.rights.ownership import Operator
from searchaccess.ports.errors import LoginRefused, PermissionDenied
from tests.stack.elasticsearch import LocalElasticsearch
from tests.support.worlds.world import account

LOOKS = 300
"""Looks, five a second, until a node has read a file again; it does so every five seconds."""
INSTANCE = "shadows"
OPERATOR = Operator(INSTANCE, "kube-system")
ANONYMOUS = {"xpack.security.authc.anonymous.roles": ["everybody"]}
EU, US = {"term": {"region": "eu"}}, {"term": {"region": "us"}}
KIBANA = {"application": "kibana-.kibana", "privileges": ["feature_discover.read"], "resources": ["space:x"]}
BROAD: dict[str, Any] = {"indices": [{"names": ["*"], "privileges": ["read"]}]}


def certificates_of(server: LocalElasticsearch) -> str:
    return Path(server.ca_file).read_text()


def entry(*names: str, can: tuple[str, ...] = ("read",), **more: Any) -> dict[str, Any]:
    return {"names": list(names), "privileges": list(can), **more}


ROLES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "marked": {
        "cluster": ["monitor"],
        "indices": [
            entry("orders-*", "NO-INDEX#one", can=("Read", "view_index_metadata")),
            entry("orders-*", "NO-INDEX#two", query=EU, field_security={"grant": ["a", "b"], "except": ["b"]}),
        ],
        "applications": [KIBANA],
    },
    "joined": {
        "indices": [
            entry("a", query=EU), entry("a", can=("write",), query=US), entry("b", query=EU), entry("b"),
            entry("c", field_security={"grant": ["x"]}), entry("c", field_security={"grant": ["y"]}),
            entry("d", can=("write",)), entry("d", query=EU, field_security={"grant": ["x"]}),
        ]
    },
    "wide": {"indices": [entry("*", can=("all", "manage", "indices:data/write/index", "monitor"))]},
    "expressions": {"indices": [entry("/orders-[0-9]+/", "logs-?", query={"match_all": {}})]},
    "remote": {"remote_indices": [entry("r-*", clusters=["eu", "us*"])]},
}  # fmt: skip


@dataclass
class Asking:
    """Elasticsearch, asked by a gateway's login."""

    server: LocalElasticsearch
    admin: httpx.Client
    port: ElasticsearchClient
    login: RoleBody

    def write(self, name: str, role: dict[str, Any]) -> str:
        """Write a caller's role and its user; return the name of both."""
        full = OPERATOR.role_name(account(name))
        self.admin.put(f"/_security/role/{full}", json=role).raise_for_status()
        body = {"password": secrets.token_hex(16), "roles": [full]}
        self.admin.put(f"/_security/user/{full}", json=body).raise_for_status()
        return full

    async def shadow(self, name: str) -> Shadow | None:
        """Look at a role, as the operator does."""
        answer = self.admin.get(f"/_security/role/{name}")
        stored = role_from_json(answer.json()[name]) if answer.status_code == 200 else NO_RIGHTS
        effective = effective_role(await self.port.privileges_as(name))
        assert not ignores_run_as(effective, self.login)
        return shadow_of(name, stored, effective, of_everybody(self.login))

    async def until(self, name: str, *, is_there: bool) -> Shadow | None:
        """Wait until the node has read its file again."""
        for _ in range(LOOKS):
            if ((found := await self.shadow(name)) is not None) is is_there:
                return found
            await asyncio.sleep(0.2)
        raise AssertionError(f"{name}: {'nothing' if is_there else 'still something'} in a file is in force")


@pytest.fixture(scope="module")
def server(built_elasticsearch: None) -> Iterator[LocalElasticsearch]:  # noqa: ARG001 - built before any test.
    with LocalElasticsearch(settings=ANONYMOUS, heap="512m") as started:
        with started.client() as admin:
            everybody = {"cluster": ["monitor_ml"], "indices": [entry("public-*")]}
            admin.put("/_security/role/everybody", json=everybody).raise_for_status()
        yield started


@pytest.fixture
async def asking(server: LocalElasticsearch) -> AsyncIterator[Asking]:
    name, password = "gateway-of-shadows", secrets.token_hex(16)
    with server.client() as admin:
        body = {"run_as": run_as_patterns(INSTANCE, [])}
        admin.put(f"/_security/role/{name}", json=body).raise_for_status()
        admin.put(f"/_security/user/{name}", json={"password": password, "roles": [name]}).raise_for_status()
        own = Connection((server.url,), certificates_of(server), api_key="of the operator")
        port = ElasticsearchClient(connection_as(own, name, Sealed(password)))
        yield Asking(server, admin, port, effective_role(await port.privileges_as("")))
        await port.close()
        server.write_file_roles({})


async def test_no_role_that_is_in_force_is_taken_for_a_shadow(asking: Asking) -> None:
    for name, role in ROLES.items():
        assert await asking.shadow(asking.write(name, role)) is None, name


async def test_a_role_in_a_file_is_seen_although_the_role_api_shows_ours_and_goes_with_the_file(asking: Asking) -> None:
    before = {name: asking.write(name, role) for name, role in ROLES.items()}
    asking.server.write_file_roles({full: BROAD for name, full in before.items() if name != "wide"})
    full = before["marked"]
    found = await asking.until(full, is_there=True)
    assert found is not None
    assert "it adds read on all indices; it lacks " in found.text
    assert "it adds read on all indices" in str(await asking.shadow(before["nothing"]))
    assert "it lacks read on eu" in str(await asking.shadow(before["remote"]))
    assert await asking.shadow(before["wide"]) is None, "a role of another name"
    # Elasticsearch takes a write of ours, and shows it; it has no effect.
    asking.write("marked", ROLES["marked"] | {"cluster": ["all"]})
    assert asking.admin.get(f"/_security/role/{full}").json()[full]["cluster"] == ["all"]
    assert "all cluster privileges" in str(await asking.shadow(full))
    # Without ours, the one in the file is in force, too.
    asking.admin.delete(f"/_security/role/{full}").raise_for_status()
    assert "it adds read on all indices" in str(await asking.shadow(full))
    asking.write("marked", ROLES["marked"])
    asking.server.write_file_roles({})
    assert await asking.until(full, is_there=False) is None


async def test_a_caller_without_a_user_or_with_a_disabled_one_cannot_be_asked_about(asking: Asking) -> None:
    with pytest.raises(PermissionDenied):
        await asking.port.privileges_as(OPERATOR.role_name(account("nobody")))
    full = asking.write("off", {})
    asking.admin.put(f"/_security/user/{full}/_disable").raise_for_status()
    with pytest.raises(LoginRefused):
        await asking.port.privileges_as(full)
