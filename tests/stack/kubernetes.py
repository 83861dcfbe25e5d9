"""A real Kubernetes control plane: etcd, kube-apiserver with RBAC, kube-controller-manager."""

import base64
import os
import secrets
import shutil
import ssl
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.stack.build import require_tool
from tests.stack.build_kubernetes import ensure_kubernetes_binaries
from tests.stack.running.processes import ProcessGroup, free_port
from tests.stack.running.workspace import Workspace
from tests.stack.trust.certificates import write_server_certificate

_EXTERNAL_VARIABLE = "SEARCHACCESS_TEST_KUBECONFIG"
_START_SECONDS = 120.0
_KINDS_SECONDS = 60.0
_POLL_SECONDS = 0.1
# It waits for every open watch to end; its data is etcd's, so that ending it the hard way loses nothing.
_APISERVER_STOP_SECONDS = 2.0
_SERVICE_ACCOUNT_ISSUER = "https://kubernetes.default.svc"


class KubernetesApi(ABC):
    """A cluster, and kubectl for it."""

    url: str
    ca_file: Path
    kubeconfig: Path
    _folder: Path

    @property
    @abstractmethod
    def kubectl(self) -> Path:
        """The program."""

    @property
    def log_folder(self) -> Path:
        return self._folder / "logs"

    @property
    def has_controller_manager(self) -> bool:
        """Whether namespaces get deleted and garbage collected."""
        return True

    @abstractmethod
    def start(self) -> None:
        """Start it and wait until it is ready."""

    @abstractmethod
    def close(self, *, failed: bool = False) -> None:
        """Be done with it; after a failure logs are kept."""

    def run_kubectl(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002 - as subprocess.run calls it.
        check: bool = True,
        kubeconfig: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl, as the admin unless another kubeconfig is given."""
        options = [f"--kubeconfig={kubeconfig or self.kubeconfig}", f"--cache-dir={self._folder / 'kubectl'}"]
        command = [str(self.kubectl), *options, *args]
        done = subprocess.run(command, input=input, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(args)} ended with {done.returncode}: {done.stderr.strip()}")
        return done

    def install_kinds(self, manifests: Path) -> None:
        """Apply CustomResourceDefinitions, a file or a folder; return when objects of these kinds may be made."""
        self.run_kubectl("apply", "--server-side", "-f", str(manifests))
        end = time.monotonic() + _KINDS_SECONDS
        while True:
            done = self.run_kubectl(
                "wait",
                "--for=condition=Established",
                f"--timeout={_KINDS_SECONDS:.0f}s",
                "-f",
                str(manifests),
                check=False,
            )
            if done.returncode == 0 and self._serves_kinds(manifests):
                return
            # kubectl gives up at once on a kind that has no conditions at all yet.
            if time.monotonic() > end:
                raise KubectlError(f"the kinds of {manifests.name} are not served: {done.stderr.strip()}")
            time.sleep(_POLL_SECONDS)

    def _serves_kinds(self, manifests: Path) -> bool:
        """Say whether objects can be listed: discovery and the handlers hear of an established kind a moment later."""
        lines = self.run_kubectl("get", "-f", str(manifests), "--output=name").stdout.split()
        kinds = ",".join(line.partition("/")[2] for line in lines)
        return self.run_kubectl("get", kinds, "--all-namespaces", "--output=name", check=False).returncode == 0

    def may(self, verb: str, *what: str) -> bool:
        """Ask the API server whether somebody may do something. It knows of a new right a moment later.

        Args:
            verb: such as `get`.
            what: the resource, and options of `kubectl auth can-i`, such as `--as` for others than the admin.

        Raises:
            AssertionError: it does not say.
        """
        done = self.run_kubectl("auth", "can-i", verb, *what, check=False)
        answer = done.stdout.split()[:1]
        assert answer in (["yes"], ["no"]), done.stderr
        return answer == ["yes"]

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig with a fresh token of an existing service account."""
        token = self.run_kubectl("create", "token", name, "--namespace", namespace, "--duration", "24h").stdout.strip()
        return self._write_kubeconfig(f"{namespace}.{name}", token, namespace=namespace)

    def _write_kubeconfig(self, name: str, token: str, *, namespace: str = "default") -> Path:
        content: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": str(self.ca_file)}}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": "test", "user": name, "namespace": namespace}}],
        }
        path = self._folder / "kubeconfigs" / f"{name}.yaml"
        write_private(path, yaml.safe_dump(content).encode())
        return path


