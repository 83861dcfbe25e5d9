"""Who else gives a SearchAccess's principal rights: its caller may do more than this one object says."""

from collections.abc import Collection, Sequence
from typing import Final

from searchaccess.core.model.access import Access
from searchaccess.core.policy.decision import Do
from searchaccess.core.rights.compose import Member, in_order

_NAMED: Final = 3


def granted_elsewhere(access: Access, members: Sequence[Member], owners: Collection[str]) -> tuple[str, ...]:
    """Return which SearchAccesses of other namespaces give the same principal rights, and which.

    Those of its own namespace are its team's to see.

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
    return tuple(f"{other.access.ref} ({other.access.summary or 'as before'})" for other in in_order(others))


def describe_elsewhere(principal: str, others: Sequence[str]) -> str:
    """Return a message that names some of them.

    Args:
        principal: who has the rights.
        others: see ``granted_elsewhere``; at least one.
    """
    more = len(others) - _NAMED
    return f"{principal} also has rights by {', '.join(others[:_NAMED])}{f' and {more} more' if more > 0 else ''}"
