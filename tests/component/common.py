"""What the plays of this folder have in common."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from searchaccess.core.model.canonical import role_from_json
from searchaccess.core.model.intake.reading import readable
from searchaccess.core.rights.mapping import mapping_of, seen_mapping
from searchaccess.core.rights.ownership import Operator, Role
from searchaccess.core.rights.plan import seen_role
from searchaccess.ports.kubernetes import Page, Plural
from tests.support.failures.faults import Call
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, search_cluster
from tests.support.memory.elasticsearch import MemoryElasticsearch
from tests.support.worlds.world import account

ORDERS = account("orders")
ROLE = OPERATOR.role_name(ORDERS)
MAPPING = OPERATOR.mapping_name
ORPHANS: dict[str, Any] = {"allowed": True}
"""Of a SearchCluster where rights may stay when their SearchAccess is deleted."""
FOREIGN: dict[str, Any] = {
    "cluster": ["all"],
    "indices": [{"names": ["*"], "privileges": ["all"]}],
    "metadata": {"made_by": "hand"},
}


async def begin(stage: Stage, *objects: dict[str, Any], **spec: Any) -> None:
    """Apply a SearchCluster and other objects, and wait until all is quiet."""
    stage.apply(search_cluster(**spec), *objects)
    await stage.quiet()


def refuse_lists(stage: Stage, refused: Plural, error: Exception) -> Callable[[], None]:
    """Have the API server refuse lists of a kind; return what has it answer again."""
    listed = stage.kubernetes.list_page

    async def answer(plural: Plural, following: str = "") -> Page:
        if plural is refused:
            raise error
        return await listed(plural, following)

    def heal() -> None:
        stage.kubernetes.list_page = listed  # type: ignore[method-assign]

    stage.kubernetes.list_page = answer  # type: ignore[method-assign]
    return heal


def granted(stage: Stage, principal: str = ORDERS) -> set[str]:
    """Return the index names in a principal's role."""
    return {name for entry in stage.role(principal).get("indices", []) for name in entry["names"]}


def drift(stage: Stage, name: str = "orders") -> dict[str, int]:
    """Return the counters of a SearchAccess's drift."""
    found = stage.get(name)["status"]["drift"]
    return {key: found.get(key, 0) for key in ("open", "detected", "corrected")}


def seen_hash(stage: Stage, name: str) -> str:
    """Return the hash of a role or role mapping as it is in Elasticsearch."""
    server = stage.elasticsearch
    if name in server.mappings_now:
        return seen_mapping(mapping_of(name, server.mappings_now[name])).hash
    raw = readable(server.roles_now)[name]
    return seen_role(Role(name, role_from_json(raw), raw["metadata"])).hash


def agree(stage: Stage, name: str, seen: str = "") -> None:
    """Let the platform agree to adopt an object: as it is now, or as it was seen."""
    objects = [{"name": name, "hash": seen or seen_hash(stage, name)}]
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(adoption={"objects": objects}))


FORMER: Final = Operator("default", "uid-of-the-former-kube-system")
"""The same installation in a Kubernetes cluster that is gone."""


async def former_installation(
    stage: Stage, operator: Operator, *objects: dict[str, Any], leaves: str = ""
) -> MemoryElasticsearch:
    """Let another installation of the operator, in a Kubernetes cluster of its own, work; return its Elasticsearch.

    It has the stage's stores. Meanwhile the stage's own operator does not run.
    """
    former = Stage(operator=operator)
    former.stores = stage.stores
    await stage.stop()
    former.kubernetes.uids = "former"
    former.start()
    former.apply(*objects)
    await former.quiet()
    if leaves:
        former.delete(leaves)
        await former.quiet()
    await former.stop()
    stage.start()
    return former.elasticsearch


@contextmanager
def after_each_call(stage: Stage, check: Callable[[], None]) -> Iterator[None]:
    """Check something whenever the operator has called anything outside: nothing else changes what is there."""
    before = stage.faults.on_call

    def called(call: Call) -> None:
        before(call)
        check()

    check()
    stage.faults.on_call = called
    try:
        yield
    finally:
        stage.faults.on_call = before
    check()
