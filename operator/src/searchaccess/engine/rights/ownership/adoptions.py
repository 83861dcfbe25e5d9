"""Adoptions that the platform allows: recorded in the SearchCluster's status before and after the write."""

from dataclasses import replace
from typing import Final

from searchaccess.api.status import AdoptedStatus
from searchaccess.core.ownership.adoption import Agreed, Seen, agreed_by, recorded
from searchaccess.core.rights.ownership import Operator
from searchaccess.engine.rights.observe import Observed
from searchaccess.engine.rights.work import Work
from searchaccess.engine.state import Context

AGAIN: Final = 0.5
"""Seconds after which a check follows whether the record is stored."""


class Adoptions:
    """The adoptions of one SearchCluster.

    Args:
        context: what all reconcilers share.
        name: of the SearchCluster.
    """

    def __init__(self, context: Context, name: str) -> None:
        self._context = context
        self._name = name
        self._noted: dict[tuple[str, str], AdoptedStatus] = {}
        """By name and hash, what was adopted or is about to be."""
        self.waits = False
        """Whether an adoption waits until it is recorded."""

    @property
    def is_recorded(self) -> bool:
        """Whether Kubernetes has all records, so that a crash does not lose them."""
        record = self._context.inventory.clusters.get(self._name)
        written = record is not None and record.cluster.uid not in self._context.inventory.writing
        return written and record is not None and self.adopted == list(record.status.adopted or ())

    @property
    def is_coming(self) -> bool:
        """Whether an adoption follows soon: not if Kubernetes refuses to record it."""
        record = self._context.inventory.clusters.get(self._name)
        return self.waits and record is not None and self._context.outbox.trouble_of(record.cluster.uid) is None

    def begin(self, *, full: bool) -> Agreed:
        """Return what may be adopted in a new reconcile.

        Args:
            full: whether it is a full reconcile.
        """
        self.waits = self.waits and not full
        record = self._context.inventory.clusters.get(self._name)
        spec = record.cluster.spec if record else None
        if spec is None:
            return Agreed()
        known = self.adopted if self.is_recorded else [item for item in self.adopted if item.at is not None]
        agreed = agreed_by(spec.adoption, self._name, known)
        return replace(agreed, at_once=self._context.dry_run is not None)

    @property
    def adopted(self) -> list[AdoptedStatus]:
        """All records, in the status or not yet."""
        record = self._context.inventory.clusters.get(self._name)
        found = list(record.status.adopted or ()) if record else []
        # Intended adoptions come last, as the oldest records are dropped if there are too many.
        for one in sorted(self._noted.values(), key=lambda item: item.at is None):
            if one not in found:
                found = recorded(found, one)
        return found

    def note(self, foreign: Seen | None, *, replaced: bool) -> None:
        """Record that a foreign object is to be replaced, or was.

        Args:
            foreign: the object; None: there was none.
            replaced: whether it was.
        """
        if foreign is None:
            return
        at = self._context.clock.now() if replaced else None
        one = AdoptedStatus(name=foreign.name, kind=foreign.kind, hash=foreign.hash, at=at)
        self._noted[one.name, one.hash] = one
        self.waits = self.waits or not replaced

    def note_work(self, work: Work) -> None:
        """Record what happened to a principal's foreign role and role mapping."""
        for plan in (work.plan, work.mapping):
            if plan is not None and (plan.write is None or (work.failure is None and not work.undecided)):
                self.note(plan.foreign, replaced=plan.write is not None)

    def settle(self, operator: Operator, observed: Observed) -> None:
        """Record adoptions that an earlier run of the operator completed but did not record.

        Args:
            operator: this operator.
            observed: what was read.
        """
        for item in self.adopted:
            mapping = observed.mappings.get(item.name) if item.kind != "role" else None
            metadata = mapping.metadata if mapping else observed.roles.get(item.name, {}).get("metadata")
            if item.at is None and operator.owns(metadata):
                self._noted[item.name, item.hash] = item.model_copy(update={"at": self._context.clock.now()})
