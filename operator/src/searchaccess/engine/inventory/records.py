"""The inventory's record of each object."""

from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from searchaccess.api.accesses.usagestatus import UsageStatus
from searchaccess.api.status import SearchAccessStatus, SearchClusterStatus
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.model.access import Access
from searchaccess.core.model.admission import Admission
from searchaccess.core.status.access import AccessFacts, is_drifted, is_ready
from searchaccess.core.status.cluster import ClusterReport
from searchaccess.core.status.placed import Placed, placed_by

_NO_STATUS: Final = SearchAccessStatus()
"""Of all that have none yet."""


class StatusSummary(NamedTuple):
    """What every reconcile needs from every status."""

    text: str
    """The status, as JSON."""
    generation: int | None
    """The generation that it reports on."""
    ready: bool
    drifted: bool
    placed: Placed | None
    """What it has in Elasticsearch."""
    usage: UsageStatus | None
    """When it was last used."""
    key_id: str
    """Id of its newest API key; empty: none."""


@dataclass(slots=True)
class AccessRecord:
    """A SearchAccess as last observed."""

    declared: Access
    """As last observed. Whether its namespace is allowed may have changed since: ``access`` is up to date."""
    status_json: str
    """Canonical JSON of its status, stored or queued."""
    wrote: int = 0
    """Hash of the status that we last wrote; 0: none in this run."""
    confirmed: bool = False
    """It was deleted, and Elasticsearch confirmed that nothing is left of it."""
    _status_summary: StatusSummary | None = field(default=None, repr=False, compare=False)
    published: tuple[AccessFacts, str] | None = None
    """Facts whose status does not change with time, and that status: the same facts give the same status again."""
    _admission: Admission | None = field(default=None, repr=False, compare=False)
    """The decision about its namespace, if ``declared`` does not have it yet."""
    spec_hash: int | None = field(default=None, repr=False, compare=False)
    """Hash of the spec that was read; None: it has none."""

    @property
    def access(self) -> Access:
        """What is declared, with the current decision about its namespace."""
        if self._admission is not None:
            self.access = replace(self.declared, admission=self._admission)
        return self.declared

    @access.setter
    def access(self, access: Access) -> None:
        self.declared, self._admission = access, None

    def admit(self, admission: Admission) -> bool:
        """Set whether its namespace is allowed; return whether that changed.

        It takes effect at once and is cheap, as it may change for thousands: ``declared`` is copied at the next read.
        """
        known = self.declared.admission if self._admission is None else self._admission
        if known is not admission:
            self._admission = admission
        return known is not admission

    @property
    def status(self) -> SearchAccessStatus:
        """The readable part of the status."""
        return SearchAccessStatus.parse(self.status_json) if self.status_json else _NO_STATUS

    @property
    def status_summary(self) -> StatusSummary:
        """Summary of the status, parsed once for each: there are thousands, and they rarely change."""
        if self._status_summary is None or self._status_summary.text is not self.status_json:
            return self.summarize(self.status)
        return self._status_summary

    def summarize(self, status: SearchAccessStatus) -> StatusSummary:
        """Return the summary of the status, and keep it.

        Args:
            status: what ``status_json`` says.
        """
        self._status_summary = StatusSummary(
            self.status_json,
            status.observed_generation,
            is_ready(status),
            is_drifted(status),
            placed_by(status),
            status.usage,
            (status.credential.key_id if status.credential else None) or "",
        )
        return self._status_summary


@dataclass(slots=True)
class ClusterRecord:
    """A SearchCluster as last observed."""

    cluster: Cluster
    status_json: str
    """The status, stored or queued."""
    stored_json: str = ""
    """The status that Kubernetes certainly has."""
    published: tuple[ClusterReport, str] | None = None
    """A report, and the status that it did not change: the same report never changes it."""
    wrote: int = 0
    """Hash of the status that we last wrote; 0: none in this run."""
    _parsed: tuple[str, SearchClusterStatus] | None = field(default=None, repr=False, compare=False)
    """A status as text, and what was read of it."""

    @property
    def status(self) -> SearchClusterStatus:
        """The readable part of the status, parsed once for each: there are few, and each reconcile reads it."""
        if self._parsed is None or self._parsed[0] is not self.status_json:
            self._parsed = (self.status_json, SearchClusterStatus.parse(self.status_json))
        return self._parsed[1]

    @property
    def pinned(self) -> str:
        """The uuid of the Elasticsearch cluster that it is pinned to; empty: none."""
        return self.status.uuid or ""
