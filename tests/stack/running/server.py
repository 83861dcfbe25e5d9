"""What servers of the tests have in common: files of their own, and processes that end with them."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from tests.stack.running.processes import ProcessGroup
from tests.stack.running.workspace import Workspace


class Server(ABC):
    """A server that runs as long as a ``with`` statement; after a failure its files and logs are kept."""

    def __init__(self) -> None:
        self._workspace = Workspace()
        self.folder = self._workspace.path
        self._processes = ProcessGroup(self.folder / "logs")

    @abstractmethod
    def start(self) -> None:
        """Start it and wait until it serves."""

    def close(self, *, failed: bool = False) -> None:
        """Stop it; after a failure files and logs are kept."""
        self._processes.close()
        self._workspace.close(failed=failed)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close(failed=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(failed=error is not None)
