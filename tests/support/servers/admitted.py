"""An API server that calls the webhook, and replicas of the operator behind one address.

No Elasticsearch is needed: what is declared decides.
"""

import base64
import json
import os
import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from tests.stack.kubernetes import KubernetesServers
from tests.stack.running.processes import free_port
from tests.support.leaks import leaks
from tests.support.operatorprocess import ROOT, OperatorProcess
from tests.support.servers.balancer import Balancer
from tests.support.waiting import eventually
from tests.support.worlds.world import OPERATOR_USER, SYSTEM, access, grant, json_list

NAME: Final = "searchaccess-operator-admission"
REGISTRATION: Final = ("validatingwebhookconfiguration", NAME)
NAMESPACE: Final = "shop"
WITHIN: Final = 120.0
POLICY: Final[dict[str, Any]] = {
    "apiVersion": "searchaccess.dev/v1alpha1",
    "kind": "SearchAccessPolicy",
    "metadata": {"name": "own-indices"},
    "spec": {"match": {"namespaces": {"names": [NAMESPACE]}}, "allow": [{"indices": ["shop-*"], "can": ["read"]}]},
}
CLUSTER: Final[dict[str, Any]] = {
    "apiVersion": "searchaccess.dev/v1alpha1",
    "kind": "SearchCluster",
    "metadata": {"name": "prod"},
    "spec": {
        "urls": ["https://127.0.0.1:1"],
        "login": {"secretRef": {"namespace": SYSTEM, "name": "none"}},
        "identity": {"jwtRealm": {"name": "google", "audience": "https://search.example.com"}},
    },
}


class Setting:
    """An API server with the webhook, and replicas behind one address.

    Args:
        servers: the API server.
        balancer: the address that it calls.
        folder: for logs.
        lifetime: how long a certificate is valid.
    """

    def __init__(self, servers: KubernetesServers, balancer: Balancer, folder: Path, lifetime: str) -> None:
        self.servers = servers
        self.balancer = balancer
        self.folder = folder
        self.lifetime = lifetime
        self.ports = {name: free_port() for name in ("one", "two")}
        self.probes = {name: free_port() for name in self.ports}
        self.running: dict[str, OperatorProcess] = {}

    def kubectl(self, *arguments: str, body: Any = None, check: bool = True) -> tuple[str, str]:
        """Run kubectl; return what it prints and its warnings and errors."""
        done = self.servers.run_kubectl(*arguments, input=json_list([body]) if body else None, check=check)
        return done.stdout, done.stderr

    def apply(self, body: dict[str, Any], *, check: bool = True) -> str:
        """``kubectl apply``; return its warnings and errors."""
        return self.kubectl("apply", "-f", "-", body=body, check=check)[1]

    def get(self, *arguments: str) -> dict[str, Any]:
        return dict(json.loads(self.kubectl("get", *arguments, "-o", "json")[0]))

    def start(self, name: str) -> None:
        """Start a replica; return when it is ready and gets its share of the requests."""
        account = self.servers.service_account_kubeconfig(SYSTEM, OPERATOR_USER)
        options = {
            "--lease-namespace": SYSTEM,
            "--listen": f"127.0.0.1:{self.probes[name]}",
            "--admission": f"127.0.0.1:{self.ports[name]}",
            "--admission-webhook": NAME,
            "--admission-certificate-lifetime": self.lifetime,
        }
        extra = tuple(item for pair in options.items() for item in pair)
        process = OperatorProcess(account, self.folder / f"{name}.log", instance="admission", extra=extra)
        process.start()
        self.running[name] = process
        eventually(
            lambda: self.is_ready(name), within=WITHIN, what=lambda: f"{name} is ready: {process.output()[-2000:]}"
        )
        self.balancer.add(self.ports[name])

    def is_ready(self, name: str) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.probes[name]}/readyz", timeout=60).is_success
        except httpx.HTTPError:
            return False

    def stop(self, name: str) -> None:
        """Stop a replica, as Kubernetes does: it gets no new connections from then on, or soon after."""
        process = self.running.pop(name)
        os.kill(process.pid, signal.SIGTERM)
        self.balancer.remove(self.ports[name])
        assert process.stop() == 0

    def trusted(self) -> str:
        return str(self.get(*REGISTRATION)["webhooks"][0]["clientConfig"].get("caBundle", ""))

    def served(self) -> set[str]:
        return {ssl.get_server_certificate(("127.0.0.1", self.ports[name])) for name in self.running}

    def is_refused(self) -> bool:
        done = self.servers.run_kubectl(
            "create", "-f", "-", "--dry-run=server", input=json_list([body("probe", "orders-*")]), check=False
        )
        return 'admission webhook "accesses.searchaccess.dev" denied the request' in done.stderr

    def leave_out(self, namespace: str) -> None:
        """Have the webhook not asked about a namespace; return when it is not."""
        path = "/webhooks/0/namespaceSelector/matchExpressions/0/values/-"
        change = [{"op": "add", "path": path, "value": namespace}]
        self.kubectl("patch", *REGISTRATION, "--type=json", "-p", json.dumps(change))
        warned = body("probe", "*", namespace=namespace)
        create = ("create", "-f", "-", "--dry-run=server")
        eventually(lambda: not self.kubectl(*create, body=warned)[1], within=WITHIN, what="it is not asked")

    def call_directly(self, name: str) -> None:
        """Have the API server call a replica without the balancer; return when it does."""
        url = f"https://127.0.0.1:{self.ports[name]}/validate"
        change = [{"op": "replace", "path": "/webhooks/0/clientConfig/url", "value": url}]
        self.kubectl("patch", *REGISTRATION, "--type=json", "-p", json.dumps(change))
        self.balancer.remove(self.ports[name])
        eventually(self.is_refused, within=WITHIN, what="it is called directly")

    @contextmanager
    def policy_on_failure(self, policy: str) -> Iterator[None]:
        """Set the failurePolicy."""
        change = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": policy}]
        before = self.get(*REGISTRATION)["webhooks"][0]["failurePolicy"]
        self.kubectl("patch", *REGISTRATION, "--type=json", "-p", json.dumps(change))
        try:
            yield
        finally:
            change[0]["value"] = before
            self.kubectl("patch", *REGISTRATION, "--type=json", "-p", json.dumps(change))


