"""A Kubernetes and an Elasticsearch cluster with the operator between them, as a user meets them."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.stack.build_go import HELM, ensure_program
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.kubernetes import KubernetesApi
from tests.support.operatorprocess import ROOT, OperatorProcess
from tests.support.waiting import eventually

SYSTEM = "searchaccess-system"
AS_OPERATOR = f"--as=system:serviceaccount:{SYSTEM}:searchaccess-operator"
"""Option of kubectl."""
CLUSTER = "prod"
LOGIN = "elasticsearch-login"
RIGHTS = frozenset({"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"})
OPERATOR_USER = "searchaccess-operator"
OPERATOR_PASSWORD = "only-for-tests-and-the-demo"
OPERATOR_ROLE: dict[str, Any] = {
    "cluster": ["manage_security", "monitor"],
    "indices": [{"names": [".security*"], "privileges": ["monitor"], "allow_restricted_indices": True}],
}
"""All that the operator's login needs."""


def account(name: str) -> str:
    """Return the e-mail address of a service account."""
    return f"{name}@acme-shop.iam.gserviceaccount.com"


def access(
    name: str,
    *grants: dict[str, Any],
    principal: str | None = None,
    namespace: str = "shop",
    cluster: str = CLUSTER,
    annotations: dict[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Return a SearchAccess."""
    return {
        "apiVersion": "searchaccess.dev/v1alpha1",
        "kind": "SearchAccess",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}},
        "spec": {
            "cluster": cluster,
            "subject": {"serviceAccount": principal or account(name)},
            "grants": list(grants),
            **spec,
        },
    }


def grant(*indices: str, can: Sequence[str] = ("read",), **more: Any) -> dict[str, Any]:
    """Return a grant."""
    return {"indices": list(indices), "can": list(can), **more}


class World:
    """Both sides, as a user observes them.

    Args:
        kubernetes: the API server.
        elasticsearch: the cluster.
        folder: for logs.
        instance: name of the operator's installation; tests that share servers use different ones.
    """

    def __init__(
        self, kubernetes: KubernetesApi, elasticsearch: ElasticsearchServer, folder: Path, instance: str = "default"
    ) -> None:
        self.kubernetes = kubernetes
        self.elasticsearch = elasticsearch
        self.instance = instance
        self.folder = folder
        self.environment: dict[str, str] = {}
        """For the operator's process."""
        self.watched: tuple[str, ...] = ()
        """Namespaces that the operator watches, with Roles alone in each; none: it watches all."""
        self._process: OperatorProcess | None = None
        self._admin: httpx.Client | None = None

    # Setting up

    def install(self) -> None:
        """Install the CRDs, the operator's ServiceAccount and RBAC, and its login in Elasticsearch."""
        kubectl = self.kubernetes.run_kubectl
        self.kubernetes.install_kinds(ROOT / "crds")
        for namespace in {SYSTEM, "shop", *self.watched}:
            self.namespace(namespace)
        if self.watched:
            self.apply(*self._namespaced_rights())
        else:
            kubectl("apply", "-f", str(ROOT / "deploy" / "operator.yaml"))
        self.make_login(LOGIN, OPERATOR_USER, OPERATOR_PASSWORD, OPERATOR_ROLE)

    def _namespaced_rights(self) -> list[dict[str, Any]]:
        """Return what the chart installs for an operator that watches some namespaces only."""
        values = {"instance": self.instance, "watchNamespaces": self.watched, "rbac": {"searchClusters": True}}
        file = self.folder / "values.json"
        file.write_text(json.dumps(values))
        chart = ROOT / "charts" / "searchaccess-operator"
        command = [str(ensure_program(HELM)), "template", "searchaccess", str(chart), "-n", SYSTEM, "-f", str(file)]
        done = subprocess.run([*command, "--kube-version=1.36.0"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        rendered = [raw for raw in yaml.safe_load_all(done.stdout) if raw and raw["kind"] in RIGHTS]
        wide = [raw["metadata"]["name"] for raw in rendered if raw["kind"] == "ClusterRole"]
        assert [name for name in wide if not name.endswith("-clusters")] == [], "only SearchClusters have no namespace"
        return rendered

    def make_login(self, secret: str, user: str, password: str, role: dict[str, Any]) -> None:
        """Make a user with a role of its own in Elasticsearch, and a Secret with it for SearchClusters."""
        self.admin.put(f"/_security/role/{user}", json=role).raise_for_status()
        login = {"password": password, "roles": [user]}
        self.admin.put(f"/_security/user/{user}", json=login).raise_for_status()
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": secret, "namespace": SYSTEM},
                "stringData": {"username": user, "password": password},
            }
        )

    def namespace(self, name: str) -> None:
        """Create a namespace."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def cluster(self, name: str = CLUSTER, **spec: Any) -> dict[str, Any]:
        """Return a SearchCluster for the Elasticsearch of this world."""
        server = self.elasticsearch
        whole: dict[str, Any] = {
            "urls": [server.url],
            "ca": {"inline": Path(server.ca_file).read_text()},
            "login": {"secretRef": {"namespace": SYSTEM, "name": LOGIN}},
            "identity": {"jwtRealm": {"name": server.realm, "audience": server.audience}},
            **spec,
        }
        return {
            "apiVersion": "searchaccess.dev/v1alpha1",
            "kind": "SearchCluster",
            "metadata": {"name": name},
            "spec": whole,
        }

    def operator(self, name: str = "operator", kubeconfig: Path | None = None) -> OperatorProcess:
        """Return an operator process, not started, under its own ServiceAccount."""
        kubeconfig = kubeconfig or self.kubernetes.service_account_kubeconfig(SYSTEM, "searchaccess-operator")
        log = self.folder / f"{name}.log"
        extra = tuple(item for name in self.watched for item in ("--watch-namespace", name))
        if self.watched:
            extra += ("--home-namespace", SYSTEM)
        return OperatorProcess(kubeconfig, log, instance=self.instance, extra=extra, environment=self.environment)

    @contextmanager
    def running(self) -> Iterator[OperatorProcess]:
        """Run an operator for a while."""
        self._process = process = self.operator()
        process.start()
        try:
            yield process
        finally:
            process.stop()

    @property
    def process(self) -> OperatorProcess:
        """The operator that `running` runs."""
        assert self._process is not None
        return self._process

    # Kubernetes

    def apply(self, *objects: dict[str, Any]) -> None:
        """``kubectl apply`` objects."""
        self.kubernetes.run_kubectl("apply", "-f", "-", input=json_list(objects))

    def delete(self, name: str, namespace: str = "shop", *, wait: bool = True) -> None:
        """``kubectl delete`` a SearchAccess."""
        self.kubernetes.run_kubectl(
            "delete", "searchaccess", name, "-n", namespace, f"--wait={str(wait).lower()}", "--timeout=120s"
        )

    def patch(self, name: str, change: dict[str, Any], namespace: str = "shop") -> None:
        """Merge a change into a SearchAccess."""
        self.kubernetes.run_kubectl(
            "patch", "searchaccess", name, "-n", namespace, "--type=merge", "-p", json.dumps(change)
        )

    def patch_cluster(self, name: str, change: dict[str, Any]) -> None:
        """Merge a change into a SearchCluster."""
        self.kubernetes.run_kubectl("patch", "searchcluster", name, "--type=merge", "-p", json.dumps(change))

    def annotate(self, name: str, key: str, value: str, namespace: str = "shop") -> None:
        """Set an annotation of ours on a SearchAccess."""
        self.kubernetes.run_kubectl(
            "annotate", "searchaccess", name, "-n", namespace, "--overwrite", f"searchaccess.dev/{key}={value}"
        )

    def agree(self, name: str, message: str, cluster: str = CLUSTER) -> None:
        """Let the platform agree to adopt an object as a conflict's message shows it."""
        line = message.partition("spec.adoption.objects: ")[2]
        found = re.match(r"\[\{name: (?P<name>[^,]+), hash: (?P<hash>[0-9a-f]{16})\}\]", line)
        assert found, message
        assert found["name"] == name, message
        self.patch_cluster(cluster, {"spec": {"adoption": {"objects": [found.groupdict()]}}})

    def get(self, name: str, namespace: str = "shop") -> dict[str, Any]:
        """Return a SearchAccess; empty when there is none."""
        answer = self.kubernetes.run_kubectl(
            "get", "searchaccess", name, "-n", namespace, "-o", "json", "--ignore-not-found"
        ).stdout
        return dict(json.loads(answer)) if answer.strip() else {}

    def get_cluster(self, name: str = CLUSTER) -> dict[str, Any]:
        """Return a SearchCluster; empty when there is none."""
        answer = self.kubernetes.run_kubectl("get", "searchcluster", name, "-o", "json", "--ignore-not-found").stdout
        return dict(json.loads(answer)) if answer.strip() else {}

    def condition(self, name: str, kind: str = "Ready", namespace: str = "shop") -> dict[str, Any]:
        """Return a condition of a SearchAccess; empty when it has none."""
        return condition_in(self.get(name, namespace), kind)

    def until_reason(
        self, name: str, reason: str, *, status: str | None = None, namespace: str = "shop", within: float = 60
    ) -> dict[str, Any]:
        """Wait until a SearchAccess's Ready has a reason for its newest generation; return the SearchAccess."""

        return until_ready_says(lambda: self.get(name, namespace), name, reason, status, within)

    def until_cluster_reason(
        self, name: str, reason: str, *, status: str | None = None, within: float = 60
    ) -> dict[str, Any]:
        """Wait until a SearchCluster's Ready has a reason for its newest generation; return the SearchCluster."""

        return until_ready_says(lambda: self.get_cluster(name), name, reason, status, within)

    def until_ready(self, *names: str, namespace: str = "shop", within: float = 60) -> None:
        """Wait until SearchAccesses are in sync."""
        for name in names:
            self.until_reason(name, "InSync", status="True", namespace=namespace, within=within)

    def events(self, name: str, namespace: str = "shop") -> list[dict[str, Any]]:
        """Return the events about an object."""
        answer = self.kubernetes.run_kubectl("get", "events", "-n", namespace, "-o", "json").stdout
        return [item for item in json.loads(answer)["items"] if item["involvedObject"]["name"] == name]

    def until_event(
        self, name: str, reason: str, text: str = "", namespace: str = "shop", within: float = 60
    ) -> dict[str, Any]:
        """Wait for an event about an object, with a text in its message; return it."""

        def observe() -> dict[str, Any]:
            for item in self.events(name, namespace):
                if item["reason"] == reason and text in item["message"]:
                    return item
            return {}

        return eventually(observe, within=within, every=0.2, what=f"event {reason} of {name}")

    # Elasticsearch

    @property
    def admin(self) -> httpx.Client:
        """Speaks to Elasticsearch as the superuser."""
        if self._admin is None:
            self._admin = self.elasticsearch.client()
        return self._admin

    def role_name(self, name: str) -> str:
        """Return the name of a service account's role."""
        return f"searchaccess.{self.instance}.{account(name)}"

    def role(self, name: str) -> dict[str, Any]:
        """Return a service account's role as Elasticsearch has it; empty when there is none."""
        answer = self.admin.get(f"/_security/role/{self.role_name(name)}")
        return dict(answer.json().get(self.role_name(name), {})) if answer.status_code == httpx.codes.OK else {}

    def write_role(self, name: str, body: dict[str, Any]) -> None:
        """Write a service account's role, as somebody who should not."""
        body = {key: value for key, value in body.items() if key != "transient_metadata"}
        self.admin.put(f"/_security/role/{self.role_name(name)}", json=body).raise_for_status()

    def mapping(self, name: str = "") -> dict[str, Any]:
        """Return the cluster's role mapping, or a service account's; empty when there is none."""
        full = self.role_name(name) if name else f"searchaccess.{self.instance}"
        answer = self.admin.get(f"/_security/role_mapping/{full}")
        return dict(answer.json().get(full, {})) if answer.status_code == httpx.codes.OK else {}

    def write_mapping(self, body: dict[str, Any], name: str = "") -> None:
        """Write the cluster's role mapping, or a service account's, as somebody who should not."""
        full = self.role_name(name) if name else f"searchaccess.{self.instance}"
        self.admin.put(f"/_security/role_mapping/{full}", json=body).raise_for_status()

    def caller(self, name: str, **claims: Any) -> httpx.Client:
        """Speaks to Elasticsearch with an identity token of a service account."""
        return self.elasticsearch.client_as(self.elasticsearch.issuer.mint(account(name), **claims))


def condition_in(found: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return a condition of an object; empty when it has none."""
    for item in found.get("status", {}).get("conditions", []):
        if item["type"] == kind:
            return dict(item)
    return {}


def until_ready_says(
    get: Callable[[], dict[str, Any]], name: str, reason: str, status: str | None, within: float
) -> dict[str, Any]:
    """Wait until an object's Ready has a reason for its newest generation; return the object."""
    last: dict[str, Any] = {}

    def observe() -> bool:
        last.clear()
        last.update(get())
        ready = condition_in(last, "Ready")
        newest = last.get("metadata", {}).get("generation")
        right = ready.get("reason") == reason and ready.get("observedGeneration") == newest
        return right and status in {None, ready.get("status")}

    try:
        eventually(observe, within=within, every=0.2)
    except AssertionError:
        raise AssertionError(f"{name} is not {reason} within {within} s: {json.dumps(last, indent=1)}") from None
    return last


def json_list(objects: Sequence[dict[str, Any]]) -> str:
    """Return objects as one manifest."""
    if len(objects) == 1:
        return json.dumps(objects[0])
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
