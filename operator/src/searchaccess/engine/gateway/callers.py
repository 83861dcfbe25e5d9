"""The limits of the callers of a gateway, computed again for those alone whose SearchAccesses changed."""

from collections.abc import Mapping
from dataclasses import replace

from searchaccess.api.clusters.gateway import Gateway
from searchaccess.core.gateway.limits import callers_limits, default_limits, limits_of, with_callers
from searchaccess.core.gateway.settings import CallerLimits
from searchaccess.core.model.access import Access
from searchaccess.core.rights.ownership import Operator
from searchaccess.engine.inventory.former import KEYS
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
        self._default: CallerLimits | None = None
        self._limits: Mapping[str, CallerLimits] = {}

    def now(self, gateway: Gateway | None) -> Mapping[str, CallerLimits]:
        """Return the limits that differ from the gateway's own, by e-mail address: the same object while none changes.

        Args:
            gateway: as declared; None: there is none, so nothing is noted about its callers.
        """
        if gateway is None:
            self._inventory.callers.forget(self._cluster)
            return {}
        default, changed = default_limits(gateway.limits), self._inventory.callers.take(self._cluster)
        if changed is None or default != self._default:
            before = None if self._default is None else self._limits
            former = self._inventory.former.principals(self._cluster)
            principals = {*self._inventory.principals(self._cluster), *former} - {"", KEYS}
            members = {each: self._members(each) for each in sorted(principals)}
            found = callers_limits(members, default, before)
            self._limits = self._limits if found == self._limits else found
        else:
            # An empty principal stands for unknown ones.
            self._limits = with_callers(self._limits, {each: self._members(each) for each in changed if each}, default)
        self._default = default
        return self._limits

    async def are_known(self, uuid: str, operator: Operator) -> bool:
        """Return whether it is known who limits callers.

        Who moved away, and still has rights, is only known after a full read. Until then, statuses say whether anybody
        may have.

        Args:
            uuid: of the Elasticsearch cluster.
            operator: names roles.
        """
        inventory = self._inventory
        if inventory.former.is_read(self._cluster):
            return True
        async for record in inventory.one_by_one():
            placed, access = record.status_summary.placed, record.access
            if placed is None or not placed.role or placed.cluster_uuid != uuid or record.confirmed:
                continue
            here = access.principals if access.cluster == self._cluster else ()
            if placed.role not in map(operator.role_name, here):
                return False
        return True

    def differ(self, principal: str) -> bool:
        """Return whether a caller's limits changed since ``now`` was called."""
        default = self._default
        if default is None or not self._inventory.callers.has_changed(self._cluster, principal):
            return False
        was = self._limits.get(principal, default)
        return limits_of(self._members(principal), default, was) != was

    def _members(self, principal: str) -> list[Access]:
        """Return who limits a caller: those that moved away as well, as long as their rights are still here."""
        inventory = self._inventory
        here = inventory.who_limits(self._cluster, principal)
        moved = inventory.former.at(self._cluster, principal) - {access.uid for access in here}
        records = [inventory.accesses[uid] for uid in sorted(moved & inventory.accesses.keys())]
        return [*here, *(replace(record.access, holds_rights=True) for record in records)]
