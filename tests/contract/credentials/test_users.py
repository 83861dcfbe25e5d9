"""Users with passwords: what the client writes and reads, on the double and on the real server."""

import base64
import secrets
from typing import Any

import httpx
import pytest

from searchaccess.adapters.elasticsearch import users as users_adapter
from searchaccess.api.stores.credentials import Auth
from searchaccess.core.credentials.credential import NOWHERE, Key, Slot
from searchaccess.core.credentials.users import NAME_LIMIT, names_of_users, user_metadata, user_name, user_role
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.rights.ownership import Operator, Role
from searchaccess.engine.credentials.observe import read_users
from searchaccess.ports.errors import PermissionDenied, Rejected
from tests.contract.credentials.test_keys import connect, install_makers, rights_to
from tests.contract.elasticsearch_sides import ElasticsearchSide
from tests.stack.elasticsearch import ElasticsearchServer
from tests.support.worlds.world import OPERATOR_PASSWORD
from tests.unit.builders import an_access

RIGHTS = rights_to("orders-*", where={"term": {"a": 1}})


@pytest.fixture
def operator(search: ElasticsearchSide) -> Operator:
    return Operator(search.prefix.strip("."), "kube-system")


def wanted(sequence: int = 1, slot: Slot = NOWHERE, rights: RoleBody = RIGHTS) -> Key:
    owner = an_access().uid
    return Key("", owner, sequence, 1_700_000_000.5, None, rights, slot, requested="asked", auth=Auth.PASSWORD)


async def make(port: Any, operator: Operator, key: Key, namespace: str = "shop", name: str = "orders") -> Any:
    made = await port.create_user(
        user_name(operator, namespace, name, key.sequence), user_metadata(operator, an_access(), key)
    )
    assert repr(made.secret) == "Sealed(…)"
    await port.replace_roles([user_role(operator, an_access(), made.id, key.rights)])
    return made


async def read(port: Any, operator: Operator) -> dict[str, Key]:
    return {user.id: user for user in (await read_users(port, operator))[0]}


async def test_who_else_has_a_role_of_ours_is_read(search: ElasticsearchSide, operator: Operator) -> None:
    made = await make(search.port, operator, wanted())
    role, ada, bob = search.name("a"), f"ada-{search.prefix}x", f"bob-{search.prefix}x"
    search.write_user(ada, "viewer", role)
    search.write_user(bob, "viewer")
    found = await search.port.holders(search.prefix)
    assert [(raw["username"], sorted(raw["roles"])) for raw in found or ()] == [(ada, sorted([role, "viewer"]))]
    assert await search.port.holders(f"{search.prefix}b") == []
    await search.port.delete_users([made.id])


async def test_what_was_made_reads_back_as_it_was_meant(search: ElasticsearchSide, operator: Operator) -> None:
    first = await make(search.port, operator, wanted())
    another = await make(search.port, operator, wanted())
    assert first.id != another.id, "no name is used twice"
    found = await read(search.port, operator)
    assert set(found) == {first.id, another.id}
    user = found[first.id]
    assert (user.owner, user.sequence, user.requested) == (an_access().uid, 1, "asked")
    assert (user.auth, user.created, user.expires, user.slot) == (Auth.PASSWORD, 1_700_000_000.5, None, NOWHERE)
    assert user.rights.same_as(RIGHTS)
    assert not user.disabled
    assert not await read(search.port, Operator(operator.instance, "another kube-system"))
    assert not await read(search.port, Operator(operator.instance + "x", operator.controller))


async def test_a_note_changes_metadata_alone(search: ElasticsearchSide, operator: Operator) -> None:
    made = await make(search.port, operator, wanted())
    slot = Slot("secret-1", 7)
    await search.port.note_user(made.id, user_metadata(operator, an_access(), wanted(slot=slot)))
    user = (await read(search.port, operator))[made.id]
    assert user.slot == slot
    assert user.rights.same_as(RIGHTS)


async def test_a_user_without_its_role_has_no_rights(search: ElasticsearchSide, operator: Operator) -> None:
    made = await make(search.port, operator, wanted())
    await search.port.delete_roles([made.id])
    assert (await read(search.port, operator))[made.id].rights.same_as(RoleBody())


async def test_who_is_deleted_is_gone_and_not_noted_again(search: ElasticsearchSide, operator: Operator) -> None:
    made = await make(search.port, operator, wanted())
    await search.port.delete_users([made.id, "no-such-user"])
    assert not await read(search.port, operator)
    with pytest.raises(Rejected):
        await search.port.note_user(made.id, user_metadata(operator, an_access(), wanted()))
    assert not await read(search.port, operator)


