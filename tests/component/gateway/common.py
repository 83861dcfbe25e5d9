"""What the plays about gateways have in common."""

import asyncio
from typing import Any, Final

from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.facts import Pod
from searchaccess.core.gateway.login import LoginNames, parts_of
from searchaccess.core.gateway.objects import LOGIN, Place
from tests.support.loop.stage import CLUSTER_KEY, Stage, search_cluster
from tests.support.memory.gateways import AUDIENCE
from tests.support.worlds.world import condition_in

NAME: Final = "searchaccess-gateway"
PLACE: Final = Place("gateways", NAME)
NAMES: Final = LoginNames("default", NAME)
URL: Final = "https://gateway.example.com"


def gateway(**spec: Any) -> dict[str, Any]:
    """Return what a SearchCluster declares about its gateway."""
    return {"audience": AUDIENCE, "url": URL, "namespace": "gateways", **spec}


async def begin(stage: Stage, *pods: str, **spec: Any) -> None:
    """Declare a gateway with pods, and wait until all is quiet."""
    stage.runs_gateways = True
    await stage.restart()
    stage.gateways.run(PLACE, *pods)
    stage.apply(search_cluster(identity={"gateway": gateway(**{"replicas": max(1, len(pods)), **spec})}))
    await stage.quiet()


def declare(stage: Stage, **spec: Any) -> None:
    """Change what is declared about the gateway."""
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(identity={"gateway": gateway(**spec)}))


def condition(stage: Stage, kind: str) -> tuple[str, str]:
    """Return status and reason of a condition of the SearchCluster."""
    found = condition_in(stage.cluster(), kind)
    return found.get("status", ""), found.get("reason", "")


def secret_user(stage: Stage, place: Place = PLACE) -> str:
    """Return the user whose working password the Secret has; empty: none works."""
    stored = stage.gateways.objects.get(place.login)
    parts = parts_of(Sealed(stored.data[LOGIN])) if stored else None
    server = stage.elasticsearch
    if parts is None or server.passwords.get(parts[0]) != parts[1].reveal():
        return ""
    known = server.users_now.get(parts[0])
    return parts[0] if known and known["enabled"] and known["roles"] == [NAMES.role] else ""


def users(stage: Stage) -> set[str]:
    """Return the gateway's users that exist."""
    return {name for name in stage.elasticsearch.users_now if name.startswith(f"{NAMES.role}.")}


def drifted(stage: Stage) -> list[str]:
    """Return the objects and paths of the drift that the status lists."""
    items = (stage.cluster()["status"].get("drift") or {}).get("items", [])
    return [f"{item['object']} {item['path']}" for item in items]


def answers_slowly(stage: Stage) -> asyncio.Event:
    """Have pods answer after seconds; return what is set when one does."""
    version_of, asked = stage.gateways.version_of, asyncio.Event()

    async def slowly(pod: Pod) -> str:
        await asyncio.sleep(5)
        asked.set()
        return await version_of(pod)

    stage.gateways.version_of = slowly  # type: ignore[method-assign]
    return asked


async def busy_until(stage: Stage, asked: asyncio.Event) -> None:
    """Check that a run does not end by itself before pods have answered."""
    assert stage.process is not None
    host, busy = stage.process.host, list[bool]()
    await asyncio.sleep(2)
    while not asked.is_set():
        busy.append(host.is_busy())
        await asyncio.sleep(0.2)
    assert busy
    assert all(busy)
