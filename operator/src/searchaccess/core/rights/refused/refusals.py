"""Decides which SearchAccesses of one principal are refused for what the others have."""

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

    One with too complicated patterns keeps what it has, which may widen what others declare; and one that widens keeps
    what it has, or loses it, which changes the patterns. So these are added up until nobody else is held.

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
            # As almost always: the patterns are those that were added up already.
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
