"""Passes connections on to several servers, as a Service does: each to the next one that it knows."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Balancer:
    """Listens on a port of its own. What a server of it does not accept fails, as it would behind a Service."""

    def __init__(self) -> None:
        self._ports: list[int] = []
        self._turns = itertools.count()
        self._lock = threading.Lock()
        self.port = 0

    def add(self, port: int) -> None:
        with self._lock:
            self._ports.append(port)

    def remove(self, port: int) -> None:
        """Send no new connection there; existing ones stay."""
        with self._lock:
            self._ports.remove(port)

    def _next(self) -> int:
        with self._lock:
            return self._ports[next(self._turns) % len(self._ports)] if self._ports else 0

    @contextmanager
    def running(self) -> Iterator["Balancer"]:
        loop, started = asyncio.new_event_loop(), threading.Event()
        stop = asyncio.Event()

        async def serve() -> None:
            server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            started.set()
            await stop.wait()
            server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
        thread.start()
        started.wait()
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()
            loop.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection("127.0.0.1", self._next())
        except OSError:
            writer.transport.abort()
            return
        with suppress(asyncio.CancelledError):
            await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    with suppress(OSError, RuntimeError):
        writer.close()
