"""Sums up what one run found: for people, for scripts, and as an exit code."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import Condition, SearchAccessStatus, Status, condition_of
from searchaccess.core.answers.audits import Audit
from searchaccess.core.answers.changes import Change
from searchaccess.core.answers.exits import Exit
from searchaccess.core.status.access import Failure

__all__ = ("Exit", "Line", "Summary", "line_of", "sorted_lines")

_PENDING: Final = frozenset({Reason.CHANGES_PENDING, Reason.DRIFT_DETECTED})
_WANTED: Final = frozenset(
    {
        Reason.SUSPENDED,
        Reason.IN_SYNC,
        Reason.NOT_YET_VALID,
        Reason.EXPIRED,
        Reason.OUTSIDE_SCHEDULE,
        Reason.PENDING_APPROVAL,
    }
)


@dataclass(frozen=True, slots=True)
class Line:
    """One object."""

    kind: str
    name: str
    """``namespace/name``, or the name of a SearchCluster."""
    cluster: str
    ready: str
    reason: str
    message: str
    changed: bool
    """This run changed something in Elasticsearch for it."""

    @property
    def code(self) -> Exit:
        """The exit code for this object alone."""
        if self.ready == "True" or self.reason in _WANTED:
            return Exit.IN_SYNC
        return Exit.PENDING if self.reason in _PENDING else Exit.FAILED


def line_of(
    kind: str,
    name: str,
    cluster: str,
    status: Status,
    began: str,
    *,
    generation: int,
    unwritten: Failure | None = None,
) -> Line:
    """Return the line of an object.

    Args:
        kind: of the object.
        name: of the object, with its namespace if it has one.
        cluster: name of the SearchCluster.
        status: its status.
        began: when the run began (RFC 3339, UTC).
        generation: its present generation; a status of an earlier one is outdated.
        unwritten: why its status or finalizer could not be written; None: no write is waiting.
    """
    ready = condition_of(status, ConditionType.READY)
    verdict = (ready.status, ready.reason, ready.message) if ready else ("Unknown", "", "")
    if unwritten is not None:
        verdict = ("Unknown", unwritten.reason, unwritten.message)
    elif ready and _is_outdated(status, ready, generation):
        verdict = ("Unknown", Reason.PENDING, "it was changed and has not been reconciled since")
    synced = status.last_sync_time if isinstance(status, SearchAccessStatus) else None
    return Line(kind, name, cluster, *verdict, (synced or "") >= began)


def _is_outdated(status: Status, ready: Condition, generation: int) -> bool:
    if ready.observed_generation >= generation:
        return False
    # While it is suspended, Ready stays as it was.
    synced = condition_of(status, ConditionType.SYNCED)
    return synced is None or synced.reason != Reason.SUSPENDED or synced.observed_generation < generation


@dataclass(frozen=True, slots=True)
class Summary:
    """What one run found."""

    lines: tuple[Line, ...]
    elsewhere: int = 0
    """SearchClusters that belong to another replica."""
    unfinished: str = ""
    """Why it ended before everything was reconciled; empty: it did not."""
    changes: tuple[Change, ...] | None = None
    """What a dry run would change; None: it was not a dry run."""
    faults: int = 0
    """Unexpected internal errors: the summary may be incomplete."""
    audits: tuple[Audit, ...] = ()
    """What policies with ``mode: Audit`` would refuse, in a dry run."""

    @property
    def code(self) -> Exit:
        """The exit code."""
        codes = {line.code for line in self.lines}
        if self.unfinished or self.faults or Exit.FAILED in codes:
            return Exit.FAILED
        return Exit.PENDING if Exit.PENDING in codes or self.changes else Exit.IN_SYNC

    def of_namespace(self, namespace: str, proposed: Collection[str] = ()) -> "Summary":
        """Return the summary of one namespace: its SearchAccesses, and their SearchClusters and changes.

        Args:
            namespace: its name.
            proposed: SearchClusters in the files: their changes affect everybody, so all of them are shown.
        """
        own = f"{namespace}/"
        clusters = {line.cluster for line in self.lines if line.kind == "SearchAccess" and line.name.startswith(own)}
        lines = (
            line
            for line in self.lines
            if (line.name.startswith(own) if line.kind == "SearchAccess" else line.name in clusters.union(proposed))
        )
        changes = self.changes and tuple(
            change
            for change in self.changes
            # A change without an owner, such as of the role mapping, affects its whole SearchCluster.
            if change.cluster in proposed
            or any(owner.startswith(own) for owner in change.owners)
            or (not change.owners and change.cluster in clusters)
        )
        audits = tuple(each for each in self.audits if each.access.startswith(own))
        return replace(self, lines=tuple(lines), changes=changes, audits=audits)

    def would_change(self, line: Line) -> bool:
        """Return whether an object differs from its declaration, and a run that is not a dry run would correct it."""
        return self.changes is not None and line.changed

    def count(self) -> str:
        """Return it as a sentence."""
        accesses = [line for line in self.lines if line.kind == "SearchAccess"]
        by_code = {code: sum(line.code is code for line in accesses) for code in Exit}
        changed = sum(line.changed for line in accesses)
        well = sum(line.code is Exit.IN_SYNC and not self.would_change(line) for line in accesses)
        parts = [
            f"{well} of {len(accesses)} SearchAccesses as declared",
            f"{changed} {'changed' if self.changes is None else 'would change'}",
            f"{by_code[Exit.PENDING]} with changes pending",
            f"{by_code[Exit.FAILED]} failed",
        ]
        if clusters := sum(line.kind == "SearchCluster" and line.code is Exit.FAILED for line in self.lines):
            parts.append(f"{clusters} {'SearchCluster' if clusters == 1 else 'SearchClusters'} failed")
        if self.elsewhere:
            parts.append(f"{self.elsewhere} SearchClusters belong to another replica")
        return "; ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, for scripts."""
        items = [
            {
                "kind": line.kind, "name": line.name, "cluster": line.cluster, "ready": line.ready,
                "reason": line.reason, "message": line.message, "changed": line.changed,
            }
            for line in self.lines
        ]  # fmt: skip
        found = {
            "exitCode": int(self.code), "unfinished": self.unfinished, "internalErrors": self.faults,
            "elsewhere": self.elsewhere, "items": items,
        }  # fmt: skip
        if self.changes is None:
            return found
        audits = [audit.to_json() for audit in self.audits]
        return {**found, "changes": [change.to_json() for change in self.changes], "audits": audits}


def sorted_lines(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Return lines with failures last, where people see them."""
    order = {Exit.IN_SYNC: 0, Exit.PENDING: 1, Exit.FAILED: 2}
    return tuple(sorted(lines, key=lambda line: (order[line.code], line.kind, line.cluster, line.name)))
