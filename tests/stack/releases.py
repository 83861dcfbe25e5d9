"""The releases of Elasticsearch that tests run on, and the JDK that each needs."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.stack.build import BuildError

VERSION_VARIABLE = "SEARCHACCESS_TEST_ELASTICSEARCH_VERSION"
JAVA_VARIABLE = "SEARCHACCESS_TEST_JAVA_HOME"

# Where Linux distributions and macOS put JDKs.
_JDK_FOLDERS = ("/usr/lib/jvm/*", "/opt/java/*", "/Library/Java/JavaVirtualMachines/*/Contents/Home")


@dataclass(frozen=True, slots=True)
class Release:
    """One release.

    Attributes:
        version: as in ``8.19.0``.
        java: the oldest JDK that runs it; its class files are for this one.
        flags: what the JVM needs besides.
    """

    version: str
    java: int
    flags: tuple[str, ...] = ()


RELEASES = (
    Release("8.19.0", java=17),
    Release("9.1.0", java=21, flags=("--enable-native-access=ALL-UNNAMED", "--add-modules=jdk.incubator.vector")),
)


def chosen_release() -> Release:
    """The release that this run uses: the variable's, or the first."""
    wanted = os.environ.get(VERSION_VARIABLE) or RELEASES[0].version
    for release in RELEASES:
        if release.version == wanted:
            return release
    known = ", ".join(release.version for release in RELEASES)
    raise BuildError(f"{VERSION_VARIABLE} is {wanted}: the test stack knows {known}.")


@dataclass(frozen=True, slots=True)
class Jdk:
    """A Java installation.

    Attributes:
        java: the program that runs.
        javac: the program that compiles; None where there is only a runtime.
        release: its feature release, as in 21.
        version: of the virtual machine, as it says itself.
    """

    java: str
    javac: str | None
    release: int
    version: str = ""


def find_jdk(release: Release, *, compiler: bool = False) -> Jdk:
    """The JDK that runs a release: one that a variable names, the one in PATH, or one where systems put them.

    Raises:
        BuildError: there is none; the message says what to install.
    """
    for folder in _homes():
        jdk = _inspect(folder)
        if jdk and jdk.release >= release.java and (jdk.javac or not compiler):
            return jdk
    kind = "JDK" if compiler else "JDK or Java runtime"
    raise BuildError(
        f"Elasticsearch {release.version} needs a {kind}, {release.java} or newer: none in {JAVA_VARIABLE}, JAVA_HOME,"
        f" PATH or {', '.join(_JDK_FOLDERS)}."
    )


def _homes() -> list[Path]:
    named = [Path(value) for name in (JAVA_VARIABLE, "JAVA_HOME") if (value := os.environ.get(name))]
    in_path = shutil.which("javac") or shutil.which("java")
    if in_path:
        named.append(Path(in_path).resolve().parents[1])
    installed = [path for pattern in _JDK_FOLDERS for path in sorted(Path("/").glob(pattern.removeprefix("/")))]
    return [*named, *installed]


def _inspect(home: Path) -> Jdk | None:
    java, javac = home / "bin" / "java", home / "bin" / "javac"
    if not os.access(java, os.X_OK):
        return None
    asked = [str(java), "-XshowSettings:properties", "-version"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    said = {
        name.strip(): value.strip() for name, _, value in (line.partition("=") for line in done.stderr.splitlines())
    }
    release = said.get("java.specification.version", "")
    if not release.isdigit():
        return None
    compiler = str(javac) if os.access(javac, os.X_OK) else None
    return Jdk(str(java), compiler, int(release), said.get("java.vm.version", ""))
