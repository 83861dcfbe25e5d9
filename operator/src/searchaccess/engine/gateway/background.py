"""Observes a gateway from outside, in the background: nothing waits for it."""

from searchaccess.engine.beside import Beside
from searchaccess.engine.concurrency.tasks import together
from searchaccess.engine.gateway.pods import PodsWatcher
from searchaccess.engine.gateway.proving import GatewayProver
from searchaccess.engine.gateway.reconcile import GatewayReconciler


class GatewayWatcher:
    """Asks the pods of one SearchCluster's gateway what they have loaded, and tests the gateway.

    The pods do not wait for the tests: an address that does not answer takes its time.

    Args:
        beside: the SearchCluster.
        reconciler: writes the gateway's objects.
    """

    def __init__(self, beside: Beside, reconciler: GatewayReconciler) -> None:
        self._beside = beside
        self._prover = GatewayProver(beside, reconciler)
        self._pods = PodsWatcher(beside, reconciler, self._prover.wake)

    @property
    def is_busy(self) -> bool:
        """Whether pods are to be asked for the first time, and rights wait for that."""
        return self._pods.is_busy

    def wake(self) -> None:
        """Check what is due after a reconcile, if there is a gateway. Without one there is no timer."""
        if self._beside.state.gateway is not None:
            self._pods.wake()
            self._prover.wake()

    def reconciled(self) -> None:
        """Publish what was written while other things are still being done, such as a new place, and observe it."""
        self._pods.publish_found()
        self.wake()

    async def run(self) -> None:
        """Observe until cancelled."""
        gateways = self._beside.context.gateways
        if gateways is not None and self._beside.context.dry_run is None:
            await together(self._pods.run(gateways), self._prover.run(gateways))
