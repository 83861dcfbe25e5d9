"""Names who in Elasticsearch gives a principal rights, so that each can be told from the others and followed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from searchaccess.api.conditions.reasons import Reason

MAPPING, KEY, USER, FILE = "RoleMapping", "ApiKey", "User", "FileRole"
"""What it is."""
ACCESS: Final = "SearchAccess"
"""It is no object in Elasticsearch: another SearchAccess of the same principal."""
MOST: Final = 10
"""Givers that are listed of one principal."""
ORDER: Final = (
    Reason.SHADOWED,
    Reason.BROADER_THAN_DECLARED,
    Reason.WIDENED_BY,
    Reason.ROLE_GIVEN_TO_OTHERS,
    Reason.CANNOT_BE_SEEN,
    Reason.NOT_BROADER,
)
"""Reasons of the condition Exclusive, the most important first. Others in Elasticsearch never give WidenedBy."""


@dataclass(frozen=True, slots=True)
class Giver:
    """One object that gives a principal rights, or its role to others.

    Args:
        reason: what it does, or may do.
        kind: what it is.
        name: of a role mapping, user or role in a file; the id of an API key, whose name need not be unique;
            ``namespace/name`` of a SearchAccess.
        role: which it gives; empty: none in particular.
        text: the same for people, with what that adds.
    """

    reason: Reason
    kind: str
    name: str
    role: str
    text: str


def listed(givers: Iterable[Giver]) -> tuple[tuple[Giver, ...], int]:
    """Return the most important givers, and how many more there are; of several texts about the same one, the first.

    Args:
        givers: in any order.
    """
    known = dict[tuple[Reason, str, str, str], Giver]()
    for each in givers:
        known.setdefault((each.reason, each.kind, each.name, each.role), each)
    ordered = sorted(known.values(), key=lambda each: (ORDER.index(each.reason), each.kind, each.name, each.role))
    return tuple(ordered[:MOST]), max(0, len(ordered) - MOST)
