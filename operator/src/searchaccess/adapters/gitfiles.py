"""Files of a folder as they were at a revision of its git repository. Nothing is fetched, checked out or run."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from searchaccess.ports.errors import BadManifest

_REVISION: Final = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_./@^~{}+-]{0,254}")
"""What git can take for a revision; never an option, as it does not begin with a dash."""
_WITHIN: Final = 60.0
"""Seconds that git may take."""
_LARGEST: Final = 64 * 2**20
"""Bytes of all files together."""
_MOST_FILES: Final = 50_000
_ENVIRONMENT: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}
_NEEDED: Final = ("PATH", "HOME", "SYSTEMROOT")
_QUIET: Final = ("-c", "core.fsmonitor=false", "-c", "protocol.allow=never")
"""No program that a repository's configuration names is run, and nothing is fetched."""


def files_at(folder: Path, revision: str, endings: Sequence[str]) -> dict[str, bytes]:
    """Return the files of a folder at a revision, by their path within the folder; none: it did not exist then.

    Args:
        folder: within the working tree of a repository; or a file.
        revision: a commit, branch or tag that the repository has, such as ``origin/main``.
        endings: of the names of the files, such as ``.yaml``.

    Raises:
        BadManifest: there is no such repository or revision, or git cannot be run.
    """
    if not _REVISION.fullmatch(revision) or ".." in revision:
        raise BadManifest(f"{revision[:80]!r} is not a revision: write a commit, branch or tag, such as origin/main")
    place = folder.resolve()
    parent = place if place.is_dir() else place.parent
    parent = next((each for each in (parent, *parent.parents) if each.is_dir()), parent)
    root = Path(_git(parent, "rev-parse", "--show-toplevel").decode().strip())
    commit = _commit(root, revision)
    if not place.is_relative_to(root):
        raise BadManifest(f"{folder} is not in the working tree of its git repository, which is {root}")
    inside = place.relative_to(root).as_posix()
    # Literally: what is in the path is no pattern.
    listed = _git(root, "--literal-pathspecs", "ls-tree", "-r", "-l", "-z", "--full-tree", commit, "--", inside)
    found = [blob for line in listed.decode("utf-8", "replace").split("\0") if (blob := _blob_in(line, endings))]
    if len(found) > _MOST_FILES or sum(blob.size for blob in found) > _LARGEST:
        raise BadManifest(f"{folder} has too many or too large files at {revision}: name a smaller folder")
    contents = _contents(root, found)
    prefix = "" if inside == "." else f"{inside}/"
    return {blob.path.removeprefix(prefix): content for blob, content in zip(found, contents, strict=True)}


class _Blob(NamedTuple):
    id: str
    size: int
    path: str


def _blob_in(line: str, endings: Sequence[str]) -> _Blob | None:
    """Read a line of ``ls-tree``; None: it is no regular file with such a name, but a link or a submodule."""
    about, _, path = line.partition("\t")
    if not about.startswith("100") or not path.endswith(tuple(endings)):
        return None
    _, _, blob, size = about.split()
    return _Blob(blob, int(size), path)


def _contents(root: Path, blobs: Sequence[_Blob]) -> list[bytes]:
    """Return the contents of files as they are stored: attributes and filters of the repository change nothing."""
    if not blobs:
        return []
    asked = "".join(f"{blob.id}\n" for blob in blobs).encode()
    answer, at, found = _git(root, "cat-file", "--batch", given=asked), 0, list[bytes]()
    for blob in blobs:
        at = answer.index(b"\n", at) + 1
        found.append(answer[at : at + blob.size])
        at += blob.size + 1
    return found


def _commit(root: Path, revision: str) -> str:
    try:
        found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except BadManifest:
        raise BadManifest(
            f"the git repository {root} has no revision {revision}: fetch it first, for example with "
            "fetch-depth: 0 in a pipeline, or name one that it has"
        ) from None
    return found.decode().strip()


def _git(place: Path, *arguments: str, given: bytes = b"") -> bytes:
    environment = {name: os.environ[name] for name in _NEEDED if name in os.environ} | _ENVIRONMENT
    command = ["git", "-C", str(place), *_QUIET, *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - the revision is checked, and ends the options
            command, capture_output=True, check=False, timeout=_WITHIN, env=environment, input=given
        )
    except FileNotFoundError:
        raise BadManifest("git is not installed: --against a revision needs it") from None
    except subprocess.TimeoutExpired:
        raise BadManifest(f"git {arguments[0]} took longer than {_WITHIN:.0f} s") from None
    if done.returncode:
        raise BadManifest(f"git {_verb(arguments)} failed in {place}: {_first_line(done.stderr)}")
    return done.stdout


def _verb(arguments: Sequence[str]) -> str:
    return next(each for each in arguments if not each.startswith("-"))


def _first_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[0][:200] if lines else "it does not say why"
