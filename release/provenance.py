"""What was released and what it was made of: a statement of in-toto with SLSA's provenance.

https://slsa.dev/spec/v1.0/provenance
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from release.errors import Unpinned
from release.image import Image

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://slsa.dev/provenance/v1"
BUILD: Final = "https://searchaccess.dev/release/make/v1"
"""How it was built: by ``make image release``."""
IMAGE: Final = "image"
"""Subject that is the image itself, by its ID, wherever it is."""
REVISION: Final = "org.opencontainers.image.revision"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


def sha256(path: Path) -> str:
    """Return the digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_pinned(image: Image, revision: str) -> None:
    """Make sure that what an image was built from is known for good: its base images by digest, its source by commit.

    Args:
        image: the image.
        revision: of the files that everything else in the release comes from.

    Raises:
        Unpinned: something may have been anything.
    """
    for base in image.bases:
        if "@sha256:" not in base:
            raise Unpinned(f"it was built from {base or 'an unknown image'}, which is not named by digest")
    built = image.labels.get(REVISION, "")
    if not _COMMIT.fullmatch(built):
        raise Unpinned(f"it was built from {built or 'an unknown revision'}, which is no commit")
    if built != revision:
        raise Unpinned(
            f"it was built from {built}, and the rest of the release is of {revision or 'no known revision'}"
        )


def state(image: Image, files: Iterable[Path], locks: Iterable[Path], builder: str, pushed: str = "") -> dict[str, Any]:
    """Return the statement.

    Args:
        image: the image.
        files: what is released.
        locks: files that pin what is in the image.
        builder: who built it, as a URI.
        pushed: where the image is in a registry, as NAME@sha256:DIGEST; empty: not yet known.
    """
    subjects = [_described(path.name, sha256(path)) for path in sorted(files)]
    subjects.append(_described(IMAGE, image.identity))
    if pushed:
        name, digest = pushed.split("@sha256:")
        subjects.append(_described(name, digest) | {"uri": f"docker://{name}"})
    source = {"name": "source", "digest": {"gitCommit": image.labels.get(REVISION, "unknown")}}
    bases = [_base(name) for name in image.bases if name]
    pins = [_described(str(path), sha256(path)) for path in sorted(locks)]
    return {
        "_type": STATEMENT,
        "subject": subjects,
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": {"dockerfile": "operator/Dockerfile", "bases": list(image.bases)},
                "resolvedDependencies": [source, *bases, *pins],
            },
            "runDetails": {"builder": {"id": builder}},
        },
    }


def _described(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": digest}}


def _base(name: str) -> dict[str, Any]:
    reference, _, digest = name.partition("@sha256:")
    return {"uri": f"docker://{reference}"} | ({"digest": {"sha256": digest}} if digest else {})
