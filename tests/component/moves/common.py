"""What the plays about moves have in common: two Elasticsearch clusters, and where somebody has rights."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from searchaccess.core.credentials.payload import held_key
from searchaccess.ports.kubernetes import Plural
from tests.component.common import after_each_call
from tests.component.credentials.common import PLACE, STORES, store
from tests.support.loop.stage import OPERATOR, Stage, access_key, search_cluster
from tests.support.memory.elasticsearch import MemoryElasticsearch
from tests.support.worlds.world import account, condition_in

ORDERS = account("orders")
NEW = "https://two:9200"
NEW_KEY = (Plural.CLUSTERS, "", "new")


def new_cluster(url: str = NEW, **spec: Any) -> dict[str, Any]:
    return search_cluster("new", url, secretStores=STORES, **spec)


async def begin(stage: Stage, *objects: dict[str, Any]) -> None:
    stage.server(NEW).wipe("uuid-of-new")
    stage.apply(search_cluster(secretStores=STORES), *objects)
    await stage.quiet()


def names_in(server: MemoryElasticsearch, principal: str = ORDERS) -> set[str]:
    """Return the index names in a principal's role."""
    role = server.roles_now.get(OPERATOR.role_name(principal), {})
    return {name for entry in role.get("indices", []) for name in entry["names"]}


def old(stage: Stage) -> MemoryElasticsearch:
    return stage.elasticsearch


def new(stage: Stage) -> MemoryElasticsearch:
    return stage.server(NEW)


@asynccontextmanager
async def no_gap(stage: Stage, *principals: str) -> AsyncIterator[None]:
    """Check all the time that one of some principals has rights in one of the two Elasticsearch clusters."""
    gaps: list[str] = []

    def check() -> None:
        if not any(names_in(server, name) for server in (old(stage), new(stage)) for name in principals):
            gaps.append(stage.clock.now())

    with after_each_call(stage, check):
        yield
    assert gaps == []


def held(stage: Stage, name: str = "orders") -> tuple[str, str]:
    """Return status and reason of Held."""
    found = condition_in(stage.get(name), "Held")
    return found.get("status", ""), found.get("reason", "")


def held_message(stage: Stage, name: str = "orders") -> str:
    return str(condition_in(stage.get(name), "Held").get("message", ""))


def move(stage: Stage, cluster: str, name: str = "orders") -> None:
    stage.kubernetes.change(access_key(name), lambda raw: raw["spec"].update(cluster=cluster))


def works(server: MemoryElasticsearch, key_id: str) -> bool:
    return key_id in {key["id"] for key in server.live_keys()}


def key_in_secret(stage: Stage) -> str:
    return held_key(store(stage).newest(PLACE) or "")
