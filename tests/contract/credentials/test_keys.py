"""API keys: in memory and for real, and on the real one what they do."""

import base64
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.api.searchaccess import SearchAccessSpec
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.credentials.credential import DESCRIPTOR, Slot
from searchaccess.core.credentials.keys import key_from_json, key_metadata, key_name, names_of_keys
from searchaccess.core.gateway.suspicion import key_states
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.model.parsing import build_share
from searchaccess.core.rights.foreign.keys import owned_key
from searchaccess.core.rights.ownership import Operator
from searchaccess.ports.elasticsearch import ElasticsearchPort
from searchaccess.ports.errors import NotFound, PermissionDenied, Rejected
from tests.contract.elasticsearch_sides import ElasticsearchSide
from tests.stack.elasticsearch import ElasticsearchServer
from tests.support.waiting import eventually
from tests.support.worlds.world import OPERATOR_PASSWORD, OPERATOR_ROLE, access, grant
from tests.unit.builders import an_access

HOUR = 3600.0


def rights_to(*indices: str, **more: Any) -> RoleBody:
    share = build_share(SearchAccessSpec.model_validate(access("x", grant(*indices, **more))["spec"]))
    return RoleBody(cluster=share.cluster, entries=share.entries)


@pytest.fixture
def operator(search: ElasticsearchSide) -> Operator:
    return Operator(search.prefix.strip("."), "kube-system")


async def make(search: ElasticsearchSide, operator: Operator, sequence: int = 1) -> str:
    metadata = key_metadata(operator, an_access(), sequence, "asked")
    name = key_name(operator, "shop", "orders", sequence)
    made = await search.port.create_key(name, HOUR, rights_to("orders-*", where={"term": {"a": 1}}), metadata)
    assert repr(made.secret) == "Sealed(…)"
    return made.id


async def read(search: ElasticsearchSide, operator: Operator) -> dict[str, Any]:
    login = await search.port.login()
    raw = await search.port.keys(names_of_keys(operator))
    return {key.id: key for item in raw if (key := key_from_json(item, operator, login))}


async def test_the_keys_of_a_realm_are_read_with_what_they_allow(search: ElasticsearchSide, operator: Operator) -> None:
    login, key_id = await search.port.login(), await make(search, operator)
    [raw] = [raw for raw in await search.port.owned_keys(login.realm) or () if raw["id"] == key_id]
    found = owned_key(raw)
    assert found is not None
    assert (found.name, found.owner) == (key_name(operator, "shop", "orders", 1), login.username)
    assert [body.entries for body in found.rights] == [rights_to("orders-*", where={"term": {"a": 1}}).entries]
    assert await search.port.owned_keys("another") == []
    assert key_id not in {raw["id"] for raw in await search.port.owned_keys(login.realm, login.username) or ()}
    await search.port.revoke_keys([key_id])
    assert key_id not in {raw["id"] for raw in await search.port.owned_keys(login.realm) or ()}


async def test_a_key_is_one_write_when_it_is_created_and_one_when_it_is_invalidated(
    search: ElasticsearchSide, operator: Operator
) -> None:
    """By this, API keys of others explain writes of the security index."""

    async def sequence() -> int:
        probe = await search.port.probe()
        assert probe is not None
        return probe.sequence_number

    await make(search, operator)
    now = await search.port.time()
    assert now is not None
    first, before = await sequence(), {raw["id"] for raw in await search.port.changed_keys(now - 600) or ()}
    key_id = await make(search, operator)
    assert await sequence() == first + 1
    [made] = [raw for raw in await search.port.changed_keys(now - 600) or () if raw["id"] not in before]
    assert (made["id"], "invalidation" in made) == (key_id, False)
    await search.port.revoke_keys([key_id])
    assert await sequence() == first + 2
    [ended] = [raw for raw in await search.port.changed_keys(now - 600) or () if raw["id"] == key_id]
    assert ended["invalidation"] >= ended["creation"]
    assert key_id not in {raw["id"] for raw in await search.port.changed_keys(now + 600) or ()}


