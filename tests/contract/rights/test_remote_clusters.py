"""Rights on a remote cluster that is connected by an API key: what a caller sees there, on two real servers."""

import base64
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.credentials.credential import DESCRIPTOR
from searchaccess.core.model.canonical import Entry, RoleBody, role_from_json
from searchaccess.core.rights.ownership import Role
from tests.stack.elasticsearch import LocalElasticsearch
from tests.stack.running.processes import free_port
from tests.unit.builders import a_grant, an_access

PASSWORD = "only-for-this-test"
CALLER = "caller"
EU: dict[str, Any] = {"remoteClusters": ["eu"]}
BY_REGION: dict[str, Any] = {"where": {"term": {"region.keyword": "eu"}}}
DOCUMENTS: dict[str, dict[str, Any]] = {"1": {"region": "eu", "ssn": "s-1"}, "2": {"region": "us", "ssn": "s-2"}}
HEAP = "384m"


@dataclass
class Joined:
    """A cluster that knows another one by two names."""

    here: LocalElasticsearch
    admin: httpx.Client

    def client(self, **how: Any) -> httpx.Client:
        trust = ssl.create_default_context(cafile=str(self.here.ca_file))
        return httpx.Client(base_url=self.here.url, verify=trust, timeout=30, **how)

    def grant(self, *entries: Entry) -> None:
        """Give the caller a role with these entries."""
        body = RoleBody(entries=entries).to_json()
        self.admin.put(f"/_security/role/{CALLER}", json=body).raise_for_status()

    def declare(self, *grants: dict[str, Any]) -> None:
        """Give the caller what these grants come to."""
        access = an_access(grants=grants)
        assert (access.invalid, access.widens) == ("", "")
        self.grant(*access.share.entries)

    def search(self, target: str, **parameters: str) -> httpx.Response:
        with self.client(auth=(CALLER, PASSWORD)) as caller:
            return caller.get(f"/{target}/_search", params=parameters)


def found(answer: httpx.Response) -> list[dict[str, Any]]:
    """Return the documents of an answer in which nothing failed."""
    body = answer.raise_for_status().json()
    assert body["_clusters"]["skipped"] == body["_shards"]["failed"] == 0, body
    return sorted((hit["_source"] for hit in body["hits"]["hits"]), key=str)


@pytest.fixture(scope="module")
def joined(built_elasticsearch: None) -> Iterator[Joined]:  # noqa: ARG001 - built before any test.
    port = free_port()
    served = {
        "remote_cluster_server.enabled": True,
        "remote_cluster.port": port,
        "xpack.security.remote_cluster_server.ssl.enabled": False,
    }
    with LocalElasticsearch(settings=served, heap=HEAP) as there, there.client() as admin:
        for key, document in DOCUMENTS.items():
            admin.put(f"/logs-1/_doc/{key}", json=document).raise_for_status()
        admin.put("/other/_doc/1", json={"region": "eu"}).raise_for_status()
        admin.post("/_refresh").raise_for_status()
        access = {"search": [{"names": ["*"]}]}
        made = admin.post("/_security/cross_cluster/api_key", json={"name": "joined", "access": access}).json()
        settings: dict[str, Any] = {"xpack.security.remote_cluster_client.ssl.enabled": False}
        for name in ("eu", "us"):
            settings[f"cluster.remote.{name}.seeds"] = f"127.0.0.1:{port}"
            settings[f"cluster.remote.{name}.skip_unavailable"] = False
        login = {f"cluster.remote.{name}.credentials": made["encoded"] for name in ("eu", "us")}
        with LocalElasticsearch(settings=settings, secure_settings=login, heap=HEAP) as here, here.client() as own:
            own.put("/logs-1/_doc/1?refresh=true", json={"region": "here"}).raise_for_status()
            user = {"password": PASSWORD, "roles": [CALLER]}
            own.put(f"/_security/user/{CALLER}", json=user).raise_for_status()
            yield Joined(here, own)


@pytest.fixture
async def port(joined: Joined) -> AsyncIterator[ElasticsearchClient]:
    here = joined.here
    client = ElasticsearchClient(Connection((here.url,), here.ca_file.read_text(), here.username, here.password))
    yield client
    await client.close()


