"""What tests of credentials share."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx

from tests.e2e.clusters.test_logins import with_login, write_login, write_user
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.logins import role_for_keys
from tests.support.worlds.world import OPERATOR_PASSWORD, World, access, grant

WITHIN = 60
STORES = [{"name": "main", "kubernetes": {}}]
ISSUER_ROLE = role_for_keys()
CLUSTER = "keys"


def declare_keys(world: World) -> None:
    """Declare a SearchCluster with a store and a login that may make keys; let the operator write Secrets."""
    write_user(world, "issuer", ISSUER_ROLE)
    write_login(world, "issuer", username="issuer", password=OPERATOR_PASSWORD)
    world.kubernetes.run_kubectl("apply", "-n", "shop", "-f", str(ROOT / "deploy" / "kubernetes-store.yaml"))
    declared = with_login(world, "issuer")
    declared["metadata"]["name"] = CLUSTER
    declared["spec"]["secretStores"] = STORES
    world.apply(declared)
    world.admin.put("/orders-1/_doc/1?refresh=true", json={"total": 12}).raise_for_status()
    world.admin.put("/invoices-1/_doc/1?refresh=true", json={"total": 12}).raise_for_status()
    world.until_cluster_reason(CLUSTER, "InSync", status="True", within=WITHIN)


def with_key(name: str, **more: Any) -> dict[str, Any]:
    credential = {"store": "main", "name": f"{name}-elasticsearch", "overlap": "10s"} | more.pop("credential", {})
    spec = {"cluster": CLUSTER, "auth": "ApiKey", "credential": credential} | more
    return access(name, spec.pop("granted", grant("orders-*")), **spec)


def secret(world: World, name: str) -> dict[str, Any]:
    """Return what a consumer reads; empty: there is no such Secret."""
    options = ("-n", "shop", "-o", "json", "--ignore-not-found")
    text = world.kubernetes.run_kubectl("get", "secret", f"{name}-elasticsearch", *options).stdout
    if not text.strip():
        return {}
    return dict(json.loads(base64.b64decode(json.loads(text)["data"]["credential"])))


def client_with(world: World, encoded: str, scheme: str = "ApiKey") -> httpx.Client:
    server = world.elasticsearch
    headers = {"Authorization": f"{scheme} {encoded}"}
    return httpx.Client(base_url=server.url, verify=server._trust(), headers=headers, timeout=30)


@contextmanager
def busy_caller(world: World, read: Callable[[], dict[str, Any]], times: int) -> Iterator[tuple[set[str], list[int]]]:
    """Call Elasticsearch without a pause or a back-off; yield which keys or users it was, and what was refused.

    Args:
        world: where.
        read: gives what the secret holds.
        times: requests between two reads of the secret.
    """
    used: set[str] = set()
    refused: list[int] = []
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            value = read()
            used.add(value.get("id") or value["username"])
            scheme = "Basic" if "password" in value else "ApiKey"
            with closing(client_with(world, value["encoded"], scheme)) as client:
                for _ in range(times):
                    answer = client.get("/orders-*/_search")
                    if answer.status_code != httpx.codes.OK:
                        refused.append(answer.status_code)

    caller = threading.Thread(target=call)
    caller.start()
    try:
        yield used, refused
    finally:
        stop.set()
        caller.join()


def documents(client: httpx.Client) -> int:
    """Count the orders that somebody sees: other tests write some, too."""
    found: int = client.get("/orders-*/_count").raise_for_status().json()["count"]
    return found


def until_drift_is_shown(world: World, name: str) -> None:
    """Wait until the status says that the secret was not as it should be, which follows the correction."""

    def observe() -> bool:
        items = world.get(name)["status"]["drift"]["items"]
        return {item["object"] for item in items} == {f"secret/{name}-elasticsearch"}

    eventually(observe, within=WITHIN, what=f"drift of the secret of {name}")
