"""Whether a SearchAccess is as a policy requires, and within its limits."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from searchaccess.api.policies.rules import Limits, Requirements
from searchaccess.api.searchaccess import FieldName
from searchaccess.api.times.durations import seconds
from searchaccess.core.messages import some_of
from searchaccess.core.model.claims import Claim
from searchaccess.core.model.restrictions.fields import ALL, with_all_below
from searchaccess.core.patterns.containment import contained, measuring, steps_of_looking
from searchaccess.core.patterns.meeting import meeting
from searchaccess.core.patterns.wildcards import matches
from searchaccess.core.policy.guardrails.asked import (
    WHOLE_NAME,
    Asked,
    Extent,
    Shown,
    Size,
    Terms,
    literal_prefix,
    size_of,
)
from searchaccess.core.policy.guardrails.budget import Budget, OutOfStepsError
from searchaccess.core.policy.guardrails.ends import too_late
from searchaccess.core.policy.guardrails.reasons import Reasons
from searchaccess.core.policy.guardrails.rules.callerlimits import unlimited
from searchaccess.core.policy.guardrails.subjects import placed
from searchaccess.core.work import Work

_SIZES_KEPT: Final = 16
"""Of the last SearchAccesses: each policy asks for them, and there may be thousands of patterns."""
_STEPS_OF_FIELDS: Final = 500
"""Counted for each comparison of two lists of fields."""


def unmet(require: Requirements, asked: Asked, whole: Budget) -> Reasons:
    """Yield which requirements a SearchAccess does not meet, see ``Reasons``.

    Args:
        require: the requirements.
        asked: what it asks for.
        whole: how much may be compared with all policies.
    """
    yield from unmet_terms(require, asked.terms, whole)
    if require.valid_until is not None:
        yield from too_late(require.valid_until, asked.times)


def unmet_terms(require: Requirements, terms: Terms, whole: Budget) -> Reasons:
    """Yield which requirements a SearchAccess does not meet, without those of times.

    Args:
        require: the requirements.
        terms: what they look at.
        whole: how much may be compared with all policies.
    """
    budget = Budget(whole)
    for position, shown in enumerate(terms.shown):
        if shown.reads:
            yield from _unlimited(require, shown, f"grants[{position}]")
            yield from _unrestricted(require, shown, f"grants[{position}]", budget)
    if require.auth is not None and terms.auth not in require.auth:
        yield f"auth: {terms.auth} is not accepted: write {_one_of(require.auth)}"
    if require.rotate_every and terms.rotate_every and seconds(terms.rotate_every) > seconds(require.rotate_every):
        yield f"credential.rotateEvery: {terms.rotate_every} is more than {require.rotate_every}"
    for name in require.annotations or ():
        if name not in terms.annotated:
            yield f"metadata.annotations: {name} is required"
    if require.mode is not None and terms.mode is not require.mode:
        yield f"mode: {terms.mode} is not accepted: write {require.mode}"
    if require.limits is not None:
        yield from unlimited(require.limits, terms.limits, has_credential=terms.has_credential)


def _unrestricted(require: Requirements, shown: Shown, place: str, budget: Budget) -> Reasons:
    try:
        if require.fields and not (yield from _hides_some(shown, budget)):
            yield f"{place}: fields is required: list in fields.include the fields that may be read"
        visible = yield from _visible(require.hidden_fields or (), shown, budget)
    except OutOfStepsError:
        yield f"{place}: fields is too complicated to compare with what must be hidden: write names or wildcards"
        return
    if visible:
        yield f"{place}: {some_of(visible)} may not be read: add it to fields.exclude"


def _unlimited(require: Requirements, shown: Shown, place: str) -> Iterator[str]:
    if require.where and not shown.by_query:
        yield f"{place}: where is required: a query for the documents that may be read"
    elif require.where and shown.broad:
        yield f"{place}: where may match every document: write a query on fields of the documents, without scripts"


def _hides_some(shown: Shown, budget: Budget) -> Work[bool]:
    """Find out whether only some fields may be read; what takes too long to find out counts as all."""
    if shown.exclude or shown.include == (ALL,):
        return bool(shown.exclude)
    budget.require()
    budget.spend(steps_of_looking(ALL, shown.include))
    verdict, steps = yield from measuring(ALL, shown.include)
    budget.spend(steps)
    return not (verdict.contained or verdict.undecided)


def _visible(names: Sequence[FieldName], shown: Shown, budget: Budget) -> Work[list[FieldName]]:
    """Find out of which of some fields something can be read: of the field itself, or of what is below it."""
    included, found = list[FieldName](), list[FieldName]()
    for name in names:
        if not (yield from _is_excluded(name, shown, budget)):
            included.append(name)
    if not included or not (yield from _may_meet(included, shown, budget)):
        return []
    for name in included:
        if (yield from _may_meet([name], shown, budget)):
            found.append(name)
    return found


def _is_excluded(name: FieldName, shown: Shown, budget: Budget) -> Work[bool]:
    for each in with_all_below([name]):
        budget.require()
        budget.spend(steps_of_looking(each, shown.exclude))
        verdict, steps = yield from measuring(each, shown.exclude)
        budget.spend(steps)
        if not verdict.contained:
            return False
    return True


def _may_meet(names: Sequence[FieldName], shown: Shown, budget: Budget) -> Work[bool]:
    budget.spend(1 if shown.include == (ALL,) else _STEPS_OF_FIELDS)
    return (yield from meeting(with_all_below(names), shown.include))


def exceeded(limits: Limits, asked: Asked) -> Iterator[str]:
    """Yield which limits a SearchAccess exceeds."""
    yield from _size(limits, asked.claims)
    yield from exceeded_extent(limits, asked.extent)


def fits(limits: Limits, size: Size) -> bool:
    """Return whether no limit of the number of indices, and of how they are named, is exceeded."""
    least = limits.literal_prefix or 0
    return not (
        (limits.grants is not None and size.grants > limits.grants)
        or (limits.patterns is not None and size.patterns > limits.patterns)
        or (size.expressions and (limits.regular_expressions is False or least))
        or size.prefix < least
    )


def _size(limits: Limits, claims: tuple[Claim, ...]) -> Iterator[str]:
    """Yield what ``fits`` finds."""
    size = _size_of(claims)
    if fits(limits, size):
        return
    if limits.grants is not None and size.grants > limits.grants:
        yield f"grants: {size.grants} are more than {limits.grants}"
    if limits.patterns is not None and size.patterns > limits.patterns:
        yield f"grants: {size.patterns} index names and patterns are more than {limits.patterns}"
    least = limits.literal_prefix or 0
    for position, pattern, prefix in _prefixes(claims):
        is_expression = pattern[0] == "/"
        if limits.regular_expressions is False and is_expression:
            yield f"grants[{position}]: {pattern}: regular expressions are not accepted: write names or wildcards"
        if (is_expression and least) or prefix < least:
            yield f"grants[{position}]: {pattern}: write at least {least} characters before the first wildcard"


@lru_cache(_SIZES_KEPT)
def _size_of(claims: tuple[Claim, ...]) -> Size:
    return size_of(claims, min([prefix for _, _, prefix in _prefixes(claims)], default=WHOLE_NAME))


@lru_cache(_SIZES_KEPT)
def _prefixes(claims: tuple[Claim, ...]) -> list[tuple[int, str, int]]:
    """Return each pattern, with the number of its grant before it, and its ``literal_prefix`` after it."""
    return [(at, pattern, literal_prefix(pattern)) for at, claim in enumerate(claims) for pattern in claim.indices]


def exceeded_extent(limits: Limits, extent: Extent) -> Iterator[str]:
    """Yield which limits a SearchAccess exceeds, without those of its indices."""
    yield from _reach(limits, extent)
    yield from _ends(limits, extent)


def _reach(limits: Limits, extent: Extent) -> Iterator[str]:
    for position, (has_privileges, clusters) in enumerate(zip(extent.privileges, extent.clusters, strict=True)):
        if limits.privileges is False and has_privileges:
            yield f"grants[{position}]: privileges are not accepted: write actions in can"
        if limits.remote_clusters is not None:
            beyond = [name for name in clusters if not contained(name, tuple(limits.remote_clusters)).contained]
            if beyond:
                accepted = f": write {_one_of(limits.remote_clusters)}" if limits.remote_clusters else ""
                yield f"grants[{position}].remoteClusters: {some_of(beyond)} is not accepted{accepted}"
    if limits.cluster_can is not None:
        beyond = [name for name in extent.cluster_can if name not in limits.cluster_can]
        if beyond:
            yield f"clusterCan: {some_of(beyond)} is not accepted"
    if limits.kibana is False and extent.kibana:
        yield "kibana is not accepted"


def _ends(limits: Limits, extent: Extent) -> Iterator[str]:
    policies = limits.deletion_policies
    if policies is not None and extent.deletion_policy not in policies:
        yield f"deletionPolicy: {extent.deletion_policy} is not accepted: write {_one_of(policies)}"
    if limits.adopt is False and extent.adopt:
        yield "metadata.annotations: searchaccess.dev/adopt is not accepted"
    if extent.store is None:
        return
    if limits.secret_stores is not None and extent.store not in limits.secret_stores:
        yield f"credential.store: {extent.store} is not accepted"
    names = placed(limits.secret_names or (), extent.namespace)
    if names and not any(matches(name, extent.secret) for name in names):
        yield f"credential.name: {extent.secret} is not accepted: write {_one_of(names)}"


def _one_of(names: Iterable[str]) -> str:
    return some_of([str(name) for name in names])
