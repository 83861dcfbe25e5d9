"""What the platform agreed to adopt: recorded in the SearchCluster's status before anything is written, and after."""

from dataclasses import replace
from typing import Final

from searchaccess.api.status import AdoptedStatus
from searchaccess.core.ownership.adoption import Agreed, Seen, agreed_by, recorded
from searchaccess.core.rights.ownership import Operator
from searchaccess.engine.rights.observe import Observed
from searchaccess.engine.rights.work import Work
from searchaccess.engine.state import Context

AGAIN: Final = 0.5
"""Seconds after which it is looked whether it is recorded."""


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
        """By name and hash, what was adopted, or is about to be."""
        self.waits = False
        """Whether something is to be adopted once that is recorded."""

    @property
    def is_recorded(self) -> bool:
        """Whether Kubernetes has all that is remembered: a crash must not forget it."""
        record = self._context.inventory.clusters.get(self._name)
        written = record is not None and record.cluster.uid not in self._context.inventory.writing
        return written and record is not None and self.adopted == list(record.status.adopted or ())

    @property
    def is_coming(self) -> bool:
        """Whether something is adopted soon: not if Kubernetes refuses to record it."""
        record = self._context.inventory.clusters.get(self._name)
        return self.waits and record is not None and self._context.outbox.trouble_of(record.cluster.uid) is None

    def begin(self, *, full: bool) -> Agreed:
        """Return what is agreed to in a reconcile that begins.

        Args:
            full: whether it is about all that is declared.
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
        """All that is remembered, whether the status has it yet or not."""
        record = self._context.inventory.clusters.get(self._name)
        found = list(record.status.adopted or ()) if record else []
        # What is about to be comes last: were there too many, it would never be recorded.
        for one in sorted(self._noted.values(), key=lambda item: item.at is None):
            if one not in found:
                found = recorded(found, one)
        return found

    def note(self, foreign: Seen | None, *, replaced: bool) -> None:
        """Note that a foreign object is to be replaced, or was.

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
        """Note what became of a principal's foreign role, and of its foreign role mapping."""
        for plan in (work.plan, work.mapping):
            if plan is not None and (plan.write is None or (work.failure is None and not work.undecided)):
                self.note(plan.foreign, replaced=plan.write is not None)

    def settle(self, operator: Operator, observed: Observed) -> None:
        """Note as adopted what an earlier run of the operator replaced, and could not note any more.

        Args:
            operator: this operator.
            observed: what was read.
        """
        for item in self.adopted:
            mapping = observed.mappings.get(item.name) if item.kind != "role" else None
            metadata = mapping.metadata if mapping else observed.roles.get(item.name, {}).get("metadata")
            if item.at is None and operator.owns(metadata):
                self._noted[item.name, item.hash] = item.model_copy(update={"at": self._context.clock.now()})
