"""Whether a process knows what is declared, and whether a part of it is stuck: for its probes."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from searchaccess.engine.lister import MAX_MISSED_LISTS, Lister
from searchaccess.engine.loop.reconciler import Reconciler
from searchaccess.engine.state import Context

STUCK_AFTER: Final = 600.0
"""Seconds without any response during a reconcile until it counts as stuck: every request times out sooner."""


class Health:
    """The state of one process.

    Args:
        context: what all reconcilers share.
        lister: lists what is declared.
        listed: set when that is complete for the first time.
        reconcilers: returns the running reconcilers by SearchCluster.
    """

    def __init__(
        self,
        context: Context,
        lister: Lister,
        listed: asyncio.Event,
        reconcilers: Callable[[], Mapping[str, Reconciler]],
    ) -> None:
        self._context = context
        self._lister = lister
        self._listed = listed
        self._reconcilers = reconcilers
        self.watching = False
        """Whether the event source watches the API server."""

    def unready(self) -> str:
        """Return why the declared objects are not, or no longer, known; empty: they are."""
        if not self._listed.is_set():
            return "the API server has not been listed yet"
        if not self.watching:
            return "the API server is not watched yet"
        late = self._lister.age()
        if late > MAX_MISSED_LISTS * self._lister.period:
            return f"the API server could not be listed for {late:.0f} s"
        return ""

    def stuck(self) -> str:
        """Return what is stuck; empty: nothing."""
        now = self._context.clock.monotonic()
        for name, reconciler in self._reconcilers().items():
            if reconciler.busy_since is not None and now - reconciler.busy_since > STUCK_AFTER:
                quiet = now - max(reconciler.busy_since, self._context.meter.answered(name))
                if quiet > STUCK_AFTER:
                    return f"SearchCluster {name}: nothing was answered for {quiet:.0f} s"
        return ""
