"""What a SearchAccess may declare but rarely should: warnings, never refusals."""

from collections.abc import Iterator
from typing import Final

from searchaccess.core.model.access import Access
from searchaccess.core.model.workload import DEFAULT_COMPUTE_SUFFIX
from searchaccess.core.patterns.containment import contained
from searchaccess.core.policy.guardrails.subjects import APP_ENGINE_SUFFIX, accounts_of

_DEFAULTS: Final = (DEFAULT_COMPUTE_SUFFIX, APP_ENGINE_SUFFIX)
_LONGEST: Final = 8
"""Characters of a pattern that is compared: one that consists of wildcards only is short."""
_WILDCARDS: Final = frozenset("*?")


def smells(access: Access) -> Iterator[str]:
    """Yield what is questionable about a SearchAccess, and what to write instead."""
    for account in accounts_of(access) or ():
        if account.endswith(_DEFAULTS):
            yield (
                f"spec.subject: {account} is the account of every workload of its project that names no other: create "
                "a service account for this workload"
            )
    for position, claim in enumerate(access.claims):
        for pattern in claim.indices:
            if _matches_all(pattern):
                yield (
                    f"spec.grants[{position}].indices: {pattern} matches every index, those of other teams too: write "
                    "names, or a prefix such as orders-*"
                )


def _matches_all(pattern: str) -> bool:
    may = pattern.startswith("/") or _WILDCARDS.issuperset(pattern)
    return may and len(pattern) <= _LONGEST and contained("*", (pattern,)).contained
