"""What the platform agreed to adopt: recorded in the SearchCluster's status before anything is written, and after."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from searchaccess.api.status import AdoptedStatus, SearchClusterStatus
from searchaccess.core.model.intake.ages import predates
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
        self._void: set[tuple[str, str]] = set()
        """By name and hash, what was about to be adopted and is not there any more, so that it never is."""
        self.waits = False
        """Whether something is to be adopted once that is recorded."""

    @property
    def is_recorded(self) -> bool:
        """Whether Kubernetes has all that is remembered: a crash must not forget it."""
        record = self._context.inventory.clusters.get(self._name)
        if record is None or record.cluster.uid in self._context.inventory.writing:
            return False
        # A CRD that is older than the operator may not keep it.
        return self.adopted == list(SearchClusterStatus.parse(record.stored_json).adopted or ())

    @property
    def is_coming(self) -> bool:
        """Whether something is adopted soon: not if Kubernetes refuses to record it."""
        record = self._context.inventory.clusters.get(self._name)
        return self.waits and record is not None and self._context.outbox.trouble_of(record.cluster.uid) is None

    def begin(self, *, everything: bool) -> Agreed:
        """Return what is agreed to in a reconcile that begins.

        Args:
            everything: whether it is about all that is declared.
        """
        self.waits = self.waits and not everything
        record = self._context.inventory.clusters.get(self._name)
        spec = record.cluster.spec if record else None
        if record is None or spec is None:
            return Agreed()
        known = self.adopted if self.is_recorded else [item for item in self.adopted if item.at is not None]
        # What was adopted before the SearchCluster was there came back with a backup: it is no adoption of ours.
        own = [item for item in known if not predates(item.at, record.cluster.created_at)]
        agreed = agreed_by(spec.adoption, self._name, own)
        return replace(agreed, at_once=self._context.dry_run is not None)

    @property
    def adopted(self) -> list[AdoptedStatus]:
        """All that is remembered, whether the status has it yet or not."""
        record = self._context.inventory.clusters.get(self._name)
        found = [item for item in record.status.adopted or () if not self._is_void(item)] if record else []
        # What is about to be comes last: were there too many, it would never be recorded.
        for one in sorted(self._noted.values(), key=lambda item: item.at is None):
            if one not in found:
                found = recorded(found, one)
        return found

    def _is_void(self, item: AdoptedStatus) -> bool:
        return item.at is None and (item.name, item.hash) in self._void

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
        self._void.discard((one.name, one.hash))
        self.waits = self.waits or not replaced

    def note_work(self, work: Work) -> None:
        """Note what became of a principal's foreign role, and of its foreign role mapping."""
        for plan in (work.plan, work.mapping):
            if plan is not None and (plan.write is None or (work.failure is None and not work.undecided)):
                self.note(plan.foreign, replaced=plan.write is not None)

    def settle(self, operator: Operator, observed: Observed) -> None:
        """Conclude what was about to be adopted: an earlier run of the operator replaced it, or it is gone.

        Args:
            operator: this operator.
            observed: what was read.
        """
        for item in self.adopted:
            if item.at is not None:
                continue
            if _is_gone(item, observed):
                # Whatever is there later was created, not adopted.
                self._void.add((item.name, item.hash))
                self._noted.pop((item.name, item.hash), None)
                continue
            found = _metadata_of(item, observed)
            if operator.owns(found) and operator.wrote(found):
                # A predecessor's stamp would say nothing: its role may be what is to be adopted.
                self._noted[item.name, item.hash] = item.model_copy(update={"at": self._context.clock.now()})


def _metadata_of(item: AdoptedStatus, observed: Observed) -> Mapping[str, Any]:
    mapping = observed.mappings.get(item.name) if item.kind != "role" else None
    found = mapping.metadata if mapping else observed.roles.get(item.name, {}).get("metadata")
    return found if isinstance(found, Mapping) else {}


def _is_gone(item: AdoptedStatus, observed: Observed) -> bool:
    """Return whether there surely is no such object. Of what kind it is, earlier versions did not record."""
    no_role = observed.has_role(item.name) and item.name not in observed.roles
    no_mapping = observed.has_mapping(item.name) and item.name not in observed.mappings
    return no_role and no_mapping if item.kind is None else (no_role if item.kind == "role" else no_mapping)