async def test_an_updated_key_is_one_write_and_its_content_shows_it(
    search: ElasticsearchSide, operator: Operator
) -> None:
    """By this, updates of API keys of others explain writes of the security index."""
    key_id, other = await make(search, operator), await make(search, operator)
    await search.port.revoke_keys([other])
    first, before = await search.port.probe(), await search.port.every_key()
    assert first is not None
    assert before is not None
    assert {key_id, other} <= {raw["id"] for raw in before}, "those that no longer work as well"
    await search.port.note_key(key_id, {"changed": "by somebody"})
    second, after = await search.port.probe(), await search.port.every_key()
    assert second is not None
    assert after is not None
    assert second.sequence_number == first.sequence_number + 1
    known, now = key_states(before), key_states(after)
    assert {key for key, state in now.items() if known.get(key) != state} == {key_id}


async def test_what_was_made_reads_back_as_it_was_meant(search: ElasticsearchSide, operator: Operator) -> None:
    before = time.time()
    key_id = await make(search, operator)
    found = await read(search, operator)
    assert set(found) == {key_id}
    key = found[key_id]
    assert key.owner == an_access().uid
    assert (key.sequence, key.requested, key.ours, key.slot) == (1, "asked", True, Slot("", 0))
    assert key.rights.same_as(rights_to("orders-*", where={"term": {"a": 1}}))
    assert key.expires is not None
    assert key.expires - key.created == pytest.approx(HOUR, abs=1)
    if search.is_real:
        assert key.created == pytest.approx(before, abs=60)


async def test_other_installations_do_not_read_it(search: ElasticsearchSide, operator: Operator) -> None:
    await make(search, operator)
    assert not await read(search, Operator(operator.instance, "another kube-system"))
    assert not await read(search, Operator(operator.instance + "x", operator.controller))


async def test_rights_change_in_place_and_the_rest_stays(search: ElasticsearchSide, operator: Operator) -> None:
    first, second = [await make(search, operator, number) for number in (1, 2)]
    wanted = rights_to("invoices-*", can=["read", "write"])
    written = await search.port.update_keys([first, second], wanted)
    assert written.changed == {first, second}
    found = await read(search, operator)
    assert all(key.rights.same_as(wanted) for key in found.values())
    assert {key.sequence for key in found.values()} == {1, 2}


async def test_a_note_changes_metadata_alone(search: ElasticsearchSide, operator: Operator) -> None:
    key_id = await make(search, operator)
    slot = Slot("secret-1", 7)
    await search.port.note_key(key_id, key_metadata(operator, an_access(), 1, "asked", slot))
    key = (await read(search, operator))[key_id]
    assert key.slot == slot
    assert key.rights.same_as(rights_to("orders-*", where={"term": {"a": 1}}))


async def test_what_is_invalidated_is_gone_for_all(search: ElasticsearchSide, operator: Operator) -> None:
    key_id = await make(search, operator)
    await search.port.revoke_keys([key_id])
    assert not await read(search, operator)
    await search.port.revoke_keys([key_id])
    await search.port.revoke_keys(["no-such-key"])
    with pytest.raises(Rejected):
        await search.port.note_key(key_id, key_metadata(operator, an_access(), 1, ""))
    written = await search.port.update_keys([key_id], rights_to("x"))
    assert isinstance(written.refused[key_id], Rejected)


async def test_a_name_of_any_length_is_taken(search: ElasticsearchSide, operator: Operator) -> None:
    name = key_name(operator, "n" * 63, "o" * 253, 12)
    await search.port.create_key(name, HOUR, rights_to("x"), key_metadata(operator, an_access(), 12, ""))
    assert len(await read(search, operator)) == 1


