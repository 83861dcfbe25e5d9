"""Starts the operator again when it ends, as Kubernetes does."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.operatorprocess import OperatorProcess
from tests.support.waiting import eventually

_POLL_EVERY = 0.2


@dataclass
class Supervisor:
    """Keeps one operator running.

    Args:
        process: the operator; started here.
    """

    process: OperatorProcess
    exits: int = 0
    """How often it ended and was started again."""
    _ending: threading.Event = field(default_factory=threading.Event)
    _starting: threading.Lock = field(default_factory=threading.Lock)

    def kill(self) -> None:
        """Kill it in the middle of whatever it does; from any thread."""
        # While its successor is being started, `process` still has the id of the one that ended.
        with self._starting, suppress(ProcessLookupError, AssertionError):
            os.kill(self.process.pid, signal.SIGKILL)

    def until_restarted(self, exits: int, within: float = 120.0) -> None:
        """Wait until it ended, and was started again, more often than so many times."""
        eventually(lambda: self.exits > exits, within=within, what="a restart")

    def _watch(self) -> None:
        while not self._ending.wait(_POLL_EVERY):
            if not self.process.running:
                with self._starting:
                    self.process.start()
                self.exits += 1

    @contextmanager
    def running(self) -> Iterator["Supervisor"]:
        self.process.start()
        watcher = threading.Thread(target=self._watch, daemon=True)
        watcher.start()
        try:
            yield self
        finally:
            self._ending.set()
            watcher.join(timeout=30)
            self.process.stop()
