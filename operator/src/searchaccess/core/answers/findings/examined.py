"""What a run could see: only there does it know that what an earlier run found is fixed."""

from collections.abc import Iterable
from dataclasses import dataclass

from searchaccess.core.answers.findings.audits import CALLER, Logged
from searchaccess.core.answers.findings.kinds import Kind, Source
from searchaccess.core.answers.findings.model import About, Finding
from searchaccess.core.answers.findings.statuses import Seen


@dataclass(frozen=True, slots=True)
class Examined:
    """What was read.

    Attributes:
        objects: those that were read.
        namespace: the only one whose SearchAccesses were read; empty: all.
        whole: all objects of these namespaces were read, so that one that is missing is gone. Files may be only some.
        clusters: SearchClusters were read.
        open: kinds of findings of an object of which there may be more.
        logged: what logs say; None: no log was read, or none has an event.
    """

    objects: frozenset[About] = frozenset()
    namespace: str = ""
    whole: bool = False
    clusters: bool = False
    open: frozenset[tuple[About, Kind]] = frozenset()
    logged: Logged | None = None

    @property
    def complete(self) -> bool:
        """Whether all objects of all namespaces were read."""
        return self.whole and self.clusters and not self.namespace

    def shows(self, about: About) -> bool:
        """Return whether findings about an object are asked for: all, or those of one namespace."""
        return not self.namespace or about.namespace == self.namespace

    def covers(self, finding: Finding) -> bool:
        """Return whether this run would have found something that an earlier run found.

        Args:
            finding: of the earlier run.
        """
        about = finding.about
        if not self.shows(about):
            return False
        if finding.kind.doc.source is Source.AUDIT:
            return self._covers_logged(finding)
        if about not in self.objects:
            return self.whole and (about.kind != "SearchCluster" or self.clusters)
        return (about, finding.kind) not in self.open

    def _covers_logged(self, finding: Finding) -> bool:
        if self.logged is None or (self.logged.merged and finding.kind is not Kind.UNUSED):
            return False
        if finding.about.kind == CALLER:
            return True
        if finding.about not in self.objects:
            return self.whole
        return finding.kind is not Kind.UNUSED or finding.about.path in self.logged.decided


def examined(
    seen: Iterable[Seen], *, namespace: str, whole: bool, clusters: bool, logged: Logged | None = None
) -> tuple[list[Finding], Examined]:
    """Return what was found, and what was read.

    Args:
        seen: what objects say.
        namespace: see ``Examined``.
        whole: see ``Examined``.
        clusters: see ``Examined``.
        logged: see ``Examined``.
    """
    given = list(seen)
    found = Examined(
        frozenset(each.about for each in given),
        namespace,
        whole,
        clusters,
        frozenset((each.about, kind) for each in given for kind in each.open),
        logged,
    )
    findings = [finding for each in given for finding in each.findings] + list(logged.findings if logged else ())
    return [finding for finding in findings if found.shows(finding.about)], found
