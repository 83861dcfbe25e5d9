"""A running reconcile of roles, role mappings and users, and its result."""

from dataclasses import dataclass, field
from typing import Protocol

from searchaccess.api.clusters.status import AdoptedStatus, OtherStatus
from searchaccess.core.ownership.adoption import Agreed
from searchaccess.core.status.access import Failure
from searchaccess.engine.rights.mappings import MappingState
from searchaccess.engine.rights.members import Members
from searchaccess.engine.rights.work import Work


@dataclass(frozen=True, slots=True)
class RightsResult:
    """The result of a reconcile."""

    changed: bool
    """Whether anything was written in Elasticsearch."""
    operations: int
    """Writes to the security index."""
    unfinished: frozenset[str]
    """Principals that are due again soon."""
    trouble: Failure | None
    """Why some could not be completed, if the platform team must act."""
    roles: frozenset[str]
    """Names of principals' roles of ours."""
    user_roles: frozenset[str]
    """Names of users' roles of ours, as of the last full reconcile."""
    foreign: int
    """How many roles under our names are not ours, as of the last full reconcile."""
    mapping: MappingState
    """What is known about the shared role mapping."""
    adopted: list[AdoptedStatus]
    """Recorded adoptions."""
    others: tuple[OtherStatus, ...] | None
    """What other controllers and instances have, as of the last full reconcile."""
    unseen: tuple[str, ...] | None
    """What cannot be seen of others; None: nothing was read yet."""


class Counting(Protocol):
    """Counts writes."""

    operations: int
    """To the security index, as far as they were answered."""


@dataclass(slots=True)
class Run:
    """A running reconcile."""

    full: bool
    """It covers all that is declared and all that exists."""
    members: Members
    principals: set[str]
    """Its principals."""
    due: frozenset[str]
    """Those of them that are due by the agenda."""
    agreed: Agreed
    """Which foreign objects may be adopted."""
    done: list[Work] = field(default_factory=list)
    """Those that completed."""
    counting: list["Counting"] = field(default_factory=list)
    """What counts its writes."""
    isolating: list[Work] = field(default_factory=list)
    """Those in which Elasticsearch refuses something that is not isolated yet."""

    @property
    def operations(self) -> int:
        """Its writes to the security index that were answered."""
        return sum(each.operations for each in self.counting)

    @property
    def todo(self) -> set[str]:
        """The principals that did not complete."""
        return self.principals - {work.principal for work in self.done}
