"""Declarations that move: whoever calls all the time is never refused, and what cannot be moved stays where it is."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import httpx
import pytest

from tests.e2e.credentials.keys import CLUSTER, WITHIN, client_with, secret, with_key
from tests.support.operatorprocess import ROOT
from tests.support.servers.secretserver import SecretManagerServer
from tests.support.waiting import eventually
from tests.support.worlds.world import World, access, account, condition_in, grant

Way = Callable[[], bool]
"""A way to read the orders; whether it was allowed."""

TOKEN: dict[str, Any] = {"auth": "IdentityToken", "credential": None}
PROJECT = "acme-secrets"
STORES = [{"name": "main", "kubernetes": {}}, {"name": "second", "googleSecretManager": {"project": PROJECT}}]


def by_token(world: World, name: str) -> Way:
    client = world.caller(name)
    return lambda: client.get("/orders-*/_search").status_code == httpx.codes.OK


def by_value(world: World, value: dict[str, Any]) -> Way:
    scheme = "Basic" if "password" in value else "ApiKey"
    client = client_with(world, value["encoded"], scheme)
    return lambda: client.get("/orders-*/_search").status_code == httpx.codes.OK


def by_secret(world: World, read: Callable[[], dict[str, Any]]) -> Way:
    """Read the secret each time, as a consumer that is refused does."""

    def call() -> bool:
        value = read()
        if not value:
            return False
        with closing(client_with(world, value["encoded"], "Basic" if "password" in value else "ApiKey")) as client:
            return client.get("/orders-*/_search").status_code == httpx.codes.OK

    return call


@contextmanager
def calling(before: Way, after: Way | None = None) -> Iterator[None]:
    """Call without a pause, as before or as after a move: at each moment one of the two must be allowed.

    After the new way was refused and then the old one, the new one must be allowed: it came before the old one went.
    """
    ways = [after, before, after] if after else [before]
    refused, calls, stop = [], 0, threading.Event()

    def call() -> None:
        nonlocal calls
        while not stop.is_set():
            calls += 1
            if not any(way() for way in ways):
                refused.append(calls)

    caller = threading.Thread(target=call)
    caller.start()
    try:
        yield
        now = calls
        eventually(lambda: calls > now + 1, within=WITHIN, what="it called after the move, too")
    finally:
        stop.set()
        caller.join()
    assert refused == [], f"of {calls} calls"


def keys_of(world: World, ref: str) -> list[str]:
    """Return the names of a SearchAccess's API keys that work."""
    raw = world.admin.get("/_security/api_key", params={"active_only": "true", "name": "searchaccess.*"}).json()
    return [key["name"] for key in raw["api_keys"] if f".{ref}." in key["name"]]


def merge(world: World, name: str, **spec: Any) -> None:
    world.patch(name, {"spec": spec})
    world.until_ready(name, within=WITHIN)


@pytest.mark.one_release
def test_through_every_move_no_request_is_refused(keys: World, world: World, google: SecretManagerServer) -> None:
    there = keys
    world.admin.put("/orders-1/_doc/1?refresh=true", json={"total": 12}).raise_for_status()
    there.patch_cluster(CLUSTER, {"spec": {"secretStores": STORES}})
    there.apply(access("mover", grant("orders-*"), cluster=CLUSTER))
    there.until_ready("mover", within=WITHIN)
    credential = {"store": "main", "name": "mover-elasticsearch", "overlap": "10s"}
    heir = by_token(there, "heir")

    def at_google() -> dict[str, Any]:
        return dict(json.loads(google.newest(PROJECT, "renamed-elasticsearch") or "{}"))

    mine, renamed = partial(secret, there, "mover"), partial(secret, there, "renamed")
    moves: list[tuple[str, Callable[[], Way], Way, dict[str, Any]]] = [
        ("subject", partial(by_token, there, "mover"), heir, {"subject": {"serviceAccount": account("heir")}}),
        ("key", lambda: heir, by_secret(there, mine), {"auth": "ApiKey", "credential": credential}),
        (
            "name",
            lambda: by_value(there, mine()),
            by_secret(there, renamed),
            {"credential": {"name": "renamed-elasticsearch"}},
        ),
        ("store", lambda: by_value(there, renamed()), by_secret(there, at_google), {"credential": {"store": "second"}}),
        ("user", lambda: by_value(there, at_google()), by_secret(there, at_google), {"auth": "Password"}),
        ("token", lambda: by_value(there, at_google()), heir, TOKEN),
        ("cluster", lambda: heir, by_token(world, "heir"), {"cluster": "prod"}),
    ]
    for what, as_before, after, change in moves:
        before = as_before()
        with calling(before, after):
            merge(there, "mover", **change)
        if what in {"subject", "token", "cluster"}:
            eventually(lambda way=before: not way(), within=WITHIN, what=f"{what}: the old way has ended")  # type: ignore[misc]
    assert not there.role("heir")
    eventually(lambda: not keys_of(there, "shop/mover"), within=WITHIN, what="its keys are revoked")