async def test_a_name_of_any_length_is_taken(search: ElasticsearchSide, operator: Operator) -> None:
    made = await make(search.port, operator, wanted(12), "n" * 63, "o" * 253)
    [user] = (await read(search.port, operator)).values()
    assert user.id == made.id
    # As long as they get: the instance's name is as long as the limit lets it be.
    longest = user_name(Operator("i" * 300, ""), "n" * 63, "o" * 253, 12345)
    made = await search.port.create_user(longest, {"a": 1})
    assert len(made.id) == NAME_LIMIT
    await search.port.replace_roles([Role(made.id, rights_to("x"), {})])
    await search.port.delete_roles([made.id])
    await search.port.delete_users([made.id])


# What they do, on the real server

OURS = Operator(f"users-{secrets.token_hex(3)}", "kube-system")


def search_as(server: ElasticsearchServer, name: str, password: str, index: str = "keys-*") -> httpx.Response:
    encoded = base64.b64encode(f"{name}:{password}".encode()).decode()
    with httpx.Client(verify=server._trust(), headers={"Authorization": f"Basic {encoded}"}, timeout=30) as client:
        return client.post(f"{server.url}/{index}/_search", json={})


async def test_a_user_sees_what_it_was_given_until_it_is_gone(elasticsearch_server: ElasticsearchServer) -> None:
    with elasticsearch_server.client() as admin:
        install_makers(admin)
    port = connect(elasticsearch_server, "key-maker")
    try:
        rights = rights_to("keys-*", where={"term": {"region": "eu"}}, fields={"exclude": ["card"]})
        made = await make(port, OURS, wanted(rights=rights))
        password = made.secret.reveal()
        hits = search_as(elasticsearch_server, made.id, password).raise_for_status().json()["hits"]["hits"]
        assert [hit["_source"] for hit in hits] == [{"region": "eu"}]
        assert search_as(elasticsearch_server, made.id, password, "orders-1").status_code == 403
        assert search_as(elasticsearch_server, made.id, password[:-1]).status_code == 401

        # Twice: by then the realm's cache knows the password.
        await port.replace_roles([user_role(OURS, an_access(), made.id, rights_to("keys-*"))])
        await port.note_user(made.id, user_metadata(OURS, an_access(), wanted(slot=Slot("s", 1))))
        assert len(search_as(elasticsearch_server, made.id, password).raise_for_status().json()["hits"]["hits"]) == 2
        await port.delete_roles([made.id])
        assert search_as(elasticsearch_server, made.id, password).status_code == 403
        await port.delete_users([made.id])
        assert search_as(elasticsearch_server, made.id, password).status_code == 401
    finally:
        await port.close()


async def test_what_somebody_did_to_a_user_is_seen(elasticsearch_server: ElasticsearchServer) -> None:
    with elasticsearch_server.client() as admin:
        install_makers(admin)
        port = connect(elasticsearch_server, "key-maker")
        try:
            made = await make(port, OURS, wanted())
            path = f"/_security/user/{made.id.replace('/', '%2F')}"
            admin.put(f"{path}/_disable").raise_for_status()
            assert (await read(port, OURS))[made.id].disabled
            raw = admin.get(path).raise_for_status().json()[made.id]
            assert raw["roles"] == [made.id]
            body = {"roles": [made.id, "superuser"], "metadata": raw["metadata"]}
            admin.put(path, json=body).raise_for_status()
            user = (await read(port, OURS))[made.id]
            assert not user.disabled
            assert user.rights.description, "no declaration has one"
            await port.delete_roles([made.id])
            await port.delete_users([made.id])
        finally:
            await port.close()


async def test_users_are_read_page_by_page(
    elasticsearch_server: ElasticsearchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with elasticsearch_server.client() as admin:
        install_makers(admin)
    port = connect(elasticsearch_server, "key-maker")
    monkeypatch.setattr(users_adapter, "PAGE", 2)
    paged = Operator(f"paged-{secrets.token_hex(3)}", "kube-system")
    try:
        made = [(await make(port, paged, wanted(number))).id for number in range(1, 6)]
        assert [raw["username"] for raw in await port.users(names_of_users(paged))] == sorted(made)
        await port.delete_users(made[:1])
        assert set(await read(port, paged)) == set(made[1:])
        await port.delete_roles(made)
        await port.delete_users(made)
    finally:
        await port.close()


async def test_a_login_that_only_observes_reads_users_and_makes_none(elasticsearch_server: ElasticsearchServer) -> None:
    with elasticsearch_server.client() as admin:
        install_makers(admin)
        admin.put("/_security/role/user-observer", json={"cluster": ["read_security"]}).raise_for_status()
        user = {"password": OPERATOR_PASSWORD, "roles": ["user-observer"]}
        admin.put("/_security/user/user-observer", json=user).raise_for_status()
    observer = connect(elasticsearch_server, "user-observer")
    try:
        assert await observer.users(names_of_users(OURS)) is not None
        with pytest.raises(PermissionDenied):
            await make(observer, OURS, wanted())
    finally:
        await observer.close()
