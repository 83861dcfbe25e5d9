"""A pod of the gateway on a machine without a kubelet: Envoy with the files that the operator wrote to Kubernetes."""

import json
import secrets
import threading
from base64 import b64decode
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from searchaccess.core.gateway.render import loaded_version
from searchaccess.core.gateway.render.paths import IN_THE_CHART
from tests.stack.gateway.envoy import Gateway, project
from tests.stack.gateway.servers import KeyPublisher
from tests.stack.kubernetes import KubernetesServers
from tests.stack.trust.certificates import write_server_certificate
from tests.support.operatorprocess import ROOT
from tests.support.waiting import eventually
from tests.support.worlds.world import SYSTEM, World

NAME: Final = "searchaccess-gateway"
_VERSION: Final = "searchaccess.dev/version"
_EVERY: Final = 0.2
"""Seconds between two looks; a kubelet takes up to a minute."""
_START: Final = 120.0


class GatewayPod:
    """One pod, with a Pod object, so that the operator finds it.

    As a kubelet does, it copies the ConfigMap and the Secret into the folders that Envoy watches, by a rename. What the
    configuration says about the pod's own file system and port is replaced by this machine's; all else is as written.
    The operator asks pods at port 9902, so each pod has a loopback address of its own.

    Args:
        world: the API server.
        namespace: of the gateway.
        folder: for certificates.
    """

    def __init__(self, world: World, namespace: str, folder: Path) -> None:
        self.world = world
        self.namespace = namespace
        self.address = f"127.{1 + secrets.randbelow(254)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"
        self.envoy = Gateway(None, address=self.address, health_port=IN_THE_CHART.health_port)
        self.keys = KeyPublisher(write_server_certificate(folder / "keys"), world.elasticsearch.issuer.jwks())
        servers = world.kubernetes
        assert isinstance(servers, KubernetesServers), "it polls, which kubectl is too slow for"
        self._client = servers.admin_client()
        self._mounted: dict[str, dict[str, str]] = {}
        """What each folder has."""
        self._failure: BaseException | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        return self.envoy.url

    def identity(self, **more: Any) -> dict[str, Any]:
        """Return `spec.identity` of a SearchCluster with this gateway."""
        declared = {
            "audience": self.world.elasticsearch.audience,
            "url": self.url,
            "ca": {"inline": self.envoy.ca_file.read_text()},
            "jwks": {"url": f"{self.keys.url}/certs", "ca": {"inline": self.keys.certificate.ca_file.read_text()}},
            "namespace": self.namespace,
            "name": NAME,
            "replicas": 1,
            **more,
        }
        return {"gateway": declared}

    def install(self) -> None:
        """Create the namespace with the operator's rights in it, and the Pod object."""
        kubectl = self.world.kubernetes.run_kubectl
        if self.namespace != SYSTEM:
            self.world.namespace(self.namespace)
        kubectl("apply", "-n", self.namespace, "-f", str(ROOT / "deploy" / "gateway.yaml"))
        self.world.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"{NAME}-0",
                    "namespace": self.namespace,
                    "labels": {"searchaccess.dev/gateway": NAME},
                },
                "spec": {"containers": [{"name": "envoy", "image": "envoy"}]},
            }
        )
        status = {"status": {"phase": "Running", "podIP": self.address, "podIPs": [{"ip": self.address}]}}
        change = ("--subresource=status", "--type=merge", "-p", json.dumps(status))
        kubectl("patch", "pod", f"{NAME}-0", "-n", self.namespace, *change)

    def start(self) -> None:
        """Serve as soon as the operator wrote what is needed."""
        self._stack.enter_context(self.keys)
        self._thread.start()

    def until_served(self) -> None:
        """Wait until Envoy serves the configuration that Kubernetes has."""

        def observe() -> bool:
            if self._failure:
                raise self._failure
            return self.version != "" and self.version == self.wanted_version()

        eventually(observe, within=_START, what="Envoy serves what the operator wrote")

    @property
    def version(self) -> str:
        """What Envoy serves; empty: nothing yet."""
        return loaded_version(self.envoy.health("/version").text) if self.envoy.is_ready() else ""

    def wanted_version(self) -> str:
        """What the ConfigMap has."""
        return str(self.object("configmaps", "config").get("metadata", {}).get("annotations", {}).get(_VERSION, ""))

    def object(self, kind: str, suffix: str) -> dict[str, Any]:
        """Return one of the gateway's `configmaps` or `secrets`; empty: there is none."""
        answer = self._client.get(f"/api/v1/namespaces/{self.namespace}/{kind}/{NAME}-{suffix}")
        return dict(answer.json()) if answer.is_success else {}

    def close(self, *, failed: bool = False) -> None:
        """End it; after a failure its files and logs are kept."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        self.envoy.close(failed=failed)
        self._client.close()
        self._stack.close()

    def __enter__(self) -> Self:
        self.install()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(failed=error is not None)

    # The kubelet's part

    def _run(self) -> None:
        try:
            while not self._end.wait(_EVERY):
                # What the API server does not answer is asked for again, as a kubelet does.
                with suppress(httpx.TransportError):
                    self._copy()
        except BaseException as error:  # noqa: BLE001 - `until_served` raises it.
            self._failure = error

    def _copy(self) -> None:
        config = self.object("configmaps", "config").get("data", {})
        login = self.object("secrets", "login").get("data", {})
        self._mount(self.envoy.paths.dynamic, {name: self._here(text) for name, text in config.items()})
        self._mount(self.envoy.paths.login, {name: b64decode(text).decode() for name, text in login.items()})
        if config and login and not self.envoy.is_running:
            # A container starts when all its volumes are there.
            self.envoy.start(ready=False)

    def _mount(self, folder: str, files: dict[str, str]) -> None:
        if files and self._mounted.get(folder) != files:
            project(Path(folder), files)
            self._mounted[folder] = files

    def _here(self, text: str) -> str:
        """Put this machine's folders and port into a file; everything else stays as the operator wrote it."""
        paths = self.envoy.paths
        bound = '"address": "{}", "port_value": {}'
        for ours, here in (
            (bound.format(IN_THE_CHART.address, IN_THE_CHART.port), bound.format("127.0.0.1", paths.port)),
            (IN_THE_CHART.bootstrap, paths.bootstrap),
            (IN_THE_CHART.login, paths.login),
            (IN_THE_CHART.tls, paths.tls),
            (IN_THE_CHART.system_ca, paths.system_ca),
        ):
            text = text.replace(ours, here)
        return text
