"""One reconcile of a gateway: what it is about, and what it found."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from searchaccess.api.clusters.gateway import Gateway
from searchaccess.core.gateway.login import LoginNames
from searchaccess.core.gateway.objects import Holder, Place, Target
from searchaccess.core.gateway.settings import CallerLimits
from searchaccess.core.rights.diff import Difference
from searchaccess.engine.state import Context, Session
from searchaccess.ports.gateway import Gateways


@dataclass(slots=True)
class Job:
    """What one reconcile of a gateway is about, and what it found."""

    context: Context
    gateways: Gateways
    session: Session
    gateway: Gateway
    callers: Mapping[str, CallerLimits]
    """Limits of callers that differ from the gateway's own, by e-mail address."""
    drift: list[Difference] = field(default_factory=list)
    """What somebody changed."""
    operations: int = 0
    """Our writes to the security index."""

    @property
    def place(self) -> Place:
        """Where the gateway is."""
        return Place(self.gateway.namespace, self.gateway.name)

    @property
    def login_names(self) -> LoginNames:
        """Names of the role and the users of its login."""
        return LoginNames(self.context.operator.instance, self.gateway.name)

    @property
    def holder(self) -> Holder:
        """The SearchCluster that its objects belong to."""
        return holder_of(self.context, self.session)

    @property
    def people(self) -> tuple[str, ...]:
        """The people whom it accepts."""
        return tuple(self.gateway.iap.allow_people) if self.gateway.iap else ()

    def foreign(self, what: str) -> str:
        """Return the message about an object of somebody else."""
        return (
            f"{what} is not managed by this operator for SearchCluster {self.holder.cluster}: rename it, or the gateway"
        )

    def described(self, target: Target) -> str:
        """Return an object as messages name it."""
        return f"{target.kind} {target.namespace}/{target.name}"


def holder_of(context: Context, session: Session) -> Holder:
    """Return the SearchCluster that objects of its gateway belong to."""
    return Holder(context.operator.instance, session.cluster.name, session.cluster.uid)
