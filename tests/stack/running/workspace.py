"""Temporary folders of servers: kept, with the logs, when something failed."""

import shutil
import sys
import tempfile
from pathlib import Path


class Workspace:
    """A temporary folder that goes away unless something failed."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="searchaccess-stack-"))

    def close(self, *, failed: bool) -> None:
        if failed:
            print(f"The servers' logs are kept in {self.path}", file=sys.stderr)
        else:
            shutil.rmtree(self.path, ignore_errors=True)
