"""Compares the settings of a realm that limit callers with the known callers, one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from searchaccess.core.model.access import Access
from searchaccess.core.model.identities.workload import is_service_account, is_unique_id
from searchaccess.core.patterns.wildcards import matches

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Limit:
    """A setting on one node that accepts some callers and rejects all others."""

    node: str
    setting: str
    """Its full name."""
    claim: str
    """The claim of the caller's token that is compared: ``sub`` or ``email``."""
    values: frozenset[str]
    patterns: tuple[str, ...] = ()
    """Wildcards; one of them is enough."""

    def admits(self, value: str) -> bool:
        """Return whether a caller with this claim is accepted."""
        return value in self.values or any(matches(pattern, value) for pattern in self.patterns)

    @property
    def shown(self) -> str:
        """Its values, in short."""
        found = [*sorted(self.values), *self.patterns]
        more = len(found) - _SHOWN
        return f"{', '.join(found[:_SHOWN])}{f' and {more} more' if more > 0 else ''}"


def shut_out(access: Access, limits: Sequence[Limit]) -> str:
    """Return which setting rejects a SearchAccess's caller; empty: none, as far as the caller is known.

    Args:
        access: the SearchAccess. The account of its template counts, where it has several.
        limits: of all nodes.
    """
    claims = _claims_of(access)
    for limit in limits:
        value = claims.get(limit.claim)
        if value and not limit.admits(value):
            return f"needs {value} in {limit.setting} (on {limit.node}; found: {limit.shown})"
    return ""


def _claims_of(access: Access) -> dict[str, str]:
    account = access.identity.accounts[0] if access.identity and access.identity.accounts else None
    email, unique_id = (account.email, account.unique_id) if account else ("", "")
    principal = access.principal
    if is_service_account(principal):
        email = email or principal
    elif is_unique_id(principal):
        unique_id = unique_id or principal
    return {"email": email, "sub": unique_id}
