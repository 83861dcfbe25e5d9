"""Builds a small Vault from its Go modules."""

import re
from pathlib import Path

from tests.stack.build import BuildDisplay, BuildError, require_tool, require_version, run_tool
from tests.stack.cache import BuildInputs, ensure_entry, files_under

_MODULE = Path(__file__).parent / "vault"
_PURPOSE = "builds Vault for tests"


def vault_inputs() -> BuildInputs:
    match = re.search(r"^require github\.com/hashicorp/vault v(\S+)$", (_MODULE / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise BuildError(f"{_MODULE / 'go.mod'} does not require Vault.")
    return BuildInputs("vault", match.group(1), files_under(_MODULE))


def ensure_vault_binary(display: BuildDisplay | None = None) -> Path:
    """The program in the cache, built on first use."""
    inputs = vault_inputs()

    def build(target: Path) -> None:
        go = require_tool("go", _PURPOSE)
        require_version([go, "version"], r"go(\d+)\.(\d+)", (1, 26), _PURPOSE, cwd=_MODULE)
        command = [go, "build", "-mod=readonly", "-trimpath", "-ldflags", "-s -w", "-o", f"{target}/", "./cmd/vault"]
        with (display or BuildDisplay()).step(f"Building Vault {inputs.version} (minutes, only once)"):
            run_tool(command, cwd=_MODULE)

    return ensure_entry(inputs, build) / "vault"