def test_a_cluster_that_does_not_exist_holds_what_there_is(keys: World, world: World) -> None:
    operator, world = world.process, keys
    world.apply(access("held", grant("orders-*"), cluster=CLUSTER), with_key("held-key"))
    world.until_ready("held", "held-key", within=WITHIN)
    key = by_value(world, secret(world, "held-key"))
    with calling(by_token(world, "held")), calling(key):
        for name in ("held", "held-key"):
            world.patch(name, {"spec": {"cluster": "kyes"}})
            found = world.until_reason(name, "ClusterNotFound", status="False", within=WITHIN)
            eventually(lambda name=name: world.condition(name, "Held").get("status") == "True", within=WITHIN)  # type: ignore[misc]
            assert f"SearchCluster {CLUSTER}" in world.condition(name, "Held")["message"]
            assert condition_in(found, "Ready")["observedGeneration"] == found["metadata"]["generation"]
        operator.stop()
        operator.start()
        world.until_cluster_reason(CLUSTER, "InSync", status="True", within=WITHIN)
        for name in ("held", "held-key"):
            world.patch(name, {"spec": {"cluster": CLUSTER}})
            world.until_ready(name, within=2 * WITHIN)
            assert not world.condition(name, "Held")
    for name in ("held", "held-key"):
        world.patch(name, {"spec": {"cluster": "kyes"}})
        world.until_reason(name, "ClusterNotFound", status="False", within=WITHIN)
        world.delete(name)
    assert not world.role("held")
    assert not key()


def test_a_searchcluster_is_renamed_and_nobody_is_refused(keys: World) -> None:
    world = keys
    world.apply(access("stays", grant("orders-*"), cluster=CLUSTER), with_key("stays-key"))
    world.until_ready("stays", "stays-key", within=WITHIN)
    declared = world.get_cluster(CLUSTER)
    renamed = {
        "apiVersion": declared["apiVersion"],
        "kind": declared["kind"],
        "metadata": {"name": f"{CLUSTER}-eu"},
        "spec": declared["spec"],
    }
    with calling(by_token(world, "stays")), calling(by_value(world, secret(world, "stays-key"))):
        world.apply(renamed)
        for name in ("stays", "stays-key"):
            world.patch(name, {"spec": {"cluster": f"{CLUSTER}-eu"}})
        world.kubernetes.run_kubectl("delete", "searchcluster", CLUSTER, "--timeout=60s")
        world.until_cluster_reason(f"{CLUSTER}-eu", "InSync", status="True", within=WITHIN)
        world.until_ready("stays", "stays-key", within=WITHIN)


def test_a_renamed_access_takes_over_the_secret_of_its_name(keys: World) -> None:
    world = keys
    world.apply(with_key("before"))
    world.until_ready("before", within=WITHIN)
    world.apply(with_key("after", credential={"name": "before-elasticsearch"}))
    world.until_reason("after", "OwnershipConflict", status="False", within=WITHIN)
    first = secret(world, "before")
    world.delete("before")
    world.until_ready("after", within=WITHIN)
    assert secret(world, "before")["id"] != first["id"]
    assert by_secret(world, partial(secret, world, "before"))()


@pytest.mark.one_release
@pytest.mark.parametrize("binding_first", [True, False])
def test_a_namespace_that_is_deleted_ends(keys: World, *, binding_first: bool) -> None:
    """With it, the RoleBinding goes that lets the operator delete the Secret; often before everything else."""
    world, namespace, kubectl = keys, f"leaving-{str(binding_first).lower()}", keys.kubernetes.run_kubectl
    world.namespace(namespace)
    kubectl("apply", "-n", namespace, "-f", str(ROOT / "deploy" / "kubernetes-store.yaml"))
    raw = with_key("leaver")
    raw["metadata"]["namespace"] = namespace
    world.apply(raw)
    world.until_ready("leaver", namespace=namespace, within=WITHIN)
    assert keys_of(world, f"{namespace}/leaver")
    if binding_first:
        kubectl("delete", "rolebinding", "-n", namespace, "searchaccess-operator-credentials")
    kubectl("delete", "namespace", namespace, "--timeout=180s")
    assert not keys_of(world, f"{namespace}/leaver")
