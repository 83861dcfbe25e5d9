"""Decides which SearchAccesses of one principal are refused because of the others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from searchaccess.core.policy.decision import AccessDecision
from searchaccess.core.rights.attribution import Shares
from searchaccess.core.rights.compose import Member
from searchaccess.core.rights.ownership import RoleMetadata
from searchaccess.core.rights.refused.budget import over_budget
from searchaccess.core.rights.refused.widening import refusals


def refused_among(members: Sequence[Member], metadata: RoleMetadata, shares: Shares) -> dict[str, AccessDecision]:
    """Return the decisions about those SearchAccesses of a principal that are refused, by uid.

    A SearchAccess with too complicated patterns keeps its rights, which may widen others. One that widens keeps or
    loses its rights, which changes the patterns. So both checks repeat until nobody else is held.

    Args:
        members: its SearchAccesses, and what would be done about each.
        metadata: its role's, with records of owners that lost theirs.
        shares: its role as Elasticsearch has it, split by owner.
    """
    complicated = dict(over_budget(members, metadata, shares))
    while True:
        widening = refusals(with_refusals(members, complicated), shares)
        refused = complicated | widening
        if not refused:
            # The usual case: nothing is refused, so the patterns did not change.
            return refused
        others = over_budget(with_refusals(members, refused), metadata, shares)
        if others.keys() <= refused.keys():
            return refused
        complicated |= others


def with_refusals(members: Iterable[Member], found: Mapping[str, AccessDecision]) -> list[Member]:
    """Return members with the decisions about those that are refused."""
    return [
        replace(member, decision=found[member.access.uid]) if member.access.uid in found else member
        for member in members
    ]
