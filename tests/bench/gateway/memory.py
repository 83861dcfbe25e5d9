"""Memory of the gateway: with many callers, and with large bodies that nobody reads for a while; and its configuration.

Elasticsearch is stood in for by a server that answers at once, or reads nothing for as long as is wanted.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psutil

from searchaccess.core.gateway.render import render
from searchaccess.core.gateway.settings import ApiGroup, CallerLimits, GatewaySettings, Rate, Upstream
from tests.bench.gateway.scale import Scale
from tests.bench.gateway.ways import WORKERS, settings_for
from tests.bench.gateway.wire import Connection, Refused, request
from tests.bench.report import Report
from tests.stack.gateway.envoy import Gateway
from tests.stack.gateway.servers import KeyPublisher
from tests.stack.gateway.slow import SlowServer
from tests.stack.trust.certificates import write_server_certificate
from tests.stack.trust.tokens import TokenIssuer
from tests.support.waiting import eventually
from tests.support.worlds.world import account

MIB: Final = 1024 * 1024
GOAL_MIB: Final = 100.0
AT_ONCE: Final = 8
"""Large bodies at a time."""
_ALLOWED: Final = 4 * MIB
"""Bytes that the small caller may send."""
_LOADED: Final = 8 * MIB
"""Configurations beyond are not tried: Envoy reads one in its main thread, and answers no health check meanwhile."""
_MICROS: Final = 1e6
_PIECE: Final = 64 * 1024
_STILL: Final = 1.0
"""Seconds without a byte more, after which callers are certainly held up."""
_EVERY: Final = 500
"""Requests whose CPU is measured together."""


def limited(settings: GatewaySettings, count: int, *, alike: bool) -> GatewaySettings:
    """Return settings with callers that have limits of their own.

    Args:
        settings: without.
        count: of callers.
        alike: whether there are a few kinds of limits, as people declare them; otherwise each has its own size.
    """
    groups = (None, frozenset({ApiGroup.SEARCH}), frozenset({ApiGroup.BULK, ApiGroup.DOCUMENTS}))

    def limits(number: int) -> CallerLimits:
        size = (number % 4 + 1) * MIB if alike else MIB + number
        return CallerLimits(size, Rate(10_000 + number % 50, 100_000), groups[number % 3])

    return replace(settings, callers={account(f"a-{number}"): limits(number) for number in range(count)})


@dataclass
class Setting:
    """A gateway in front of a server that is slow when told so."""

    gateway: Gateway
    upstream: SlowServer
    issuer: TokenIssuer
    settings: GatewaySettings

    def token(self, name: str) -> str:
        """Return the header of a caller."""
        return "Bearer " + self.issuer.mint(account(name))

    def connect(self) -> Connection:
        """Open a connection to the gateway."""
        return Connection(self.gateway.url, self.gateway.trust())

    def used(self) -> float:
        """Return the memory of the gateway in MiB."""
        return float(psutil.Process(self.gateway.pid).memory_info().rss) / MIB

    def cpu(self) -> float:
        """Return the seconds of CPU that the gateway used."""
        times = psutil.Process(self.gateway.pid).cpu_times()
        return float(times.user + times.system)

    def call(self, names: Sequence[str]) -> float:
        """Let callers send a request each; return the microseconds of the gateway's CPU for each."""
        tokens = [self.token(name) for name in names]
        with self.connect() as connection:
            connection.ask(request("GET", "/i/_search", tokens[0]))
            before = self.cpu()
            for token in tokens:
                connection.ask(request("GET", "/i/_search", token))
            return (self.cpu() - before) / len(tokens) * _MICROS


@contextmanager
def setting(folder: Path, change: Callable[[GatewaySettings], GatewaySettings]) -> Iterator[Setting]:
    """Start a gateway in front of a slow server."""
    certificate, issuer = write_server_certificate(folder), TokenIssuer()
    with SlowServer(certificate) as upstream, KeyPublisher(certificate, issuer.jwks()) as keys:
        own = settings_for(certificate.ca_file.read_text(), f"{keys.url}/certs", Upstream("127.0.0.1", upstream.port))
        settings = change(own)
        with Gateway(settings, concurrency=WORKERS) as gateway:
            yield Setting(gateway, upstream, issuer, settings)


def measure(report: Report, scale: Scale, folder: Path, say: Callable[[str], None]) -> None:
    """Add the figures about memory and the configuration."""
    for count in (1, scale.principals):
        for alike in (True, False) if count > 1 else (True,):
            say(f"gateway: {count} principals with limits{'' if alike else ', all different'}")
            _principals(report, folder / f"p{count}-{alike}", count, alike=alike)
    say(f"gateway: {AT_ONCE} bodies of {scale.large // MIB} MiB")
    _bodies(report, scale, folder / "bodies")


