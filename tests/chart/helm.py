"""Helm with one API server, and what it renders."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.stack.kubernetes import KubernetesServers
from tests.support.operatorprocess import ROOT

CHART = ROOT / "charts" / "searchaccess-operator"
RELEASE, NAMESPACE = "searchaccess", "searchaccess-system"
NAME = "searchaccess-operator"
"""Of all objects of this release, and of the ServiceAccount."""


class Helm:
    """Helm with one API server.

    Args:
        binary: the program.
        kubernetes: the API server.
        folder: for files of its own.
    """

    def __init__(self, binary: Path, kubernetes: KubernetesServers, folder: Path) -> None:
        self._binary = binary
        self._kubernetes = kubernetes
        self._folder = folder

    def run(self, *arguments: str, values: dict[str, Any] | None = None, check: bool = True) -> str:
        """Run it; return what it says, and also its errors where it is expected to fail."""
        file = self._folder / "values.yaml"
        file.write_text(yaml.safe_dump(values or {}))
        environment = {
            "HOME": str(self._folder),
            "PATH": "/usr/bin:/bin",
            "KUBECONFIG": str(self._kubernetes.kubeconfig),
        }
        more = ["--values", str(file)] if values is not None else []
        command = [str(self._binary), *arguments, *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
        output = done.stdout + done.stderr
        assert (done.returncode == 0) is check, output
        return done.stdout if check else output

    def render(
        self, values: dict[str, Any], *options: str, release: str = RELEASE, version: str = "1.36.0"
    ) -> list[dict[str, Any]]:
        """Return the objects of a release."""
        command = ("template", release, str(CHART), "-n", NAMESPACE, "--kube-version", version, *options)
        return [raw for raw in yaml.safe_load_all(self.run(*command, values=values)) if raw]


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Return the objects of a kind."""
    return [raw for raw in objects if raw["kind"] == kind]


def pod_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the operator's pods, as a PodSpec."""
    [deployment] = of_kind(objects, "Deployment")
    return dict(deployment["spec"]["template"]["spec"])