async def test_what_was_written_reads_as_it_was_declared_and_goes_when_it_is_not_any_more(
    joined: Joined, port: ElasticsearchClient
) -> None:
    restricted = a_grant("logs-*", **EU, **BY_REGION, fields={"exclude": ["ssn"]})
    share = an_access(grants=[restricted, a_grant("x", remoteClusters=["us", "e*"]), a_grant("logs-1")]).share
    role = Role("canonical", share.body, {"made_by": "contract"})
    assert not (await port.put_roles([role])).refused
    read = role_from_json((await port.roles([role.name]))[role.name])
    assert read.same_as(role.body)
    assert {entry.hash for entry in read.entries} == {entry.hash for entry in share.entries}
    assert (await port.put_roles([role])).unchanged == {role.name}
    tampered = role.to_json()
    tampered["remote_indices"][0]["clusters"] = []
    joined.admin.put(f"/_security/role/{role.name}", json=tampered).raise_for_status()
    assert not role_from_json((await port.roles([role.name]))[role.name]).same_as(role.body)
    local = Role(role.name, RoleBody(entries=share.local), role.metadata)
    assert not local.sheds(Role(role.name, read, role.metadata))
    assert (await port.put_roles([local])).changed == {role.name}
    assert role_from_json((await port.roles([role.name]))[role.name]) == local.body


@pytest.mark.parametrize("minimize", ["true", "false"])
def test_a_caller_reads_what_is_granted_there_and_nothing_else(joined: Joined, minimize: str) -> None:
    joined.declare(a_grant("logs-*", **EU))
    assert found(joined.search("eu:logs-1", ccs_minimize_roundtrips=minimize)) == list(DOCUMENTS.values())
    assert found(joined.search("eu:*", ccs_minimize_roundtrips=minimize)) == list(DOCUMENTS.values())
    for target in ("eu:other", "us:logs-1", "logs-1"):
        assert joined.search(target, ccs_minimize_roundtrips=minimize).status_code == 403, target
    with joined.client(auth=(CALLER, PASSWORD)) as caller:
        assert caller.get("/eu:logs-*/_field_caps?fields=*").status_code == 200
        assert caller.get("/_resolve/index/eu:*").json()["indices"][0]["name"] == "eu:logs-1"
        assert caller.post("/eu:logs-1/_doc", json={}).status_code == 403


def test_a_beginning_and_a_star_name_clusters_too(joined: Joined) -> None:
    joined.declare(a_grant("logs-*", remoteClusters=["e*"]))
    assert found(joined.search("eu:logs-1")) == list(DOCUMENTS.values())
    assert joined.search("us:logs-1").status_code == 403
    joined.declare(a_grant("logs-*", remoteClusters=["*"]))
    assert found(joined.search("us:logs-1")) == list(DOCUMENTS.values())
    assert joined.search("logs-1").status_code == 403


def test_a_grant_here_is_none_there(joined: Joined) -> None:
    joined.declare(a_grant("logs-*"))
    assert [hit["_source"] for hit in joined.search("logs-1").json()["hits"]["hits"]] == [{"region": "here"}]
    assert joined.search("eu:logs-1").status_code == 403


def test_where_and_fields_hold_there_beside_other_grants_on_the_same_indices(joined: Joined) -> None:
    joined.declare(a_grant("logs-*", **EU, **BY_REGION, fields={"exclude": ["ssn"]}))
    assert found(joined.search("eu:logs-1")) == [{"region": "eu"}]
    us: dict[str, Any] = {"where": {"term": {"region.keyword": "us"}}}
    joined.declare(a_grant("logs-*", **EU, **BY_REGION), a_grant("logs-*", remoteClusters=["u*"]))
    assert found(joined.search("eu:logs-1")) == [DOCUMENTS["1"]]
    joined.declare(a_grant("logs-*", **EU, **BY_REGION), a_grant("logs-*", remoteClusters=["e*"], **us))
    assert found(joined.search("eu:logs-1")) == list(DOCUMENTS.values())


