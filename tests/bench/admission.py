"""What the webhook costs an apply: ``python -m tests.bench.admission``, and a part of ``make bench``.

Measured in one run, in random order: applies in a namespace about which the webhook is asked, and in one about which
it is not. Nothing is stored (dry run), so that the API server does the same for both. It calls the replica itself: what
the tests have in place of a Service is written in Python, and would take longer than the answer.
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
from pathlib import Path
from typing import Any, Final

import aiohttp
import psutil
from rich.console import Console

from searchaccess.core.webhook.review import response_to, review_from
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


async def _round(client: aiohttp.ClientSession, namespace: str, numbers: "itertools.count[int]") -> list[float]:
    path = f"/apis/searchaccess.dev/v1alpha1/namespaces/{namespace}/searchaccesses?dryRun=All"

    async def one() -> float:
        raw = body(f"a-{next(numbers)}", "shop-orders-*", "shop-1", namespace=namespace)
        began = time.perf_counter()
        async with client.post(path, json=raw) as answer:
            text = await answer.text()
            if not answer.ok:
                raise _Failed(text[:500])
        return (time.perf_counter() - began) * 1000

    return await asyncio.gather(*(one() for _ in range(AT_ONCE)))


async def _measure(setting: Setting) -> tuple[dict[str, list[float]], float]:
    servers, numbers = setting.servers, itertools.count()
    took: dict[str, list[float]] = {NAMESPACE: [], UNASKED: []}
    trusted = ssl.create_default_context(cafile=str(servers.ca_file))
    async with aiohttp.ClientSession(
        servers.url,
        connector=aiohttp.TCPConnector(limit=AT_ONCE, ssl=trusted),
        headers={"Authorization": f"Bearer {servers.admin_token}"},
    ) as client:
        for namespace in took:
            await _round(client, namespace, numbers)
        before = _cpu_of(setting)
        for _ in range(ROUNDS):
            for namespace in random.sample(sorted(took), len(took)):
                took[namespace].extend(await _round(client, namespace, numbers))
        return took, (_cpu_of(setting) - before) / len(took[NAMESPACE])


def _cpu_of(setting: Setting) -> float:
    """Return the milliseconds of CPU that the replica used."""
    times = psutil.Process(setting.running["one"].pid).cpu_times()
    return float(times.user + times.system) * 1000


def _judging() -> float:
    """Return the milliseconds of CPU that it takes to read and to judge a review, without HTTP and TLS."""
    inventory = Inventory()
    for number, raw in enumerate(policies(), 1):
        inventory.policies.see(
            raw | {"metadata": raw["metadata"] | {"uid": str(number), "resourceVersion": str(number)}}
        )
    inventory.policies.keep({str(number) for number in range(1, POLICIES + 1)}, frozenset())
    judge = Judge(inventory, Meter())
    texts = [json.dumps(_review(number)) for number in range(10 * AT_ONCE)]
    began = time.process_time()
    for text in texts:
        review = review_from(json.loads(text))
        json.dumps(response_to(review, completed(judge.rule(review))))
    return (time.process_time() - began) / len(texts) * 1000


def _review(number: int) -> dict[str, Any]:
    raw = body(f"a-{number}", "shop-orders-*", "shop-1", namespace=NAMESPACE)
    request = {"uid": f"uid-{number}", "operation": "CREATE", "object": raw, "oldObject": None}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def measure(report: Report) -> None:
    """Add the figures of the webhook."""
    with tempfile.TemporaryDirectory() as folder, admitted(Path(folder), "2160h", *policies()) as setting:
        setting.kubectl("create", "namespace", UNASKED)
        setting.leave_out(UNASKED)
        setting.call_directly("one")
        took, cpu = asyncio.run(_measure(setting))
    centiles = {name: statistics.quantiles(found, n=100) for name, found in took.items()}
    asked, unasked = centiles[NAMESPACE], centiles[UNASKED]
    load = f"load {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores"
    note = f"p50 {asked[49]:.0f} and {unasked[49]:.0f} ms, p99 {asked[98]:.0f} and {unasked[98]:.0f} ms, {load}"
    what = f"apply, {AT_ONCE} at once, {POLICIES} policies"
    report.add(f"{what}: p99 with the webhook, against without", asked[98] / unasked[98], "x", None, note)
    report.add(f"{what}: p50 with the webhook, beyond without", asked[49] - unasked[49], "ms", None, note)
    report.add(f"{what}: CPU of the replica for each review", cpu, "ms", None, "with all that it does meanwhile")
    report.add(
        f"{what}: CPU of the replica for all of them", cpu * AT_ONCE, "ms", None, "each waits for those before it"
    )
    report.add(f"{what}: CPU to read and judge one", _judging(), "ms", None, "the rest is HTTP and TLS")
    report.add(f"{what}: failed", 0, "applies", 0)
    report.add(f"{what}: p99 with the webhook, beyond without", asked[98] - unasked[98], "ms", GOAL, note)


def main() -> None:
    """Measure and print."""
    report = Report(0)
    measure(report)
    report.print(Console(width=160))


if __name__ == "__main__":
    main()
