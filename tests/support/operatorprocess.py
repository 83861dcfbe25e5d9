"""The operator as a process of its own, under its own ServiceAccount."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class OperatorProcess:
    """One operator process; it can be stopped, killed and started again."""

    def __init__(self, kubeconfig: Path, log: Path, *, instance: str = "default", extra: tuple[str, ...] = ()) -> None:
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
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT / "operator" / "src"), "PYTHONUNBUFFERED": "1"}
        environment.pop("KUBECONFIG", None)
        with self.log.open("ab") as stream:
            self._process = subprocess.Popen(
                self._command, stdout=stream, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )

    def stop(self) -> int:
        """Ask it to stop, as Kubernetes does."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """Kill it at once."""
        return self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait(timeout=5)

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""
