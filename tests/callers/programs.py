"""The examples for callers as commands: what they depend on is fetched, and what is compiled is compiled, once."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stack.build import require_tool, run_tool
from tests.stack.cache import BuildInputs, ensure_entry, files_under
from tests.stack.elasticsearch import LocalElasticsearch
from tests.support.metadata import MetadataServer
from tests.support.operatorprocess import ROOT

EXAMPLES = ROOT / "examples" / "callers"
RUNTIMES = ["python", "python without the helper", "node", "go", "java", "dotnet", "shell"]
SERVICE = {"K_SERVICE": "orders", "K_REVISION": "orders-00042-abc"}
SECRET = 'kept in "Secret Manager" \\ here'

_PURPOSE = "runs an example for callers"
_CALL = Path(__file__).with_name("dotnet") / "Call.cs"
"""Uses the .NET example's handler without Elastic's client, which cannot be compiled here."""


def command_of(runtime: str) -> list[str]:
    """How an example is started, without the indices to search."""
    match runtime:
        case "python":
            command = [sys.executable, str(EXAMPLES / "python" / "with_helper.py")]
        case "python without the helper":
            command = [sys.executable, str(EXAMPLES / "python" / "without_helper.py")]
        case "node":
            node = require_tool("node", f"{_PURPOSE} (Node.js 20 or newer)")
            command = [node, str(_built("node", _install_node) / "call.mjs")]
        case "go":
            command = [str(_built("go", _compile_go) / "caller")]
        case "java":
            folder = _built("java", _compile_java)
            command = [require_tool("java", _PURPOSE), "-cp", f"{folder}/target/classes:{folder}/lib/*", "Call"]
        case "dotnet":
            if not shutil.which("mcs"):
                pytest.skip(f"there is no Mono: apt-get install {_CALL.with_name('apt.txt').read_text().strip()}")
            command = [require_tool("mono", _PURPOSE), str(_built("dotnet", _compile_dotnet, _CALL) / "caller.exe")]
        case _:
            require_tool("curl", _PURPOSE)
            command = [require_tool("bash", _PURPOSE), str(EXAMPLES / "shell" / "call.sh")]
    return command


def run(
    command: list[str], *indices: str, url: str, ca_file: Path | None, metadata: MetadataServer, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run an example in the environment that Cloud Run would give it."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ}
    if command[0].endswith("mono"):  # It compares no address with those in a certificate, only names.
        url = url.replace("127.0.0.1", "localhost")
    environment = kept | metadata.environment | SERVICE
    environment |= {"ELASTICSEARCH_URL": url, "ELASTICSEARCH_AUDIENCE": LocalElasticsearch.audience}
    if ca_file:
        environment["ELASTICSEARCH_CA"] = str(ca_file)
    environment = {name: value for name, value in (environment | more).items() if value}
    return subprocess.run(
        [*command, *indices], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def _built(runtime: str, build: Callable[[Path], None], *more: Path) -> Path:
    """A copy of the example beside what it depends on, kept with the builds of the test servers."""
    sources = EXAMPLES / runtime
    # Neither a person's own build beside the example, nor anything else that git ignores.
    files = (*(file for file in files_under(sources) if not {"node_modules", "target"} & set(file.parts)), *more)

    def copy_and_build(target: Path) -> None:
        for file in files:
            shutil.copy(file, target)
        build(target)

    return ensure_entry(BuildInputs("caller", runtime, (*files, Path(__file__))), copy_and_build)


def _install_node(folder: Path) -> None:
    npm = require_tool("npm", "installs Elastic's client for the Node.js example")
    run_tool([npm, "ci", "--ignore-scripts"], cwd=folder)


def _compile_go(folder: Path) -> None:
    go = require_tool("go", "compiles the Go example for callers")
    for arguments in (["vet", "."], ["build", "-o", "caller", "."]):
        run_tool([go, *arguments], cwd=folder)


def _compile_java(folder: Path) -> None:
    maven = require_tool("mvn", "compiles the Java example for callers")
    goals = ["compile", "dependency:copy-dependencies", "-DoutputDirectory=lib", "-DincludeScope=runtime"]
    run_tool([maven, "--batch-mode", "--quiet", *goals], cwd=folder)


def _compile_dotnet(folder: Path) -> None:
    references = [f"-reference:{name}" for name in ("System.Net.Http", "System.Runtime.Serialization", "Mono.Security")]
    compiled = ["-out:caller.exe", "GoogleIdToken.cs", _CALL.name]
    run_tool([require_tool("mcs", _PURPOSE), "-langversion:7", "-warnaserror", *references, *compiled], cwd=folder)
