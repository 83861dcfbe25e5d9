"""What runs beside the loop of one SearchCluster. No rights wait for it, and its failures affect none."""

from searchaccess.engine.beside import Beside
from searchaccess.engine.concurrency.tasks import together
from searchaccess.engine.gateway.background import GatewayWatcher
from searchaccess.engine.gateway.reconcile import GatewayReconciler
from searchaccess.engine.rights.background.proofs import QueryProver
from searchaccess.engine.rights.background.shadows import ShadowReader
from searchaccess.engine.rights.background.usage import UsageReader


class Background:
    """Tries queries, observes the gateway, asks what its callers have, and reads last uses.

    Args:
        beside: the SearchCluster.
        gateway: writes the gateway's objects.
    """

    def __init__(self, beside: Beside, gateway: GatewayReconciler) -> None:
        self.queries = QueryProver(beside)
        self.watcher = GatewayWatcher(beside, gateway)
        self._shadows = ShadowReader(beside, lambda: gateway.keeper.login)
        self._usage = UsageReader(beside)

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