async def test_the_cluster_reports_its_time_and_dates_its_keys_by_it(
    search: ElasticsearchSide, operator: Operator
) -> None:
    before = await search.port.time()
    metadata = key_metadata(operator, an_access(), 1, "", replaces="another")
    made = await search.port.create_key(key_name(operator, "shop", "orders", 1), HOUR + 0.5, rights_to("x"), metadata)
    after = await search.port.time()
    assert before is not None
    assert after is not None
    assert made.created is not None
    assert before <= made.created < after + 1
    key = (await read(search, operator))[made.id]
    assert key.created == pytest.approx(made.created, abs=1)
    assert key.replaces == "another"
    if search.is_real:
        assert after == pytest.approx(time.time(), abs=60)


async def test_who_the_operator_is(search: ElasticsearchSide) -> None:
    login = await search.port.login()
    assert login.username
    assert not login.by_api_key


# What keys do, on the real server

GIVEN = {"names": ["keys-*"], "privileges": ["read", "view_index_metadata"]}
PROBE: Any = OPERATOR_ROLE["indices"]
KEYS_ROLE: dict[str, Any] = OPERATOR_ROLE | {"indices": [*PROBE, GIVEN]}


def connect(server: ElasticsearchServer, username: str = "", api_key: str = "") -> ElasticsearchClient:
    password = OPERATOR_PASSWORD if username else ""
    authority = Path(server.ca_file).read_text()
    return ElasticsearchClient(Connection((server.url,), authority, username, password, api_key))


def install_makers(client: httpx.Client) -> None:
    """Make documents, and two logins that may make keys to read them."""
    for number, region in enumerate(("eu", "us")):
        client.put(f"/keys-1/_doc/{number}?refresh=true", json={"region": region, "card": "x"}).raise_for_status()
    client.put("/_security/role/key-maker", json=KEYS_ROLE).raise_for_status()
    for name in ("key-maker", "another-maker"):
        user = {"password": OPERATOR_PASSWORD, "roles": ["key-maker"]}
        client.put(f"/_security/user/{name}", json=user).raise_for_status()


@pytest.fixture
def admin(elasticsearch_server: ElasticsearchServer) -> Iterator[httpx.Client]:
    with elasticsearch_server.client() as client:
        install_makers(client)
        yield client


@pytest.fixture
async def maker(admin: httpx.Client, elasticsearch_server: ElasticsearchServer) -> AsyncIterator[ElasticsearchClient]:  # noqa: ARG001
    client = connect(elasticsearch_server, "key-maker")
    yield client
    await client.close()


OURS = Operator(f"keys-{secrets.token_hex(3)}", "kube-system")


async def a_key(port: ElasticsearchPort, rights: RoleBody, sequence: int = 1) -> tuple[str, str]:
    """Make a key; return its id and what a consumer sends."""
    metadata = key_metadata(OURS, an_access(), sequence, "")
    made = await port.create_key(key_name(OURS, "shop", "orders", sequence), HOUR, rights, metadata)
    return made.id, base64.b64encode(f"{made.id}:{made.secret.reveal()}".encode()).decode()


def search_with(server: ElasticsearchServer, encoded: str, index: str = "keys-*") -> httpx.Response:
    with httpx.Client(verify=server._trust(), headers={"Authorization": f"ApiKey {encoded}"}, timeout=30) as client:
        return client.post(f"{server.url}/{index}/_search", json={})


async def test_a_key_sees_the_documents_and_fields_that_it_was_given(
    maker: ElasticsearchClient, elasticsearch_server: ElasticsearchServer
) -> None:
    rights = rights_to("keys-*", where={"term": {"region": "eu"}}, fields={"exclude": ["card"]})
    assert await maker.lacks(rights) == ()
    key_id, encoded = await a_key(maker, rights)
    hits = search_with(elasticsearch_server, encoded).raise_for_status().json()["hits"]["hits"]
    assert [hit["_source"] for hit in hits] == [{"region": "eu"}]
    assert search_with(elasticsearch_server, encoded, ".security*").json().get("hits", {}).get("hits", []) == []

    await maker.update_keys([key_id], rights_to("keys-*"))
    assert len(search_with(elasticsearch_server, encoded).raise_for_status().json()["hits"]["hits"]) == 2
    await maker.revoke_keys([key_id])
    assert search_with(elasticsearch_server, encoded).status_code == 401


