"""Finds who else grants rights to a SearchAccess's principal: its caller may do more than the object declares."""

from collections.abc import Collection, Sequence
from typing import Final

from searchaccess.core.model.access import Access
from searchaccess.core.policy.decision import Do
from searchaccess.core.rights.compose import Member, in_order

_NAMED: Final = 3


def granted_elsewhere(access: Access, members: Sequence[Member], owners: Collection[str]) -> tuple[str, ...]:
    """Return the SearchAccesses in other namespaces that grant rights to the same principal, with these rights.

    Those in its own namespace are visible to its team anyway.

    Args:
        access: the SearchAccess.
        members: all of its principal's on this cluster, itself too.
        owners: the uids of those that have rights in Elasticsearch, whatever is declared now.
    """
    others = [
        member
        for member in members
        if member.access.namespace != access.namespace
        and not member.access.deleted_at
        and (member.decision.do is Do.ENFORCE or member.access.uid in owners)
    ]
    return tuple(f"{other.access.ref} ({other.access.summary or 'previous rights'})" for other in in_order(others))


def describe_elsewhere(principal: str, others: Sequence[str]) -> str:
    """Return a message that names some of them.

    Args:
        principal: who has the rights.
        others: see ``granted_elsewhere``; at least one.
    """
    more = len(others) - _NAMED
    return f"{principal} also has rights from {', '.join(others[:_NAMED])}{f' and {more} more' if more > 0 else ''}"
