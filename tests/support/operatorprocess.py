"""The operator as a process of its own, under its own ServiceAccount."""

import sys
from pathlib import Path
from typing import Any, Final

from tests.stack.running.logs import entries_of
from tests.stack.running.processes import ServerProcess

ROOT = Path(__file__).resolve().parents[2]
_STOP_SECONDS: Final = 60.0
"""It finishes what it is writing; Kubernetes gives it 30 s, and the machine may be busy."""


class OperatorProcess:
    """One operator process; it can be stopped, killed and started again."""

    def __init__(
        self,
        kubeconfig: Path,
        log: Path,
        *,
        instance: str = "default",
        extra: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        source: Path = ROOT / "operator" / "src",
    ) -> None:
        self._source = source
        self._command = [
            sys.executable,
            "-m",
            "searchaccess.cli.main",
            "run",
            "--kubeconfig",
            str(kubeconfig),
            "--instance",
            instance,
            "--log-json",
            *extra,
        ]
        self.log = log
        self._environment = environment or {}
        self._process: ServerProcess | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.is_running

    def start(self) -> None:
        environment = {"PYTHONPATH": str(self._source), "PYTHONUNBUFFERED": "1"} | self._environment
        self._process = ServerProcess("operator", self._command, self.log, environment)

    def stop(self) -> int:
        """Ask it to stop, as Kubernetes does; return its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.stop(_STOP_SECONDS)
        return process.exit_code or 0

    def kill(self) -> None:
        """Kill it at once."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def logged(self) -> list[dict[str, Any]]:
        """Return the entries of its log."""
        return entries_of(self.output())
