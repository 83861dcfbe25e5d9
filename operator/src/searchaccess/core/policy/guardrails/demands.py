"""Whether a SearchAccess is as a policy requires, and within its limits."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from searchaccess.api.policies.rules import Limits, Requirements
from searchaccess.api.searchaccess import FieldName
from searchaccess.api.times.durations import seconds
from searchaccess.core.messages import some_of
from searchaccess.core.model.access import Access
from searchaccess.core.model.claims import Claim
from searchaccess.core.model.restrictions.fields import ALL, with_all_below
from searchaccess.core.patterns.containment import contained, measured
from searchaccess.core.patterns.meeting import meet
from searchaccess.core.patterns.wildcards import matches
from searchaccess.core.policy.guardrails.budget import Budget, OutOfStepsError
from searchaccess.core.policy.guardrails.callerlimits import unlimited
from searchaccess.core.policy.guardrails.ends import too_late
from searchaccess.core.policy.guardrails.subjects import placed

_STEPS_OF_FIELDS: Final = 500
"""Counted for each comparison of two lists of fields."""
_SPECIAL: Final = frozenset("*?\\/")


def unmet(require: Requirements, access: Access, whole: Budget) -> Iterator[str]:
    """Yield which requirements a SearchAccess does not meet.

    Args:
        require: the requirements.
        access: the SearchAccess.
        whole: how much may be compared with all policies.
    """
    budget = Budget(whole)
    for position, claim in enumerate(access.claims):
        if claim.reads:
            yield from _unlimited(require, claim, f"grants[{position}]")
            yield from _unrestricted(require, claim, f"grants[{position}]", budget)
    if require.auth is not None and access.auth not in require.auth:
        yield f"auth: {access.auth} is not accepted: write {_one_of(require.auth)}"
    credential = access.credential
    if require.rotate_every and credential and seconds(credential.rotate_every) > seconds(require.rotate_every):
        yield f"credential.rotateEvery: {credential.rotate_every} is more than {require.rotate_every}"
    for name in require.annotations or ():
        if name not in access.annotated:
            yield f"metadata.annotations: {name} is required"
    if require.mode is not None and access.mode is not require.mode:
        yield f"mode: {access.mode} is not accepted: write {require.mode}"
    if require.limits is not None:
        yield from unlimited(require.limits, access)
    if require.valid_until is not None:
        yield from too_late(require.valid_until, access)


def _unrestricted(require: Requirements, claim: Claim, place: str, budget: Budget) -> Iterator[str]:
    try:
        if require.fields and not _hides_some(claim, budget):
            yield f"{place}: fields is required: list in fields.include the fields that may be read"
        shown = _shown(require.hidden_fields or (), claim, budget)
    except OutOfStepsError:
        yield f"{place}: fields is too complicated to compare with what must be hidden: write names or wildcards"
        return
    if shown:
        yield f"{place}: {some_of(shown)} may not be read: add it to fields.exclude"


def _unlimited(require: Requirements, claim: Claim, place: str) -> Iterator[str]:
    if require.where and not claim.by_query:
        yield f"{place}: where is required: a query for the documents that may be read"
    elif require.where and claim.broad:
        yield f"{place}: where may match every document: write a query on fields of the documents, without scripts"


def _hides_some(claim: Claim, budget: Budget) -> bool:
    """Return whether only some fields may be read; what takes too long to find out counts as all."""
    if claim.exclude or not claim.hides_fields:
        return claim.hides_fields
    verdict, steps = measured(ALL, claim.include)
    budget.spend(steps)
    return not (verdict.contained or verdict.undecided)


def _shown(names: Sequence[FieldName], claim: Claim, budget: Budget) -> list[FieldName]:
    """Return of which of some fields something can be read: of the field itself, or of what is below it."""
    included = [name for name in names if not _is_excluded(name, claim, budget)]
    if not included or not _may_meet(included, claim, budget):
        return []
    return [name for name in included if _may_meet([name], claim, budget)]


def _is_excluded(name: FieldName, claim: Claim, budget: Budget) -> bool:
    for each in with_all_below([name]):
        verdict, steps = measured(each, claim.exclude)
        budget.spend(steps)
        if not verdict.contained:
            return False
    return True


def _may_meet(names: Sequence[FieldName], claim: Claim, budget: Budget) -> bool:
    budget.spend(1 if claim.include == (ALL,) else _STEPS_OF_FIELDS)
    return meet(with_all_below(names), claim.include)


def exceeded(limits: Limits, access: Access) -> Iterator[str]:
    """Yield which limits a SearchAccess exceeds."""
    yield from _size(limits, access)
    yield from _reach(limits, access)
    yield from _ends(limits, access)


def _size(limits: Limits, access: Access) -> Iterator[str]:
    number = len(access.claims)
    if limits.grants is not None and number > limits.grants:
        yield f"grants: {number} are more than {limits.grants}"
    patterns = [(position, pattern) for position, claim in enumerate(access.claims) for pattern in claim.indices]
    if limits.patterns is not None and len(patterns) > limits.patterns:
        yield f"grants: {len(patterns)} index names and patterns are more than {limits.patterns}"
    for position, pattern in patterns:
        is_expression = pattern.startswith("/")
        if limits.regular_expressions is False and is_expression:
            yield f"grants[{position}]: {pattern}: regular expressions are not accepted: write names or wildcards"
        least = limits.literal_prefix or 0
        if (is_expression and least) or _literal_prefix(pattern) < least:
            yield f"grants[{position}]: {pattern}: write at least {least} characters before the first wildcard"


def _literal_prefix(pattern: str) -> int:
    """Return how many characters a pattern begins with that stand for themselves; of a whole name, any number."""
    before = next((at for at, sign in enumerate(pattern) if sign in _SPECIAL), None)
    return len(pattern) + 1_000 if before is None else before


def _reach(limits: Limits, access: Access) -> Iterator[str]:
    for position, claim in enumerate(access.claims):
        if limits.privileges is False and claim.privileges:
            yield f"grants[{position}]: privileges are not accepted: write actions in can"
        if limits.remote_clusters is not None:
            beyond = [name for name in claim.clusters if not contained(name, tuple(limits.remote_clusters)).contained]
            if beyond:
                accepted = f": write {_one_of(limits.remote_clusters)}" if limits.remote_clusters else ""
                yield f"grants[{position}].remoteClusters: {some_of(beyond)} is not accepted{accepted}"
    if limits.cluster_can is not None:
        beyond = [name for name in access.share.cluster if name not in limits.cluster_can]
        if beyond:
            yield f"clusterCan: {some_of(beyond)} is not accepted"
    if limits.kibana is False and access.share.on_indices != access.share.entries:
        yield "kibana is not accepted"


def _ends(limits: Limits, access: Access) -> Iterator[str]:
    policies, credential = limits.deletion_policies, access.credential
    if policies is not None and access.deletion_policy not in policies:
        yield f"deletionPolicy: {access.deletion_policy} is not accepted: write {_one_of(policies)}"
    if limits.adopt is False and access.adopt:
        yield "metadata.annotations: searchaccess.dev/adopt is not accepted"
    if credential is None:
        return
    if limits.secret_stores is not None and credential.store not in limits.secret_stores:
        yield f"credential.store: {credential.store} is not accepted"
    names = placed(limits.secret_names or (), access.namespace)
    if names and not any(matches(name, credential.name) for name in names):
        yield f"credential.name: {credential.name} is not accepted: write {_one_of(names)}"


def _one_of(names: Iterable[str]) -> str:
    return some_of([str(name) for name in names])
