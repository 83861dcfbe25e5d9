"""Notices when a watch of the API server begins.

kopf lists before it watches, and gives what it listed as events: of an empty list there are none. That it watches shows
that it has listed.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Final

import aiohttp

_OK: Final = 200
_FORBIDDEN: Final = 403


def report_watches(began: Callable[[str], None], refused: Callable[[], object] = lambda: None) -> aiohttp.TraceConfig:
    """Return what to give to a session so that it reports watches.

    Args:
        began: called with the plural of the kind whenever the API server has accepted a watch.
        refused: called whenever it has refused a request.
    """

    async def inspect(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, answered: aiohttp.TraceRequestEndParams
    ) -> None:
        if answered.url.query.get("watch") == "true" and answered.response.status == _OK:
            began(answered.url.name)
        if answered.response.status == _FORBIDDEN:
            refused()

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(inspect)
    return trace
