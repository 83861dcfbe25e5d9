"""Notices when a watch of the API server begins.

kopf lists before it watches, and gives what it listed as events: of an empty list there are none. That it watches shows
that it has listed.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Final

import aiohttp

_OK: Final = 200


def report_watches(started: Callable[[str], None]) -> aiohttp.TraceConfig:
    """Return what to give to a session so that it reports watches.

    Args:
        started: called with the plural of the kind whenever the API server has accepted a watch.
    """

    async def inspect(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, answered: aiohttp.TraceRequestEndParams
    ) -> None:
        if answered.url.query.get("watch") == "true" and answered.response.status == _OK:
            started(answered.url.name)

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(inspect)
    return trace
