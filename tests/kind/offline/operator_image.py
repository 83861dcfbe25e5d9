"""The operator's own image, built from its Dockerfile on images made from packages."""

import fcntl
import tempfile
from contextlib import suppress
from pathlib import Path

from tests.kind.offline.build_bases import ensure_bases
from tests.kind.offline.docker import Docker
from tests.stack.build import BuildDisplay
from tests.stack.cache import BuildInputs, cache_root, ensure_entry
from tests.support.landed import LANDED, extract_landed

_REPOSITORY = Path(__file__).parents[3]
_BUILDER = "kind-builder"
_ARCHIVE = "operator.tar"
_KEPT = "168h"  # The first stage of a build has no name: it is what a build after this one starts from.
_OLD_BUILDER = {"DOCKER_BUILDKIT": "0"}  # BuildKit is a program of its own, which Debian does not have.


def build_operator_image(name: str, cluster: Docker, display: BuildDisplay) -> None:
    """Build the image, and load it into a cluster's Docker."""
    archive = cluster.folder / _ARCHIVE
    _build(name, _REPOSITORY, archive, display)
    cluster.run("load", "--quiet", f"--input={archive}")
    archive.unlink()


def load_landed_image(name: str, cluster: Docker, display: BuildDisplay) -> None:
    """Load the image of the last landed version into a cluster's Docker; it is built once."""
    inputs = BuildInputs("kind-operator", LANDED[:12], (), facts=(name, ensure_bases(display).parent.name))

    def build(target: Path) -> None:
        with tempfile.TemporaryDirectory() as source:
            _build(name, extract_landed(Path(source)), target / _ARCHIVE, display)

    cluster.run("load", "--quiet", f"--input={ensure_entry(inputs, build) / _ARCHIVE}")


def _build(name: str, source: Path, archive: Path, display: BuildDisplay) -> None:
    """Build the image of a source tree, and save it.

    The build has a Docker of its own, which shares the machine's network: pip downloads what is pinned. Its layers are
    kept in the cache; two builds at a time wait for each other.
    """
    bases = ensure_bases(display)
    builder = _builder()
    builder.folder.mkdir(parents=True, exist_ok=True)
    with (builder.folder / "lock").open("w") as lock, display.step(f"Building {name} from operator/Dockerfile"):
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            builder.start()
            builder.load(bases)
            where = ("--network=host", f"--file={source / 'operator/Dockerfile'}", str(source))
            builder.run("build", f"--tag={name}", *where, environment=_OLD_BUILDER)
            builder.run("image", "prune", "--force", f"--filter=until={_KEPT}")  # What older builds left.
            builder.run("save", f"--output={archive}", name)
        finally:
            builder.end()


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
