"""What a request costs on each way: time, requests a second, and CPU of what is between."""

import json
import random
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

import httpx

from tests.bench.gateway.scale import Scale
from tests.bench.gateway.ways import DIRECT, GATEWAY, INDEX, OTHER, TOKEN, Way
from tests.bench.gateway.wire import Connection, Refused, request
from tests.bench.report import Figure, Report

_KILO: Final = 1000
_LINE: Final = "x" * 900
_WARM: Final = 20
"""Requests on a connection before any is measured: first ones of a caller are slower."""
_MILLIS: Final = 1000.0
_MICROS: Final = 1e6
GOAL_MS: Final = 1.0
GOAL_MICROS: Final = 300.0
_CENTILES: Final = 100


@dataclass(frozen=True)
class Size:
    """A size of body."""

    name: str
    bytes: int
    connections: int
    """At once, in rounds for throughput."""
    share: float
    """Of the steps: large bodies take long."""


SIZES: Final = (
    Size("1 kB", _KILO, 16, 1.0),
    Size("100 kB", 100 * _KILO, 16, 0.2),
    Size("10 MB", 10_000 * _KILO, 2, 0.003),
)
READ: Final = "read"
WRITE: Final = "write"


def document(size: int) -> str:
    """Return a document of about so many bytes."""
    lines = [_LINE] * max(1, size // len(_LINE))
    return json.dumps({"text": {"lines": lines}})


def raw(kind: str, size: Size, authorization: str) -> bytes:
    """Return a request for reading or writing a document.

    What is written is there already: Elasticsearch reads and parses all of it, and then does not store it, so that its
    own work with the disk is not measured.
    """
    name = f"d{size.bytes}"
    if kind == READ:
        return request("GET", f"/{INDEX}/_doc/{name}", authorization)
    body = f'{{"create":{{"_id":"{name}"}}}}\n{document(size.bytes)}\n'
    return request("POST", f"/{INDEX}/_bulk?filter_path=errors", authorization, body.encode())


def write_documents(admin: httpx.Client) -> None:
    """Write what is read."""
    for size in SIZES:
        answer = admin.put(f"/{INDEX}/_doc/d{size.bytes}?refresh=true", content=document(size.bytes), headers=_JSON)
        answer.raise_for_status()


_JSON: Final = {"content-type": "application/json"}


@dataclass
class Measured:
    """What was measured on one way."""

    latencies: list[float] = field(default_factory=list)
    """Milliseconds of single requests, one at a time."""
    rates: list[float] = field(default_factory=list)
    """Requests a second, by round."""
    cpu: list[float] = field(default_factory=list)
    """Microseconds of CPU between for each request, by round."""

    def percentile(self, number: int) -> float:
        """Return a percentile of the latencies."""
        return statistics.quantiles(self.latencies, n=_CENTILES, method="inclusive")[number - 1]


def measure(report: Report, ways: Sequence[Way], scale: Scale, say: Callable[[str], None]) -> None:
    """Add what requests of each kind cost."""
    for size in SIZES:
        for kind in (READ, WRITE):
            say(f"gateway: {kind} {size.name}")
            found = _measure(kind, size, ways, scale)
            for figure in _figures(f"gateway, {kind} {size.name}", size, found):
                report.figures.append(figure)


def _measure(kind: str, size: Size, ways: Sequence[Way], scale: Scale) -> dict[str, Measured]:
    found = {way.name: Measured() for way in ways}
    requests = {way.name: raw(kind, size, way.authorization) for way in ways}
    with ExitStack() as stack:
        lane = {way.name: _lanes(stack, way, 1, requests[way.name], size)[0] for way in ways}
        # One request on each way in turn: whatever the machine does besides, it does to all of them.
        for _ in range(max(3, int(scale.steps * size.share))):
            for way in random.sample(ways, len(ways)):
                began = time.perf_counter()
                lane[way.name].ask(requests[way.name])
                found[way.name].latencies.append((time.perf_counter() - began) * _MILLIS)
    # New ones: what is between may close a connection on which nothing was asked for a minute.
    with ExitStack() as stack:
        lanes = {way.name: _lanes(stack, way, size.connections, requests[way.name], size) for way in ways}
        for _ in range(scale.rounds):
            for way in random.sample(ways, len(ways)):
                _round(way, lanes[way.name], requests[way.name], scale.seconds, found[way.name])
    return found


def _lanes(stack: ExitStack, way: Way, count: int, raw_request: bytes, size: Size) -> list[Connection]:
    """Open connections, and let the first requests of each be over."""
    lanes = [stack.enter_context(way.connect()) for _ in range(count)]
    for one in lanes:
        for _ in range(_WARM if size.share == 1 else 1):
            one.ask(raw_request)
    return lanes


def _round(way: Way, lanes: Sequence[Connection], raw_request: bytes, seconds: float, into: Measured) -> None:
    """Send as many requests as get through on all connections together."""
    counts, failures = defaultdict[int, int](int), list[BaseException]()
    barrier = threading.Barrier(len(lanes) + 1)

    def run(number: int) -> None:
        try:
            barrier.wait()
            end = time.perf_counter() + seconds
            while True:
                lanes[number].ask(raw_request)
                counts[number] += 1
                if time.perf_counter() > end:
                    return
        except BaseException as error:  # noqa: BLE001 - raised below.
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(lanes))]
    for thread in threads:
        thread.start()
    before = way.cpu()
    barrier.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    took, done = time.perf_counter() - began, sum(counts.values())
    if failures:
        raise Refused(f"{way.name}: {failures[0]}") from failures[0]
    into.rates.append(done / took)
    if way.process is not None:
        into.cpu.append((way.cpu() - before) / done * _MICROS)


def _figures(what: str, size: Size, found: dict[str, Measured]) -> Iterator[Figure]:
    direct = found[DIRECT]
    small = size.bytes == _KILO
    for name in (GATEWAY, OTHER, TOKEN):
        way = found[name]
        label = f"{what}: {name}" if name != GATEWAY else what
        for number in (50, 99) if len(way.latencies) >= _CENTILES else (50,):
            beyond = way.percentile(number) - direct.percentile(number)
            goal = GOAL_MS if small and name == GATEWAY and number == 50 else None
            note = f"{way.percentile(number):.2f} ms, direct {direct.percentile(number):.2f} ms"
            yield Figure(f"{label}: p{number} beyond direct", round(beyond, 3), "ms", goal, note)
        ratios = [one / other for one, other in zip(way.rates, direct.rates, strict=True)]
        rate = statistics.median(way.rates)
        note = f"of {len(ratios)} rounds {min(ratios):.2f} to {max(ratios):.2f}; {rate:.0f} a second"
        yield Figure(
            f"{label}: requests a second, against direct", round(statistics.median(ratios), 3), "x", None, note
        )
        if way.cpu:
            goal = GOAL_MICROS if small and name == GATEWAY else None
            note = f"of {len(way.cpu)} rounds {min(way.cpu):.0f} to {max(way.cpu):.0f}"
            yield Figure(f"{label}: CPU a request", round(statistics.median(way.cpu)), "µs", goal, note)
