"""Detects when a watch of the API server starts.

kopf lists before it watches, and emits listed objects as events; an empty list has none. A watch shows that it has
listed.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Final

import aiohttp

_OK: Final = 200
_FORBIDDEN: Final = 403


def report_watches(started: Callable[[str], None], refused: Callable[[], object] = lambda: None) -> aiohttp.TraceConfig:
    """Return a trace configuration with which a session reports watches.

    Args:
        started: called with the plural of the kind whenever the API server accepts a watch.
        refused: called whenever it refuses a request.
    """

    async def inspect(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, answered: aiohttp.TraceRequestEndParams
    ) -> None:
        if answered.url.query.get("watch") == "true" and answered.response.status == _OK:
            started(answered.url.name)
        if answered.response.status == _FORBIDDEN:
            refused()

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(inspect)
    return trace
