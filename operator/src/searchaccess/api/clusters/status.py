"""Parts of a SearchCluster's status."""

from typing import Annotated

from pydantic import Field

from searchaccess.api.base import ApiModel, Count, ReadsAs
from searchaccess.api.clusters.tiers import Tier
from searchaccess.api.times.moments import NEVER, DateTime

RELEASED_LIMIT = 100
RELEASED_ENTRIES_LIMIT = 100
ADOPTED_LIMIT = 100
OTHERS_LIMIT = 10
PLACES_LIMIT = 10


class ReleasedRights(ApiModel):
    """Rights that stayed in Elasticsearch when their SearchAccess was deleted."""

    namespace: Annotated[str, ReadsAs("")]
    """Namespace of the SearchAccess; empty if not known, because an earlier version released them."""
    name: Annotated[str, ReadsAs("")]
    """Name of the SearchAccess."""
    uid: Annotated[str, ReadsAs("")]
    """Uid of the SearchAccess."""
    role: str
    """Name of the role that has them."""
    principal: Annotated[str, ReadsAs("")]
    """Principal that has them."""
    since: Annotated[DateTime, ReadsAs(NEVER)]
    """When they were released."""
    rights: Annotated[str, ReadsAs("")]
    """The rights in short form, as in the column ACCESS."""
    entries: Annotated[list[str], Field(max_length=RELEASED_ENTRIES_LIMIT)] = []
    """Identifiers of their entries in the role."""
    cluster: list[str] = []
    """Cluster privileges."""


class ClusterCounts(ApiModel):
    """Numbers of objects."""

    accesses: int
    """SearchAccesses that refer to the cluster."""
    ready: int
    """SearchAccesses that are Ready."""
    drifted: int
    """SearchAccesses with open differences."""
    roles: int
    """Roles that belong to this operator."""
    foreign_roles: int
    """Roles under the operator's names that do not belong to this operator."""
    released_rights: Count | None = None
    """Released rights in force: the length of `status.released`."""
    users: Count | None = None
    """Native users that callers behind the gateway run as. Absent without a gateway."""


class LoginStatus(ApiModel):
    """The operator's login."""

    tier: Tier
    """What it may do: only read (`Observe`), write delegated roles (`Roles`), also issue API keys (`RolesAndKeys`), or
    write everything (`Full`)."""
    user: str | None = None
    """Name of the user in Elasticsearch."""


class GatewayStatus(ApiModel):
    """The gateway in front of Elasticsearch."""

    places: Annotated[list[str], Field(max_length=PLACES_LIMIT)] = []
    """Gateways whose objects the operator wrote, as `namespace/name`, the declared one first. Those of a former one are
    deleted when the declared one works."""
    version: str | None = None
    """Version of the configuration in the ConfigMap."""
    pods: Count | None = None
    """Number of pods that run."""
    loaded: Count | None = None
    """Number of pods that have loaded this version."""
    login_user: str | None = None
    """Name of the user by which the gateway logs in to Elasticsearch."""
    rotated_at: DateTime | None = None
    """When this user was created."""


class AdoptedStatus(ApiModel):
    """A foreign role or role mapping that was adopted. The same content is not adopted again."""

    name: str
    """Name of the role or role mapping."""
    kind: str | None = None
    """`role` or `role mapping`. A principal's role mapping has the same name as its role."""
    hash: str
    """Digest of its content before the adoption."""
    at: DateTime | None = None
    """When it was adopted; absent while the adoption is in progress."""


class OtherStatus(ApiModel):
    """Objects of another controller, or of another instance, in Elasticsearch."""

    instance: str
    """Name of the instance."""
    controller: str
    """Uid of the namespace kube-system of its Kubernetes cluster."""
    roles: Annotated[Count, ReadsAs(0)]
    """Number of its roles."""
    undeclared: Annotated[Count, ReadsAs(0)]
    """Number of its roles for principals to which no SearchAccess here grants rights."""
    mappings: Annotated[Count, ReadsAs(0)]
    """Number of its role mappings."""
    keys: Count = 0
    """Number of its valid API keys under the names of this operator."""
    users: Count = 0
    """Number of its users under the names of this operator."""
