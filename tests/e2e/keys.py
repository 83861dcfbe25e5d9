"""What tests of credentials share."""

import base64
import json
from typing import Any

import httpx

from tests.e2e.test_logins import documented_roles, with_login, write_login, write_user
from tests.support.operatorprocess import ROOT
from tests.support.world import OPERATOR_PASSWORD, World, access, grant

WITHIN = 60
STORES = [{"name": "main", "kubernetes": {}}]
ISSUER_ROLE = documented_roles()[2]
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
    return access(
        name, more.pop("granted", grant("orders-*")), cluster=CLUSTER, auth="ApiKey", credential=credential, **more
    )


def secret(world: World, name: str) -> dict[str, Any]:
    """Give what a consumer reads; empty: there is no such Secret."""
    options = ("-n", "shop", "-o", "json", "--ignore-not-found")
    text = world.kubernetes.run_kubectl("get", "secret", f"{name}-elasticsearch", *options).stdout
    if not text.strip():
        return {}
    return dict(json.loads(base64.b64decode(json.loads(text)["data"]["credential"])))


def client_with(world: World, encoded: str) -> httpx.Client:
    server = world.elasticsearch
    headers = {"Authorization": f"ApiKey {encoded}"}
    return httpx.Client(base_url=server.url, verify=server._trust(), headers=headers, timeout=30)
