"""SearchAccesses with API keys, and what is seen of them."""

from typing import Any

from searchaccess.core.credentials.payload import held_key
from searchaccess.ports.stores import Place
from tests.support.loop.stage import CLUSTER_KEY, Stage, access_key, search_cluster
from tests.support.memory.store import MemoryStore
from tests.support.worlds.world import access, condition_in, grant

HOUR, DAY = 3600, 86400
PLACE = Place("shop", "orders-elasticsearch")
STORES = [{"name": "main", "kubernetes": {}}]
READY = ("True", "InSync")
OVERLAP = 3
"""Hours: of a day, the default, most tests would spend most of their time in nothing but reads of stores."""


def with_key(name: str = "orders", **more: Any) -> dict[str, Any]:
    credential = {"store": "main", "name": f"{name}-elasticsearch", "overlap": f"{OVERLAP}h"}
    credential |= more.pop("credential", {})
    spec = {"auth": "ApiKey", "credential": credential} | more
    return access(name, spec.pop("granted", grant(f"{name}-*")), **spec)


def with_password(name: str = "orders", **more: Any) -> dict[str, Any]:
    return with_key(name, auth="Password", **more)


async def begin(stage: Stage, *objects: dict[str, Any]) -> None:
    stage.apply(search_cluster(secretStores=STORES), *objects)
    await stage.quiet()


async def days_pass(stage: Stage, days: float) -> None:
    """Let days pass with few probes and sweeps."""
    before = stage.cluster()["spec"].get("drift", {})
    rare = {"probeEvery": "1h", "sweepEvery": "24h"}
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(drift=rare))
    await stage.sleep(days * DAY)
    stage.kubernetes.change(CLUSTER_KEY, lambda raw: raw["spec"].update(drift=before))
    await stage.quiet()


async def overlap_passes(stage: Stage, times: float = 1.1) -> None:
    """Let an overlap pass, or several, with few probes and sweeps."""
    await days_pass(stage, times * OVERLAP * HOUR / DAY)


async def change_is_noticed(stage: Stage) -> None:
    """Let the next probe see what was changed in Elasticsearch's memory, and what is done about it come to an end."""
    stage.elasticsearch.sequence += 1
    await stage.sleep(5)
    await stage.quiet()


async def rotate(stage: Stage) -> list[str]:
    """Request a rotation; return what it asks of Elasticsearch and the store, in order."""
    before = len(stage.faults.calls)
    stage.annotate(access_key("orders"), "searchaccess.dev/rotate-requested-at", "now")
    await stage.sleep(1)
    asked = [call.method for call in stage.faults.calls[before:] if call.side != "kubernetes"]
    return [method for method in asked if method != "probe"]


def store(stage: Stage) -> MemoryStore:
    return stage.stores.by_name["main"]


def live(stage: Stage) -> list[dict[str, Any]]:
    return stage.elasticsearch.live_keys()


def read(stage: Stage, place: Place = PLACE) -> str:
    """Return the id of the key that consumers read."""
    return held_key(store(stage).newest(place) or "")


def credential(stage: Stage, name: str = "orders") -> dict[str, Any]:
    return dict(stage.get(name)["status"].get("credential") or {})


def said(stage: Stage, name: str = "orders") -> tuple[str, str]:
    found = condition_in(stage.get(name), "CredentialReady")
    return found.get("status", ""), found.get("reason", "")
