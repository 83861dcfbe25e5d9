"""Builds the smaller servers from their Go modules."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.stack.build import BuildDisplay, BuildError, require_tool, require_version, run_tool
from tests.stack.cache import BuildInputs, ensure_entry, files_under


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


def ensure_program(program: GoProgram, display: BuildDisplay | None = None) -> Path:
    """The program in the cache, built on first use."""
    inputs, purpose = program.inputs(), f"builds {program.name} for tests"

    def build(target: Path) -> None:
        go = require_tool("go", purpose)
        require_version([go, "version"], r"go(\d+)\.(\d+)", (1, 26), purpose, cwd=program.folder)
        flags = ["-mod=readonly", "-trimpath", "-ldflags", "-s -w", "-o", f"{target}/"]
        with (display or BuildDisplay()).step(f"Building {program.name} {inputs.version} (minutes, only once)"):
            run_tool([go, "build", *flags, program.package], cwd=program.folder)

    return ensure_entry(inputs, build) / program.binary
