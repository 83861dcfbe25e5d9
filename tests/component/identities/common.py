"""Subjects that are Cloud Run workloads, and what is seen of them."""

from typing import Any

from searchaccess.core.model.identities.workload import Workload, WorkloadKind
from searchaccess.ports.errors import PermissionDenied
from tests.support.loop.stage import CLUSTER_KEY, OPERATOR, Stage, search_cluster
from tests.support.memory.google import SIDE
from tests.support.servers.googlestate import a_workload
from tests.support.worlds.world import access, account, condition_in, grant

OLD, NEW = account("orders-old"), account("orders-new")
SERVICE = a_workload("orders")
JOB = a_workload("orders", WorkloadKind.JOB)
REFRESH = 300
GRACE = 900
_FIELDS = {
    WorkloadKind.SERVICE: "cloudRunService",
    WorkloadKind.JOB: "cloudRunJob",
    WorkloadKind.WORKER_POOL: "cloudRunWorkerPool",
}


def subject(workload: Workload = SERVICE) -> dict[str, Any]:
    place = workload.place
    reference = {"project": place.project, "location": place.location, "name": workload.name}
    return {_FIELDS[place.kind]: reference}


def declared(name: str = "orders", workload: Workload = SERVICE, **more: Any) -> dict[str, Any]:
    return access(name, grant(f"{name}-*"), subject=subject(workload), **more)


def resolved(stage: Stage, name: str = "orders") -> tuple[str, str]:
    found = condition_in(stage.get(name), "IdentityResolved")
    return found.get("status", ""), found.get("reason", "")


def identity(stage: Stage, name: str = "orders") -> dict[str, Any]:
    return dict(stage.get(name)["status"]["identity"])


def by_sub(**cloud_run: str) -> dict[str, Any]:
    """Return a SearchCluster whose principals are unique ids."""
    realm = search_cluster()["spec"]["identity"]["jwtRealm"] | {"principal": "sub"}
    return search_cluster(identity={"jwtRealm": realm, "cloudRun": cloud_run})


async def switch_to_ids(stage: Stage, unknown: str) -> None:
    """Let principals be unique ids from now on, while nobody may read that of one account."""
    healthy = stage.google.get_account

    async def forbidden(email: str) -> Any:
        if email == unknown:
            raise PermissionDenied("403")
        return await healthy(email)

    stage.google.get_account = forbidden  # type: ignore[method-assign]
    stage.faults.fail(SIDE, PermissionDenied("403"), "list_accounts")
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw.update(spec=by_sub()["spec"]))
    await stage.quiet()


def have_roles(stage: Stage) -> set[str]:
    prefix = OPERATOR.role_name("")
    return {name.removeprefix(prefix) for name in stage.elasticsearch.roles_now if name.startswith(prefix)}


def asked(stage: Stage) -> list[str]:
    return [call.method for call in stage.faults.calls if call.side == SIDE]


async def refreshed(stage: Stage) -> None:
    await stage.sleep(REFRESH * 1.2)
    await stage.quiet()
