"""Health checks and actions of our kinds for Argo CD, generated from Lua files."""

from pathlib import Path
from typing import Any, Final

import yaml

from searchaccess.api.constants import GROUP

FOLDER: Final = Path("deploy/argocd")
HEALTH: Final = {
    "SearchAccess": "health",
    "SearchCluster": "health",
    "SearchAccessPolicy": "health",
    "SearchAccessApproval": "approval",
}
"""The Lua file that tells the health of each kind."""
ACTIONS: Final = ("refresh", "rotate", "suspend", "resume")


class _Dumper(yaml.SafeDumper):
    """Writes what has several lines as a block."""


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent)


def _dump(body: Any) -> str:
    return yaml.dump(body, Dumper=_Dumper, sort_keys=False, width=1000)


def customizations(root: Path) -> dict[str, str]:
    """Return the keys of ``argocd-cm``.

    Args:
        root: of the repository.
    """
    lua = {file.stem: file.read_text(encoding="utf-8") for file in (root / FOLDER).glob("*.lua")}
    found = {f"resource.customizations.health.{GROUP}_{kind}": lua[file] for kind, file in HEALTH.items()}
    definitions = [{"name": name, "action.lua": lua[name]} for name in ACTIONS]
    body = _dump({"discovery.lua": lua["discovery"], "definitions": definitions})
    return found | {f"resource.customizations.actions.{GROUP}_SearchAccess": body}


def argo_files(root: Path) -> dict[Path, str]:
    """Return the files that are made: one for kubectl, one for Argo CD's Helm chart.

    Args:
        root: of the repository.
    """
    note = "# Generated from the Lua beside it by `make generate`. Do not edit.\n"
    patch = "# kubectl patch configmap argocd-cm -n argocd --patch-file deploy/argocd/argocd-cm.yaml\n"
    values = "# helm upgrade argocd argo/argo-cd -n argocd --reuse-values -f deploy/argocd/values.yaml\n"
    data = customizations(root)
    return {
        root / FOLDER / "argocd-cm.yaml": note + patch + _dump({"data": data}),
        root / FOLDER / "values.yaml": note + values + _dump({"configs": {"cm": data}}),
    }
