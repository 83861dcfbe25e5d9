"""A namespace-only install: the operator with the rights that the chart renders then, and no ClusterRole."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.chart.helm import NAME, Helm, of_kind
from tests.e2e.credentials.keys import client_with
from tests.integration.test_rights import Right, right_of
from tests.stack.build_go import HELM, ensure_program
from tests.support.operatorprocess import OperatorProcess
from tests.support.servers.proxy import Seen
from tests.support.waiting import eventually
from tests.support.worlds.arena import PATIENCE, Arena, in_sync
from tests.support.worlds.logins import role_for_keys
from tests.support.worlds.world import CLUSTER, OPERATOR_PASSWORD, World, access, account, condition_in, grant

pytestmark = [pytest.mark.timeout(600), pytest.mark.one_release]

HOME: Final = "team-system"
WATCHED: Final = ("shop", "billing")
LEFT: Final = "legacy"
DECLARED: Final = {"key": "shop", "orders": "shop", "invoices": "billing"}
KINDS: Final = ("Role", "RoleBinding", "ServiceAccount", "ConfigMap", "ClusterRole", "ClusterRoleBinding")


@pytest.fixture
def helm() -> Path:
    return ensure_program(HELM)


class Install:
    """The chart's release, without the pods: the operator is a process of the test.

    Args:
        field: the servers.
        helm: renders the chart.
    """

    def __init__(self, field: Arena, helm: Helm) -> None:
        self._field = field
        self._helm = helm
        self.folder = field.folder / "clusters"
        self.folder.mkdir()
        self.objects: list[dict[str, Any]] = []

    def apply(self, *namespaces: str, **spec: Any) -> None:
        """Bring rights and SearchClusters to what the chart renders for some namespaces; Helm deletes the rest."""
        declared = self._field.cluster(
            login={"secretRef": {"namespace": HOME, "name": "login"}},
            secretStores=[{"name": "main", "kubernetes": {}}],
            drift={"probeEvery": "500ms"},
            **spec,
        )
        values = {
            "instance": self._field.world.instance,
            "watchNamespaces": list(namespaces),
            "rbac": {"credentialNamespaces": ["shop"]},
            "clusters": [{"name": CLUSTER, "spec": declared["spec"]}],
        }
        rendered = self._helm.render(values, "-n", HOME, "--skip-tests")
        before, self.objects = self.objects, [raw for raw in rendered if raw["kind"] in KINDS]
        places = [_place(raw) for raw in self.objects]
        self._field.world.apply(*self.objects)
        for raw in before:
            if _place(raw) not in places:
                kind, namespace, name = _place(raw)
                self._field.world.kubernetes.run_kubectl("delete", kind, name, "-n", namespace)
        [files] = [raw for raw in of_kind(self.objects, "ConfigMap") if raw["metadata"]["name"] == f"{NAME}-clusters"]
        for name, text in files["data"].items():
            (self.folder / name).write_text(text)

    def _options(self, namespaces: tuple[str, ...]) -> tuple[str, ...]:
        watched = [item for namespace in namespaces for item in ("--watch-namespace", namespace)]
        return ("--search-clusters", str(self.folder), *watched)

    def _kubeconfig(self) -> Path:
        field = self._field
        kubeconfig = field.world.kubernetes.service_account_kubeconfig(HOME, NAME)
        field.tokens.add(yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"])
        return field.api.kubeconfig(kubeconfig, field.folder)

    def reconcile_once(self, *namespaces: str) -> "subprocess.CompletedProcess[str]":
        """Run the operator until all is done."""
        instance = ("--instance", self._field.world.instance, "--home-namespace", HOME)
        where = ("--kubeconfig", str(self._kubeconfig()))
        command = [str(Path(sys.executable).with_name("searchaccess")), "reconcile", "--once"]
        command += [*instance, *where, *self._options(namespaces)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)

    @contextmanager
    def running(self, name: str, *namespaces: str) -> Iterator[OperatorProcess]:
        """Run the operator as the chart's Deployment does."""
        field = self._field
        extra = ("--lease-namespace", HOME, "--resync-period", "5s", *self._options(namespaces))
        log = field.folder / f"{name}.log"
        process = OperatorProcess(self._kubeconfig(), log, instance=field.world.instance, extra=extra)
        process.start()
        try:
            yield process
        finally:
            process.stop()