@pytest.mark.parametrize("clusters", [("eu",), ("e*",)], ids=str)
def test_a_restriction_there_would_get_lost_without_a_name_of_its_own(
    joined: Joined, clusters: tuple[str, ...]
) -> None:
    (restricted,) = an_access(grants=[a_grant("logs-*", **EU, **BY_REGION)]).share.entries
    beside = Entry(("logs-*",), ("view_index_metadata",), clusters=clusters)
    joined.grant(restricted, beside)
    assert found(joined.search("eu:logs-1")) == [DOCUMENTS["1"]]
    joined.grant(Entry(restricted.indices, restricted.privileges, query=restricted.query, clusters=("eu",)), beside)
    assert found(joined.search("eu:logs-1")) == list(DOCUMENTS.values())


QUERIES: list[dict[str, Any]] = [
    {"term": {"region.keyword": "eu"}},
    {"terms": {"region.keyword": ["eu"]}},
    {"match": {"region": "eu"}},
    {"match_phrase": {"region": {"query": "eu"}}},
    {"range": {"region.keyword": {"lte": "ez"}}},
    {"prefix": {"region.keyword": "e"}},
    {"wildcard": {"region.keyword": {"value": "e?"}}},
    {"regexp": {"region.keyword": "e."}},
    {"fuzzy": {"ssn.keyword": {"value": "s-1", "fuzziness": 0}}},
    {"ids": {"values": ["1"]}},
    {"bool": {"filter": [{"match_all": {}}, {"exists": {"field": "ssn"}}], "must_not": {"term": {"region": "us"}}}},
    {"bool": {"should": [{"term": {"region": "eu"}}, {"term": {"ssn": "x"}}], "minimum_should_match": 1}},
]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: next(iter(query)))
def test_each_query_that_is_taken_works_there(joined: Joined, query: dict[str, Any]) -> None:
    joined.declare(a_grant("logs-*", **EU, where=query))
    assert found(joined.search("eu:logs-1")) == [DOCUMENTS["1"]]


def test_elasticsearch_stores_a_query_for_there_that_is_none_and_every_search_fails(joined: Joined) -> None:
    joined.grant(Entry(("logs-*",), ("read",), query='{"trem":{"region":"eu"}}', clusters=("eu",)))
    answer = joined.search("eu:logs-1")
    assert answer.is_error
    assert "trem" in answer.text
    assert an_access(grants=[a_grant("logs-*", **EU, where={"trem": {"region": "eu"}})]).invalid


async def test_a_key_has_rights_there_that_its_maker_has_and_what_he_lacks_is_known_before(
    joined: Joined, port: ElasticsearchClient
) -> None:
    rights = an_access(grants=[a_grant("logs-*", **EU, **BY_REGION)]).share.body
    assert await port.lacks(rights) == ()
    made = await port.create_key("remote", 600, rights, {})
    key = {"Authorization": f"ApiKey {base64.b64encode(f'{made.id}:{made.secret.reveal()}'.encode()).decode()}"}
    with joined.client(headers=key) as caller:
        assert found(caller.get("/eu:logs-1/_search")) == [DOCUMENTS["1"]]
        assert caller.get("/us:logs-1/_search").status_code == 403
    [raw] = await port.keys("remote")
    assert role_from_json(raw["role_descriptors"][DESCRIPTOR]).same_as(rights)
    await _without_rights_there(joined, rights)
    await port.revoke_keys([made.id])


async def _without_rights_there(joined: Joined, rights: RoleBody) -> None:
    role: dict[str, Any] = {"cluster": ["manage_security"]}
    user = {"password": PASSWORD, "roles": ["maker"]}
    joined.admin.put("/_security/role/maker", json=role).raise_for_status()
    joined.admin.put("/_security/user/maker", json=user).raise_for_status()
    here = joined.here
    maker = ElasticsearchClient(Connection((here.url,), here.ca_file.read_text(), "maker", PASSWORD))
    try:
        assert await maker.lacks(rights) == ("read, read_cross_cluster on eu:logs-*",)
        login = {"clusters": ["eu"], "names": ["logs-*"], "privileges": ["read", "view_index_metadata"]}
        joined.admin.put("/_security/role/maker", json=role | {"remote_indices": [login]}).raise_for_status()
        assert await maker.lacks(rights) == ("read_cross_cluster on eu:logs-*",)
        login["privileges"].append("read_cross_cluster")
        joined.admin.put("/_security/role/maker", json=role | {"remote_indices": [login]}).raise_for_status()
        assert await maker.lacks(rights) == ()
    finally:
        await maker.close()
