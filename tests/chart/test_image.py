"""The image, as far as that can be told without Docker: its steps are done in a clean environment, and it starts."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from searchaccess import __version__
from tests.support.operatorprocess import ROOT

DOCKERFILE = (ROOT / "operator" / "Dockerfile").read_text()
INSTRUCTIONS = [
    line.split(maxsplit=1) for line in DOCKERFILE.replace("\\\n", " ").splitlines() if line and not line.startswith("#")
]


def instructions(name: str) -> list[str]:
    return [rest for word, rest in INSTRUCTIONS if word == name]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image has in /app, made as its first stage makes it, from what .dockerignore lets through."""
    folder = tmp_path_factory.mktemp("image")
    source, target, python = folder / "src", folder / "app", folder / "python"
    source.mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(python)], check=True)
    for word, rest in INSTRUCTIONS[: [word for word, _ in INSTRUCTIONS].index("FROM", 1)]:
        if word == "COPY":
            *names, place = rest.split()
            for name in names:
                _copy(ROOT / name, source / place / Path(name).name if place.endswith("/") else source / place)
        elif word == "RUN":
            command = [part.replace("/app", str(target)) for part in json.loads(rest)]
            environment = os.environ | {"PATH": f"{python}/bin:{os.environ['PATH']}"}
            done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
    return target


def _copy(origin: Path, place: Path) -> None:
    if origin.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(origin, place)
        return
    for file in origin.rglob("*"):
        if file.is_file() and _is_sent(file.relative_to(ROOT)):
            _copy(file, place / file.relative_to(origin))


def _is_sent(path: Path) -> bool:
    """Say whether Docker gets a file: all that .dockerignore does not take out again of what it leaves out."""
    sent = [line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")]
    return any(fnmatch(str(path), pattern) or str(path).startswith(f"{pattern}/") for pattern in sent)


def run(app: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    [entry] = instructions("ENTRYPOINT")
    _, *rest = json.loads(entry)
    environment = {"PYTHONPATH": str(app), "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    # -S: nothing but what the image has.
    command = [sys.executable, "-S", *rest, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=app, timeout=60)


def test_it_starts_with_what_it_has(app: Path) -> None:
    assert run(app, "--version").stdout.strip() == __version__
    [command] = instructions("CMD")
    done = run(app, *json.loads(command))
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("searchaccess: no usable kubeconfig or service account")


def test_nothing_of_tests_or_tools_is_in_it(app: Path) -> None:
    names = {path.name.partition("-")[0].lower() for path in app.iterdir()}
    assert {"searchaccess", "kopf", "kubernetes", "elasticsearch", "aiohttp"} <= names
    assert not {"pytest", "hypothesis", "mypy", "ruff", "hatchling", "tests"} & names


def test_it_runs_as_nobody_and_says_what_it_is() -> None:
    last = [rest for word, rest in INSTRUCTIONS if word in {"USER", "FROM"}]
    assert last[-1] == "65532:65532"
    labels = shlex.split(" ".join(instructions("LABEL")))
    assert {label.partition("=")[0].rpartition(".")[2] for label in labels} >= {
        "title",
        "version",
        "licenses",
        "revision",
    }
    assert f"ARG VERSION={__version__}\n" in DOCKERFILE
    assert not re.search(r"^(ADD|RUN .*(curl|wget|apt))", DOCKERFILE, re.MULTILINE)
