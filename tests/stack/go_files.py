"""Files of Go modules of others, such as the definitions of their kinds: downloaded for tests, never committed."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.stack.build import BuildDisplay, BuildError, require_tool
from tests.stack.cache import BuildInputs, ensure_entry


@dataclass(frozen=True, slots=True)
class GoFiles:
    """Some files of a module."""

    name: str
    module: str
    version: str
    sum: str
    """Of the module's files, as go.sum has it."""
    files: tuple[str, ...]
    """Their paths in the module."""

    def inputs(self) -> BuildInputs:
        return BuildInputs(self.name, self.version, (), (self.module, self.sum, *self.files))


OPENREPORTS = GoFiles(
    "openreports",
    "github.com/openreports/reports-api",
    "v0.2.1",
    "h1:g9KS3yle9Y1elmww4TK9EkD1rl6inIaiIJPX6e+u680=",
    tuple(f"config/crd/openreports.io_{kind}.yaml" for kind in ("reports", "clusterreports")),
)
POLICY_REPORTS = GoFiles(
    "policyreports",
    "sigs.k8s.io/wg-policy-prototypes",
    "v0.0.0-20240327135653-0fc2ddc5d3e3",
    "h1:fBHuQKI5AonDZsH6QWmS5ovZwWjbLqSIMBDctZb2+PU=",
    tuple(
        f"policy-report/crd/v1alpha2/wgpolicyk8s.io_{kind}.yaml" for kind in ("policyreports", "clusterpolicyreports")
    ),
)


def ensure_files(wanted: GoFiles, display: BuildDisplay | None = None) -> Path:
    """The folder with the files in the cache, downloaded on first use."""
    purpose = f"downloads {wanted.name} for tests"

    def build(target: Path) -> None:
        go = require_tool("go", purpose)
        with (display or BuildDisplay()).step(f"Downloading {wanted.name} {wanted.version}"):
            command = [go, "mod", "download", "-json", f"{wanted.module}@{wanted.version}"]
            # Outside of any module, so that nothing of ours has to name it.
            done = subprocess.run(command, cwd=target, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise BuildError(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")
            found = json.loads(done.stdout)
            if found["Sum"] != wanted.sum:
                raise BuildError(f"{wanted.module} {wanted.version} has the sum {found['Sum']}, not {wanted.sum}")
            for file in wanted.files:
                shutil.copyfile(Path(found["Dir"]) / file, target / Path(file).name)

    return ensure_entry(wanted.inputs(), build)
