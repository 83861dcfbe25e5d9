"""Users that callers behind a gateway run as, on the double and on the real server."""

import re

import pytest

from searchaccess.adapters.elasticsearch.users import random_hash
from searchaccess.core.gateway.users import NativeUser, build_user, user_of
from searchaccess.core.rights.ownership import Operator
from tests.contract.elasticsearch_sides import ElasticsearchSide
from tests.support.worlds.world import account


@pytest.fixture
def operator(search: ElasticsearchSide) -> Operator:
    return Operator(search.prefix.strip("."), "kube-system")


def some(operator: Operator, count: int) -> list[NativeUser]:
    return [build_user(operator, account(f"a{number}")) for number in range(count)]


async def test_what_was_written_reads_back_at_once_as_it_was_meant(
    search: ElasticsearchSide, operator: Operator
) -> None:
    users = some(operator, 12)
    written = await search.port.put_users(users)
    assert (written.changed, written.refused) == ({user.name for user in users}, {})
    for user in users:
        raw = await search.port.user(user.name)
        assert raw is not None
        assert user_of(raw) == user
        assert "password" not in repr(raw)
        assert "$2a$" not in repr(raw)
    await search.port.remove_users([user.name for user in users])


async def test_each_write_moves_the_sequence_number_by_one(search: ElasticsearchSide, operator: Operator) -> None:
    users, before = some(operator, 9), await search.position()
    await search.port.put_users(users)
    assert await search.position() == before + 9
    await search.port.put_users(users)
    assert await search.position() == before + 18, "the same again has another hash"
    names = [user.name for user in users]
    deleted = await search.port.remove_users([*names, operator.role_name(account("missing"))])
    assert (len(deleted.changed), len(deleted.unchanged), deleted.refused) == (9, 1, {})
    assert await search.position() == before + 28, "that of a missing one too"


async def test_who_is_deleted_is_gone_at_once(search: ElasticsearchSide, operator: Operator) -> None:
    [user] = some(operator, 1)
    await search.port.put_users([user])
    await search.port.remove_users([user.name])
    assert await search.port.user(user.name) is None


async def test_a_write_corrects_whatever_somebody_changed(search: ElasticsearchSide, operator: Operator) -> None:
    [user] = some(operator, 1)
    search.write_user(user.name, "viewer")
    await search.port.put_users([user])
    raw = await search.port.user(user.name)
    assert raw is not None
    assert user_of(raw) == user


async def test_nobody_has_a_key_of_such_a_user(search: ElasticsearchSide, operator: Operator) -> None:
    assert await search.port.keys_of_users(operator.role_name("")) == []


def test_a_hash_is_of_no_password_and_never_the_same() -> None:
    found = {random_hash() for _ in range(1000)}
    assert len(found) == 1000
    assert all(re.fullmatch(r"\$2a\$10\$[./A-Za-z0-9]{53}", one) for one in found)
