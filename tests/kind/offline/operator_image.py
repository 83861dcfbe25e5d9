"""The operator's own image, built from its Dockerfile on images made from packages."""

import fcntl
from contextlib import suppress
from pathlib import Path

from tests.kind.offline.build_bases import ensure_bases
from tests.kind.offline.docker import Docker
from tests.stack.build import BuildDisplay
from tests.stack.cache import cache_root

_REPOSITORY = Path(__file__).parents[3]
_BUILDER = "kind-builder"
_KEPT = "168h"  # The first stage of a build has no name: it is what a build after this one starts from.
_OLD_BUILDER = {"DOCKER_BUILDKIT": "0"}  # BuildKit is a program of its own, which Debian does not have.


def build_operator_image(name: str, cluster: Docker, display: BuildDisplay) -> None:
    """Build the image, and load it into a cluster's Docker.

    The build has a Docker of its own, which shares the machine's network: pip downloads what is pinned. Its layers are
    kept in the cache; two builds at a time wait for each other.
    """
    bases = ensure_bases(display)
    builder = _builder()
    builder.folder.mkdir(parents=True, exist_ok=True)
    archive = cluster.folder / "operator.tar"
    with (builder.folder / "lock").open("w") as lock, display.step(f"Building {name} from operator/Dockerfile"):
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            builder.start()
            builder.load(bases)
            where = ("--network=host", f"--file={_REPOSITORY / 'operator/Dockerfile'}", str(_REPOSITORY))
            builder.run("build", f"--tag={name}", *where, environment=_OLD_BUILDER)
            builder.run("image", "prune", "--force", f"--filter=until={_KEPT}")  # What older builds left.
            builder.run("save", f"--output={archive}", name)
        finally:
            builder.end()
    cluster.run("load", "--quiet", f"--input={archive}")
    archive.unlink()


def end_abandoned_builder() -> None:
    """End the builder's Docker if it still runs though nobody builds: a build that was killed could not."""
    builder = _builder()
    if not builder.folder.exists():
        return
    with (builder.folder / "lock").open("w") as lock, suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        builder.end()


def _builder() -> Docker:
    return Docker(cache_root() / _BUILDER, networked=True)
