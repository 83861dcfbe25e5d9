"""How long callers of a realm keep its role mapping once a gateway is declared (docs/adr/0068)."""

from typing import Final

from searchaccess.engine.state import Context, Session

OLD_WAY: Final = 1800.0
"""Seconds for which callers of a realm keep their role mapping at most until the pods of a gateway serve them."""


class OldWay:
    """The way of callers past a gateway that does not serve them yet.

    Args:
        context: what all reconcilers share.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._since: float | None = None
        """Since when a gateway is declared, as far as this process knows; None: none is."""

    def stays(self, session: Session) -> bool:
        """Return whether callers of a realm keep it, for a time, because no gateway serves them yet."""
        if session.cluster.gateway is None or self._context.gateways is None:
            self._since = None
            return False
        known, now = session.state.gateway, self._context.clock.monotonic()
        self._since = now if self._since is None else self._since
        return not (known is not None and known.is_loaded) and now - self._since < OLD_WAY
