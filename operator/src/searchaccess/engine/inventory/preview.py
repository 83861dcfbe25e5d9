"""Reads and judges a SearchAccess as if it were declared, without taking it in."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from searchaccess.core.model.access import Access, identified, subject_to_resolve
from searchaccess.core.policy.decision import OPEN, Gate
from searchaccess.core.work import Work
from searchaccess.engine.inventory.intake import read_access
from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.ports.meter import Meter

_STEPS_OF_A_GRANT: Final = 100
"""Steps that take as long as to read a usual grant."""


def preview(inventory: Inventory, raw: Mapping[str, Any], meter: Meter) -> Work[Access]:
    """Find out how a SearchAccess would be judged. Changes nothing, and asks nobody.

    Args:
        inventory: the declared objects.
        raw: the SearchAccess, as Kubernetes gives it; a new one has no uid yet.
        meter: counts internal errors, after which the result has a ``fault``.
    """
    access = read_access(raw, None, meter)
    yield 1 + len(access.claims) * _STEPS_OF_A_GRANT
    claim = inventory.claim(access.cluster)
    subject = subject_to_resolve(access, claim)
    known = inventory.subjects.known(subject) if subject is not None else None
    return (yield from inventory.previewing(identified(access, known, claim)))


def open_gate(inventory: Inventory, cluster: str) -> Gate:
    """Return what may be done on a SearchCluster if only its spec restricts it."""
    record = inventory.clusters.get(cluster)
    if record is None or record.cluster.spec is None:
        return OPEN
    return replace(OPEN, orphans=record.cluster.orphans.allowed, gateway=record.cluster.gateway is not None)
