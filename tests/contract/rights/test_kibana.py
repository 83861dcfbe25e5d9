"""Rights in Kibana as Elasticsearch keeps and answers them: that is what Kibana asks for each request of a caller."""

import secrets
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.model.canonical import KIBANA, RoleBody, role_from_json
from searchaccess.core.rights.ownership import Role
from tests.stack.elasticsearch import ElasticsearchServer
from tests.unit.builders import an_access

PASSWORD = "only-for-this-test"
LOGIN = "login:"
DISCOVER, SAVE = "ui:discover/show", "ui:discover/save"
MEANINGS: dict[str, list[str]] = {
    "all": [LOGIN, DISCOVER, SAVE, "ui:maps/show"],
    "read": [LOGIN, DISCOVER, "ui:maps/show"],
    "space_all": [LOGIN, DISCOVER, SAVE, "ui:maps/show"],
    "space_read": [LOGIN, DISCOVER, "ui:maps/show"],
    "feature_discover.all": [LOGIN, DISCOVER, SAVE],
    "feature_discover.read": [LOGIN, DISCOVER],
    "feature_maps.read": [LOGIN, "ui:maps/show"],
}
"""What Kibana registers, much shortened: each privilege with its actions."""


@dataclass
class Bench:
    """A server on which Kibana registered its privileges, and a caller."""

    server: ElasticsearchServer
    admin: httpx.Client
    name: str

    def client(self, user: str) -> httpx.Client:
        trust = ssl.create_default_context(cafile=str(self.server.ca_file))
        return httpx.Client(base_url=self.server.url, auth=(user, PASSWORD), verify=trust, timeout=30)

    def role(self, *kibana: dict[str, Any]) -> Role:
        access = an_access(grants=[], kibana=list(kibana))
        assert access.invalid == ""
        return Role(self.name, access.share.body, {"made_by": "contract"})

    def may(self, *actions: str, space: str = "sales") -> list[bool]:
        """Ask as Kibana does: whether the caller has these actions in a space."""
        asked = {"application": KIBANA, "privileges": list(actions), "resources": [f"space:{space}"]}
        with self.client(self.name) as caller:
            answer = caller.post("/_security/user/_has_privileges", json={"application": [asked]}).raise_for_status()
        return [answer.json()["application"][KIBANA][f"space:{space}"][action] for action in actions]


@pytest.fixture
def bench(login: ElasticsearchServer) -> Iterator[Bench]:
    made = f"kibana{secrets.token_hex(3)}"
    with login.client() as admin:
        registered = {name: {"actions": actions, "metadata": {}} for name, actions in MEANINGS.items()}
        admin.put("/_security/privilege", json={KIBANA: registered}).raise_for_status()
        admin.put(f"/_security/user/{made}", json={"password": PASSWORD, "roles": [made]}).raise_for_status()
        yield Bench(login, admin, made)
        admin.delete(f"/_security/user/{made}")
        admin.delete(f"/_security/role/{made}")
        for name in MEANINGS:
            admin.delete(f"/_security/privilege/{KIBANA}/{name}")


@pytest.fixture
async def port(bench: Bench) -> AsyncIterator[ElasticsearchClient]:
    server = bench.server
    client = ElasticsearchClient(
        Connection((server.url,), server.ca_file.read_text(), server.username, server.password)
    )
    yield client
    await client.close()


async def test_what_was_written_reads_as_it_was_declared_and_goes_when_it_is_not_any_more(
    bench: Bench, port: ElasticsearchClient
) -> None:
    grants: list[dict[str, Any]] = [
        {"spaces": ["sales", "default"], "features": {"maps": "read", "discover": "all"}},
        {"spaces": ["sales", "default"], "features": {"maps": "read", "discover": "all"}},
        {"spaces": ["*"], "base": "read"},
    ]
    role = bench.role(*grants)
    assert not (await port.put_roles([role])).refused
    read = role_from_json((await port.roles([role.name]))[role.name])
    assert read == role.body
    assert [entry.hash for entry in read.entries] == [entry.hash for entry in role.body.entries]
    assert (await port.put_roles([role])).unchanged == {role.name}
    nothing = Role(role.name, RoleBody(("monitor",)), role.metadata)
    assert not nothing.sheds(role)
    assert (await port.put_roles([nothing])).changed == {role.name}
    assert role_from_json((await port.roles([role.name]))[role.name]) == nothing.body