def _principals(report: Report, folder: Path, count: int, *, alike: bool) -> None:
    what = f"gateway, {count} principals with limits{'' if alike else ', all different'}"
    with setting(folder, lambda own: limited(own, 1, alike=alike)) as one:
        names = [f"a-{number}" for number in range(count)]
        # Those that may search: others are refused before anything is sent on.
        names = [name for number, name in enumerate(names) if number % 3 < 2]
        changed = limited(one.settings, count, alike=alike)
        rendered = render(changed)
        size = len(rendered.listeners) + len(rendered.clusters)
        note = "a ConfigMap has at most 1 MiB"
        report.add(f"{what}: size of the configuration", size / MIB, "MiB", 1.0, note)
        if size > _LOADED:
            # It would keep Envoy busy for minutes.
            return
        took, cpu = _load(one, changed)
        report.add(f"{what}: until it is loaded", took * 1000, "ms", None, f"CPU {cpu * 1000:.0f} ms")
        micros = [one.call((names * _EVERY)[:_EVERY]) for _ in range(3)] if count == 1 else [one.call(names)]
        report.add(f"{what}: CPU a request, one at a time", min(micros), "µs")
        goal = GOAL_MIB if alike else None
        report.add(f"{what}: memory", one.used(), "MiB", goal, f"after {len(names)} callers, {WORKERS} workers")


def _load(one: Setting, settings: GatewaySettings) -> tuple[float, float]:
    """Give a running gateway another configuration; return the seconds until it serves it, and those of its CPU."""
    before, rendered = one.cpu(), one.gateway.write(settings)
    began = time.perf_counter()
    eventually(lambda: one.gateway.version() == rendered.version, within=120, every=0.005)
    return time.perf_counter() - began, one.cpu() - before


class _Large:
    """A request with a large body, sent as fast as it is taken."""

    def __init__(self, one: Setting, name: str, size: int, *, chunked: bool) -> None:
        self.sent = 0
        self.error: BaseException | None = None
        self._size = size
        self._chunked = chunked
        self._connection = one.connect()
        self._head = request("POST", "/i/_bulk", one.token(name), length=-1 if chunked else size)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        piece = b" " * _PIECE
        framed = b"%x\r\n%b\r\n" % (_PIECE, piece) if self._chunked else piece
        try:
            self._connection.socket.sendall(self._head)
            while self.sent < self._size:
                self._connection.socket.sendall(framed)
                self.sent += _PIECE
            if self._chunked:
                self._connection.socket.sendall(b"0\r\n\r\n")
            self._connection.answer()
        except (OSError, Refused) as error:
            self.error = error

    def end(self) -> None:
        """Wait for its answer."""
        self._thread.join()
        self._connection.socket.close()


def _bodies(report: Report, scale: Scale, folder: Path) -> None:
    small = {account("small"): CallerLimits(_ALLOWED, Rate(1_000_000, 1_000_000))}
    size, mib = scale.large, scale.large // MIB
    with setting(folder, lambda own: replace(own, callers=small)) as one:
        one.call(["large"] * 20)
        before = one.used()
        many = f"gateway, {AT_ONCE} bodies of {mib} MiB"
        # Elasticsearch reads nothing.
        one.upstream.hold()
        sending = [_Large(one, "large", size, chunked=False) for _ in range(AT_ONCE)]
        held, peak = _held_up(one, lambda: sum(large.sent for large in sending))
        report.add(f"{many} that Elasticsearch does not read: memory more", peak - before, "MiB", None, _taken(held))
        one.upstream.release()
        peak = max(peak, _peak_while(one, sending))
        _complain(sending)
        report.add(f"{many}, until all were read: memory more at most", peak - before, "MiB", None)
        # Bodies without a length, of a caller that may send less than others.
        chunked = [_Large(one, "small", size, chunked=True) for _ in range(AT_ONCE)]
        peak = _peak_while(one, chunked)
        refused = sum(large.error is not None for large in chunked)
        note = f"{_ALLOWED // MIB} MiB allowed, {refused} of {AT_ONCE} refused"
        report.add(f"{many} without a length: memory more at most", peak - before, "MiB", None, note)
        # Callers read nothing.
        one.upstream.answer_bytes = size
        callers, token = [one.connect() for _ in range(AT_ONCE)], one.token("large")
        for caller in callers:
            caller.socket.sendall(request("GET", "/i/_search", token))
        _, peak = _held_up(one, lambda: one.upstream.served)
        for caller in callers:
            peak = max(peak, one.used())
            assert caller.answer() == size
            caller.socket.close()
        report.add(
            f"gateway, {AT_ONCE} answers of {mib} MiB that callers do not read: memory more", peak - before, "MiB"
        )


def _taken(held: int) -> str:
    return f"{held / MIB:.1f} MiB taken from callers, sockets included"


def _held_up(one: Setting, progress: Callable[[], int]) -> tuple[int, float]:
    """Wait until nothing gets on any more; return how far it got, and the memory at most."""
    last, since, peak = progress(), time.monotonic(), one.used()
    while time.monotonic() - since < _STILL:
        time.sleep(0.02)
        peak = max(peak, one.used())
        if (now := progress()) != last:
            last, since = now, time.monotonic()
    return last, peak


def _peak_while(one: Setting, sending: Sequence[_Large]) -> float:
    """Wait until requests have their answers; return the memory at most."""
    done, peak = threading.Event(), one.used()

    def end() -> None:
        for large in sending:
            large.end()
        done.set()

    threading.Thread(target=end, daemon=True).start()
    while not done.wait(0.02):
        peak = max(peak, one.used())
    return peak


def _complain(sending: Sequence[_Large]) -> None:
    for large in sending:
        if large.error is not None:
            raise large.error