async def test_what_the_login_lacks_is_named_before_a_key_is_made_that_is_of_no_use(
    maker: ElasticsearchClient, elasticsearch_server: ElasticsearchServer
) -> None:
    rights = RoleBody(("read_ilm",), rights_to("keys-*", "orders-*", can=["write"]).entries)
    lacking = await maker.lacks(rights)
    assert lacking[0] == "read_ilm"
    assert "write on orders-*" in lacking
    assert await maker.lacks(rights_to("/keys-[0-9]+/")) == ()
    _, encoded = await a_key(maker, rights_to("orders-*"))
    assert search_with(elasticsearch_server, encoded, "orders-1").status_code == 403


async def test_another_login_cannot_change_a_key_and_can_invalidate_it(
    maker: ElasticsearchClient, elasticsearch_server: ElasticsearchServer
) -> None:
    key_id, encoded = await a_key(maker, rights_to("keys-*"))
    another = connect(elasticsearch_server, "another-maker")
    try:
        login = await another.login()
        [key] = [
            key
            for raw in await another.keys(names_of_keys(OURS))
            if (key := key_from_json(raw, OURS, login)) and key.id == key_id
        ]
        assert not key.ours
        written = await another.update_keys([key_id], rights_to("x"))
        assert isinstance(written.refused[key_id], NotFound)
        with pytest.raises(NotFound):
            await another.note_key(key_id, key_metadata(OURS, an_access(), 1, ""))
        await another.revoke_keys([key_id])
    finally:
        await another.close()
    assert search_with(elasticsearch_server, encoded).status_code == 401


@pytest.fixture
def makers_key(admin: httpx.Client) -> str:
    body = {"name": "maker", "role_descriptors": {"operator": KEYS_ROLE}}
    return str(admin.post("/_security/api_key", json=body).raise_for_status().json()["encoded"])


async def test_a_login_by_api_key_makes_no_keys_and_says_who_it_is(
    makers_key: str, elasticsearch_server: ElasticsearchServer
) -> None:
    client = connect(elasticsearch_server, api_key=makers_key)
    try:
        assert (await client.login()).by_api_key
        with pytest.raises(Rejected):
            await a_key(client, rights_to("keys-*"))
    finally:
        await client.close()


@pytest.fixture
def observer(admin: httpx.Client) -> str:
    admin.put("/_security/role/key-observer", json={"cluster": ["read_security", "monitor"]}).raise_for_status()
    user = {"password": OPERATOR_PASSWORD, "roles": ["key-observer"]}
    admin.put("/_security/user/key-observer", json=user).raise_for_status()
    return "key-observer"


@pytest.fixture
def timeless(admin: httpx.Client) -> str:
    admin.put("/_security/role/timeless", json={"cluster": ["manage_security"]}).raise_for_status()
    user = {"password": OPERATOR_PASSWORD, "roles": ["timeless"]}
    admin.put("/_security/user/timeless", json=user).raise_for_status()
    return "timeless"


async def test_a_login_that_may_not_read_the_time_gets_none(
    timeless: str, elasticsearch_server: ElasticsearchServer
) -> None:
    client = connect(elasticsearch_server, timeless)
    try:
        assert await client.time() is None
    finally:
        await client.close()


async def test_a_login_that_only_observes_makes_none(observer: str, elasticsearch_server: ElasticsearchServer) -> None:
    client = connect(elasticsearch_server, observer)
    try:
        await client.keys(names_of_keys(OURS))
        with pytest.raises(PermissionDenied):
            await a_key(client, rights_to("keys-*"))
    finally:
        await client.close()


