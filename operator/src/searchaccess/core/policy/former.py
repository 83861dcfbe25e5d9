"""Decides about rights in a place where their SearchAccess no longer declares them.

A place is a role, or the keys and users, of one Elasticsearch cluster. A SearchAccess leaves a place when its cluster,
subject or auth changes. Its rights there stay until its declared rights are in force in the new place, so that a typing
error, or a place that is not ready, revokes nothing (docs/adr/0031).
"""

from dataclasses import dataclass

from searchaccess.core.model.access import Access
from searchaccess.core.model.admission import Admission
from searchaccess.core.policy.decision import OPEN, AccessDecision, Do, Gate, Inputs, deletion


@dataclass(frozen=True, slots=True)
class RightsPlace:
    """Where a SearchAccess has, or had, its rights."""

    uuid: str
    """Of the Elasticsearch cluster."""
    role: str
    """Name of the role; empty: they are those of keys or users."""


@dataclass(frozen=True, slots=True)
class Former:
    """What is known about rights that a SearchAccess does not declare where they are.

    Args:
        access: the SearchAccess, as it is declared now.
        here: where the rights are.
        confirmed: where it was last known to have all rights that it declared then; None: not known.
        admission: whether the SearchCluster of that place admits its namespace.
        ended: the account behind the rights belongs to its present subject, which is known to be gone.
        gate: what the SearchCluster of that place allows.
        refused: whether a SearchAccessPolicy refuses it, here or where it is declared now, and lets no rights stay.
    """

    access: Access
    here: RightsPlace
    confirmed: RightsPlace | None
    admission: Admission = Admission.ALLOWED
    ended: bool = False
    gate: Gate = OPEN
    refused: bool = False


def decide_former(former: Former) -> AccessDecision:
    """Decide about rights in a place where their SearchAccess does not declare them."""
    # What is refused never gets rights in the new place, so that those here would stay for ever.
    if former.admission is Admission.REFUSED or former.refused or former.access.is_over:
        return AccessDecision(Do.REMOVE)
    # It will never have what it declares, so that what it has here would stay: not if a policy revokes.
    if former.access.verdict.revokes and not former.access.invalid:
        return AccessDecision(Do.REMOVE)
    confirmed = former.confirmed
    if confirmed is not None and confirmed != former.here:
        return AccessDecision(Do.REMOVE)
    if ending := deletion(Inputs(former.access, former.gate)):
        return ending
    if former.ended or (former.access.has_nobody and confirmed is None):
        return AccessDecision(Do.REMOVE)
    return AccessDecision(Do.HOLD)
