"""Images in the layout of `docker save`, written without a Docker."""

import gzip
import hashlib
import json
import platform
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.stack.build import BuildError, require_tool, run_tool

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Image:
    """An image to write: layers of its folder, the lowest first, and how it runs, in Docker's words."""

    name: str
    layers: tuple[str, ...]
    runs: dict[str, Any] = field(default_factory=dict)


def write_layer(root: Path, folder: Path, name: str) -> None:
    """Write a layer with all that is under a root folder.

    Args:
        root: what the layer holds.
        folder: of the images.
        name: of the layer, for `Image.layers`; compressed if it ends in ``.gz``.
    """
    packed = ["--use-compress-program=gzip -1"] if name.endswith(".gz") else []
    run_tool(["tar", "--numeric-owner", *packed, "-cf", str(folder / name), "-C", str(root), "."], cwd=folder)


def write_images(folder: Path, images: Sequence[Image]) -> None:
    """Write the list of a folder's images beside their layers."""
    digests = {layer: _digest(folder / layer) for image in images for layer in image.layers}
    manifest = []
    for number, image in enumerate(images):
        roots = {"type": "layers", "diff_ids": [f"sha256:{digests[layer]}" for layer in image.layers]}
        config = {"architecture": _architecture(), "os": "linux", "config": image.runs, "rootfs": roots}
        file = f"config-{number}.json"
        (folder / file).write_text(json.dumps(config))
        manifest.append({"Config": file, "RepoTags": [image.name], "Layers": list(image.layers)})
    (folder / "manifest.json").write_text(json.dumps(manifest))


@contextmanager
def as_archive(folder: Path) -> Iterator[IO[bytes]]:
    """The images of a folder as the one stream that Docker and containerd load."""
    names = sorted(path.name for path in folder.iterdir())
    tar_program = require_tool("tar", "packs images")
    with subprocess.Popen([tar_program, "-c", "-C", str(folder), *names], stdout=subprocess.PIPE) as tar:
        assert tar.stdout is not None
        yield tar.stdout
    if tar.returncode:
        raise BuildError(f"tar of {folder} ended with {tar.returncode}.")


def _digest(file: Path) -> str:
    """What the layer is named by: the digest of its content, not packed."""
    digest = hashlib.sha256()
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _architecture() -> str:
    """This machine's, in Docker's words."""
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
