"""What is known about callers: by their principal, and by what the realm is known to put into a user."""

from collections.abc import Collection
from typing import Final

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.rights.foreign.exclusive import Caller
from searchaccess.core.rights.foreign.rules import DN, EMAIL, GROUPS, REALM, USERNAME, User, Value
from searchaccess.core.rights.mapping import SUB

_ISSUER: Final = "metadata.jwt_claim_iss"
CLAIMED: Final = (GROUPS, DN)
"""Fields that a user has only if the realm takes them from claims."""


def anybody_of(realm: str, issuer: str, claimed: Collection[str] | None) -> User:
    """Return what is known of every user of a JWT realm.

    Args:
        realm: its name.
        issuer: of its tokens.
        claimed: which fields of ``CLAIMED`` it takes from claims; None: that is not known.
    """
    known: dict[str, Value] = {REALM: realm, _ISSUER: issuer}
    if claimed is not None:
        known |= {name: () if name == GROUPS else None for name in CLAIMED if name not in claimed}
    return User(known)


def native_caller(principal: str, role: str) -> Caller:
    """Return what is known of a caller behind a gateway: it runs as the native user with the name of its role.

    Args:
        principal: by which it is declared.
        role: name of its role.
    """
    return Caller(principal, role, (User({USERNAME: role}),), frozenset({role}), named=True)


def named_by(claim: PrincipalClaim) -> tuple[str, ...]:
    """Return the fields of users that may have the name by which callers are declared, or their other one."""
    return (USERNAME, EMAIL, SUB) if claim is PrincipalClaim.SUB else (USERNAME, EMAIL)


def caller_of(principal: str, role: str, anybody: User, claim: PrincipalClaim, other: str = "") -> Caller:
    """Return what is known of a caller.

    Args:
        principal: by which it is declared.
        role: name of its role.
        anybody: what is known of every user of the realm.
        claim: the claim whose value is the principal.
        other: the account's unique id, or its address if the principal is the unique id; empty: not known.
    """
    if claim is not PrincipalClaim.SUB:
        user = User({**anybody.fields, USERNAME: principal, EMAIL: principal, **({SUB: other} if other else {})})
        return Caller(principal, role, (user,), frozenset({principal}), named=True)
    by_id = User({**anybody.fields, SUB: principal})
    if not other:
        return Caller(principal, role, (by_id,), frozenset({principal}), named=False)
    # The realm's users may have either for a name.
    users = tuple(User({**by_id.fields, EMAIL: other, USERNAME: name}) for name in (principal, other))
    return Caller(principal, role, users, frozenset({principal, other}), named=True)
