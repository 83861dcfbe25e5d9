"""To be replaced."""

from searchaccess.engine.backoff import Backoff
from searchaccess.engine.rights.reconcile import RightsReconciler
from searchaccess.engine.state import ClusterState, Context, Scope, Session


class Rights:
    def __init__(self, context: Context, state: ClusterState) -> None:
        self._context = context
        self._state = state
        self._postponed: set[str] = set()
        self._backoff = Backoff()
        self._at: float | None = None

    def delay(self) -> float:
        return float("inf") if self._at is None else max(0.0, self._at - self._context.clock.monotonic())

    async def reconcile(self, session: Session, scope: Scope) -> bool | None:
        names = set(scope.principals)
        if self._at is not None and self._at <= self._context.clock.monotonic():
            names |= self._postponed
        if scope.afresh:
            self._state.settled.clear()
        if not scope.everything and not names:
            return None
        principals = None if scope.everything else frozenset(names)
        one = RightsReconciler(
            self._context, session, principals, frozenset(names) if scope.everything else frozenset()
        )
        await one.run()
        self._postponed = one.unfinished if principals is None else (self._postponed - principals) | one.unfinished
        if one.unfinished:
            self._at = self._context.clock.monotonic() + self._backoff.next()
            self._state.trouble = one.trouble
        elif not self._postponed:
            self._at = None
            self._backoff.reset()
            self._state.trouble = None
        return one.changed
