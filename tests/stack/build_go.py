"""Builds the smaller servers and tools from their Go modules."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.stack.build import BuildDisplay, BuildError, require_tool, require_version, run_tool
from tests.stack.cache import BuildInputs, cache_root, ensure_entry, files_under


@dataclass(frozen=True, slots=True)
class GoProgram:
    """A program that a module of ours pins."""

    name: str
    folder: Path
    """Of the module."""
    requires: str
    """The module whose version is the program's."""
    package: str
    binary: str
    data: tuple[str, ...] = ()
    """Files and folders of that module which are kept beside the program."""

    def inputs(self) -> BuildInputs:
        file = self.folder / "go.mod"
        match = re.search(rf"^require {re.escape(self.requires)} v(\S+)$", file.read_text(), re.MULTILINE)
        if match is None:
            raise BuildError(f"{file} does not require {self.requires}.")
        return BuildInputs(self.name.replace(" ", "-").lower(), match.group(1), files_under(self.folder))


_HERE = Path(__file__).parent
VAULT = GoProgram("Vault", _HERE / "vault", "github.com/hashicorp/vault", "./cmd/vault", "vault")
_EMULATOR = "github.com/blackwell-systems/gcp-secret-manager-emulator"
SECRET_MANAGER = GoProgram(
    "Secret Manager", _HERE / "secretmanager", _EMULATOR, f"{_EMULATOR}/cmd/server", "server"
)  # fmt: skip

HELM = GoProgram("Helm", _HERE / "helm", "helm.sh/helm/v3", "helm.sh/helm/v3/cmd/helm", "helm")
HELM_4 = GoProgram("Helm 4", _HERE / "helm4", "helm.sh/helm/v4", "helm.sh/helm/v4/cmd/helm", "helm")
_PROMETHEUS = "github.com/prometheus/prometheus"
PROMTOOL = GoProgram("promtool", _HERE / "promtool", _PROMETHEUS, f"{_PROMETHEUS}/cmd/promtool", "promtool")
_SCORE = "github.com/zegl/kube-score"
KUBE_SCORE = GoProgram("kube-score", _HERE / "kubescore", _SCORE, f"{_SCORE}/cmd/kube-score", "kube-score")
_PROXY = "github.com/oauth2-proxy/oauth2-proxy/v7"
OAUTH2_PROXY = GoProgram("oauth2-proxy", _HERE / "oauth2proxy", _PROXY, _PROXY, "oauth2-proxy")
"""With which the bench compares the gateway."""
_MANIFESTS = ("crds/application-crd.yaml", "crds/appproject-crd.yaml", "base/config/argocd-cm.yaml")
ARGOCD = GoProgram(
    "Argo CD",
    _HERE / "argocd",
    "github.com/argoproj/argo-cd/v3",
    "./cmd/argocd",
    "argocd",
    tuple(f"manifests/{name}" for name in _MANIFESTS),
)


def is_built(program: GoProgram) -> bool:
    return (cache_root() / program.inputs().key()).is_dir()


def ensure_program(program: GoProgram, display: BuildDisplay | None = None) -> Path:
    """The program in the cache, built on first use."""
    inputs, purpose = program.inputs(), f"builds {program.name} for tests"

    def build(target: Path) -> None:
        go = require_tool("go", purpose)
        require_version([go, "version"], r"go(\d+)\.(\d+)", (1, 26), purpose, cwd=program.folder)
        flags = ["-mod=readonly", "-trimpath", "-ldflags", "-s -w", "-o", f"{target}/"]
        with (display or BuildDisplay()).step(f"Building {program.name} {inputs.version} (minutes, only once)"):
            run_tool([go, "build", *flags, program.package], cwd=program.folder)
            if program.data:
                find = [go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", program.requires]
                module = subprocess.run(find, cwd=program.folder, capture_output=True, text=True, check=True).stdout
                for name in program.data:
                    _copy(Path(module.strip()) / name, target / Path(name).name)

    return ensure_entry(inputs, build) / program.binary


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copyfile)
        for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
            folder.chmod(0o755)  # Go's own copy is read-only.
    else:
        shutil.copyfile(source, target)
