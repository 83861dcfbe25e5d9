"""What answers of the command line cost: ``python -m tests.bench --only answers``, a part of ``make bench``.

No server is needed. Each answer is a process of its own, which is what a person waits for. CPU is the least of several
runs, as others use the machine, too.

- ``audit``: the whole command over a log of a million events, as Elasticsearch 8.19 writes them, of 200 services. The
  same command over a log of one event says how much of it is the start of the command.
- ``who-can``: the answer for 10,000 callers, from what was read of Elasticsearch until it is printed as JSON. All of
  them may read the index, or one.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from rich.console import Console

from searchaccess.cli.access.asking import Asking, Declarations, who
from searchaccess.cli.access.options import question_for
from searchaccess.cli.access.showing import who_data
from searchaccess.cli.printing import Format, emit
from tests.bench.report import Report
from tests.bench.usage import usage
from tests.unit.answers.access.states import GOOGLE, entry, role, state
from tests.unit.builders import OPERATOR

EVENTS: Final = 1_000_000
SERVICES: Final = 200
PRINCIPALS: Final = 10_000
RUNS: Final = 3
AUDIT_GOAL: Final = 4.0
"""Seconds of CPU for the whole command."""
MEMORY_GOAL: Final = 100.0
"""MiB at most: far below the log, whatever its size."""
WHO_GOAL: Final = 1.0
_ACTIONS: Final = (
    ("indices:data/read/search", "SearchRequest"),
    ("indices:data/read/search[phase/query]", "ShardSearchRequest"),
    ("indices:data/read/get", "GetRequest"),
    ("indices:data/write/bulk", "BulkRequest"),
    ("indices:data/write/bulk[s]", "BulkShardRequest"),
)
_COMMAND: Final = """
from searchaccess.cli.main import main
from tests.bench.usage import usage
try:
    main()
except SystemExit as ended:
    usage(ended.code)
"""


def lines(count: int, start: datetime = datetime(2026, 11, 29, tzinfo=UTC)) -> Iterator[str]:
    """Yield lines of an audit log: the same ones each time.

    Args:
        count: how many; one each 80 ms.
        start: when the first event happens.
    """
    some = random.Random(1)  # noqa: S311 - no secret
    for number in range(count):
        service = number * 7919 % SERVICES
        user = f"svc-{service}@acme-shop.iam.gserviceaccount.com"
        action, request = _ACTIONS[number % len(_ACTIONS)]
        at = (start + timedelta(milliseconds=80 * number)).isoformat(timespec="milliseconds")
        yield (
            f'{{"type":"audit", "timestamp":"{at[:19]},{at[20:23]}+0000", "cluster.uuid":"Tn8tqJ7eQ3y2q8mJcQxZdg",'
            f' "node.id":"jT6mXU8aTQ2jA1rMZ0vJzw", "host.ip":"10.0.0.1", "event.type":"transport",'
            f' "event.action":"access_{"denied" if number % 97 == 0 else "granted"}", "authentication.type":"REALM",'
            f' "user.name":"{user}", "user.realm":"google", "user.roles":["searchaccess.default.{user}"],'
            f' "origin.type":"rest", "origin.address":"10.0.{number % 250}.7:{30_000 + number % 30_000}",'
            f' "request.id":"{some.getrandbits(128):032x}", "action":"{action}", "request.name":"{request}",'
            f' "indices":["orders-{service % 40}"], "opaque_id":"svc-{service}/svc-{service}-0000{number % 3}-abc",'
            f' "trace.id":"{some.getrandbits(128):032x}"}}\n'
        )


def callers(count: int, *, alike: bool) -> Mapping[str, Any]:
    """Return a role for each of many callers, as the role API returns them.

    Args:
        count: how many.
        alike: all of them may read ``orders-1``; otherwise one.
    """
    names = [f"svc-{number}@acme-shop.iam.gserviceaccount.com" for number in range(count)]
    return {
        OPERATOR.role_name(name): role(entry("orders-*" if alike else f"orders-{number}"))
        for number, name in enumerate(names)
    }


def who_can_read(count: int, *, alike: bool) -> float:
    """Return the seconds of CPU from what was read until the answer is printed as JSON.

    Args:
        count: callers.
        alike: all of them may read the index; otherwise one.
    """
    port: Any = SimpleNamespace()
    read = state(callers(count, alike=alike))
    asking = Asking(port, read, Declarations(), "prod", GOOGLE, gateway=False, operator=OPERATOR)
    question = question_for("read", "")
    began = time.process_time()
    found = who(asking, "orders-1", question, "")
    emit(Format.JSON, who_data(found, asking), list)
    took = time.process_time() - began
    assert len(found.findings) == (count if alike else 1)
    return took


def measure(report: Report, say: Callable[[str], None] = print) -> None:
    """Add the figures to a report."""
    for what in ("all", "one"):
        say(f"who-can with {PRINCIPALS} callers, of whom {what} may read")
        runs = [_process("-m", "tests.bench.answers", what) for _ in range(RUNS)]
        least = min(float(each["cpu"]) for each in runs)
        note = f"after the read; peak memory {max(each['mib'] for each in runs):.0f} MiB, with what was read"
        report.add(f"who-can: {PRINCIPALS} callers, {what} may read", least, "s of CPU", WHO_GOAL, note)
    with tempfile.TemporaryDirectory() as folder:
        many, one = Path(folder, "many.json"), Path(folder, "one.json")
        say(f"a log of {EVENTS} audit events")
        with many.open("w") as file:
            file.writelines(lines(EVENTS))
        one.write_text(next(lines(1)))
        arguments = ("audit", "-f", "examples", "-o", "json")
        say("audit")
        runs, starts = [], []
        for _ in range(RUNS):
            runs.append(_process("-c", _COMMAND, *arguments, str(many)))
            starts.append(_process("-c", _COMMAND, *arguments, str(one)))
        least, start = (min(float(each["cpu"]) for each in some) for some in (runs, starts))
        size = many.stat().st_size / 1_000_000
        note = f"{size:.0f} MB; the start of the command is {start:.2f} s of it"
        report.add(f"audit: {EVENTS} events", least, "s of CPU", AUDIT_GOAL, note)
        report.add("… an event", (least - start) / EVENTS * 1e6, "us of CPU")
        peak, alone = (max(float(each["mib"]) for each in some) for some in (runs, starts))
        report.add("… peak memory", peak, "MiB", MEMORY_GOAL, f"{alone:.0f} MiB with one event")


def _process(*arguments: str) -> dict[str, Any]:
    """Run Python, and return what its process used."""
    ran = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, env=_environment())
    used: dict[str, Any] = json.loads(ran.stderr.splitlines()[-1])
    if used["code"] not in {None, 0}:
        raise RuntimeError(ran.stderr)
    return used


def _environment() -> dict[str, str]:
    """Return variables of a process that reads nothing of whoever runs this."""
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def main(given: Sequence[str]) -> None:
    """Measure all, or one answer of ``who-can`` in this process."""
    if given:
        usage(cpu=who_can_read(PRINCIPALS, alike=given[0] == "all"))
        return
    report = Report(PRINCIPALS)
    measure(report)
    report.print(Console(width=160))


if __name__ == "__main__":
    main(sys.argv[1:])
