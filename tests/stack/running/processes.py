"""Server processes that never outlive the tests."""

import atexit
import fcntl
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import IO

_EXEC_WRAPPER = Path(__file__).with_name("dies_with_parent.py")
_LOG_TAIL_LINES = 30
_POLL_SECONDS = 0.05
_STOP_SECONDS = 15.0
# Below the range that the kernel gives to clients: nobody takes a server's port while it is restarted.
_PORTS = range(20000, 32000)


class ServerStartError(RuntimeError):
    """A server ended or did not get ready; the message has the last lines of its log."""


def free_port() -> int:
    """A port that nobody listens on, and that no other launcher of this user is about to give to a server."""
    for _ in range(100):
        port = random.choice(_PORTS)  # noqa: S311 - not a secret.
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            _reserve(port)
            return port
    raise ServerStartError("No free loopback port was found.")


def _reserve(port: int) -> None:
    """Hold a lock as long as this process lives: a server binds its port seconds after it was chosen."""
    folder = Path(tempfile.gettempdir()) / f"searchaccess-stack-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = (folder / str(port)).open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise
    _RESERVED.append(handle)


class ServerProcess:
    """One running server, in a process group of its own, with its output in a log file."""

    def __init__(
        self, name: str, command: Sequence[str], log_file: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log_file = log_file
        log_file.parent.mkdir(parents=True, exist_ok=True)
        guarded = [sys.executable, "-I", "-S", str(_EXEC_WRAPPER), str(os.getpid()), *command]
        with log_file.open("ab") as log:
            self._process = _SPAWNER.spawn(guarded, log.fileno(), {**os.environ, **(environment or {})})
        _RUNNING.add(self)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode

    def wait_until(self, is_ready: Callable[[], bool], timeout: float) -> None:
        """Wait until the check passes; raise with the end of the log if the server ends or time runs out."""
        deadline = time.monotonic() + timeout
        while not is_ready():
            if not self.is_running:
                raise ServerStartError(f"{self.name} ended with {self._process.returncode}.\n{self._log_tail()}")
            if time.monotonic() > deadline:
                raise ServerStartError(f"{self.name} was not ready after {timeout:.0f} s.\n{self._log_tail()}")
            time.sleep(_POLL_SECONDS)

    def stop(self, timeout: float = _STOP_SECONDS) -> None:
        """Ask the server to end; kill it when it takes too long."""
        self._signal_group(signal.SIGTERM)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        _RUNNING.discard(self)

    def kill(self) -> None:
        """End the server at once, as a crash would."""
        self._signal_group(signal.SIGKILL)
        self._process.wait()
        _RUNNING.discard(self)

    def _signal_group(self, number: signal.Signals) -> None:
        if self.is_running:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _log_tail(self) -> str:
        lines = self.log_file.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return "\n".join([f"The end of {self.log_file}:", *lines])


class ProcessGroup:
    """The processes of one server; once stopped it starts no more, so that stopping wins over a start under way."""

    def __init__(self, log_folder: Path) -> None:
        self._log_folder = log_folder
        self._members: dict[str, ServerProcess] = {}
        self._lock = threading.Lock()
        self._closed = False

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> ServerProcess:
        with self._lock:
            if self._closed:
                raise ServerStartError(f"{name} is not started: its servers have been stopped.")
            process = ServerProcess(name, command, self._log_folder / f"{name}.log", environment)
            self._members[name] = process
            return process

    def get(self, name: str) -> ServerProcess | None:
        return self._members.get(name)

    def close(self) -> None:
        """Stop all, the last started first."""
        with self._lock:
            self._closed = True
            members = list(self._members.values())
            self._members.clear()
        for member in reversed(members):
            member.stop()


class _Spawner:
    """Starts processes in a thread that lives as long as Python does.

    The kernel's "parent" of a process is the thread that started it: a server started in a thread that ends, such as a
    worker of a pool, would be killed with it.
    """

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def spawn(self, command: Sequence[str], output: int, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        self._ensure_thread()
        answer: Future[subprocess.Popen[bytes]] = Future()

        def start() -> None:
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,
                )
            except OSError as error:
                answer.set_exception(error)
            else:
                answer.set_result(process)

        self._requests.put(start)
        return answer.result()

    def _ensure_thread(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="server-spawner", daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        while True:
            self._requests.get()()


_RESERVED: list[IO[str]] = []
_SPAWNER = _Spawner()
_RUNNING: set[ServerProcess] = set()


@atexit.register
def _kill_what_still_runs() -> None:
    for process in list(_RUNNING):
        process.kill()
