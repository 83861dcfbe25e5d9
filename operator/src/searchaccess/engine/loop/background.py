"""What runs beside the loop of one SearchCluster. No rights wait for it, and its failures affect none."""

from collections.abc import Callable

from searchaccess.engine.concurrency.tasks import together
from searchaccess.engine.gateway.background import GatewayWatcher
from searchaccess.engine.gateway.reconcile import GatewayReconciler
from searchaccess.engine.rights.background.proofs import QueryProver
from searchaccess.engine.rights.background.shadows import ShadowReader
from searchaccess.engine.rights.background.usage import UsageReader
from searchaccess.engine.state import ClusterState, Context, Session
from searchaccess.ports.elasticsearch import Connector


class Background:
    """Tries queries, observes the gateway, asks what its callers have, and reads last uses.

    Args:
        context: what all reconcilers share.
        name: of the SearchCluster.
        state: what its reconciler knows about it.
        gateway: writes the gateway's objects.
        connector: opens connections.
        current: returns the open session; None: there is none.
        usable: returns the session if requests may be sent now; None: they may not.
        begun: returns whether the first reconcile is over.
        publish: publishes the SearchCluster's status.
    """

    def __init__(
        self,
        context: Context,
        name: str,
        state: ClusterState,
        gateway: GatewayReconciler,
        connector: Connector,
        current: Callable[[], Session | None],
        usable: Callable[[], Session | None],
        begun: Callable[[], bool],
        publish: Callable[[], None],
    ) -> None:
        self.queries = QueryProver(context, name, state, usable)
        self.watcher = GatewayWatcher(context, name, state, gateway, connector, current, begun, publish)
        self._shadows = ShadowReader(context, name, state, lambda: gateway.keeper.login, connector, usable)
        self._usage = UsageReader(context, name, state, usable, publish)

    @property
    def is_busy(self) -> bool:
        """Whether something is being read or tried that a process that ends by itself waits for."""
        return self.queries.is_busy or self.watcher.is_busy or self._usage.is_busy

    async def run(self) -> None:
        """Run until cancelled."""
        await together(self.queries.run(), self.watcher.run(), self._shadows.run(), self._usage.run())

    def wake(self) -> None:
        """Check what is due after a reconcile."""
        self.queries.wake()
        self.watcher.wake()
        self._shadows.wake()
        self._usage.wake()
