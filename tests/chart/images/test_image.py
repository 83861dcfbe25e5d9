"""The image, as far as that can be tested without Docker: its steps are done in a clean environment, and it starts."""

import importlib.util
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import sysconfig
from fnmatch import fnmatch
from pathlib import Path

import pytest

from searchaccess import __version__
from tests.support.operatorprocess import ROOT

DOCKERFILE = (ROOT / "operator" / "Dockerfile").read_text()
INSTRUCTIONS = [
    line.split(maxsplit=1) for line in DOCKERFILE.replace("\\\n", " ").splitlines() if line and not line.startswith("#")
]


finish = runpy.run_path(str(ROOT / "operator" / "image" / "finish.py"))
"""What finishes the image."""


def instructions(name: str) -> list[str]:
    return [rest for word, rest in INSTRUCTIONS if word == name]


def defaults() -> dict[str, str]:
    return dict(argument.split("=", 1) for argument in instructions("ARG") if "=" in argument)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image has in /app, made as its stages make it, from what .dockerignore lets through."""
    folder = tmp_path_factory.mktemp("image")
    source, python = folder / "src", folder / "python"
    source.mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(python)], check=True)
    stage = ""
    for word, rest in INSTRUCTIONS:
        if word == "FROM":
            stage = rest.partition(" AS ")[2]
        elif word == "COPY":
            *names, place = rest.split()
            if names[0] == "--from=runtime":
                _copy_library(folder / place[1:])
            elif names[0] == "--from=build":
                shutil.copytree(folder / names[1][1:], folder / "image" / place[1:], dirs_exist_ok=True)
            else:
                for name in names:
                    _copy(ROOT / name, source / place / Path(name).name if place.endswith("/") else source / place)
        elif word == "RUN":
            assert stage == "build"
            command = [re.sub(r"^/", f"{folder}/", part) for part in json.loads(rest)]
            environment = os.environ | {"PATH": f"{python}/bin:{os.environ['PATH']}", "PIP_ROOT_USER_ACTION": "ignore"}
            done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            # A folder into which two were installed, or whatever else would be no clean installation.
            assert not [line for line in done.stderr.splitlines() if line.startswith("WARNING")]
    return folder / "image" / "app"


def _copy_library(place: Path) -> None:
    """Copy the standard library, in place of that of the runtime's image."""
    left_out = shutil.ignore_patterns("site-packages", "test", "tests", "__pycache__", "lib-dynload")
    shutil.copytree(sysconfig.get_path("stdlib"), place, ignore=left_out)


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
    """Run the image with these arguments."""
    [entry] = map(json.loads, instructions("ENTRYPOINT"))
    [variables] = [dict(item.split("=", 1) for item in shlex.split(rest)) for rest in instructions("ENV")[-1:]]
    command = shutil.which(entry[0], path=variables["PATH"].replace("/app", str(app)))
    assert command, f"{entry[0]} is not on the path"
    return python(app, command, *entry[1:], *arguments)


def python(app: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(app), "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    # -S: nothing but what the image has.
    command = [sys.executable, "-S", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=app, timeout=60)


def test_it_starts_with_what_it_has(app: Path) -> None:
    assert run(app, "--version").stdout.strip() == __version__
    [command] = instructions("CMD")
    done = run(app, *json.loads(command))
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("searchaccess: no usable kubeconfig or service account")


def test_its_command_is_run_by_its_python(app: Path) -> None:
    [command] = (app / "bin").iterdir()
    assert command.name == "searchaccess"
    assert command.stat().st_mode & 0o111 == 0o111
    assert command.read_text().splitlines()[0] == "#!/usr/bin/python3"


def test_all_that_the_operator_ever_imports_is_in_it(app: Path, tmp_path: Path) -> None:
    sources = list((app / "searchaccess").rglob("*.py"))
    lazy = {"google.cloud.run_v2", "opentelemetry.sdk.trace", "kopf"}
    statements = {statement for source in sources for statement in finish["imports"](source)}
    assert lazy <= {statement.split()[1] for statement in statements}
    program = tmp_path / "imports.py"
    program.write_text("\n".join(sorted(statements)))
    done = python(app, str(program))
    assert done.returncode == 0, done.stderr


def test_what_a_report_is_made_of_is_in_it(app: Path, tmp_path: Path) -> None:
    manifest, log = tmp_path / "access.yaml", tmp_path / "audit.json"
    shutil.copy(ROOT / "examples" / "orders.yaml", manifest)
    event = {"event.action": "access_granted", "timestamp": "2026-11-29T23:05:57,525+0000", "action": "indices:x"}
    log.write_text(json.dumps(event | {"user.name": "ada", "indices": ["orders-1"]}))
    done = run(app, "audit", "-f", str(manifest), "-o", "html", str(log))
    assert done.stdout.startswith("<!doctype html>"), done.stderr


def test_errors_of_its_own_show_lines_in_color(app: Path) -> None:
    code = "from rich.syntax import Syntax; assert Syntax('x = 1', 'python').lexer"
    assert python(app, "-c", code).returncode == 0


def test_what_is_never_loaded_is_not_in_it(app: Path) -> None:
    assert [path.name for path in (app / "kubernetes" / "aio" / "client" / "models").glob("*.py")] == ["__init__.py"]
    assert not list(app.rglob("*.pyi"))
    # With the 55 MB of the runtime's image that is less than 180 MB.
    assert sum(path.stat().st_size for path in app.rglob("*") if path.is_file()) < 124e6


def test_what_a_start_loads_is_compiled(app: Path) -> None:
    names = "searchaccess.cli.main, searchaccess.cli.summaries, searchaccess.operator.app"
    code = f"import sys, {names}; print(*(getattr(m, '__file__', None) for m in sys.modules.values()))"
    sources = [Path(name) for name in python(app, "-c", code).stdout.split() if name.endswith(".py")]
    cached = [Path(importlib.util.cache_from_source(str(source))) for source in sources]
    ours = [path for path in cached if path.is_relative_to(app)]
    assert len(ours) > 500
    assert not [path for path in ours if not path.is_file()]
    library = app.parent / "usr" / "lib" / "python3.11"
    assert {path.suffix for path in library.rglob("*") if path.is_file()} == {".pyc"}
    assert (library / "asyncio" / "__pycache__" / f"tasks.{sys.implementation.cache_tag}.pyc").is_file()


def test_the_same_files_make_the_same_layers(app: Path) -> None:
    layers = [app.parents[1] / rest.split()[1][1:] for rest in instructions("COPY") if rest.startswith("--from=build")]
    assert len(layers) == 3
    assert {path.stat().st_mtime for layer in layers for path in layer.rglob("*")} == {finish["MODIFIED"]}


def test_a_package_that_changed_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="nothing matches kubernetes/client/api"):
        finish["unused"](tmp_path)


def test_where_it_comes_from_can_be_chosen_and_needs_no_further_image() -> None:
    assert "# syntax" not in DOCKERFILE
    bases = {rest.partition(" AS ")[0] for rest in instructions("FROM")}
    assert bases == {"${BUILD_IMAGE}", "${RUNTIME_IMAGE}", "runtime"}
    assert {"BUILD_IMAGE", "RUNTIME_IMAGE"} <= defaults().keys()


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
