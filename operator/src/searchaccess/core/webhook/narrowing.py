"""Whether an update asks for no more than the SearchAccess had before: it may be on its way out of a violation."""

from collections.abc import Iterable

from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import Entry
from searchaccess.core.model.claims import Claim
from searchaccess.core.model.limits import is_within
from searchaccess.core.model.timeboxes.timebox import is_during
from searchaccess.core.patterns.containment import measuring
from searchaccess.core.policy.guardrails.budget import Budget, OutOfStepsError
from searchaccess.core.work import Work


def narrows(new: Access, old: Access) -> Work[bool]:
    """Find out whether each grant of a valid SearchAccess is within one that it had, and all else is as it was.

    ``suspend`` may change. What would take long to compare counts as more.
    """
    if _rest(new) != _rest(old) or not set(old.annotated) <= set(new.annotated):
        return False
    if not set(new.share.cluster) <= set(old.share.cluster) or not _kibana(new) <= _kibana(old):
        return False
    if not (is_during(new.time_box, old.time_box) and is_within(new.limits, old.limits)):
        return False
    budget, before = Budget(), list(zip(old.claims, old.share.entries, strict=False))
    try:
        for claim, entry in zip(new.claims, new.share.entries, strict=False):
            if not (yield from _is_within_any(claim, entry, before, budget)):
                return False
    except OutOfStepsError:
        return False
    return True


def _is_within_any(claim: Claim, entry: Entry, before: Iterable[tuple[Claim, Entry]], budget: Budget) -> Work[bool]:
    for other in before:
        if (yield from _is_within(claim, entry, *other, budget)):
            return True
    return False


def _rest(access: Access) -> tuple[object, ...]:
    return (
        access.cluster,
        access.subject,
        access.auth,
        access.credential,
        access.deletion_policy,
        access.mode,
        access.adopt,
        access.labels,
    )


def _kibana(access: Access) -> frozenset[Entry]:
    return frozenset(entry for entry in access.share.entries if entry.application)


def _is_within(claim: Claim, entry: Entry, other: Claim, wider: Entry, budget: Budget) -> Work[bool]:
    if not set(claim.actions) <= set(other.actions) or not set(claim.privileges) <= set(other.privileges):
        return False
    if claim.clusters != other.clusters or not _as_restricted(entry, wider):
        return False
    for pattern in claim.indices:
        verdict, steps = yield from measuring(pattern, other.indices)
        budget.spend(steps)
        if not verdict.contained:
            return False
    return True


def _as_restricted(entry: Entry, wider: Entry) -> bool:
    same_fields = (entry.include, entry.exclude) == (wider.include, wider.exclude)
    return (same_fields or not wider.hides_fields) and (entry.query == wider.query or not wider.query)
