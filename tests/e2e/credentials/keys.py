"""What tests of credentials share."""

import base64
import json
import threading
import time
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
OVERLAP = 10.0
"""Seconds for which the former key or user is good after a rotation."""


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
    credential = {"store": "main", "name": f"{name}-elasticsearch", "overlap": f"{OVERLAP:.0f}s"} | more.pop(
        "credential", {}
    )
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

    The secret is read again well within the overlap, also where the machine is slow, as docs/credentials.md says. At
    the beginning of the block and at its end, what the secret holds then has been used.

    Args:
        world: where.
        read: gives what the secret holds.
        times: requests between two reads of the secret, at most.
    """
    used: set[str] = set()
    refused: list[int] = []
    rounds, stop = 0, threading.Event()

    def call() -> None:
        nonlocal rounds
        while not stop.is_set():
            began = time.monotonic()
            value = read()
            scheme = "Basic" if "password" in value else "ApiKey"
            with closing(client_with(world, value["encoded"], scheme)) as client:
                for _ in range(times):
                    answer = client.get("/orders-*/_search")
                    if time.monotonic() - began > OVERLAP / 2:
                        break
                    if answer.status_code != httpx.codes.OK:
                        refused.append(answer.status_code)
            used.add(value.get("id") or value["username"])
            rounds += 1

    caller = threading.Thread(target=call)
    caller.start()
    try:
        eventually(lambda: rounds, within=WITHIN, what="the first calls")
        yield used, refused
        now = rounds
        eventually(lambda: rounds > now + 1, within=WITHIN, what="calls with what the secret holds in the end")
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