def _place(raw: dict[str, Any]) -> tuple[str, str, str]:
    return raw["kind"], raw["metadata"].get("namespace", ""), raw["metadata"]["name"]


@pytest.fixture
def install(field: Arena, helm: Path, tmp_path: Path) -> Iterator[Install]:
    world = field.world
    for namespace in (HOME, *WATCHED, LEFT):
        world.namespace(namespace)
    user = f"login-{world.instance}"
    world.admin.put(f"/_security/role/{user}", json=role_for_keys()).raise_for_status()
    login = {"password": OPERATOR_PASSWORD, "roles": [user]}
    world.admin.put(f"/_security/user/{user}", json=login).raise_for_status()
    secret = {"username": user, "password": OPERATOR_PASSWORD}
    metadata = {"name": "login", "namespace": HOME}
    world.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": secret})
    tool = Helm(helm, field.kubernetes, tmp_path)
    yield Install(field, tool)
    world.kubernetes.run_kubectl("delete", "namespace", HOME, "--timeout=180s")


def status_of(world: World) -> dict[str, Any]:
    """Return the SearchCluster's status, as its ConfigMap has it."""
    name = f"searchaccess-{world.instance}-{CLUSTER}"
    text = world.kubernetes.run_kubectl("get", "configmap", name, "-n", HOME, "-o", "json", "--ignore-not-found").stdout
    return dict(json.loads(json.loads(text)["data"]["status.json"])) if text.strip() else {}


def until_synced(world: World, name: str, namespace: str = "shop") -> None:
    eventually(lambda: in_sync(world.get(name, namespace)), within=PATIENCE, what=f"{name} in sync")


def rights_in(objects: list[dict[str, Any]]) -> set[Right]:
    """Return what the rendered Roles grant: each right with the name of the object, or the namespace."""
    found: set[Right] = set()
    for raw in of_kind(objects, "Role"):
        for rule in raw["rules"]:
            for verb in rule["verbs"]:
                for resource in rule["resources"]:
                    full = f"{rule['apiGroups'][0]}/{resource}".removeprefix("/")
                    places = rule["resourceNames"] if resource == "namespaces" else [raw["metadata"]["namespace"]]
                    found |= {(verb, full, place) for place in places}
    return found


def used_in(requests: Sequence[Seen]) -> set[Right]:
    """Return the rights that requests needed, each with the name of the object, or the namespace."""
    found = set()
    for seen in requests:
        right = right_of(seen)
        if right is not None:
            verb, resource, place = right
            namespace = seen.path.partition("/namespaces/")[2].partition("/")[0]
            found.add((verb, resource, namespace or place))
    return found


def check_rights(requests: Sequence[Seen], install: Install) -> None:
    """Check that requests needed what the chart grants: that, and nothing else."""
    assert [(seen.method, seen.path) for seen in requests if seen.status == 403] == []
    rights, used = rights_in(install.objects), used_in(requests)
    assert used - rights == set(), "it asks for what it may not"
    # A patch creates the ConfigMap of a status; Secrets are patched at a rotation.
    assert rights - used == {("create", "configmaps", HOME), ("patch", "secrets", "shop")}


def key_in_secret(world: World) -> str:
    """Say as what Elasticsearch knows whoever has what is in the Secret."""
    data = json.loads(world.kubernetes.run_kubectl("get", "secret", "key", "-n", "shop", "-o", "json").stdout)
    value = json.loads(base64.b64decode(data["data"]["credential"]))
    with closing(client_with(world, value["encoded"])) as client:
        return str(client.get("/_security/_authenticate").raise_for_status().json()["authentication_type"])


