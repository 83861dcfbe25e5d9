"""How long callers of a realm keep its role mappings once a gateway is declared (docs/adr/0068, docs/adr/0083)."""

from collections.abc import Collection
from typing import Final

from searchaccess.core.messages import some_of
from searchaccess.core.model.timeboxes.timebox import shown_time
from searchaccess.core.status.credential import epoch
from searchaccess.engine.pacing.agenda import NEVER
from searchaccess.engine.rights.mappings import Mappings
from searchaccess.engine.state import Context, Session

GRACE_PERIOD: Final = 1800.0
"""Seconds for which callers of a realm keep their role mappings at most until the pods of a gateway serve them."""


class FormerMappings:
    """The role mappings of a realm, while a gateway does not serve its callers yet.

    Only a full reconcile knows which role mappings there are, and deletes them. So one is due as soon as nothing keeps
    any longer what an earlier one has kept.

    Args:
        context: what all reconcilers share.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._since: float | None = None
        """Since when a gateway is declared, as far as this process knows; None: none is."""
        self._kept: tuple[str, ...] = ()
        """Role mappings that the last full reconcile kept for callers of a realm."""
        self._lacking: frozenset[str] = frozenset()
        """Principals whose users could not be written, so that no gateway serves them."""
        self._waits = False
        """Whether the gateway's pods were waited for at the last check."""

    def delay(self) -> float:
        """Return the seconds until a full reconcile is due; infinity: something is waited for, or nothing was kept."""
        if not self._kept or self._lacking or self._since is None:
            return NEVER
        left = self._since + GRACE_PERIOD - self._context.clock.monotonic()
        return max(0.0, left) if self._waits else 0.0

    def is_due(self, session: Session) -> bool:
        """Return whether a full reconcile would delete role mappings that an earlier one has kept."""
        return bool(self._kept) and not self._lacking and not self._stays(session)

    def _stays(self, session: Session) -> bool:
        """Return whether no gateway serves callers of a realm yet, for a time."""
        if session.cluster.gateway is None or self._context.gateways is None:
            self._since = None
            return False
        known, now = session.state.gateway, self._context.clock.monotonic()
        self._since = now if self._since is None else self._since
        return not (known is not None and known.lets_in) and now - self._since < GRACE_PERIOD

    def settle(self, session: Session, mappings: Mappings, lacking: Collection[str], done: Collection[str]) -> None:
        """Decide whether role mappings of a realm stay, once users are written, and say so in the cluster's state.

        Args:
            session: the connected cluster.
            mappings: of this reconcile; deletes the unneeded ones later, if they do not stay.
            lacking: principals of this reconcile whose users could not be written or deleted.
            done: all principals of this reconcile.
        """
        self._waits, needed = self._stays(session), session.cluster.gateway is not None
        self._lacking = frozenset(lacking) | (frozenset() if mappings.is_full else self._lacking.difference(done))
        stays = needed and bool(self._waits or self._lacking)
        mappings.may_sweep = not stays
        if mappings.is_full:
            self._kept = tuple(mappings.unneeded) if stays else ()
        session.state.awaits_gateway = self._waits and bool(self._kept)
        session.state.former_mappings = self._text() if self._kept and stays else ""

    def _text(self) -> str:
        """Say what stays, and what it waits for."""
        what = f"callers of the realm keep the role mapping {some_of(self._kept, 1)}"
        if self._lacking:
            lacking = some_of(sorted(self._lacking), 1)
            return f"{what} until the users of all callers have been written: that of {lacking} is not"
        left = (self._since or 0.0) + GRACE_PERIOD - self._context.clock.monotonic()
        until = shown_time(round((epoch(self._context.clock.now()) + left) / 60) * 60)
        return f"{what} until all pods of the gateway serve them, at the latest until {until}"
