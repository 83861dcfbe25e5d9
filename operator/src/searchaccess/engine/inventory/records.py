"""What the inventory has of each object, and what is to be reconciled."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from searchaccess.api.status import SearchAccessStatus, SearchClusterStatus
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.model.access import Access
from searchaccess.core.model.admission import Admission
from searchaccess.core.status.access import AccessFacts, is_drifted, is_ready
from searchaccess.core.status.cluster import ClusterReport
from searchaccess.core.status.placed import Placed, placed_by


class StatusSummary(NamedTuple):
    """What every reconcile reads of every status."""

    text: str
    """The status that says so, as JSON."""
    generation: int | None
    """Which it is about."""
    ready: bool
    drifted: bool
    placed: Placed | None
    """What it has in Elasticsearch."""


@dataclass(slots=True)
class AccessRecord:
    """A SearchAccess as last seen."""

    declared: Access
    """As last seen. Whether its namespace is allowed may have been decided anew since: ``access`` says it."""
    status_json: str
    """Canonical JSON of its status: what it has, or is about to get."""
    wrote: int = 0
    """Hash of the status that we wrote last; 0: none in this run."""
    confirmed: bool = False
    """It was deleted, and Elasticsearch confirmed that nothing is left of it."""
    _status_summary: StatusSummary | None = field(default=None, repr=False, compare=False)
    published: tuple[AccessFacts, str] | None = None
    """A failure, and the status that was made of it: made of the same once more, it would be the same."""
    _admission: Admission | None = field(default=None, repr=False, compare=False)
    """Whether its namespace is allowed, if ``declared`` does not say so yet."""

    @property
    def access(self) -> Access:
        """What is declared, with what is decided about its namespace."""
        if self._admission is not None:
            self.access = replace(self.declared, admission=self._admission)
        return self.declared

    @access.setter
    def access(self, access: Access) -> None:
        self.declared, self._admission = access, None

    def admit(self, admission: Admission) -> bool:
        """Take in whether its namespace is allowed; return whether that is news.

        It holds at once and costs little, as it may be news of thousands: ``declared`` is copied when it is read next.
        """
        known = self.declared.admission if self._admission is None else self._admission
        if known is not admission:
            self._admission = admission
        return known is not admission

    @property
    def status(self) -> SearchAccessStatus:
        """What can be understood of the status."""
        return SearchAccessStatus.parse(self.status_json)

    @property
    def status_summary(self) -> StatusSummary:
        """How it stands, read once from each status: there are thousands of them, and they seldom change."""
        if self._status_summary is None or self._status_summary.text is not self.status_json:
            status = self.status
            self._status_summary = StatusSummary(
                self.status_json,
                status.observed_generation,
                is_ready(status),
                is_drifted(status),
                placed_by(status),
            )
        return self._status_summary


@dataclass(slots=True)
class ClusterRecord:
    """A SearchCluster as last seen."""

    cluster: Cluster
    status_json: str
    """The status as it is to be: what we write counts before it is written."""
    stored_json: str = ""
    """The status as Kubernetes surely has it."""
    published: tuple[ClusterReport, str] | None = None
    """A report, and the status that it left as it was: it would do so again, at any time."""
    wrote: int = 0
    """Hash of the status that we wrote last; 0: none in this run."""
    _pinned: tuple[str, str] | None = field(default=None, repr=False, compare=False)
    """The status that says so, and the uuid in it."""

    @property
    def status(self) -> SearchClusterStatus:
        """What can be understood of the status."""
        return SearchClusterStatus.parse(self.status_json)

    @property
    def pinned(self) -> str:
        """The uuid of the Elasticsearch cluster that it is pinned to, read once from each status; empty: none."""
        if self._pinned is None or self._pinned[0] is not self.status_json:
            self._pinned = (self.status_json, self.status.uuid or "")
        return self._pinned[1]
