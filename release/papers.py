"""A folder with a release: its files, its SBOM, and the signed provenance of all of them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from release import provenance
from release.errors import NotGenuine
from release.image import read_image
from release.sbom import write_sbom
from release.signing import sign, verified

NAME: Final = "searchaccess-operator"
SBOM: Final = "sbom.cdx.json"
PROVENANCE: Final = "provenance.intoto.json"
ARCHIVE: Final = "image.tar"
_VERSION: Final = "org.opencontainers.image.version"


def write(
    folder: Path,
    locks: Iterable[Path],
    key: Path,
    password: str = "",
    *,
    builder: str,
    revision: str = "",
    pushed: str = "",
    unpinned: bool = False,
) -> None:
    """Write the SBOM and the signed provenance of all that is in a folder.

    Args:
        folder: has the image's archive (``image.tar``) and whatever else is released.
        locks: files that pin what is in the image.
        key: the private key.
        password: of the key, if it is encrypted.
        builder: who built it, as a URI.
        revision: the commit that all but the image comes from; the image must be of the same one.
        pushed: where the image is in a registry, as NAME@sha256:DIGEST.
        unpinned: accept an image that was built from what may change.

    Raises:
        Refused: the archive, the image or the key is not as it must be.
    """
    image = read_image(folder / ARCHIVE)
    if not unpinned:
        provenance.require_pinned(image, revision)
    (folder / SBOM).write_text(write_sbom(image, NAME, image.labels.get(_VERSION, "unknown")))
    files = [path for path in folder.iterdir() if path.is_file() and path.name != PROVENANCE]
    statement = provenance.state(image, files, locks, builder, pushed)
    (folder / PROVENANCE).write_text(sign(statement, key, password))


def verify(folder: Path, key: Path, image: str = "") -> list[str]:
    """Make sure that a folder is a release that was signed; return the names of what was verified.

    Args:
        folder: the release.
        key: the public key.
        image: the ID or the digest of an image that must be the released one, as sha256:DIGEST.

    Raises:
        Refused: something is not what was signed, is missing, or was not signed at all.
    """
    try:
        statement = verified((folder / PROVENANCE).read_text(), key)
    except (OSError, UnicodeDecodeError) as error:
        raise NotGenuine(f"there is no provenance: {error}") from None
    if (statement.get("_type"), statement.get("predicateType")) != (provenance.STATEMENT, provenance.PREDICATE):
        raise NotGenuine("what was signed is no provenance")
    signed = {one["name"]: one["digest"]["sha256"] for one in _subjects(statement)}
    images = {one["name"] for one in _subjects(statement) if one["name"] == provenance.IMAGE or "uri" in one}
    files = {path.name: path for path in folder.iterdir() if path.name != PROVENANCE}
    for name, path in sorted(files.items()):
        if name not in signed:
            raise NotGenuine(f"{name} was not signed")
        if provenance.sha256(path) != signed[name]:
            raise NotGenuine(f"{name} is not the one that was signed")
    for name in sorted({ARCHIVE, SBOM, *signed} - images - files.keys()):
        raise NotGenuine(f"{name} is missing")
    if read_image(folder / ARCHIVE).identity != signed.get(provenance.IMAGE):
        raise NotGenuine("the image in the archive is not the one that was signed")
    if image and image.removeprefix("sha256:") not in {signed[name] for name in images}:
        raise NotGenuine(f"{image} is not the image that was signed")
    return sorted(files)


def _subjects(statement: dict[str, Any]) -> list[Any]:
    subjects = statement.get("subject")
    return subjects if isinstance(subjects, list) else []