def test_it_works_under_roles_alone_and_leaves_other_namespaces_alone(field: Arena, install: Install) -> None:
    world = field.world
    install.apply(*WATCHED, LEFT)
    assert not [raw for raw in install.objects if raw["kind"].startswith("Cluster")]
    legacy = access("legacy", grant("legacy-*"), namespace=LEFT)
    beside = access("beside", grant("beside-*"), namespace=LEFT, principal=account("orders"))
    world.apply(legacy, beside)
    with install.running("before", *WATCHED, LEFT):
        for name in ("legacy", "beside"):
            until_synced(world, name, LEFT)
        pinned = eventually(lambda: status_of(world).get("uuid"), within=PATIENCE, what="the status in a ConfigMap")
    held = world.role("legacy")

    install.apply(*WATCHED)
    since = len(field.api.requests)
    with install.running("operator", *WATCHED) as process:
        key = access("key", grant("orders-*"), auth="ApiKey", credential={"store": "main", "name": "key"})
        invoices = access("invoices", grant("invoices-*"), namespace="billing")
        world.apply(key, invoices, access("orders", grant("orders-*")))
        for name, namespace in DECLARED.items():
            until_synced(world, name, namespace)
        assert key_in_secret(world) == "api_key"

        role = world.role("orders")
        assert {name for entry in role["indices"] for name in entry["names"]} == {"orders-*", "beside-*"}
        world.write_role("orders", role | {"cluster": ["monitor"]})
        eventually(lambda: world.role("orders")["cluster"] == [], within=PATIENCE, what="drift is healed")
        world.until_event("orders", "DriftCorrected", within=PATIENCE)

        # Another spec in the file, as the kubelet brings it.
        install.apply(*WATCHED, allowedNamespaces={"selector": {"matchLabels": {"team": "search"}}})
        eventually(lambda: not world.role("invoices"), within=PATIENCE, what="nobody is allowed any more")
        world.kubernetes.run_kubectl("label", "namespace", *WATCHED, "team=search")
        for name, namespace in DECLARED.items():
            until_synced(world, name, namespace)

        for name, namespace in DECLARED.items():
            world.delete(name, namespace)
        assert not world.role("invoices")
        assert world.kubernetes.run_kubectl("get", "secret", "key", "-n", "shop", check=False).returncode
        left = {name for entry in world.role("orders")["indices"] for name in entry["names"]}
        assert left == {"beside-*"}, "that of the namespace that is not watched"
        assert world.role("legacy") == held
        assert status_of(world)["uuid"] == pinned
        assert condition_in({"status": status_of(world)}, "Ready")["reason"] == "InSync"
        assert "rights of namespaces that are not watched stay" in process.output()
        assert [
            line for line in process.logged() if line["level"] in {"warning", "error"} and "kopf" in line["logger"]
        ] == []
    check_rights(field.api.requests[since:], install)

    world.apply(access("orders", grant("orders-*")))
    done = install.reconcile_once(*WATCHED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert in_sync(world.get("orders"))
    assert world.role("legacy") == held


def test_a_namespace_without_its_role_costs_others_nothing(field: Arena, install: Install) -> None:
    world = field.world
    install.apply(*WATCHED)
    world.apply(access("orders", grant("orders-*")), access("invoices", grant("invoices-*"), namespace="billing"))
    with install.running("before", *WATCHED):
        until_synced(world, "orders")
        until_synced(world, "invoices", "billing")
    world.kubernetes.run_kubectl("delete", "rolebinding", f"{NAME}-accesses", "-n", "billing")
    held = world.role("invoices")
    with install.running("operator", *WATCHED) as process:
        world.patch("orders", {"spec": {"grants": [grant("other-*")]}})
        until_synced(world, "orders")
        eventually(lambda: "cannot list a namespace" in process.output(), within=PATIENCE)
        assert world.role("invoices") == held
        # It comes back without a restart, and goes again.
        install.apply(*WATCHED)
        world.patch("invoices", {"spec": {"grants": [grant("more-*")]}}, "billing")
        until_synced(world, "invoices", "billing")
        world.kubernetes.run_kubectl("delete", "rolebinding", f"{NAME}-accesses", "-n", "billing")
        eventually(lambda: process.output().count("cannot list a namespace") >= 2, within=PATIENCE)
        world.patch("orders", {"spec": {"grants": [grant("orders-*")]}})
        until_synced(world, "orders")
        assert process.running
        install.apply(*WATCHED)
        world.delete("orders")
        world.delete("invoices", "billing")