class ExternalKubernetes(KubernetesApi):
    """A cluster that somebody else runs, such as one of kind: `SEARCHACCESS_TEST_KUBECONFIG` says where."""

    def __init__(self) -> None:
        self._workspace = Workspace()
        self._folder = self._workspace.path
        self.kubeconfig = Path(os.environ[_EXTERNAL_VARIABLE])
        cluster = yaml.safe_load(self.kubeconfig.read_text())["clusters"][0]["cluster"]
        self.url = cluster["server"]
        self.ca_file = self._folder / "ca.crt"
        if "certificate-authority" in cluster:
            self.ca_file.write_bytes(Path(cluster["certificate-authority"]).read_bytes())
        else:
            self.ca_file.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))

    @staticmethod
    def is_configured() -> bool:
        return _EXTERNAL_VARIABLE in os.environ

    @property
    def kubectl(self) -> Path:
        return Path(require_tool("kubectl", "speaks to the cluster that tests are given"))

    def start(self) -> None:
        """Nothing to do: it runs."""

    def close(self, *, failed: bool = False) -> None:
        """Forget it: it is not ours."""
        self._workspace.close(failed=failed)


class KubernetesServers(KubernetesApi):
    """One control plane on free loopback ports. `start`, then `stop`; or use it in a `with` statement.

    Args:
        people: users beside the administrator, with their groups; RBAC says what they may do.
    """

    def __init__(self, people: Mapping[str, Sequence[str]] | None = None) -> None:
        self._workspace = Workspace()
        self._folder = self._workspace.path
        self._processes = ProcessGroup(self.log_folder)
        self._binaries = Path()
        self._certificate = write_server_certificate(self._folder / "pki")
        self._port = free_port()
        self._etcd_port = free_port()
        self.url = f"https://127.0.0.1:{self._port}"
        self.ca_file = self._certificate.ca_file
        self.admin_token = secrets.token_urlsafe(24)
        self.kubeconfig = self._write_kubeconfig("admin", self.admin_token)
        self._people = {name: (secrets.token_urlsafe(24), groups) for name, groups in (people or {}).items()}

    def kubeconfig_of(self, name: str) -> Path:
        """Return the kubeconfig of one of the people."""
        return self._write_kubeconfig(name, self._people[name][0])

    @property
    def kubectl(self) -> Path:
        return self._binaries / "kubectl"

    @property
    def has_controller_manager(self) -> bool:
        """Whether namespaces get deleted and garbage collected: `KUBEBUILDER_ASSETS` may lack it."""
        return (self._binaries / "kube-controller-manager").is_file()

    def start(self) -> None:
        self._binaries = ensure_kubernetes_binaries()
        self._write_keys()
        try:
            self._start_etcd()
            self.start_apiserver()
            self._start_controller_manager()
            self._wait_for_default_service_account()
        except BaseException:
            self._processes.close()
            raise

    def stop(self) -> None:
        """Stop all for good."""
        self.close()

    def close(self, *, failed: bool = False) -> None:
        """Stop all for good and remove the data; after a failure logs and data are kept."""
        self._processes.close()
        self._workspace.close(failed=failed)

    def start_apiserver(self) -> None:
        """Start the apiserver, again on the same port with the same data, and wait until it is ready."""
        process = self._processes.start("kube-apiserver", self._apiserver_command())
        with self.admin_client() as client:
            process.wait_until(lambda: _answers_ok(client, "/readyz"), _START_SECONDS)

    def stop_apiserver(self) -> None:
        """Take the apiserver away; etcd keeps the data."""
        self._stop("kube-apiserver")

    def back_up(self) -> None:
        """Copy etcd's data. The apiserver stays, and connects again."""
        self._stop("etcd")
        shutil.rmtree(self._backup, ignore_errors=True)
        shutil.copytree(self._folder / "etcd", self._backup)
        self._start_etcd()
        if process := self._processes.get("kube-apiserver"):
            with self.admin_client() as client:
                process.wait_until(lambda: _answers_ok(client, "/readyz"), _START_SECONDS)

    def restore(self) -> None:
        """Have the data of the last backup again, with the versions of then, as if etcd had no ``--bump-revision``."""
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            self._stop(name)
        shutil.rmtree(self._folder / "etcd")
        shutil.copytree(self._backup, self._folder / "etcd")
        self._start_etcd()
        self.start_apiserver()
        self._start_controller_manager()
        self._wait_for_default_service_account()

    @property
    def _backup(self) -> Path:
        return self._folder / "etcd-backup"

    def _stop(self, name: str) -> None:
        if process := self._processes.get(name):
            process.stop(timeout=_APISERVER_STOP_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(failed=error is not None)

    def _start_etcd(self) -> None:
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{free_port()}"
        command = [
            str(self._binaries / "etcd"),
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]
        process = self._processes.start("etcd", command)
        with httpx.Client(base_url=client) as http:
            process.wait_until(lambda: _answers_ok(http, "/health"), _START_SECONDS)

    def _apiserver_command(self) -> list[str]:
        key = self._folder / "pki" / "service-account.key"
        return [
            str(self._binaries / "kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={self._port}",
            f"--cert-dir={self._folder / 'pki'}",
            f"--tls-cert-file={self._certificate.certificate_file}",
            f"--tls-private-key-file={self._certificate.key_file}",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--service-account-issuer={_SERVICE_ACCOUNT_ISSUER}",
            "--service-cluster-ip-range=10.0.0.0/24",
            f"--token-auth-file={self._folder / 'pki' / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            # No limits: benches measure the operator, not the apiserver's fairness.
            "--enable-priority-and-fairness=false",
            "--max-requests-inflight=0",
            "--max-mutating-requests-inflight=0",
        ]

    def _start_controller_manager(self) -> None:
        if not self.has_controller_manager:
            return
        command = [
            str(self._binaries / "kube-controller-manager"),
            f"--kubeconfig={self.kubeconfig}",
            f"--service-account-private-key-file={self._folder / 'pki' / 'service-account.key'}",
            f"--root-ca-file={self.ca_file}",
            "--leader-elect=false",
            "--secure-port=0",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        ]
        self._processes.start("kube-controller-manager", command)

    def _wait_for_default_service_account(self) -> None:
        """The sign that the controller manager works; without it pods and tokens fail for a moment."""
        path = "/api/v1/namespaces/default/serviceaccounts/default"
        process = self._processes.get("kube-controller-manager")
        if process is not None:
            with self.admin_client() as client:
                process.wait_until(lambda: _answers_ok(client, path), _START_SECONDS)

    def _write_keys(self) -> None:
        # The apiserver takes the public half out of this file, and reads only the traditional form for that.
        key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        write_private(self._folder / "pki" / "service-account.key", key)
        tokens = f'{self.admin_token},admin,admin,"system:masters"\n' + "".join(
            f'{token},{name},{name},"{",".join(groups)}"\n' for name, (token, groups) in self._people.items()
        )
        write_private(self._folder / "pki" / "tokens.csv", tokens.encode())

    def admin_client(self) -> httpx.Client:
        """Speaks to the API server with the admin's rights."""
        return httpx.Client(
            base_url=self.url,
            verify=ssl.create_default_context(cafile=str(self.ca_file)),
            headers={"Authorization": f"Bearer {self.admin_token}"},
            timeout=60,
        )


class KubectlError(RuntimeError):
    """kubectl failed; the message has what it said."""


def _answers_ok(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).is_success
    except httpx.TransportError:
        return False


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, atomically: whoever reads it meanwhile reads the former content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(content)
    fresh.replace(path)
