"""A stranger's Secret Manager, which knows a part of the API."""

import socket

from tests.stack.build_go import SECRET_MANAGER, ensure_program
from tests.stack.running.processes import free_port
from tests.stack.running.server import Server

_START_SECONDS = 30.0


class SecretManagerEmulator(Server):
    """It on a free loopback port, without TLS."""

    def __init__(self) -> None:
        super().__init__()
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it and wait until it serves."""
        command = [str(ensure_program(SECRET_MANAGER)), "-port", str(self._port)]
        self._processes.start("secret-manager", command).wait_until(self._answers, _START_SECONDS)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return True
        except OSError:
            return False
