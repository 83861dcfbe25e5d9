"""Reads what an image consists of, from an archive that ``docker save`` wrote."""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import IO, Any, Final

from release.errors import BadArchive

BASES: Final = ("org.opencontainers.image.base.name", "dev.searchaccess.image.build.name")
"""Labels with the images that it was built from."""
_PYTHON: Final = re.compile(r"(\./)?app/[^/]+\.dist-info/METADATA")
_DEBIAN: Final = re.compile(r"(\./)?var/lib/dpkg/(status|status\.d/[^/]+)")
_SUMS: Final = ".md5sums"


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """A package in an image.

    Args:
        kind: its type in a package URL: ``pypi`` or ``deb``.
        name: its name.
        version: its version.
        license: an SPDX expression; empty: it states none.
    """

    kind: str
    name: str
    version: str
    license: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """An image.

    Args:
        identity: sha256 of its configuration, which Docker calls its ID; it survives a registry.
        labels: its labels.
        packages: what is in it.
    """

    identity: str
    labels: dict[str, str]
    packages: tuple[Package, ...]

    @property
    def bases(self) -> tuple[str, ...]:
        """The images that it was built from."""
        return tuple(self.labels.get(label, "") for label in BASES)


def read_image(path: Path) -> Image:
    """Read an archive.

    Raises:
        BadArchive: it is none of exactly one image.
    """
    try:
        with tarfile.open(path) as archive:
            [manifest] = json.loads(_content(archive, "manifest.json"))
            config = _content(archive, manifest["Config"])
            packages = {package for layer in manifest["Layers"] for package in _packages(archive, layer)}
            labels = json.loads(config)["config"].get("Labels") or {}
    except (OSError, tarfile.TarError, KeyError, TypeError, ValueError) as error:
        raise BadArchive(f"{path} is no archive of one image: {error}") from None
    return Image(hashlib.sha256(config).hexdigest(), labels, tuple(sorted(packages)))


def _file(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    return _file(archive, name).read()


def _packages(archive: tarfile.TarFile, layer: str) -> Iterator[Package]:
    with tarfile.open(fileobj=_file(archive, layer)) as files:
        for member in files:
            if not member.isfile():
                continue
            if _PYTHON.fullmatch(member.name):
                yield _python_package(_content_of(files, member))
            elif _DEBIAN.fullmatch(member.name) and not member.name.endswith(_SUMS):
                yield from _debian_packages(_content_of(files, member))


def _content_of(files: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = files.extractfile(member)
    return file.read() if file else b""


def _python_package(metadata: bytes) -> Package:
    fields: Any = BytesHeaderParser().parsebytes(metadata)
    return Package("pypi", fields["Name"].lower(), fields["Version"], fields["License-Expression"] or "")


def _debian_packages(status: bytes) -> Iterator[Package]:
    for paragraph in status.split(b"\n\n"):
        fields: Any = BytesHeaderParser().parsebytes(paragraph.lstrip())
        if fields["Package"] and fields["Version"]:
            yield Package("deb", fields["Package"], fields["Version"])
