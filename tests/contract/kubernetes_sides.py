"""Kubernetes in memory and for real, each with what others can do there."""

import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

from searchaccess.adapters.kubernetes.client import KubernetesClient, load_configuration
from searchaccess.core.clusters.sources import Source
from searchaccess.ports.kubernetes import KubernetesPort, Plural
from tests.stack.kubernetes import KubernetesServers
from tests.support.failures.faults import Faults
from tests.support.loop.clocks import SettableClock
from tests.support.memory.kubernetes import PAGE, MemoryKubernetes, key_of
from tests.support.operatorprocess import ROOT
from tests.support.worlds.world import SYSTEM

APPROVALS = str(ROOT / "deploy" / "approvals.yaml")


class KubernetesSide(ABC):
    """One of the two.

    Args:
        port: what is tested.
        namespace: where a test's objects are.
    """

    def __init__(self, port: KubernetesPort, namespace: str) -> None:
        self.port = port
        self.namespace = namespace

    @abstractmethod
    def create(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object, as a user; return it as it is then."""

    @abstractmethod
    def get(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return an object; empty when there is none."""

    @abstractmethod
    def delete(self, raw: Mapping[str, Any]) -> None:
        """Ask for an object to be deleted."""

    @abstractmethod
    def allow_deletion(self) -> None:
        """Give the operator the right to delete SearchAccesses, as the chart's ``rbac.deleteExpired`` does."""

    @abstractmethod
    def write_source(self, source: Source, data: Mapping[str, str]) -> None:
        """Create a Secret or ConfigMap."""

    @abstractmethod
    def vouch(self) -> None:
        """Install the admission policies for approvals."""

    @abstractmethod
    def event_reasons(self, name: str) -> list[str]:
        """Return the reasons of the events about an object."""

    @abstractmethod
    async def close(self) -> None:
        """Clean up."""


class MemoryObjects(KubernetesSide):
    """In memory."""

    def __init__(self, faults: Faults, clock: SettableClock) -> None:
        self._server = MemoryKubernetes(faults, clock.now)
        self._server.may_delete = False
        super().__init__(self._server, "shop")

    def create(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        return self._server.create(raw)

    def get(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self._server.objects.get(key_of(raw), {}))

    def delete(self, raw: Mapping[str, Any]) -> None:
        self._server.delete(key_of(raw))

    def allow_deletion(self) -> None:
        self._server.may_delete = True

    def write_source(self, source: Source, data: Mapping[str, str]) -> None:
        self._server.sources[source] = {key: value.encode() for key, value in data.items()}

    def vouch(self) -> None:
        """They are there."""

    def event_reasons(self, name: str) -> list[str]:
        return [str(note.reason) for ref, note in self._server.events if ref.name == name]

    async def close(self) -> None:
        """Nothing is left."""


class RealObjects(KubernetesSide):
    """For real, under the operator's ServiceAccount."""

    def __init__(self, client: KubernetesClient, servers: KubernetesServers, namespace: str) -> None:
        self._client = client
        self._servers = servers
        self._made: list[Mapping[str, Any]] = []
        self._vouches = False
        super().__init__(client, namespace)

    @staticmethod
    def install(servers: KubernetesServers) -> None:
        """Make our kinds and the operator's ServiceAccount."""
        servers.install_kinds(ROOT / "crds")
        servers.run_kubectl("apply", "-f", str(ROOT / "deploy" / "operator.yaml"))

    @classmethod
    async def connect(cls, servers: KubernetesServers) -> Self:
        """Connect, and make a namespace for one test."""
        namespace = f"contract-{secrets.token_hex(3)}"
        servers.run_kubectl("create", "namespace", namespace)
        kubeconfig = servers.service_account_kubeconfig(SYSTEM, "searchaccess-operator")
        return cls(KubernetesClient(await load_configuration(kubeconfig), page=PAGE), servers, namespace)

    def create(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        self._made.append(raw)
        answer = self._servers.run_kubectl("create", "-o", "json", "-f", "-", input=json.dumps(raw))
        return dict(json.loads(answer.stdout))

    def get(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._servers.run_kubectl("get", *_named(raw), "-o", "json", "--ignore-not-found").stdout
        return dict(json.loads(answer)) if answer.strip() else {}

    def delete(self, raw: Mapping[str, Any]) -> None:
        self._servers.run_kubectl("delete", *_named(raw), "--wait=false")

    def allow_deletion(self) -> None:
        kubectl = self._servers.run_kubectl
        where = ["-n", self.namespace]
        kubectl(
            "create", "role", "delete-expired", *where, "--verb=delete", "--resource=searchaccesses.searchaccess.dev"
        )
        account = f"--serviceaccount={SYSTEM}:searchaccess-operator"
        kubectl("create", "rolebinding", "delete-expired", *where, "--role=delete-expired", account)

    def write_source(self, source: Source, data: Mapping[str, str]) -> None:
        self.create(
            {
                "apiVersion": "v1",
                "kind": source.kind,
                "metadata": {"name": source.name, "namespace": source.namespace},
                "stringData" if source.kind == "Secret" else "data": dict(data),
            }
        )

    def vouch(self) -> None:
        self._vouches = True
        self._servers.run_kubectl("apply", "-f", APPROVALS)

    def event_reasons(self, name: str) -> list[str]:
        answer = self._servers.run_kubectl("get", "events", "-A", "-o", "json").stdout
        return [item["reason"] for item in json.loads(answer)["items"] if item["involvedObject"]["name"] == name]

    async def close(self) -> None:
        for raw in self._made:
            if self.get(raw):
                self._servers.run_kubectl(
                    "patch", *_named(raw), "--type=merge", "-p", '{"metadata": {"finalizers": null}}'
                )
                self._servers.run_kubectl("delete", *_named(raw), "--ignore-not-found", "--wait=false")
        if self._vouches:
            # Other modules share the API server.
            self._servers.run_kubectl("delete", "-f", APPROVALS)
        self._servers.run_kubectl("delete", "namespace", self.namespace, "--wait=false")
        await self._client.close()


_PLURALS = {
    "SearchAccess": Plural.ACCESSES,
    "SearchCluster": Plural.CLUSTERS,
    "Secret": "secrets",
    "ConfigMap": "configmaps",
}


def _named(raw: Mapping[str, Any]) -> list[str]:
    meta = raw["metadata"]
    where = ["-n", meta["namespace"]] if "namespace" in meta else []
    return [str(_PLURALS[raw["kind"]]), meta["name"], *where]
