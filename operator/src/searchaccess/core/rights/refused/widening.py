"""Finds the SearchAccesses of one principal that would widen others, and decides about them (docs/adr/0029).

A role is one list of entries, and Elasticsearch combines their restrictions. So the SearchAccesses of a principal are
added by age, each with its future rights in the role: the declared ones, or those in force while it is held. One that
would make the union inexact is refused. It keeps its rights in force if these are exact together with those of older
ones. Otherwise they are revoked, whatever it declares, because they show what nobody declared.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.searchaccess import Mode
from searchaccess.core.model.access import Access, Share
from searchaccess.core.model.canonical import Entry
from searchaccess.core.model.restrictions.union import Conflict, Together, conflict_within, fields_of, matters
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.rights.attribution import Shares
from searchaccess.core.rights.compose import Member

RELEASED: Final = "rights released by deletionPolicy: Orphan"
_SEPARATE: Final = "declare one of them with auth: ApiKey"
_STAYS: Final = frozenset({Do.ENFORCE, Do.HOLD, Do.RELEASE})
"""Decisions that leave entries of a SearchAccess in the role."""


def refusals(members: Sequence[Member], shares: Shares) -> dict[str, AccessDecision]:
    """Return the decisions about those SearchAccesses of a principal that are refused, by uid.

    Args:
        members: its SearchAccesses, and what would be done about each.
        shares: its role as Elasticsearch has it, split by owner.
    """
    if not _may_widen(members, shares):
        return {}
    together = Together()
    together.add(shares.released.entries, RELEASED)
    for member in members:
        if member.decision.unseen:
            # Nothing is taken from it, so it comes before all others, whatever their age.
            together.add(shares.by_uid.get(member.access.uid, Share()).entries, f"SearchAccess {member.access.ref}")
    seen = [member for member in members if not member.decision.unseen]
    observed = all(member.access.mode is Mode.OBSERVE for member in seen)
    found: dict[str, AccessDecision] = {}
    for member in sorted(seen, key=lambda item: item.access.seniority):
        if member.decision.returns:
            # Otherwise a newer one would lose its rights each time when its window opens.
            label = f"SearchAccess {member.access.ref}"
            if together.conflict(member.access.share.entries, label) is None:
                together.add(member.access.share.entries, label)
        elif member.decision.do in _STAYS:
            refused = _take_in(member, shares.by_uid.get(member.access.uid, Share()), together, observed=observed)
            if refused is not None:
                found[member.access.uid] = refused
    return found


def remains_exact(decision: AccessDecision, access: Access, in_force: Iterable[Sequence[Entry]]) -> AccessDecision:
    """Return the decision about a SearchAccess with its own keys: its rights are revoked if they are not exact.

    Args:
        decision: what would be done about it.
        access: the SearchAccess.
        in_force: what each of its keys may do.
    """
    if decision.do is not Do.HOLD or access.mode is Mode.OBSERVE:
        return decision
    found = next((found for entries in in_force if (found := _within(access, entries))), None)
    return decision if found is None else _refused(Do.REMOVE, access, found.message(_SEPARATE))


def _may_widen(members: Sequence[Member], shares: Shares) -> bool:
    """Return whether there are entries with different queries and different fields: otherwise all are exact."""
    owned = [shares.released, *shares.by_uid.values(), *(member.access.share for member in members)]
    entries = [entry for entry in chain.from_iterable(share.entries for share in owned) if matters(entry)]
    return len({entry.query for entry in entries}) > 1 and len({fields_of(entry) for entry in entries}) > 1


def _take_in(member: Member, had: Share, together: Together, *, observed: bool) -> AccessDecision | None:
    """Add the future rights of a SearchAccess in the role; return the decision about it if it is refused.

    Args:
        member: the SearchAccess.
        had: its present rights in the role.
        together: the future rights of older ones.
        observed: all SearchAccesses of the principal only observe.
    """
    access, decision = member.access, member.decision
    label = f"SearchAccess {access.ref}"
    own = _within(access, access.share.entries) if access.widens else None
    wanted = own or together.conflict(access.share.entries, label)
    if decision.do is Do.ENFORCE and wanted is None:
        together.add(access.share.entries, label)
        return None
    exposed = _within(access, had.entries) or together.conflict(had.entries, label)
    if exposed is not None:
        if observed and access.deleted_at:
            return None
        # The message is about the declared rights, which somebody can correct.
        message = access.widens or (wanted or exposed).message(_SEPARATE)
        return _refused(Do.HOLD if observed else Do.REMOVE, access, message)
    together.add(had.entries, RELEASED if decision.do is Do.RELEASE else label)
    if decision.reason is Reason.PENDING and wanted is None:
        # It gets its rights in a moment, so that no newer SearchAccess takes precedence.
        together.add(access.share.entries, label)
    if decision.reason is Reason.RESTRICTIONS_WOULD_WIDEN:
        return None if had.entries or had.cluster else replace(decision, do=Do.REMOVE)
    observes = access.mode is Mode.OBSERVE and decision == AccessDecision(Do.HOLD)
    if wanted is None or not (observes or decision.do is Do.ENFORCE):
        return None
    holds = had.entries or had.cluster or observes
    return _refused(Do.HOLD if holds else Do.REMOVE, access, wanted.message(_SEPARATE))


def _within(access: Access, entries: Sequence[Entry]) -> Conflict | None:
    label = f"SearchAccess {access.ref}"
    return conflict_within(entries, [f"{label}, its grant {number}" for number in range(1, len(entries) + 1)])


def _refused(do: Do, access: Access, message: str) -> AccessDecision:
    if access.deleted_at:
        return AccessDecision(Do.REMOVE)
    return AccessDecision(do, Reason.RESTRICTIONS_WOULD_WIDEN, message)
