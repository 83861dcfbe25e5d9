"""One odd object of each kind, on real servers, beside healthy ones: it costs itself alone."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.clusters.test_logins import write_login, write_user
from tests.e2e.credentials.keys import ISSUER_ROLE, STORES
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.arena import PATIENCE, Arena
from tests.support.worlds.world import CLUSTER, OPERATOR_PASSWORD, SYSTEM, access, condition_in, grant

pytestmark = pytest.mark.timeout(600)

DIGITS = "9" * 4301


def nested(depth: int, leaf: Any, key: str = "a") -> Any:
    """Return a value so deep in objects."""
    for _ in range(depth):
        leaf = {key: leaf}
    return leaf


def deep_query(depth: int) -> dict[str, Any]:
    query: dict[str, Any] = {"term": {"region": "eu"}}
    for _ in range(depth):
        query = {"bool": {"must": [query]}}
    return query


def with_key(name: str) -> dict[str, Any]:
    return access(name, grant("orders-*"), auth="ApiKey", credential={"store": "main", "name": f"{name}-elasticsearch"})


def begin(field: Arena) -> None:
    world = field.world
    # Those of the test before are another installation's.
    secrets = [f"{name}-elasticsearch" for name in ("healthy-key", "victim-key", "new-key")]
    world.kubernetes.run_kubectl("delete", "secret", "-n", "shop", "--ignore-not-found", *secrets)
    write_user(world, "issuer", ISSUER_ROLE)
    write_login(world, "issuer", username="issuer", password=OPERATOR_PASSWORD)
    world.kubernetes.run_kubectl("apply", "-n", "shop", "-f", str(ROOT / "deploy" / "kubernetes-store.yaml"))
    login = {"secretRef": {"namespace": SYSTEM, "name": "issuer"}}
    world.apply(
        field.cluster(login=login, secretStores=STORES),
        access("healthy", grant("orders-*")),
        access("leaves", grant("leaves-*")),
        with_key("healthy-key"),
        access("victim", grant("victim-*")),
        with_key("victim-key"),
    )


def access_too_deep(field: Arena) -> None:
    """The API server takes it; Python's own readers do not."""
    field.world.apply(access("poison", grant("poison-*", where=deep_query(170))))


def cluster_that_holds_no_certificate(field: Arena) -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIEpoison\n-----END CERTIFICATE-----\n"
    field.world.apply(field.world.cluster("poison", ca={"inline": pem}))


def secret_with_a_huge_version(field: Arena) -> None:
    kubectl = field.world.kubernetes.run_kubectl
    change = {"metadata": {"annotations": {"searchaccess.dev/version": DIGITS}}}
    kubectl("patch", "secret", "victim-key-elasticsearch", "-n", "shop", "--type=merge", "-p", json.dumps(change))


def role_with_deep_metadata(field: Arena) -> None:
    role = field.world.role("victim")
    field.world.write_role("victim", role | {"metadata": role["metadata"] | {"owners": nested(15, "none")}})


def foreign_mapping_with_deep_metadata(field: Arena) -> None:
    name = f"searchaccess.{field.world.instance}.poison"
    rule = {"field": {"username": "nobody"}}
    body: dict[str, Any] = {"enabled": True, "roles": ["none"], "rules": rule, "metadata": nested(900, 1)}
    field.world.admin.put(f"/_security/role_mapping/{name}", json=body).raise_for_status()


def key_with_odd_metadata(field: Arena) -> None:
    prefix = f"searchaccess.{field.world.instance}."
    path = ("namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
    metadata: dict[str, Any] = {
        "managed_by": "searchaccess",
        "instance": field.world.instance,
        "controller": field.world.kubernetes.run_kubectl("get", *path).stdout.strip(),
        "owner": {"uid": "../..", "name": "../x", "namespace": "../../secrets"},
        "sequence": 10**17,
        "version": "x",
    }
    body: dict[str, Any] = {"name": f"{prefix}shop/poison.1", "metadata": metadata, "role_descriptors": {}}
    field.world.admin.post("/_security/api_key", json=body).raise_for_status()


def status_of_another_version(field: Arena) -> None:
    odd = {"status": {"drift": {"open": 0, "items": [], "invented": {"a": 1}}, "elasticsearch": {"newer": True}}}
    field.world.kubernetes.run_kubectl(
        "patch", "searchaccess", "victim", "-n", "shop", "--subresource=status", "--type=merge", "-p", json.dumps(odd)
    )


POISON: list[Callable[[Arena], None]] = [
    access_too_deep,
    cluster_that_holds_no_certificate,
    secret_with_a_huge_version,
    role_with_deep_metadata,
    foreign_mapping_with_deep_metadata,
    key_with_odd_metadata,
    status_of_another_version,
]
SAID: dict[str, Callable[[Arena], bool]] = {
    "access_too_deep": lambda field: reason(field, "poison") == "InvalidSpec",
    "cluster_that_holds_no_certificate": lambda field: (
        condition_in(field.world.get_cluster("poison"), "Ready").get("reason") == "InvalidSpec"
    ),
}
"""What the odd object itself says, where it says anything."""


def reason(field: Arena, name: str) -> str:
    return str(condition_in(field.world.get(name), "Ready").get("reason", ""))


@pytest.mark.parametrize("poison", POISON, ids=lambda item: item.__name__)
def test_an_odd_object_costs_itself_alone(field: Arena, poison: Callable[[Arena], None]) -> None:
    begin(field)
    with field.running() as process:
        field.until_in_sync(5)
        poison(field)
        if poison.__name__ in SAID:
            eventually(lambda: SAID[poison.__name__](field), within=PATIENCE, what="it says what is wrong with it")
        # Others are served, changed and revoked, and after a restart too.
        field.world.apply(access("new", grant("new-*")), with_key("new-key"))
        field.world.until_ready("new", "new-key", within=PATIENCE)
        field.world.delete("leaves")
        assert "leaves" not in field.roles()
        process.stop()
        process.start()
        field.world.apply(access("newer", grant("newer-*")))
        field.world.until_ready("newer", "new", "healthy", "healthy-key", within=PATIENCE)
        field.until_cluster_ready(CLUSTER)
