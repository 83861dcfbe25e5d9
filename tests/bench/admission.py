"""What the webhook costs an apply: ``python -m tests.bench.admission``, and a part of ``make bench``.

Measured in one run, in random order: applies in a namespace about which the webhook is asked, and in one about which
it is not. Nothing is stored (dry run), so that the API server does the same for both. It calls the replica itself: what
the tests have in place of a Service is written in Python, and would take longer than the answer.

Under two loads: 50 clients that apply once a second each, at moments of their own, and 50 applies that begin at the
same moment. The client, the API server and the replica share the cores of one machine. So in a burst, each apply waits
for the CPU that all three use for those before it, and the CPU of each is measured beside the time. Neither is compared
with the goal if others use the machine meanwhile.
"""

import asyncio
import itertools
import json
import os
import random
import ssl
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
from rich.console import Console

from searchaccess.core.webhook.review import reading, response_to
from searchaccess.core.work import completed
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.operator.admission.judge import Judge
from searchaccess.ports.meter import Meter
from tests.bench.instruments import API_SERVER, CLIENT, REPLICA, Cores, Cpu, Waiting, is_quiet
from tests.bench.pacing import due, paced
from tests.bench.report import Report
from tests.support.servers.admitted import NAMESPACE, POLICY, Setting, admitted, body

POLICIES: Final = 100
AT_ONCE: Final = 50
ROUNDS: Final = 40
"""Of ``AT_ONCE`` applies each, with the webhook and without."""
EVERY: Final = 1.0
"""Seconds between two applies of each of ``AT_ONCE`` clients that apply at a steady pace."""
PACED: Final = 5
"""Applies of each client in a row, with the webhook or without."""
PACED_ROUNDS: Final = 10
PERCENTILES: Final = (50, 95, 99)
ALONE: Final = 5
"""Applies of each round, one after the other."""
UNASKED: Final = "unasked"
"""A namespace that the webhook leaves out."""
GOAL: Final = 20.0
"""Milliseconds that the 99th percentile may be more."""
STEADY: Final = f"apply, {AT_ONCE} clients, each one a second, {POLICIES} policies"
BURST: Final = f"apply, {AT_ONCE} at once, {POLICIES} policies"


def policies() -> list[dict[str, Any]]:
    """Return as many policies that all apply and accept."""
    allow = [{"indices": [f"/shop-{number}.*/", "*-eu-*", "shop-*"], "can": ["read"]} for number in range(3)]
    spec = POLICY["spec"] | {"allow": allow, "deny": [{"indices": ["secret-*"]}]}
    return [POLICY | {"metadata": {"name": f"limits-{number}"}, "spec": spec} for number in range(POLICIES)]


class _Failed(Exception):
    """An apply failed."""


@dataclass
class _Side:
    """What was measured in one namespace.

    Args:
        at_once: milliseconds of each apply of many at once.
        paced: milliseconds of each apply of many clients at a steady pace.
        alone: milliseconds of each apply that was alone.
        cpu: milliseconds of CPU, by process, of all applies at once.
    """

    at_once: list[float] = field(default_factory=list)
    paced: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)

    def cpu_of(self, name: str) -> float:
        """Return the CPU of a process for each apply."""
        return self.cpu[name] / len(self.at_once)


@dataclass
class _Measured:
    """What was measured.

    Args:
        sides: by namespace.
        waited: milliseconds that the API server waited for each review, by load.
        cores: how many were in use at a steady pace, by everything on the machine.
    """

    sides: dict[str, _Side]
    waited: dict[str, float] = field(default_factory=dict)
    cores: float = 0.0


async def _apply(client: aiohttp.ClientSession, namespace: str, number: int) -> float:
    path = f"/apis/searchaccess.dev/v1alpha1/namespaces/{namespace}/searchaccesses?dryRun=All"
    raw = body(f"a-{number}", "shop-orders-*", "shop-1", namespace=namespace)
    began = time.perf_counter()
    async with client.post(path, json=raw) as answer:
        text = await answer.text()
        if not answer.ok:
            raise _Failed(text[:500])
    return (time.perf_counter() - began) * 1000


class _Applies:
    """Applies, with the webhook and without.

    Args:
        client: of the API server.
        setting: the API server and its webhook.
    """

    def __init__(self, client: aiohttp.ClientSession, setting: Setting) -> None:
        self._client = client
        self._setting = setting
        self._numbers = itertools.count()
        self.measured = _Measured({NAMESPACE: _Side(), UNASKED: _Side()})

    def _in_random_order(self) -> list[tuple[str, _Side]]:
        sides = sorted(self.measured.sides.items())
        return random.sample(sides, len(sides))

    async def _one(self, namespace: str) -> float:
        return await _apply(self._client, namespace, next(self._numbers))

    async def _at_once(self, namespace: str) -> list[float]:
        return await asyncio.gather(*(self._one(namespace) for _ in range(AT_ONCE)))

    async def warm_up(self) -> None:
        """Apply what is not measured."""
        for namespace in self.measured.sides:
            await self._at_once(namespace)

    async def at_a_pace(self) -> None:
        """Measure applies of clients at a steady pace, which begin at the same moments with the webhook and without."""
        waiting, cores = Waiting(self._setting), Cores()
        for _ in range(PACED_ROUNDS):
            begins = due([random.random() for _ in range(AT_ONCE)], EVERY, PACED)  # noqa: S311 - no secret
            for namespace, side in self._in_random_order():
                side.paced += await paced(partial(self._one, namespace), begins)
        self.measured.cores, self.measured.waited[STEADY] = cores.used(), waiting.mean()

    async def alone(self) -> None:
        """Measure applies one after the other."""
        for _ in range(ROUNDS):
            for namespace, side in self._in_random_order():
                side.alone += [await self._one(namespace) for _ in range(ALONE)]

    async def in_bursts(self) -> None:
        """Measure applies that begin at the same moment."""
        waiting, cpu = Waiting(self._setting), Cpu(self._setting)
        for _ in range(ROUNDS):
            for namespace, side in self._in_random_order():
                side.at_once += await self._at_once(namespace)
                cpu.add_to(side.cpu)
        self.measured.waited[BURST] = waiting.mean()


