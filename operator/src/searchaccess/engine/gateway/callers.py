"""Which limits single callers of a gateway have."""

from collections.abc import Mapping

from searchaccess.api.clusters.gateway import Gateway
from searchaccess.core.gateway.limits import default_limits
from searchaccess.core.gateway.settings import CallerLimits
from searchaccess.engine.inventory.indexes.callers import CallersLimits
from searchaccess.engine.inventory.inventory import Inventory


class Callers:
    """The limits of the callers of one SearchCluster's gateway.

    Args:
        inventory: the declared objects.
        cluster: the name of the SearchCluster.
    """

    def __init__(self, inventory: Inventory, cluster: str) -> None:
        self._inventory = inventory
        self._cluster = cluster
        self._limits = CallersLimits(inventory.callers, cluster)

    def now(self, gateway: Gateway | None) -> Mapping[str, CallerLimits]:
        """Return the limits that differ from the gateway's own, by e-mail address: the same object while none changes.

        Args:
            gateway: as declared; None: there is none, so nothing is noted about its callers.
        """
        if gateway is None:
            self._inventory.callers.forget(self._cluster)
            return {}
        inventory, cluster = self._inventory, self._cluster
        return self._limits.now(
            lambda: inventory.principals(cluster),
            lambda principal: inventory.who_limits(cluster, principal),
            default_limits(gateway.limits),
        )
