"""Decides which SearchAccesses of one principal are refused for what the others have."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from searchaccess.core.policy.decision import AccessDecision
from searchaccess.core.rights.attribution import Shares
from searchaccess.core.rights.budget import over_budget
from searchaccess.core.rights.compose import Member
from searchaccess.core.rights.ownership import RoleMetadata
from searchaccess.core.rights.widening import refusals


def refused_among(members: Sequence[Member], metadata: RoleMetadata, shares: Shares) -> dict[str, AccessDecision]:
    """Return the decisions about those SearchAccesses of a principal that are refused, by uid.

    One that is refused keeps what it has, which may be more than it declares: so all are judged again by what the role
    will then have of it, until nobody else is refused.

    Args:
        members: its SearchAccesses, and what would be done about each.
        metadata: its role's, with records of owners that lost theirs.
        shares: its role as Elasticsearch has it, split by owner.
    """
    refused: dict[str, AccessDecision] = {}
    while True:
        held = with_refusals(members, refused)
        found = dict(over_budget(held, metadata, shares))
        found |= refusals(with_refusals(held, found), shares)
        if all(refused.get(uid) == decision for uid, decision in found.items()):
            return refused
        refused |= found


def with_refusals(members: Iterable[Member], found: Mapping[str, AccessDecision]) -> list[Member]:
    """Return members with the decisions about those that are refused."""
    return [
        replace(member, decision=found[member.access.uid]) if member.access.uid in found else member
        for member in members
    ]
