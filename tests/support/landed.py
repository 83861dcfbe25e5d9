"""The last landed version, from the repository's history; `python -m tests.support.landed` prints its commit."""

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Final

from tests.support.operatorprocess import ROOT

LANDED: Final = "0094786189e3d601ba2596a70dc1802d5f81ba4b"
"""The last landed version before this one: change it with each release."""


def extract_landed(folder: Path, *paths: str) -> Path:
    """Write the last landed version, or parts of it, into a folder; return the folder.

    Raises:
        AssertionError: this is no repository, or one without its history.
    """
    command = ["git", "-C", str(ROOT), "archive", LANDED, *paths]
    archive = subprocess.run(command, capture_output=True, check=False)
    assert archive.returncode == 0, f"this needs the history of the repository: {archive.stderr.decode()}"
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


if __name__ == "__main__":
    print(LANDED)
