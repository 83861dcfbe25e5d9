"""What the plays about released rights have in common."""

from typing import Any

from searchaccess.core.model.canonical import role_from_json
from tests.component.common import ORDERS, ORPHANS, begin
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage
from tests.support.worlds.world import access, grant

ALL = {"names": ["*"], "privileges": ["all"]}


def orphan(name: str = "orphan", **more: Any) -> dict[str, Any]:
    """Return a SearchAccess of the account ``orders`` whose rights are to stay."""
    return access(name, grant(f"{name}-*"), principal=ORDERS, deletionPolicy="Orphan", **more)


def listed(stage: Stage) -> list[tuple[str, str]]:
    """Return whose rights the SearchCluster's status lists as released, and which they are."""
    status = stage.cluster()["status"]
    assert status["counts"]["releasedRights"] == len(status["released"])
    return [(f"{item['namespace']}/{item['name']}", item["rights"]) for item in status["released"]]


def allow(stage: Stage, **orphans: Any) -> None:
    """Say what becomes of released rights."""
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(orphans=orphans))


async def released(stage: Stage, *objects: dict[str, Any]) -> None:
    """Have rights released, beside what others declare."""
    await begin(stage, orphan(), *objects, orphans=ORPHANS)
    stage.delete("orphan")
    await stage.quiet()
    assert not stage.get("orphan")
    assert listed(stage) == [("shop/orphan", "r orphan-*")]


def forge(stage: Stage, entry: dict[str, Any], principal: str = ORDERS) -> None:
    """Add an entry to a role, and say in its metadata that we released it."""
    role = stage.role(principal)
    (added,) = role_from_json({"indices": [entry]}).entries
    said = {"entries": [added.hash], "cluster": []}
    metadata = role["metadata"] | {"released": said}
    stage.elasticsearch.write_role(
        OPERATOR.role_name(principal), role | {"indices": [*role["indices"], entry], "metadata": metadata}
    )
