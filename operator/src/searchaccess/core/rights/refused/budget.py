"""Finds the SearchAccesses whose index patterns would make a shared role too complicated for Elasticsearch."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.model.access import Share
from searchaccess.core.patterns.cost.burden import is_too_much, what_is_complicated
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.rights.attribution import Shares
from searchaccess.core.rights.compose import Member, in_order
from searchaccess.core.rights.ownership import RoleMetadata

_STAYS: Final = frozenset({Do.HOLD, Do.RELEASE})
TRIES: Final = 12
"""How often the patterns of a role are evaluated to find the SearchAccesses that exceed the limit."""


def over_budget(members: Sequence[Member], metadata: RoleMetadata, shares: Shares) -> Mapping[str, AccessDecision]:
    """Return who is held because its index patterns would make the role too complicated, by uid.

    Rights in force count first, then the others in the fixed order of a role. A SearchAccess whose patterns exceed the
    limit together with those before it keeps its present rights.

    Args:
        members: the principal's SearchAccesses and what is done about each.
        metadata: the role's, with records of owners that lost theirs.
        shares: the observed role, split by owner.
    """
    recorded = {record.uid: record.spec_hash for record in metadata.records}
    # Rights that somebody added are removed with the first write.
    there = [shares.released]
    coming = list[Member]()
    for member in in_order(members):
        access = member.access
        if member.decision.do is Do.ENFORCE and recorded.get(access.uid) != access.share.hash:
            coming.append(member)
        elif member.decision.do is Do.ENFORCE:
            there.append(access.share)
        elif member.decision.do in _STAYS and access.uid in shares.by_uid:
            there.append(shares.by_uid[access.uid])
    known = set(chain.from_iterable(map(_patterns, there)))
    refused = dict[str, AccessDecision]()
    tries = TRIES
    while coming:
        fits, tries = _how_many_fit(known, coming, tries)
        if fits == len(coming):
            break
        known.update(chain.from_iterable(_patterns(member.access.share) for member in coming[:fits]))
        for member in coming[fits : fits + 1]:
            refused[member.access.uid] = AccessDecision(Do.HOLD, Reason.TOO_COMPLICATED, _message(member))
        coming = coming[fits + 1 :]
    return refused


def _how_many_fit(known: set[str], coming: Sequence[Member], tries: int) -> tuple[int, int]:
    """Return how many of the first fit on top of what is known, and how many tries are left: without any, none does."""

    def fit(count: int) -> bool:
        nonlocal tries
        tries -= 1
        added = chain.from_iterable(_patterns(member.access.share) for member in coming[:count])
        return tries >= 0 and not is_too_much({*known, *added})

    if fit(len(coming)):
        return len(coming), tries
    low, high = 0, len(coming) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fit(middle) else (low, middle - 1)
    return low, tries


def _patterns(share: Share) -> set[str]:
    return {name for entry in share.on_indices for name in entry.names}


def _message(member: Member) -> str:
    access = member.access
    found = what_is_complicated(_patterns(access.share)) or "its index patterns"
    return (
        f"with {found} the role of {access.principal or 'its principal'} would be too complicated for Elasticsearch, "
        "together with the patterns of its other SearchAccesses: write fewer patterns with a * before or between other "
        "characters"
    )
