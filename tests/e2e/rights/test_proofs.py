"""A ``where`` that Elasticsearch cannot run on an index is found before its caller does, where the login may read."""

from collections.abc import Iterator

import pytest

from tests.support.worlds.world import OPERATOR_ROLE, OPERATOR_USER, World, access, condition_in, grant

INDEX = "proven-1"


@pytest.fixture
def seeing(world: World) -> Iterator[World]:
    """The operator's login may see these indices."""
    admin, more = world.admin, {"names": ["proven-*"], "privileges": ["view_index_metadata"]}
    role = OPERATOR_ROLE | {"indices": [*OPERATOR_ROLE["indices"], more]}
    admin.put(f"/_security/role/{OPERATOR_USER}", json=role).raise_for_status()
    mappings = {"properties": {"price": {"type": "long"}}}
    admin.put(f"/{INDEX}", json={"mappings": mappings}).raise_for_status()
    admin.put(f"/{INDEX}/_doc/1?refresh=true", json={"price": 3}).raise_for_status()
    yield world
    admin.delete(f"/{INDEX}")
    admin.put(f"/_security/role/{OPERATOR_USER}", json=OPERATOR_ROLE).raise_for_status()


def test_a_where_that_fails_on_an_index_is_not_ready_and_says_why(seeing: World) -> None:
    seeing.apply(access("proven", grant("proven-*", where={"term": {"price": "cheap"}})))
    found = seeing.until_reason("proven", "QueryFails", status="False")
    assert condition_in(found, "Ready")["message"] == f'on {INDEX}: For input string: "cheap"'
    assert condition_in(found, "Synced")["status"] == "True"
    seeing.until_event("proven", "QueryFails", INDEX)
    caller = seeing.caller("proven")
    assert caller.get(f"/{INDEX}/_search").status_code == 400, "it fails closed"

    seeing.apply(access("proven", grant("proven-*", where={"term": {"price": 3}})))
    seeing.until_ready("proven")
    assert seeing.condition("proven", "QueriesProven")["status"] == "True"
    assert caller.get(f"/{INDEX}/_count").json()["count"] == 1
    seeing.delete("proven")
