"""A world of its own behind recording proxies, which leaves nothing behind and leaks nothing."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from searchaccess.api.constants import API_VERSION
from tests.stack.elasticsearch import LocalElasticsearch
from tests.stack.kubernetes import KubernetesServers
from tests.support.leaks import leaks
from tests.support.operatorprocess import ROOT, OperatorProcess
from tests.support.servers.proxy import Fault, Proxy, Seen
from tests.support.waiting import eventually
from tests.support.worlds.world import CLUSTER, OPERATOR_PASSWORD, OPERATOR_USER, SYSTEM, World, condition_in

PATIENCE: Final = 120.0
"""Seconds. The machine may be busy; nothing is asserted about time."""
OWN_KINDS: Final = ("searchaccesses", "searchclusters", "searchaccesspolicies", "searchaccessapprovals")
MERGE: Final = ("--type=merge", "-p", '{"metadata": {"finalizers": null}}')


def is_probe(request: Seen) -> bool:
    return request.path.startswith("/.security/_stats")


def is_check(request: Seen) -> bool:
    # What its login may do is part of it.
    own = {"/", "/_license", "/_security/user/_has_privileges", "/_security/user/_privileges"}
    return request.path in own or request.path.startswith("/_nodes") or is_fingerprint(request)


def is_fingerprint(request: Seen) -> bool:
    return request.path.startswith("/_cluster/state/")


def is_visibility(request: Seen) -> bool:
    """Say whether it asks which indices the login may see."""
    return request.path == "/_security/user/_has_privileges"


def is_about_others(request: Seen) -> bool:
    """Say whether it reads users, or API keys of others: in full reads, at most once a minute."""
    return request.path.startswith("/_security/_query/")


def reads_roles(request: Seen) -> bool:
    return request.method == "GET" and (request.path + "/").startswith("/_security/role/")


def reads_mappings(request: Seen) -> bool:
    return request.method == "GET" and (request.path + "/").startswith("/_security/role_mapping/")


def writes_roles(request: Seen) -> bool:
    """The bulk role API."""
    return request.writes and request.path == "/_security/role"


def patches_status(request: Seen) -> bool:
    return request.method == "PATCH" and request.path.endswith("/status")


def patches_finalizers(request: Seen) -> bool:
    return request.method == "PATCH" and not request.path.endswith("/status")


def of_accesses(request: Seen) -> bool:
    return "/searchaccesses/" in request.path


@dataclass
class Arena:
    """A world with one operator installation, and proxies on both sides."""

    world: World
    kubernetes: KubernetesServers
    elasticsearch: Proxy
    api: Proxy
    folder: Path
    tokens: set[str] = field(default_factory=set)
    """What must not show anywhere."""

    def cluster(self, name: str = CLUSTER, through: Proxy | None = None, **spec: Any) -> dict[str, Any]:
        """Return a SearchCluster that is reached through a proxy."""
        proxy = through or self.elasticsearch
        return self.world.cluster(name, urls=[proxy.url], ca={"inline": proxy.ca_file.read_text()}, **spec)

    def operator(
        self,
        name: str = "operator",
        *,
        proxied: bool = True,
        extra: tuple[str, ...] = (),
        source: Path = ROOT / "operator" / "src",
    ) -> OperatorProcess:
        """Return an operator, not started; it reaches the API server through the proxy or directly."""
        kubeconfig = self.world.kubernetes.service_account_kubeconfig(SYSTEM, OPERATOR_USER)
        self.tokens.add(yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"])
        if proxied:
            kubeconfig = self.api.kubeconfig(kubeconfig, self.folder)
        log = self.folder / f"{name}.log"
        return OperatorProcess(kubeconfig, log, instance=self.world.instance, extra=extra, source=source)

    @contextmanager
    def running(self, *, proxied: bool = True, extra: tuple[str, ...] = ()) -> Iterator[OperatorProcess]:
        process = self.operator(proxied=proxied, extra=extra)
        process.start()
        try:
            yield process
        finally:
            process.stop()

    # Observing

    def listed(self, plural: str = "searchaccesses") -> dict[str, dict[str, Any]]:
        """Return all objects of a kind by name."""
        answer = self.world.kubernetes.run_kubectl("get", plural, "--all-namespaces", "-o", "json").stdout
        return {item["metadata"]["name"]: item for item in json.loads(answer)["items"]}

    def unready(self) -> list[str]:
        """Return the SearchAccesses that are not in sync with their newest generation."""
        return [name for name, found in self.listed().items() if not in_sync(found)]

    def until_in_sync(self, count: int | None = None, within: float = PATIENCE) -> None:
        """Wait until there are so many SearchAccesses, all in sync."""

        def observe() -> bool:
            found = self.listed()
            return count in {None, len(found)} and all(map(in_sync, found.values()))

        eventually(
            observe, within=within, every=0.3, what=lambda: f"{count or 'all'} in sync; not: {self.unready()[:5]}"
        )

    def until_cluster_ready(self, name: str = CLUSTER) -> None:
        eventually(
            lambda: condition_in(self.world.get_cluster(name), "Ready").get("status") == "True",
            within=PATIENCE,
            every=0.2,
            what=lambda: f"SearchCluster {name}: {self.world.get_cluster(name).get('status')}",
        )

    def until_quiet(self, probes: int = 2, mark: int = 0) -> None:
        """Wait until the last requests are so many probes, and all of these came after a mark of the proxy."""

        def observe() -> bool:
            tail = self.elasticsearch.since(mark)[-probes:]
            return len(tail) == probes and all(map(is_probe, tail))

        eventually(observe, within=PATIENCE, every=0.2, what="only probes")

    def roles(self) -> dict[str, dict[str, Any]]:
        """Return all roles under this installation's name, by principal."""
        prefix = self.world.role_name("").partition("@")[0]
        found = self.world.admin.get("/_security/role").raise_for_status().json()
        return {
            name.removeprefix(prefix).partition("@")[0]: body for name, body in found.items() if name.startswith(prefix)
        }

    # Leaving

    def check_leaks(self) -> None:
        """Raise if a secret shows in logs, statuses or events.

        Raises:
            AssertionError: one does.
        """
        found = leaks(self.texts(), {OPERATOR_PASSWORD, *self.tokens})
        assert not found, found

    def texts(self) -> dict[str, str]:
        """Return all that people can read."""
        texts = {log.name: log.read_text(errors="replace") for log in self.folder.glob("*.log")}
        for kind in (*OWN_KINDS, "events"):
            texts[kind] = self.world.kubernetes.run_kubectl("get", kind, "--all-namespaces", "-o", "json").stdout
        return texts

    def clear(self) -> None:
        """Remove everything of this installation, also what an operator would have to let go."""
        kubectl = self.world.kubernetes.run_kubectl
        kept_by_nobody = {"metadata": {"finalizers": None}}
        with self.kubernetes.admin_client() as client:
            client.headers["Content-Type"] = "application/merge-patch+json"
            for plural in OWN_KINDS:
                kubectl("delete", plural, "--all", "--all-namespaces", "--wait=false")
                for name, found in self.listed(plural).items():
                    place = found["metadata"].get("namespace")
                    path = f"namespaces/{place}/{plural}/{name}" if place else f"{plural}/{name}"
                    client.patch(f"/apis/{API_VERSION}/{path}", json=kept_by_nobody)
        kubectl("delete", "events", "--all", "--all-namespaces")
        own = f"searchaccess.{self.world.instance}"
        roles = [name for name in self.world.admin.get("/_security/role").json() if name.startswith(own)]
        if roles:
            self.world.admin.request("DELETE", "/_security/role", json={"names": roles}).raise_for_status()
        for name in self.world.admin.get("/_security/role_mapping").json():
            if name.startswith(own):
                self.world.admin.delete(f"/_security/role_mapping/{name}").raise_for_status()


def until_hit(fault: Fault, times: int = 1) -> None:
    """Wait until a fault struck."""
    eventually(lambda: fault.hits >= times, within=PATIENCE, what=f"{fault} strikes")


def in_sync(found: dict[str, Any]) -> bool:
    ready = condition_in(found, "Ready")
    return ready.get("reason") == "InSync" and ready.get("observedGeneration") == found["metadata"]["generation"]


@contextmanager
def arena(
    kubernetes: KubernetesServers, elasticsearch: LocalElasticsearch, folder: Path, instance: str
) -> Iterator[Arena]:
    """Yield an arena on servers that others use before and after, but not meanwhile; see `World.install`."""
    folder.mkdir(parents=True, exist_ok=True)
    world = World(kubernetes, elasticsearch, folder, instance)
    with (
        Proxy(elasticsearch.url, elasticsearch.ca_file, folder / "es-pki") as search,
        Proxy(kubernetes.url, kubernetes.ca_file, folder / "api-pki") as api,
    ):
        one = Arena(world, kubernetes, search, api, folder)
        try:
            yield one
            one.check_leaks()
        finally:
            one.clear()
