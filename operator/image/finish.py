"""Finishes what pip installed for the image: leaves out what the operator never loads, and compiles what it does.

    python finish.py DEPENDENCIES OWN LIBRARY

Each is the root of what becomes a layer. DEPENDENCIES and OWN have what ``pip install --target`` made of the locked
packages and of the project. LIBRARY has a copy of the runtime image's standard library, of which only bytecode stays.
This runs in the build stage of the Dockerfile, by Python alone. docs/adr/0039-image.md says why.
"""

import ast
import os
import py_compile
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

COMMAND: Final = "searchaccess"
"""Our package, and the one command in the image."""
PYTHON: Final = "/usr/bin/python3"
"""Python in the runtime image."""
APP: Final = "app"
STDLIB: Final = "usr/lib/python3.11"
"""Where packages and the standard library are in the image."""
MODIFIED: Final = 946684800
"""When each file was modified, in seconds: the same files are to make the same layer, whenever they were installed."""

UNUSED: Final = (
    # The operator sends its own requests by ApiClient: it uses none of the generated classes of either client.
    *(f"kubernetes/{client}/{part}/*.py" for client in ("client", "aio/client") for part in ("api", "models")),
    # Versions of Google's APIs that are not called.
    *(f"google/cloud/iam_v{version}" for version in ("2", "2beta", "3", "3beta")),
    *(f"google/cloud/{version}" for version in ("container_v1beta1", "secretmanager_v1beta1", "secretmanager_v1beta2")),
    # Errors show lines of Python, and of nothing else, in color.
    "pygments/lexers/*.py",
    # For those who build or check programs.
    *(f"**/*.{suffix}" for suffix in ("pyi", "pyx", "pxd", "proto", "h")),
    "**/*_test.py",
)
"""What the operator never loads."""
KEPT: Final = ("**/__init__.py", "pygments/lexers/_mapping.py", "pygments/lexers/python.py")
"""What it loads of that all the same."""
LIST_LOADED: Final = """
import sys
for module in list(sys.modules.values()):
    if getattr(module, "__file__", None):
        print(module.__file__)
"""


def unused(folder: Path) -> set[Path]:
    """Return the files and folders of the dependencies that the operator never loads.

    Raises:
        LookupError: nothing matches a pattern: a package has changed, and the patterns must follow.
    """
    found: set[Path] = set()
    for pattern in UNUSED:
        matches = set(folder.glob(pattern))
        if not matches:
            raise LookupError(f"nothing matches {pattern}")
        found |= matches
    return found.difference(*(folder.glob(pattern) for pattern in KEPT))


def remove(paths: Iterable[Path]) -> None:
    """Remove files and folders."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def keep_command(folder: Path) -> None:
    """Remove all commands but ours, and let the runtime's Python run it."""
    for script in (folder / "bin").glob("*"):
        if script.name == COMMAND:
            _, _, program = script.read_text().partition("\n")
            script.write_text(f"#!{PYTHON}\n{program}")
        else:
            script.unlink()


def imports(source: Path) -> Iterator[str]:
    """Yield the import statements of a file, also those that wait until something is needed."""
    for node in ast.walk(ast.parse(source.read_bytes())):
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and not node.level):
            yield ast.unparse(node)


def loaded(*folders: Path) -> set[Path]:
    """Import all that the operator imports, from these folders alone; return the files that this loads.

    Raises:
        CalledProcessError: something cannot be imported, such as because it was removed.
    """
    sources = {source for folder in folders for source in (folder / COMMAND).rglob("*.py")}
    statements = sorted({statement for source in sources for statement in imports(source)})
    environment = {"PYTHONPATH": os.pathsep.join(map(str, folders)), "PYTHONDONTWRITEBYTECODE": "1"}
    # -S: nothing that is installed beside them. As standard input: all statements are too long for an argument.
    program = "\n".join([*statements, LIST_LOADED])
    command = [sys.executable, "-S", "-"]
    done = subprocess.run(command, env=environment, input=program, stdout=subprocess.PIPE, text=True, check=True)
    return {Path(line) for line in done.stdout.splitlines() if line.endswith(".py")} | sources


def compile_all(files: Iterable[Path]) -> list[Path]:
    """Write the bytecode of files beside them; return where it is. Files of an image stay: no source is compared."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    return [Path(str(py_compile.compile(str(file), doraise=True, invalidation_mode=mode))) for file in sorted(files)]


def main(*roots: Path) -> None:
    """Finish dependencies, own code and standard library."""
    dependencies, own, library = roots[0] / APP, roots[1] / APP, roots[2] / STDLIB
    remove(unused(dependencies))
    for folder in (dependencies, own):
        keep_command(folder)
    files = loaded(dependencies, own)
    compile_all(file for file in files if file.is_relative_to(dependencies) or file.is_relative_to(own))
    here = Path(sysconfig.get_path("stdlib"))
    of_library = [library / file.relative_to(here) for file in files if file.is_relative_to(here)]
    bytecode = set(compile_all(file for file in of_library if file.is_file()))
    remove(path for path in library.rglob("*") if not path.is_dir() and path not in bytecode)
    for root in roots:
        for path in root.rglob("*"):
            os.utime(path, (MODIFIED, MODIFIED), follow_symlinks=False)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
