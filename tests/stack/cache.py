"""Build results, kept outside the checkout under a key of everything that went into them."""

import fcntl
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CACHE_VARIABLE = "SEARCHACCESS_STACK_CACHE"


@dataclass(frozen=True, slots=True)
class BuildInputs:
    """What a build depends on: files, and facts such as compiler flags."""

    name: str
    version: str
    files: tuple[Path, ...]
    facts: tuple[str, ...] = ()

    def key(self) -> str:
        """The name of the cache entry; it changes as soon as one input does."""
        digest = hashlib.sha256()
        for fact in (*self.facts, platform.system(), platform.machine()):
            digest.update(f"{len(fact)}:{fact}".encode())
        root = Path(os.path.commonpath(self.files)) if self.files else Path()
        for file in sorted(self.files):
            digest.update(f"{file.relative_to(root)}:{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
        return f"{self.name}-{self.version}-{digest.hexdigest()[:12]}"


def files_under(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(path for path in folder.rglob("*") if path.is_file()))


def cache_root() -> Path:
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "searchaccess-stack"


def ensure_entry(inputs: BuildInputs, build: Callable[[Path], None]) -> Path:
    """The finished cache entry, built first if it is not there.

    A build writes into a temporary folder that is renamed when it is complete: an entry that exists is whole. Two
    processes that need the same entry build it once.
    """
    entry = cache_root() / inputs.key()
    if entry.is_dir():
        return entry
    entry.parent.mkdir(parents=True, exist_ok=True)
    with _exclusive(entry.with_name(f".{entry.name}.lock")):
        if not entry.is_dir():  # Another process may have built it while we waited.
            with _scratch_folder(entry) as scratch:
                build(scratch)
                scratch.rename(entry)
    return entry


@contextmanager
def _exclusive(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _scratch_folder(entry: Path) -> Iterator[Path]:
    _remove_all(entry.parent.glob(f".{entry.name}.build-*"))  # Left by a build that was killed; we hold the lock.
    scratch = Path(tempfile.mkdtemp(prefix=f".{entry.name}.build-", dir=entry.parent))
    try:
        yield scratch
    finally:
        _remove_all([scratch])


def _remove_all(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
