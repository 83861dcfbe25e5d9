"""The package for workloads by itself: its wheel, in an environment that has nothing else of this project."""

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import searchaccess_client
from tests.callers.programs import SERVICE
from tests.stack.elasticsearch import LocalElasticsearch
from tests.support.metadata import MetadataServer
from tests.support.operatorprocess import ROOT

PACKAGE = ROOT / "client"
EXAMPLE = ROOT / "examples" / "callers" / "python" / "with_helper.py"
LOCKED = ROOT / "requirements" / "dev.txt"

_FACTS = """
import importlib.metadata, importlib.util, json
from pathlib import Path
import searchaccess_client
files = importlib.metadata.files("searchaccess-client")
try:
    searchaccess_client.AsyncElasticsearch("https://es.example.com:9200", audience="a")
except ValueError as error:
    refusal = str(error)
print(json.dumps({
    "installed": sorted(found.name.lower() for found in importlib.metadata.distributions()),
    "operator": importlib.util.find_spec("searchaccess") is not None,
    "typed": (Path(searchaccess_client.__file__).parent / "py.typed").is_file(),
    "license": [file.name for file in files if "licenses" in file.parts],
    "version": importlib.metadata.version("searchaccess-client"),
    "without aiohttp": refusal,
}))
"""
_ASYNC = """
import asyncio, os
from searchaccess_client import AsyncElasticsearch

async def main():
    environment = os.environ
    async with AsyncElasticsearch(
        environment["ELASTICSEARCH_URL"],
        audience=environment["ELASTICSEARCH_AUDIENCE"],
        ca_certs=environment["ELASTICSEARCH_CA"],
    ) as client:
        print((await client.search(index="orders-eu"))["hits"]["hits"][0]["_index"])

asyncio.run(main())
"""
_NEEDED = {"elasticsearch", "elastic-transport", "google-auth", "requests", "urllib3", "searchaccess-client"}
_OPERATORS = {"aiohttp", "kopf", "kubernetes", "pydantic", "grpcio", "searchaccess-operator"}


def _uv(*arguments: str | Path) -> None:
    """Run the uv that made .venv: it has in its cache what the lock file names."""
    uv = shutil.which("uv") or ROOT / "build" / "uv" / "bin" / "uv"
    done = subprocess.run([uv, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what `make release` builds of it."""
    folder = tmp_path_factory.mktemp("release")
    make = ["make", "--dry-run", "release", "KEY=none", f"RELEASE={folder}"]
    recipe = subprocess.run(make, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120).stdout
    (build,) = [line for line in recipe.splitlines() if "hatchling build" in line]
    subprocess.run(build, shell=True, cwd=ROOT, check=True, capture_output=True, timeout=120)  # noqa: S602 - of ours.
    return folder


@pytest.fixture(scope="module")
def wheel(released: Path) -> Path:
    (wheel,) = released.glob("*.whl")
    return wheel


@pytest.fixture
def python(tmp_path: Path, wheel: Path) -> Path:
    """The interpreter of an environment with the wheel, and with what its metadata asks for."""
    _uv("venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    _install(python, f"searchaccess-client @ {wheel.as_uri()}")
    return python


def _install(python: Path, requirement: str) -> None:
    _uv("pip", "install", "--quiet", "--python", python, "--constraint", LOCKED, requirement)


def _run(python: Path, *arguments: str | Path, environment: dict[str, str]) -> str:
    # -I: not even the folder of this checkout is on its path.
    command = [python, "-I", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.one_release
def test_the_sdist_builds_the_same_wheel_and_has_the_license(released: Path, wheel: Path, tmp_path: Path) -> None:
    (sdist,) = released.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        assert [member.name for member in archive if not member.isfile()] == [], "a link would lead out of it"
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run(build, cwd=source, check=True, capture_output=True, timeout=120)
    (again,) = (source / "dist").glob("*.whl")
    assert again.read_bytes() == wheel.read_bytes()
    assert (source / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@pytest.mark.one_release
def test_the_wheel_alone_calls_elasticsearch(
    python: Path, wheel: Path, elasticsearch: LocalElasticsearch, metadata: MetadataServer
) -> None:
    environment = metadata.environment | SERVICE
    environment["ELASTICSEARCH_URL"] = elasticsearch.url
    environment["ELASTICSEARCH_AUDIENCE"] = elasticsearch.audience
    environment["ELASTICSEARCH_CA"] = str(elasticsearch.ca_file)

    facts = json.loads(_run(python, "-c", _FACTS, environment=environment))
    installed = set(facts.pop("installed"))
    assert installed >= _NEEDED
    assert not installed & _OPERATORS
    assert "aiohttp" in facts.pop("without aiohttp")
    assert facts == {
        "operator": False,
        "typed": True,
        "license": ["LICENSE"],
        "version": searchaccess_client.__version__,
    }
    assert "orders-eu" in _run(python, EXAMPLE, "orders-eu", environment=environment)

    _install(python, f"searchaccess-client[async] @ {wheel.as_uri()}")
    assert _run(python, "-c", _ASYNC, environment=environment).strip() == "orders-eu"
