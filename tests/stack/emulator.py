"""A stranger's Secret Manager, which knows a part of the API."""

import socket
from types import TracebackType
from typing import Self

from tests.stack.build_go import SECRET_MANAGER, ensure_program
from tests.stack.processes import ProcessGroup, free_port
from tests.stack.workspace import Workspace

_START_SECONDS = 30.0


class SecretManagerEmulator:
    """It on a free loopback port, without TLS."""

    def __init__(self) -> None:
        self._workspace = Workspace()
        self._processes = ProcessGroup(self._workspace.path / "logs")
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return True
        except OSError:
            return False

    def __enter__(self) -> Self:
        command = [str(ensure_program(SECRET_MANAGER)), "-port", str(self._port)]
        self._processes.start("secret-manager", command).wait_until(self._answers, _START_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._processes.close()
        self._workspace.close(failed=error is not None)
