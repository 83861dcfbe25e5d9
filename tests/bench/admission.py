"""What the webhook costs an apply: ``python -m tests.bench.admission``, and a part of ``make bench``.

Measured in one run, in random order: applies in a namespace about which the webhook is asked, and in one about which
it is not. Nothing is stored (dry run), so that the API server does the same for both. It calls the replica itself: what
the tests have in place of a Service is written in Python, and would take longer than the answer.

The client, the API server and the replica share the cores of one machine. So each apply waits for the CPU that all
three use for those before it, and the CPU of each is measured beside the time.
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
from pathlib import Path
from typing import Any, Final

import aiohttp
import psutil
from rich.console import Console

from searchaccess.core.webhook.review import reading, response_to
from searchaccess.core.work import completed
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.operator.admission.judge import Judge
from searchaccess.ports.meter import Meter
from tests.bench.report import Report
from tests.support.servers.admitted import NAMESPACE, POLICY, Setting, admitted, body

POLICIES: Final = 100
AT_ONCE: Final = 50
ROUNDS: Final = 40
"""Of ``AT_ONCE`` applies each, with the webhook and without."""
ALONE: Final = 5
"""Applies of each round, one after the other."""
REPLICA: Final = "the replica"
API_SERVER: Final = "the API server"
CLIENT: Final = "the client"
UNASKED: Final = "unasked"
"""A namespace that the webhook leaves out."""
GOAL: Final = 20.0
"""Milliseconds that the 99th percentile may be more."""


def policies() -> list[dict[str, Any]]:
    """Give as many policies that all apply and accept."""
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
        alone: milliseconds of each apply that was alone.
        cpu: milliseconds of CPU, by process, of all applies at once.
    """

    at_once: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)

    def cpu_of(self, name: str) -> float:
        """Return the CPU of a process for each apply."""
        return self.cpu[name] / len(self.at_once)


class _Cpu:
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


async def _apply(client: aiohttp.ClientSession, namespace: str, number: int) -> float:
    path = f"/apis/searchaccess.dev/v1alpha1/namespaces/{namespace}/searchaccesses?dryRun=All"
    raw = body(f"a-{number}", "shop-orders-*", "shop-1", namespace=namespace)
    began = time.perf_counter()
    async with client.post(path, json=raw) as answer:
        text = await answer.text()
        if not answer.ok:
            raise _Failed(text[:500])
    return (time.perf_counter() - began) * 1000


async def _measure(setting: Setting) -> dict[str, _Side]:
    servers, numbers = setting.servers, itertools.count()
    sides = {NAMESPACE: _Side(), UNASKED: _Side()}
    trusted = ssl.create_default_context(cafile=str(servers.ca_file))
    async with aiohttp.ClientSession(
        servers.url,
        connector=aiohttp.TCPConnector(limit=AT_ONCE, ssl=trusted),
        headers={"Authorization": f"Bearer {servers.admin_token}"},
    ) as client:

        async def at_once(namespace: str) -> list[float]:
            return await asyncio.gather(*(_apply(client, namespace, next(numbers)) for _ in range(AT_ONCE)))

        for namespace in sides:
            await at_once(namespace)
        for _ in range(ROUNDS):
            for namespace, side in random.sample(sorted(sides.items()), len(sides)):
                side.alone += [await _apply(client, namespace, next(numbers)) for _ in range(ALONE)]
        cpu = _Cpu(setting)
        for _ in range(ROUNDS):
            for namespace, side in random.sample(sorted(sides.items()), len(sides)):
                side.at_once += await at_once(namespace)
                cpu.add_to(side.cpu)
    return sides


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
    """Give what the API server sends."""
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
        sides = asyncio.run(_measure(setting))
    asked, unasked = sides[NAMESPACE], sides[UNASKED]
    with_it, without = (statistics.quantiles(each.at_once, n=100) for each in (asked, unasked))
    load = f"load {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores"
    note = f"p50 {with_it[49]:.0f} and {without[49]:.0f} ms, p99 {with_it[98]:.0f} and {without[98]:.0f} ms, {load}"
    what = f"apply, {AT_ONCE} at once, {POLICIES} policies"
    report.add(f"{what}: p99 with the webhook, against without", with_it[98] / without[98], "x", None, note)
    report.add(f"{what}: p50 with the webhook, beyond without", with_it[49] - without[49], "ms", None, note)
    report.add(f"{what}: failed", 0, "applies", 0)
    report.add(f"{what}: p99 with the webhook, beyond without", with_it[98] - without[98], "ms", GOAL, note)
    for name in (REPLICA, API_SERVER, CLIENT):
        used, beyond = asked.cpu_of(name), asked.cpu_of(name) - unasked.cpu_of(name)
        note = f"{beyond:.2f} ms beyond without; for all {AT_ONCE}: {used * AT_ONCE:.0f} and {beyond * AT_ONCE:.0f} ms"
        report.add(f"{what}: CPU of {name} for each", used, "ms", None, note)
    medians = [statistics.median(each.alone) for each in (asked, unasked)]
    note = f"p50 {medians[0]:.1f} and {medians[1]:.1f} ms"
    report.add("apply, one at a time: p50 with the webhook, beyond without", medians[0] - medians[1], "ms", None, note)
    for alike, note in ((True, "the rest is HTTP and TLS"), (False, "each asks for other indices")):
        report.add(f"{what}: CPU to read and judge one", _judging(alike=alike), "ms", None, note)


def main() -> None:
    """Measure and print."""
    report = Report(0)
    measure(report)
    report.print(Console(width=160))


if __name__ == "__main__":
    main()
