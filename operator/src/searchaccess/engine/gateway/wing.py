"""The part of a SearchCluster's loop that is about its gateway."""

from collections.abc import Callable

from searchaccess.engine.gateway.background import GatewayWatcher
from searchaccess.engine.gateway.reconcile import GatewayReconciler
from searchaccess.engine.state import ClusterState, Context, Session
from searchaccess.ports.elasticsearch import Connector


class GatewayWing(GatewayReconciler):
    """Reconciles the gateway of one SearchCluster, and observes it in the background.

    Args:
        context: what all reconcilers share.
        name: of the SearchCluster.
        state: what its reconciler knows; receives what is found.
        connector: opens connections with the gateway's own login.
        session: returns the open session; None: there is none.
        publish: publishes the SearchCluster's status.
    """

    def __init__(
        self,
        context: Context,
        name: str,
        state: ClusterState,
        connector: Connector,
        session: Callable[[], Session | None],
        publish: Callable[[], None],
    ) -> None:
        super().__init__(context, name, state)
        self._watcher = GatewayWatcher(context, name, state, self, connector, session, publish)

    async def run(self) -> None:
        """Observe until cancelled."""
        await self._watcher.run()
