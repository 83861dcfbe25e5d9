"""What a SearchAccess may declare but rarely should: warnings, never refusals."""

from collections.abc import Iterator
from typing import Final

from searchaccess.api.vocabulary.apigroups import ApiGroup
from searchaccess.core.messages import some_of
from searchaccess.core.model.access import Access
from searchaccess.core.model.identities.workload import DEFAULT_COMPUTE_SUFFIX
from searchaccess.core.model.labels import is_agent
from searchaccess.core.patterns.containment import contained
from searchaccess.core.policy.guardrails.subjects import APP_ENGINE_SUFFIX, accounts_of

_DEFAULTS: Final = (DEFAULT_COMPUTE_SUFFIX, APP_ENGINE_SUFFIX)
_LONGEST: Final = 8
"""Characters of a pattern that is compared: one that consists of wildcards only is short."""
_BURSTS: Final = 10
"""Seconds' worth of requests at once, above which a rate hardly limits anything."""
_OF_AGENTS: Final = frozenset({ApiGroup.DOCUMENTS, ApiGroup.SEARCH, ApiGroup.BULK})
_WILDCARDS: Final = frozenset("*?")


def smells(access: Access) -> Iterator[str]:
    """Yield what is questionable about a SearchAccess, and what to write instead."""
    for account in accounts_of(access) or ():
        if account.endswith(_DEFAULTS):
            yield (
                f"spec.subject: {account} is the account of every workload of its project that names no other: create "
                "a service account for this workload"
            )
    yield from _of_limits(access)
    for position, claim in enumerate(access.claims):
        for pattern in claim.indices:
            if _matches_all(pattern):
                yield (
                    f"spec.grants[{position}].indices: {pattern} matches every index, those of other teams too: write "
                    "names, or a prefix such as orders-*"
                )


def _of_limits(access: Access) -> Iterator[str]:
    limits = access.limits
    if limits.burst and limits.per_second and limits.burst > limits.per_second * _BURSTS:
        yield (
            f"spec.limits.burst: the caller may send {limits.burst} requests at once, and {limits.per_second} in a "
            f"second: write at most {limits.per_second * _BURSTS}"
        )
    if not is_agent(access):
        return
    if reaching := [str(group) for group in ApiGroup if group in (limits.apis or ()) and group not in _OF_AGENTS]:
        yield f"spec.limits.apis: AI agents seldom need {some_of(reaching)}: write Documents, Search or Bulk alone"


def _matches_all(pattern: str) -> bool:
    may = pattern.startswith("/") or _WILDCARDS.issuperset(pattern)
    return may and len(pattern) <= _LONGEST and contained("*", (pattern,)).contained
