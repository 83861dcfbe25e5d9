"""Adoptions that the platform allows: recorded in the SearchCluster's status before and after the write."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from searchaccess.api.clusters.status import AdoptedStatus
from searchaccess.api.status import SearchClusterStatus
from searchaccess.core.model.intake.ages import predates
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
        self._void: set[tuple[str, str]] = set()
        """By name and hash, intended adoptions whose object is gone, so that they never happen."""
        self.waits = False
        """Whether an adoption waits until it is recorded."""

    @property
    def is_recorded(self) -> bool:
        """Whether Kubernetes has all records, so that a crash does not lose them."""
        record = self._context.inventory.clusters.get(self._name)
        if record is None or record.cluster.uid in self._context.inventory.writing:
            return False
        # A CRD that is older than the operator may not keep it.
        return self.adopted == list(SearchClusterStatus.parse(record.stored_json).adopted or ())

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
        if record is None or spec is None:
            return Agreed()
        known = self.adopted if self.is_recorded else [item for item in self.adopted if item.at is not None]
        # An adoption that is older than the SearchCluster was restored from a backup: it does not count.
        own = [item for item in known if not predates(item.at, record.cluster.created_at)]
        agreed = agreed_by(spec.adoption, self._name, own)
        return replace(agreed, at_once=self._context.dry_run is not None)

    @property
    def adopted(self) -> list[AdoptedStatus]:
        """All records, in the status or not yet."""
        record = self._context.inventory.clusters.get(self._name)
        found = [item for item in record.status.adopted or () if not self._is_void(item)] if record else []
        # Intended adoptions come last, as the oldest records are dropped if there are too many.
        for one in sorted(self._noted.values(), key=lambda item: item.at is None):
            if one not in found:
                found = recorded(found, one)
        return found

    def _is_void(self, item: AdoptedStatus) -> bool:
        return item.at is None and (item.name, item.hash) in self._void

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
        self._void.discard((one.name, one.hash))
        self.waits = self.waits or not replaced

    def note_work(self, work: Work) -> None:
        """Record what happened to a principal's foreign role and role mapping."""
        for plan in (work.plan, work.mapping):
            if plan is not None and (plan.write is None or (work.failure is None and not work.undecided)):
                self.note(plan.foreign, replaced=plan.write is not None)

    def settle(self, operator: Operator, observed: Observed) -> None:
        """Conclude intended adoptions: an earlier run of the operator completed them, or the object is gone.

        Args:
            operator: this operator.
            observed: what was read.
        """
        for item in self.adopted:
            if item.at is not None:
                continue
            if _is_gone(item, observed):
                # An object that appears later was created, not adopted.
                self._void.add((item.name, item.hash))
                self._noted.pop((item.name, item.hash), None)
                continue
            found = _metadata_of(item, observed)
            if operator.owns(found) and operator.wrote(found):
                # The mark of a former controller does not count: its role may be the one to adopt.
                self._noted[item.name, item.hash] = item.model_copy(update={"at": self._context.clock.now()})


def _metadata_of(item: AdoptedStatus, observed: Observed) -> Mapping[str, Any]:
    mapping = observed.mappings.get(item.name) if item.kind != "role" else None
    found = mapping.metadata if mapping else observed.roles.get(item.name, {}).get("metadata")
    return found if isinstance(found, Mapping) else {}


def _is_gone(item: AdoptedStatus, observed: Observed) -> bool:
    """Return whether the object certainly does not exist. Earlier versions did not record its kind."""
    no_role = observed.covers_role(item.name) and item.name not in observed.roles
    no_mapping = observed.covers_mapping(item.name) and item.name not in observed.mappings
    return no_role and no_mapping if item.kind is None else (no_role if item.kind == "role" else no_mapping)
