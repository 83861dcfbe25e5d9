"""The real application controller and repo server of Argo CD, on a real API server."""

import json
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from tests.stack.build import require_tool
from tests.stack.build_go import ARGOCD, ensure_program
from tests.stack.kubernetes import KubernetesServers
from tests.stack.running.processes import free_port
from tests.stack.running.server import Server

NAMESPACE = "argocd"
_START_SECONDS = 60.0
_PART_OF = {"app.kubernetes.io/part-of": "argocd"}
_IN_CLUSTER = "https://kubernetes.default.svc"


def evaluate(command: str, script: Path, raw: dict[str, Any], folder: Path) -> Any:
    """Run a script by Argo CD's own interpreter.

    Args:
        command: ``health``, ``actions`` or ``action``.
        script: the Lua.
        raw: the object.
        folder: for a file.
    """
    file = folder / "object.json"
    file.write_text(json.dumps(raw))
    program = str(ensure_program(ARGOCD))
    done = subprocess.run([program, command, str(script), str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class ArgoCd(Server):
    """One Argo CD without its user interface.

    Args:
        kubernetes: where its Applications are, and where it applies what is in git.
        settings: what is in the ConfigMap ``argocd-cm`` besides what Argo CD ships.
    """

    def __init__(self, kubernetes: KubernetesServers, settings: dict[str, str]) -> None:
        super().__init__()
        self._kubernetes = kubernetes
        self._settings = settings

    def start(self) -> None:
        program = ensure_program(ARGOCD)
        self._install(program.parent)
        redis, server = (f"127.0.0.1:{free_port()}" for _ in range(2))
        environment = {
            "KUBECONFIG": str(self._kubernetes.kubeconfig),
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_GPG_ENABLED": "false",
            "TMPDIR": str(self.folder),
        }
        process = self._processes.start("argocd-redis", [str(program), "redis", redis])
        process.wait_until(lambda: _listens(redis), _START_SECONDS)
        port = server.rpartition(":")[2]
        command = [str(program), "repo-server", "--disable-tls", f"--redis={redis}", "--address=127.0.0.1"]
        command += [f"--port={port}", "--metrics-address=127.0.0.1", f"--metrics-port={free_port()}"]
        process = self._processes.start("argocd-repo-server", command, environment)
        process.wait_until(lambda: _listens(server), _START_SECONDS)
        metrics = free_port()
        command = [str(program), "controller", f"--namespace={NAMESPACE}", f"--redis={redis}"]
        command += [f"--kubeconfig={self._kubernetes.kubeconfig}", f"--repo-server={server}", "--repo-server-plaintext"]
        command += [f"--metrics-port={metrics}", "--persist-resource-health", "--app-resync=3"]
        process = self._processes.start("argocd-controller", command, environment)
        process.wait_until(lambda: _listens(f"127.0.0.1:{metrics}"), _START_SECONDS)

    def _install(self, manifests: Path) -> None:
        kubectl = self._kubernetes.run_kubectl
        kubectl("create", "namespace", NAMESPACE, check=False)
        for name in ("application-crd.yaml", "appproject-crd.yaml"):
            self._kubernetes.install_kinds(manifests / name)
        shipped = yaml.safe_load((manifests / "argocd-cm.yaml").read_text())["data"]
        project = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": "default", "namespace": NAMESPACE},
            "spec": {
                "sourceRepos": ["*"],
                "destinations": [{"namespace": "*", "server": "*"}],
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            },
        }
        maps = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": NAMESPACE, "labels": _PART_OF},
                "data": data,
            }
            for name, data in (("argocd-cm", shipped | self._settings), ("argocd-rbac-cm", {}))
        ]
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "argocd-secret", "namespace": NAMESPACE, "labels": _PART_OF},
        }
        self.apply(project, secret, *maps)

    # Applications

    def apply(self, *objects: dict[str, Any]) -> None:
        text = yaml.safe_dump_all(objects)
        self._kubernetes.run_kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=text)

    def declare(self, name: str, repository: str, *, self_heal: bool) -> None:
        """Declare an Application that is synced by itself, and prunes."""
        self.apply(
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Application",
                "metadata": {
                    "name": name,
                    "namespace": NAMESPACE,
                    "finalizers": ["resources-finalizer.argocd.argoproj.io"],
                },
                "spec": {
                    "project": "default",
                    "source": {"repoURL": repository, "path": ".", "targetRevision": "HEAD"},
                    "destination": {"server": _IN_CLUSTER, "namespace": "default"},
                    "syncPolicy": {"automated": {"prune": True, "selfHeal": self_heal}},
                },
            }
        )

    def refresh(self, name: str) -> None:
        """Let it look into git now."""
        self._kubernetes.run_kubectl(
            "annotate", "application", name, "-n", NAMESPACE, "--overwrite", "argocd.argoproj.io/refresh=hard"
        )

    def get(self, name: str) -> dict[str, Any]:
        """Return an Application; empty when there is none."""
        kubectl = self._kubernetes.run_kubectl
        text = kubectl("get", "application", name, "-n", NAMESPACE, "-o", "json", "--ignore-not-found").stdout
        return dict(json.loads(text)) if text.strip() else {}

    def delete(self, name: str) -> None:
        """Delete an Application and all that it made."""
        self._kubernetes.run_kubectl("delete", "application", name, "-n", NAMESPACE, "--timeout=90s")


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


class Repository:
    """A git repository in a folder.

    Args:
        folder: where it is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch=main")
        self.url = f"file://{folder}"

    def _git(self, *arguments: str) -> None:
        who = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
        git = require_tool("git", "makes a repository for Argo CD")
        subprocess.run([git, "-C", str(self._folder), *who, *arguments], check=True, capture_output=True)

    def commit(self, **files: list[dict[str, Any]]) -> None:
        """Make these files all that is in it: by name without ``.yaml``, the objects."""
        for file in self._folder.glob("*.yaml"):
            file.unlink()
        for name, objects in files.items():
            (self._folder / f"{name}.yaml").write_text(yaml.safe_dump_all(objects))
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message=next")