def body(name: str, *indices: str, namespace: str = NAMESPACE, **more: Any) -> dict[str, Any]:
    """Return a SearchAccess."""
    return access(name, grant(*indices), namespace=namespace, **more)


@contextmanager
def admitted(folder: Path, lifetime: str, *objects: dict[str, Any]) -> Iterator[Setting]:
    """Yield a setting with one replica.

    Args:
        folder: for logs.
        lifetime: how long a certificate is valid.
        objects: what is declared beside the SearchCluster.
    """
    with KubernetesServers() as servers, Balancer().running() as balancer:
        servers.install_kinds(ROOT / "crds")
        servers.run_kubectl("apply", "-f", str(ROOT / "deploy" / "operator.yaml"))
        servers.run_kubectl("create", "namespace", NAMESPACE)
        hook = list(yaml.safe_load_all((ROOT / "deploy" / "admission.yaml").read_text()))
        # There is no network of pods: the API server calls an address in place of the Service.
        hook[0]["webhooks"][0]["clientConfig"] = {"url": f"https://127.0.0.1:{balancer.port}/validate"}
        # A busy machine may stand still for longer than the 5 s of a cluster.
        hook[0]["webhooks"][0]["timeoutSeconds"] = 30
        servers.run_kubectl("apply", "-f", "-", input=json_list([*hook, CLUSTER, *objects]))
        one = Setting(servers, balancer, folder, lifetime)
        try:
            one.start("one")
            eventually(one.is_refused, within=WITHIN, what="the API server calls the webhook")
            yield one
            key = one.get("secret", NAME, "-n", SYSTEM)["data"]["tls.key"]
            texts = {log.name: log.read_text(errors="replace") for log in one.folder.glob("*.log")}
            assert not leaks(texts, {key, *base64.b64decode(key).decode().splitlines()[1:-1]})
        finally:
            for process in one.running.values():
                process.kill()