async def test_a_caller_has_what_is_declared_in_that_space_alone(bench: Bench, port: ElasticsearchClient) -> None:
    await port.put_roles([bench.role({"spaces": ["sales"], "features": {"discover": "read"}})])
    assert bench.may(LOGIN, DISCOVER, SAVE, "ui:maps/show") == [True, True, False, False]
    assert bench.may(LOGIN, DISCOVER, space="sales2") == [False, False]
    assert bench.may(LOGIN, DISCOVER, space="default") == [False, False]


@pytest.mark.parametrize(
    ("grant", "here", "elsewhere"),
    [
        ({"spaces": ["sales"], "base": "read"}, [True, False], [False, False]),
        ({"spaces": ["sales"], "base": "all"}, [True, True], [False, False]),
        ({"spaces": ["*"], "base": "read"}, [True, False], [True, False]),
        ({"spaces": ["*"], "features": {"discover": "all"}}, [True, True], [True, True]),
    ],
    ids=str,
)
async def test_base_and_every_space_mean_what_they_say(
    bench: Bench, port: ElasticsearchClient, grant: dict[str, Any], here: list[bool], elsewhere: list[bool]
) -> None:
    await port.put_roles([bench.role(grant)])
    assert bench.may(DISCOVER, SAVE) == here
    assert bench.may(DISCOVER, SAVE, space="other") == elsewhere


async def test_grants_add_up_and_none_widens_another(bench: Bench, port: ElasticsearchClient) -> None:
    everywhere = {"spaces": ["*"], "features": {"maps": "read"}}
    await port.put_roles([bench.role(everywhere, {"spaces": ["sales"], "features": {"discover": "all"}})])
    assert bench.may(DISCOVER, SAVE, "ui:maps/show") == [True, True, True]
    assert bench.may(DISCOVER, SAVE, "ui:maps/show", space="other") == [False, False, True]


async def test_a_feature_that_kibana_does_not_have_gives_nothing(bench: Bench, port: ElasticsearchClient) -> None:
    await port.put_roles([bench.role({"spaces": ["sales"], "features": {"discovr": "all"}})])
    assert bench.may(LOGIN, DISCOVER) == [False, False]


async def test_they_give_nothing_in_elasticsearch_itself(bench: Bench, port: ElasticsearchClient) -> None:
    await port.put_roles([bench.role({"spaces": ["*"], "base": "all"})])
    with bench.client(bench.name) as caller:
        assert caller.get("/_search").json().get("hits", {}).get("hits", []) == []
        refused = [caller.get("/orders/_search"), caller.get("/_cluster/health"), caller.get("/_security/role")]
        assert [answer.status_code for answer in refused] == [403] * len(refused)


async def test_what_the_login_of_a_key_lacks_is_named_before(bench: Bench, port: ElasticsearchClient) -> None:
    rights = bench.role({"spaces": ["sales"], "features": {"discover": "read"}}).body
    assert await port.lacks(rights) == ()
    server = bench.server
    maker = ElasticsearchClient(Connection((server.url,), server.ca_file.read_text(), bench.name, PASSWORD))
    try:
        await port.put_roles([Role(bench.name, RoleBody(("manage_security",)), {})])
        assert await maker.lacks(rights) == ("feature_discover.read on space:sales",)
        await port.put_roles([bench.role({"spaces": ["*"], "features": {"discover": "read"}})])
        assert await maker.lacks(rights) == ()
    finally:
        await maker.close()