async def _measure(setting: Setting) -> _Measured:
    servers = setting.servers
    trusted = ssl.create_default_context(cafile=str(servers.ca_file))
    async with aiohttp.ClientSession(
        servers.url,
        connector=aiohttp.TCPConnector(limit=AT_ONCE, ssl=trusted),
        headers={"Authorization": f"Bearer {servers.admin_token}"},
    ) as client:
        applies = _Applies(client, setting)
        await applies.warm_up()
        await applies.at_a_pace()
        await applies.alone()
        await applies.in_bursts()
    return applies.measured


def _judging(*, alike: bool) -> float:
    """Return the milliseconds of CPU that it takes to read and to judge a review, without HTTP and TLS.

    Args:
        alike: whether all ask for the same indices, so that what policies said of them is remembered.
    """
    inventory = Inventory()
    for number, raw in enumerate(policies(), 1):
        inventory.policies.see(
            raw | {"metadata": raw["metadata"] | {"uid": str(number), "resourceVersion": str(number)}}
        )
    inventory.policies.keep({str(number) for number in range(1, POLICIES + 1)}, frozenset())
    judge = Judge(inventory, Meter())
    bodies = [json.dumps(_review(number, alike=alike)).encode() for number in range(10 * AT_ONCE)]
    began = time.process_time()
    for each in bodies:
        review = completed(reading(each))
        json.dumps(response_to(review, completed(judge.rule(review))))
    return (time.process_time() - began) / len(bodies) * 1000


def _review(number: int, *, alike: bool) -> dict[str, Any]:
    """Return what the API server sends."""
    patterns = ("shop-orders-*", "shop-1") if alike else (f"shop-orders-{number}-*", f"shop-{number}")
    raw = body(f"a-{number}", *patterns, namespace=NAMESPACE)
    spec: dict[str, Any] = {f"f:{name}": {} for name in raw["spec"]}
    written = {"manager": "bench", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": spec}}
    uid, created = f"5b1e0000-0000-4000-8000-{number:012d}", "2026-01-01T00:00:00Z"
    raw["metadata"] |= {"uid": uid, "creationTimestamp": created, "generation": 1, "managedFields": [written]}
    request = {
        "uid": uid,
        "kind": {"group": "searchaccess.dev", "version": "v1alpha1", "kind": "SearchAccess"},
        "resource": {"group": "searchaccess.dev", "version": "v1alpha1", "resource": "searchaccesses"},
        "name": f"a-{number}",
        "namespace": NAMESPACE,
        "operation": "CREATE",
        "userInfo": {"username": "bench", "groups": ["system:masters", "system:authenticated"]},
        "object": raw,
        "oldObject": None,
        "dryRun": True,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "dryRun": ["All"]},
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def measure(report: Report) -> None:
    """Add the figures of the webhook."""
    with tempfile.TemporaryDirectory() as folder, admitted(Path(folder), "2160h", *policies()) as setting:
        setting.kubectl("create", "namespace", UNASKED)
        setting.leave_out(UNASKED)
        setting.call_directly("one")
        measured = asyncio.run(_measure(setting))
    asked, unasked = measured.sides[NAMESPACE], measured.sides[UNASKED]
    _add_times(report, STEADY, asked.paced, unasked.paced, measured)
    _add_times(report, BURST, asked.at_once, unasked.at_once, measured)
    report.add(f"{BURST}: failed", 0, "applies", 0)
    for what, waited in measured.waited.items():
        report.add(f"{what}: what the API server waits for a review", waited, "ms", None, "mean, by its own metric")
    for name in (REPLICA, API_SERVER, CLIENT):
        used, beyond = asked.cpu_of(name), asked.cpu_of(name) - unasked.cpu_of(name)
        note = f"{beyond:.2f} ms beyond without; for all {AT_ONCE}: {used * AT_ONCE:.0f} and {beyond * AT_ONCE:.0f} ms"
        report.add(f"{BURST}: CPU of {name} for each", used, "ms", None, note)
    medians = [statistics.median(each.alone) for each in (asked, unasked)]
    note = f"p50 {medians[0]:.1f} and {medians[1]:.1f} ms"
    report.add("apply, one at a time: p50 with the webhook, beyond without", medians[0] - medians[1], "ms", None, note)
    for alike, note in ((True, "the rest is HTTP and TLS"), (False, "each asks for other indices")):
        report.add(f"{BURST}: CPU to read and judge one", _judging(alike=alike), "ms", None, note)


def _add_times(report: Report, what: str, asked: list[float], unasked: list[float], measured: _Measured) -> None:
    with_it, without = (statistics.quantiles(each, n=100) for each in (asked, unasked))
    cores = os.cpu_count() or 1
    quiet = is_quiet(measured.cores, cores)
    for percent in PERCENTILES:
        more, less = with_it[percent - 1], without[percent - 1]
        note = f"{more:.0f} and {less:.0f} ms"
        if not quiet:
            note += f"; no goal, as {measured.cores:.1f} of {cores} cores were in use at a steady pace"
        goal = GOAL if quiet and percent == max(PERCENTILES) else None
        report.add(f"{what}: p{percent} with the webhook, beyond without", more - less, "ms", goal, note)


def main() -> None:
    """Measure and print."""
    report = Report(0)
    measure(report)
    report.print(Console(width=160))


if __name__ == "__main__":
    main()