async def test_descriptors_that_somebody_changed_are_seen(
    maker: ElasticsearchClient, elasticsearch_server: ElasticsearchServer
) -> None:
    key_id, _ = await a_key(maker, rights_to("keys-*"))
    somebody: dict[str, Any] = {
        "base_url": elasticsearch_server.url,
        "verify": elasticsearch_server._trust(),
        "auth": ("key-maker", OPERATOR_PASSWORD),
        "timeout": 30,
    }
    async with httpx.AsyncClient(**somebody) as client:
        monitor = {"cluster": ["monitor"]}
        for descriptors in ({DESCRIPTOR: monitor}, {DESCRIPTOR: monitor, "more": monitor}, {"another": monitor}):
            body = {"role_descriptors": descriptors}
            (await client.put(f"/_security/api_key/{key_id}", json=body)).raise_for_status()
            [raw] = [item for item in await maker.keys(names_of_keys(OURS)) if item["id"] == key_id]
            key = key_from_json(raw, OURS, await maker.login())
            assert key is not None
            assert not key.rights.same_as(rights_to("keys-*"))
            assert not key.rights.same_as(RoleBody())


async def test_a_key_is_prolonged_from_now_and_the_rest_stays(search: ElasticsearchSide, operator: Operator) -> None:
    key_id = await make(search, operator)
    before = (await read(search, operator))[key_id]
    written = await search.port.prolong_keys([key_id], 10 * HOUR)
    assert written.changed == {key_id}
    key = (await read(search, operator))[key_id]
    assert key.expires is not None
    assert before.expires is not None
    assert key.expires - before.expires == pytest.approx(9 * HOUR, abs=60)
    assert replace(key, expires=before.expires) == before
    await search.port.revoke_keys([key_id])
    assert set((await search.port.prolong_keys([key_id], HOUR)).refused) == {key_id}


async def test_a_key_may_end_earlier_than_it_was_made_for(search: ElasticsearchSide, operator: Operator) -> None:
    key_id = await make(search, operator)
    before = (await read(search, operator))[key_id]
    assert (await search.port.prolong_keys([key_id], HOUR / 2)).changed == {key_id}
    key = (await read(search, operator))[key_id]
    assert key.expires is not None
    assert before.expires is not None
    assert key.expires - before.expires == pytest.approx(-HOUR / 2, abs=60)


async def test_elasticsearch_itself_ends_a_key_at_its_end(
    elasticsearch_server: ElasticsearchServer, maker: ElasticsearchClient
) -> None:
    key_id, encoded = await a_key(maker, rights_to("keys-*"))
    headers = {"authorization": f"ApiKey {encoded}"}
    with httpx.Client(base_url=elasticsearch_server.url, verify=elasticsearch_server._trust(), timeout=30) as caller:

        def status() -> int:
            return caller.get("/_security/_authenticate", headers=headers).status_code

        assert status() == httpx.codes.OK
        assert (await maker.prolong_keys([key_id], 1.0)).changed == {key_id}
        eventually(lambda: status() == httpx.codes.UNAUTHORIZED, within=30, every=0.2)
    assert key_id not in {raw["id"] for raw in await maker.keys(names_of_keys(OURS))}
    assert (await maker.prolong_keys([key_id], HOUR)).refused, "nothing gives it back"


def give_maker(server: ElasticsearchServer, role: dict[str, Any]) -> None:
    with server.client() as client:
        client.put("/_security/role/key-maker", json=role).raise_for_status()


async def test_a_login_that_loses_rights_takes_them_from_its_keys(
    maker: ElasticsearchClient, elasticsearch_server: ElasticsearchServer
) -> None:
    key_id, encoded = await a_key(maker, rights_to("keys-*"))
    assert (await maker.refresh_keys([key_id])).unchanged == {key_id}, "nothing is written"
    give_maker(elasticsearch_server, OPERATOR_ROLE)
    try:
        assert search_with(elasticsearch_server, encoded, "keys-1").status_code == 200
        assert (await maker.refresh_keys([key_id])).changed == {key_id}
        assert search_with(elasticsearch_server, encoded, "keys-1").status_code == 403
    finally:
        give_maker(elasticsearch_server, KEYS_ROLE)
    assert (await maker.refresh_keys([key_id])).changed == {key_id}
    assert search_with(elasticsearch_server, encoded, "keys-1").status_code == 200
    await maker.revoke_keys([key_id])
    assert set((await maker.refresh_keys([key_id])).refused) == {key_id}
