"""What is measured beside the time of each apply: CPU, and what the API server says of itself."""

import os
from typing import Final

import psutil

from tests.support.servers.admitted import Setting

REPLICA: Final = "the replica"
API_SERVER: Final = "the API server"
CLIENT: Final = "the client"
WEBHOOK: Final = "accesses.searchaccess.dev"
QUIET: Final = 0.5
"""The share of the cores that may be in use, at most, while times are compared with a goal."""
_METRIC: Final = "apiserver_admission_webhook_admission_duration_seconds_"


class Cpu:
    """The CPU time of those who take part."""

    def __init__(self, setting: Setting) -> None:
        started = {each.name(): each for each in psutil.Process().children(recursive=True)}
        replica = psutil.Process(setting.running["one"].pid)
        self._processes = {REPLICA: replica, API_SERVER: started["kube-apiserver"], CLIENT: psutil.Process()}
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        times = {name: each.cpu_times() for name, each in self._processes.items()}
        return {name: (found.user + found.system) * 1000 for name, found in times.items()}

    def add_to(self, cpu: dict[str, float]) -> None:
        """Add the milliseconds since the last call."""
        before, self._before = self._before, self._now()
        for name, now in self._before.items():
            cpu[name] = cpu.get(name, 0.0) + now - before[name]


class Cores:
    """How many cores are in use, by everything on the machine."""

    def __init__(self) -> None:
        self._before = psutil.cpu_times()._asdict()

    def used(self) -> float:
        """Return how many were in use on average since the beginning."""
        now = psutil.cpu_times()._asdict()
        spent: dict[str, float] = {name: now[name] - before for name, before in self._before.items()}
        # Linux counts the time of guests as the user's, too.
        total = sum(spent.values()) - spent.get("guest", 0.0) - spent.get("guest_nice", 0.0)
        return (1 - (spent["idle"] + spent.get("iowait", 0.0)) / total) * (os.cpu_count() or 1)


class Waiting:
    """How long the API server waits for the webhook, by its own metric."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        with self._setting.servers.admin_client() as client:
            return durations(client.get("/metrics", timeout=60).text)

    def mean(self) -> float:
        """Return the milliseconds for each review since the last call."""
        before, self._before = self._before, self._now()
        seconds, count = (self._before[each] - before[each] for each in ("sum", "count"))
        return seconds / count * 1000


def durations(metrics: str) -> dict[str, float]:
    """Return the ``sum``, in seconds, and the ``count`` of what the API server waited for the webhook.

    Args:
        metrics: what the API server exposes, for all webhooks, operations and answers.
    """
    found = {"sum": 0.0, "count": 0.0}
    for line in metrics.splitlines():
        kind = line.removeprefix(_METRIC).partition("{")[0]
        if line.startswith(_METRIC) and kind in found and f'name="{WEBHOOK}"' in line:
            found[kind] += float(line.rpartition(" ")[2])
    return found


def is_quiet(used: float, cores: int) -> bool:
    """Return whether times may be compared with a goal: otherwise they are those of waiting for the CPU.

    Args:
        used: how many cores were in use, on average.
        cores: how many there are.
    """
    return used <= cores * QUIET
