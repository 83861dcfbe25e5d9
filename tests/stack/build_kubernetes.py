"""Builds Kubernetes from its Go modules: servers for tests, and what a node of a cluster runs besides."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from tests.stack.build import BuildDisplay, BuildError, require_tool, require_version, run_tool
from tests.stack.cache import BuildInputs, ensure_entry, files_under

_MODULE = Path(__file__).parent / "k8s"
_BINARIES = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
NODE_BINARIES = ("crictl", "kube-proxy", "kube-scheduler", "kubeadm", "kubelet", "pause", "pod-network")
_ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
_GO_PURPOSE = "builds kube-apiserver, etcd and kubectl for tests; or set KUBEBUILDER_ASSETS to a folder that has them"


def ensure_kubernetes_binaries(display: BuildDisplay | None = None) -> Path:
    """A folder with the binaries: `KUBEBUILDER_ASSETS` where it is set, else the cache, built on first use."""
    if assets := os.environ.get(_ASSETS_VARIABLE):
        return _checked_assets(Path(assets))
    return ensure_built_binaries(display)


def ensure_built_binaries(display: BuildDisplay | None = None) -> Path:
    """The binaries in the cache, built on first use, whatever `KUBEBUILDER_ASSETS` says."""
    return _checked_assets(_ensure("kubernetes", _BINARIES, display))


def ensure_node_binaries(display: BuildDisplay | None = None) -> Path:
    """A folder with what a node of a cluster runs besides, in the cache, built on first use."""
    return _ensure("kubernetes-node", NODE_BINARIES, display)


def _ensure(name: str, binaries: Sequence[str], display: BuildDisplay | None) -> Path:
    version = kubernetes_version()
    flags = _build_flags(version)
    sources = (path for binary in binaries for path in files_under(_MODULE / "cmd" / binary))
    inputs = BuildInputs(name, version, (_MODULE / "go.mod", _MODULE / "go.sum", *sources), facts=tuple(flags))

    def build(target: Path) -> None:
        go = require_tool("go", _GO_PURPOSE)
        require_version([go, "version"], r"go(\d+)\.(\d+)", (1, 26), _GO_PURPOSE, cwd=_MODULE)
        with (display or BuildDisplay()).step(f"Building {name} {version} (minutes, only once)"):
            packages = [f"./cmd/{binary}" for binary in binaries]
            run_tool([go, "build", *flags, "-o", f"{target}/", *packages], cwd=_MODULE)

    return ensure_entry(inputs, build)


def kubernetes_version() -> str:
    """The version that go.mod pins: the one place that knows it."""
    match = re.search(r"^\s*k8s\.io/kubernetes v(\S+)$", (_MODULE / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise BuildError(f"{_MODULE / 'go.mod'} does not require k8s.io/kubernetes.")
    return match.group(1)


def _build_flags(version: str) -> list[str]:
    major, minor, _ = version.split(".", 2)
    stamps = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    linker = ["-s", "-w", *(f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamps.items())]
    return ["-mod=readonly", "-trimpath", "-ldflags", " ".join(linker)]


def _checked_assets(folder: Path) -> Path:
    missing = [name for name in _BINARIES if name != "kube-controller-manager" and not (folder / name).is_file()]
    if missing:
        raise BuildError(f"{folder} lacks {', '.join(missing)}.")
    return folder
