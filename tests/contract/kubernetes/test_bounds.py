"""One object that cannot be read costs itself alone, however deep, long or odd it is."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.adapters.kubernetes.client import KubernetesClient, load_configuration
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.sources import Source
from searchaccess.core.credentials.keys import key_from_json, key_metadata
from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.model.intake.reading import DEPTH, UNREADABLE, within
from searchaccess.core.rights.mapping import mapping_of
from searchaccess.ports.errors import Rejected, Unexpected
from searchaccess.ports.kubernetes import ObjectRef, Plural
from tests.contract.clusters.test_errors import write_kubeconfig
from tests.contract.elasticsearch_sides import ElasticsearchSide
from tests.contract.oddserver import answer, odd_server
from tests.stack.elasticsearch import ElasticsearchServer
from tests.support.worlds.world import OPERATOR_PASSWORD, OPERATOR_USER
from tests.unit.adapters.anything import nested
from tests.unit.builders import OPERATOR, an_access

RULES: dict[str, Any] = {"field": {"username": "nobody"}}
DEEPEST = 970
"""Levels in metadata of a role mapping: about as many as Elasticsearch takes, and more than Python's json reads."""


def deep(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


async def test_a_deep_mapping_is_unreadable_and_the_others_are_read(search: ElasticsearchSide) -> None:
    mapping = {"enabled": True, "roles": ["x"], "rules": RULES}
    search.write_mapping("good", mapping | {"metadata": {"a": 1}})
    search.write_mapping("deep", mapping | {"metadata": nested(DEPTH + 20)})
    found = await search.port.mappings(None)
    assert found[search.name("deep")] == UNREADABLE
    assert found[search.name("good")]["metadata"] == {"a": 1}
    assert not OPERATOR.owns(mapping_of("x", found[search.name("deep")]).metadata)


@pytest.fixture
async def reader(login: ElasticsearchServer) -> AsyncIterator[ElasticsearchClient]:
    client = ElasticsearchClient(
        Connection((login.url,), Path(login.ca_file).read_text(), OPERATOR_USER, OPERATOR_PASSWORD)  # noqa: ASYNC240 - a test
    )
    yield client
    await client.close()


async def test_the_deepest_mapping_that_elasticsearch_takes(
    login: ElasticsearchServer, reader: ElasticsearchClient
) -> None:
    """With it, Python's json raises RecursionError over the whole answer."""
    name = f"deep-{secrets.token_hex(4)}"
    body = f'{{"enabled":true,"roles":["x"],"rules":{{"field":{{"username":"nobody"}}}},"metadata":{deep(DEEPEST)}}}'
    with login.client() as admin:
        path = f"/_security/role_mapping/{name}"
        admin.put(path, content=body, headers={"content-type": "application/json"}).raise_for_status()
        admin.put(f"{path}-good", json={"enabled": False, "roles": ["x"], "rules": RULES}).raise_for_status()
        try:
            found = await reader.mappings(None)
            alone = await reader.mappings([name])
        finally:
            admin.delete(path).raise_for_status()
            admin.delete(f"{path}-good").raise_for_status()
    assert found[name] == alone[name] == UNREADABLE
    assert found[f"{name}-good"]["rules"] == RULES


async def test_a_deep_user_is_left_out_and_the_others_are_read(
    login: ElasticsearchServer, reader: ElasticsearchClient
) -> None:
    prefix = f"deep-{secrets.token_hex(4)}"
    with login.client() as admin:
        for name, metadata in ((f"{prefix}.a", "{}"), (f"{prefix}.b", deep(DEEPEST)), (f"{prefix}.c", '{"x":1}')):
            body = f'{{"password":"long-enough-{prefix}","roles":[],"metadata":{metadata}}}'
            path = f"/_security/user/{name}"
            admin.put(path, content=body, headers={"content-type": "application/json"}).raise_for_status()
        try:
            found = await reader.users(prefix)
        finally:
            for name in "abc":
                admin.delete(f"/_security/user/{prefix}.{name}").raise_for_status()
    assert [user["username"] for user in found] == [f"{prefix}.a", f"{prefix}.c"]


async def test_half_characters_and_long_numbers_in_a_role(
    login: ElasticsearchServer, reader: ElasticsearchClient
) -> None:
    name = f"odd-{secrets.token_hex(4)}"
    body = rf'{{"cluster":[],"description":"x\ud800y","metadata":{{"n":{"9" * 900},"inf":1e999,"half":"\udc00"}}}}'
    with login.client() as admin:
        path = f"/_security/role/{name}"
        admin.put(path, content=body, headers={"content-type": "application/json"}).raise_for_status()
        try:
            found = (await reader.roles([name]))[name]
        finally:
            admin.delete(path).raise_for_status()
    assert role_from_json(found).description == "x\ufffdy"
    assert found["metadata"]["half"] == "\ufffd"
    assert role_from_json(found).hash


async def test_a_forged_key_whose_owner_is_a_path_is_not_ours(
    login: ElasticsearchServer, reader: ElasticsearchClient
) -> None:
    """Whoever has ``manage_own_api_key`` can write our metadata."""
    forged = key_metadata(OPERATOR, an_access(), 1, "")
    forged |= {"owner": forged["owner"] | {"namespace": "../../shop"}, "version": "x", "sequence": 10**19}
    name = f"searchaccess.default.forged-{secrets.token_hex(4)}"
    with login.client() as admin:
        made = admin.post("/_security/api_key", json={"name": name, "metadata": forged}).raise_for_status().json()
        try:
            found = [raw for raw in await reader.keys(f"{name}*") if raw["id"] == made["id"]]
            who = await reader.login()
        finally:
            admin.request("DELETE", "/_security/api_key", json={"ids": [made["id"]]}).raise_for_status()
    assert len(found) == 1
    assert key_from_json(found[0], OPERATOR, who) is None


# The API server


async def test_a_deep_object_in_a_list_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    body = f'{{"metadata":{{}},"items":[{{"a":1}},{{"spec":{deep(5000)}}},7,{{"b":2}}]}}'
    async with odd_server(tmp_path / "pki", answer("200 OK", body)) as (url, ca), _objects(tmp_path, url, ca) as port:
        items = (await port.list_page(Plural.ACCESSES)).items
    assert (items[0], items[2]) == ({"a": 1}, {"b": 2})
    assert not within(items[1]), "it is still too deep for whoever reads it"


async def test_an_answer_that_is_too_deep_to_be_an_object_is_unexpected(tmp_path: Path) -> None:
    reply = answer("200 OK", "[" * 5000 + "]" * 5000)
    async with odd_server(tmp_path / "pki", reply) as (url, ca), _objects(tmp_path, url, ca) as port:
        with pytest.raises(Unexpected):
            await port.list_page(Plural.ACCESSES)


@pytest.mark.parametrize("name", ["..", "../secrets/x", "a/b", "a?watch=true", "a%2fb", "", "a\n", "a" * 300])
async def test_a_name_that_would_lead_elsewhere_is_refused_before_a_request(tmp_path: Path, name: str) -> None:
    async with odd_server(tmp_path / "pki", answer("200 OK")) as (url, ca), _objects(tmp_path, url, ca) as port:
        with pytest.raises(Rejected, match="not the name"):
            await port.read_source(Source("Secret", "shop", name))
        with pytest.raises(Rejected, match="not the name"):
            await port.read_source(Source("Secret", name, "orders"))
        with pytest.raises(Rejected, match="not the name"):
            await port.replace_status(ObjectRef(Plural.ACCESSES, "shop", name, "uid"), {})


@asynccontextmanager
async def _objects(folder: Path, url: str, ca: str) -> AsyncIterator[KubernetesClient]:
    (folder / "ca.pem").write_text(ca)
    client = KubernetesClient(await load_configuration(write_kubeconfig(folder, url, folder / "ca.pem")))
    try:
        yield client
    finally:
        await client.close()
