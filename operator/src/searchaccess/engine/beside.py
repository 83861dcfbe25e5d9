"""What the tasks beside the loop of one SearchCluster have in common."""

from collections.abc import Callable
from dataclasses import dataclass

from searchaccess.engine.state import ClusterState, Context, Healthy, Session
from searchaccess.ports.elasticsearch import Connector


@dataclass(frozen=True, slots=True)
class Beside:
    """What the tasks beside the loop of one SearchCluster have in common."""

    context: Context
    """What all reconcilers share."""
    name: str
    """Of the SearchCluster."""
    state: ClusterState
    """What its reconciler knows about it; receives what is found."""
    connector: Connector
    """Opens connections, also with other logins."""
    current: Callable[[], Session | None]
    """Returns the session that is open."""
    begun: Callable[[], bool]
    """Returns whether the first reconcile is over, so that a status can be complete."""
    publish: Callable[[], None]
    """Publishes the SearchCluster's status."""

    def session(self) -> Session | None:
        """Return the session if requests may be sent now, also while the operator starts; None: they may not."""
        well = isinstance(self.state.health, Healthy) and self.context.ownership.held({self.name})
        return self.current() if well else None

    def settled_session(self) -> Session | None:
        """Return the same if the first reconcile is over, so that it is known which Elasticsearch this is."""
        return self.session() if self.state.uuid and self.begun() else None
