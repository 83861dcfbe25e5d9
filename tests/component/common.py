"""What the plays of this folder have in common."""

from typing import Any

from tests.support.stage import OPERATOR, Stage, search_cluster
from tests.support.world import account

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


def granted(stage: Stage, principal: str = ORDERS) -> set[str]:
    """Give the index names in a principal's role."""
    return {name for entry in stage.role(principal).get("indices", []) for name in entry["names"]}


def drift(stage: Stage, name: str = "orders") -> dict[str, int]:
    """Give the counters of a SearchAccess's drift."""
    found = stage.get(name)["status"]["drift"]
    return {key: found.get(key, 0) for key in ("open", "detected", "corrected")}
