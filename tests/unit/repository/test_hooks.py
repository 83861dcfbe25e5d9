"""Whatever is committed is checked before by a hook that is about it."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from identify import identify

ROOT = Path(__file__).parents[3]
HOOKS: dict[str, dict[str, Any]] = {
    hook["id"]: hook
    for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    for hook in repository["hooks"]
}


def hooks_for(path: str) -> set[str]:
    tags = identify.tags_from_path(str(ROOT / path))
    return {
        name
        for name, hook in HOOKS.items()
        if re.search(hook.get("files", ""), path) and (not hook.get("types_or") or tags & set(hook["types_or"]))
    }


@pytest.mark.parametrize(
    ("path", "hooks"),
    [
        ("operator/src/searchaccess/cli/main.py", {"lint", "typecheck", "verify"}),
        ("tests/unit/repository/test_hooks.py", {"lint", "typecheck"}),
        ("pyproject.toml", {"lint", "typecheck"}),
        ("operator/Dockerfile", {"lint"}),
        (".ci/run", {"lint"}),
        ("tests/kind/up.sh", {"lint"}),
        ("crds/searchaccesses.yaml", {"verify"}),
        ("docs/actions.md", {"verify"}),
        ("README.md", {"verify"}),
        ("charts/searchaccess-operator/values.yaml", {"verify", "chart"}),
        ("charts/searchaccess-operator/templates/deployment.yaml", {"verify", "chart"}),
        ("deploy/operator.yaml", {"verify", "chart"}),
        ("examples/cluster.yaml", {"chart"}),
    ],
)
def test_a_file_is_checked_by(path: str, hooks: set[str]) -> None:
    assert hooks_for(path) == hooks


def test_each_hook_is_a_target_of_make() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {hook["entry"] for hook in HOOKS.values()} <= {f"make {target}" for target in targets}
