"""Objects that are nested deeper than anybody should, on the real API server: each costs itself alone."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.support.failures.odd import queries
from tests.support.waiting import eventually
from tests.support.worlds.arena import Arena
from tests.support.worlds.world import access, grant

pytestmark = pytest.mark.timeout(300)


def deep(name: str, count: int) -> str:
    """Return a SearchAccess with as many queries within each other, as JSON that Python cannot write."""
    mark = {"term": {"region": "eu"}}
    raw = access(name, grant(f"{name}-*", where=mark))
    whole = '{"bool":{"must":[' * (count - 1) + json.dumps(mark) + "]}}" * (count - 1)
    return json.dumps(raw).replace(json.dumps(mark), whole)


def _until_reported(field: Arena, name: str) -> None:
    """Wait until a SearchAccess, which Python cannot read either, says what is wrong."""

    def observe() -> bool:
        kubectl = field.world.kubernetes.run_kubectl
        path = "jsonpath={.status.conditions[?(@.type=='Ready')]['reason','message']}"
        found = kubectl("get", "searchaccess", name, "-n", "shop", "-o", path).stdout
        return "InvalidSpec" in found and "Elasticsearch accepts at most 30 nested queries" in found

    eventually(observe, within=60, every=0.2, what=f"{name} reports it")


@pytest.fixture
def create(field: Arena) -> Iterator[Callable[[str, int], object]]:
    """Makes SearchAccesses that nobody else in this test could read at its end."""
    made: list[str] = []
    kubectl = field.world.kubernetes.run_kubectl

    def make(name: str, count: int) -> None:
        made.append(name)
        kubectl("create", "-f", "-", input=deep(name, count))

    yield make
    kubectl("delete", "searchaccess", "-n", "shop", "--ignore-not-found", "--wait=false", *made)


def test_a_query_nested_too_deep_is_reported_by_watch_and_by_list_and_all_others_are_served(
    field: Arena, create: Callable[[str, int], object]
) -> None:
    world = field.world
    world.apply(field.cluster(), access("orders", grant("orders-*")), access("in", grant("in-*", where=queries(30))))
    depths = {"over": 31, "r": 170, "s": 480, "t": 1500}
    with field.running():
        world.until_ready("orders", "in")
        for name, count in depths.items():
            create(name, count)
        for name in depths:
            _until_reported(field, name)
        world.apply(access("later", grant("later-*")))
        world.until_ready("later")
    create("u", 2000)
    with field.running():
        world.apply(access("last", grant("last-*")))
        world.until_ready("orders", "in", "later", "last")
        _until_reported(field, "u")
        world.delete("t")
        world.delete("orders")
        assert world.role("orders") == {}
    assert set(field.roles()) == {"in", "later", "last"}
