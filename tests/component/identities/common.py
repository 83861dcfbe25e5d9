"""Subjects that are Cloud Run workloads, and what is seen of them."""

from typing import Any

from searchaccess.core.model.workload import Workload, WorkloadKind
from tests.support.googlestate import a_workload
from tests.support.memory_google import SIDE
from tests.support.stage import OPERATOR, Stage
from tests.support.world import access, account, condition_in, grant

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


def have_roles(stage: Stage) -> set[str]:
    prefix = OPERATOR.role_name("")
    return {name.removeprefix(prefix) for name in stage.elasticsearch.roles_now if name.startswith(prefix)}


def asked(stage: Stage) -> list[str]:
    return [call.method for call in stage.faults.calls if call.side == SIDE]


async def refreshed(stage: Stage) -> None:
    await stage.sleep(REFRESH * 1.2)
    await stage.quiet()
