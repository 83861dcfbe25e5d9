"""What the operator may do in Kubernetes is what it does, and nothing more."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from searchaccess.api.constants import API_VERSION
from searchaccess.api.vouching import ADMISSION_GROUP
from tests.support.operatorprocess import ROOT
from tests.support.servers.proxy import Seen
from tests.support.waiting import eventually
from tests.support.worlds.arena import PATIENCE, Arena
from tests.support.worlds.world import SYSTEM, access, condition_in, grant

Right = tuple[str, str, str]
"""Verb, resource with its group, and namespace or name; ``*``: of any."""

_PATH = re.compile(r"/(?:api|apis/(?P<group>[^/]+))/[^/]+(?:/namespaces/(?P<namespace>[^/]+))?/(?P<rest>.+)")
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}

APPROVALS: dict[str, Any] = {
    "apiVersion": API_VERSION,
    "kind": "SearchAccessPolicy",
    "metadata": {"name": "approvals"},
    "spec": {
        "match": {"namespaces": {"names": ["elsewhere"]}},
        "require": {"approval": {"by": {"users": ["jane"]}, "for": "1h"}},
    },
}
"""It applies to nothing, but the admission policies are read for it."""

_AT_THE_END = {("delete", "coordination.k8s.io/leases", SYSTEM)}
"""What it does when it ends."""


def right_of(seen: Seen) -> Right | None:
    """Return the right that a request needs; None: it needs none, as it asks what kinds there are."""
    match = _PATH.fullmatch(seen.path)
    if match is None:
        return None
    group, namespace, rest = match["group"] or "", match["namespace"] or "", match["rest"].split("/")
    if group == ADMISSION_GROUP:
        return "get", f"{group}/{rest[0]}", rest[-1]
    if seen.path.startswith("/api/v1/namespaces/") and seen.path.count("/") == 4:
        return "get", "namespaces", rest[-1]
    resource = f"{group}/{rest[0]}".removeprefix("/")
    named = len(rest) > 1
    if len(rest) > 2:
        resource += f"/{rest[2]}"
    verb = _VERBS.get(seen.method) or ("get" if named else "watch" if seen.watches else "list")
    return verb, resource, namespace if group == "coordination.k8s.io" or rest[0] in {"secrets", "configmaps"} else "*"


def granted(files: Iterable[Path], namespaces: dict[str, str]) -> set[Right]:
    """Return what manifests grant.

    Args:
        files: the manifests.
        namespaces: by name of a Role, where it is.
    """
    found: set[Right] = set()
    for raw in (item for file in files for item in yaml.safe_load_all(file.read_text())):
        if raw["kind"] not in {"ClusterRole", "Role"}:
            continue
        where = "*" if raw["kind"] == "ClusterRole" else namespaces[raw["metadata"]["name"]]
        for rule in raw["rules"]:
            for verb in rule["verbs"]:
                for resource in rule["resources"]:
                    full = f"{rule['apiGroups'][0]}/{resource}".removeprefix("/")
                    found |= {(verb, full, name) for name in rule.get("resourceNames", [where])}
    return found


def test_every_right_is_used_and_no_other_is_needed(field: Arena) -> None:
    world = field.world
    world.kubernetes.run_kubectl("apply", "-n", "shop", "-f", str(ROOT / "deploy" / "kubernetes-store.yaml"))
    authority = {"ca.crt": field.elasticsearch.ca_file.read_text()}
    name = f"ca-{world.instance}"
    world.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": SYSTEM}, "data": authority}
    )
    declared: dict[str, Any] = field.cluster(
        secretStores=[{"name": "main", "kubernetes": {}}],
        allowedNamespaces={"selector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}},
    )
    declared["spec"]["ca"] = {"configMapRef": {"namespace": SYSTEM, "name": name}}
    user = access("user", grant("orders-*"), auth="Password", credential={"store": "main", "name": name})
    world.apply(declared, user, access("orders", grant("orders-*")), APPROVALS)
    manifests = [ROOT / "deploy" / file for file in ("operator.yaml", "kubernetes-store.yaml")]
    places = {
        "searchaccess-operator-logins": SYSTEM,
        "searchaccess-operator-leases": SYSTEM,
        "searchaccess-operator-credentials": "shop",
    }
    rights = granted(manifests, places)

    def used() -> set[Right]:
        return {right for seen in list(field.api.requests) if (right := right_of(seen))}

    with field.running(extra=("--lease-namespace", SYSTEM)):
        field.until_in_sync(2)
        world.annotate("user", "rotate-requested-at", "now")
        eventually(
            lambda: condition_in(world.get("user"), "CredentialReady").get("reason") == "CredentialOverlap",
            within=PATIENCE,
            what="a rotation",
        )
        world.delete("user")
        eventually(lambda: "user" not in field.listed(), within=PATIENCE, what="it is gone")
        # Some things follow seconds later, such as the status of a policy.
        eventually(lambda: rights - used() <= _AT_THE_END, within=PATIENCE, what=lambda: f"use of {rights - used()}")
    assert used() - rights == set(), "it asks for what it may not"
    assert rights - used() == set(), "it may what it does not need"
    refused = [seen for seen in field.api.requests if seen.status == 403]
    assert refused == []
