"""What an object may declare but rarely should."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from searchaccess.api.searchaccess import DeletionPolicy, Mode
from searchaccess.api.times.durations import seconds
from searchaccess.api.vocabulary.actions import Action
from searchaccess.core.answers.lint import rules
from searchaccess.core.answers.lint.model import Path, Rule
from searchaccess.core.messages import some_of
from searchaccess.core.model.access import Access
from searchaccess.core.model.claims import Claim
from searchaccess.core.model.identities.workload import DEFAULT_COMPUTE_SUFFIX
from searchaccess.core.model.labels import is_agent
from searchaccess.core.model.timeboxes.timebox import Term, validity_at
from searchaccess.core.patterns.containment import contained
from searchaccess.core.patterns.meeting import expression_of, prefix_of
from searchaccess.core.patterns.wildcards import is_name
from searchaccess.core.policy.guardrails.ends import end_of
from searchaccess.core.policy.guardrails.policy import Policy
from searchaccess.core.policy.guardrails.subjects import APP_ENGINE_SUFFIX, accounts_of

SHORTEST_PREFIX: Final = 3
"""Characters."""
LONGEST_ROTATION: Final = "2160h"
"""90 days."""
_BURSTS: Final = 10
"""Seconds' worth of requests at once, above which a rate hardly limits anything; as the webhook warns."""
_CHANGING: Final = frozenset({Action.WRITE, Action.DELETE, Action.MANAGE})
_DESTROYING: Final = frozenset({"all", "delete_index", "manage"})
_WRITING: Final = frozenset({"all", "create", "delete", "delete_index", "index", "manage", "write"})


class Smell(NamedTuple):
    """What one rule finds in one object.

    Args:
        rule: the rule.
        path: to the part.
        message: what is questionable, and what to write instead.
    """

    rule: Rule
    path: Path
    message: str


def of_access(access: Access, now: datetime) -> Iterator[Smell]:
    """Yield what is questionable in a SearchAccess that can be read."""
    for position, claim in enumerate(access.claims):
        yield from _of_claim(claim, ("spec", "grants", position))
    for account in accounts_of(access) or ():
        if account.endswith((DEFAULT_COMPUTE_SUFFIX, APP_ENGINE_SUFFIX)):
            message = f"{account} is the account of every workload of its project that names no other: create one"
            yield Smell(rules.DEFAULT_ACCOUNT, ("spec", "subject", "serviceAccount"), message)
    yield from _of_credential(access)
    yield from _of_state(access, now)
    yield from _of_limits(access)
    if is_agent(access):
        yield from _of_agent(access)


def _of_claim(claim: Claim, path: Path) -> Iterator[Smell]:
    for at, pattern in enumerate(claim.indices):
        yield from _of_pattern(pattern, (*path, "indices", at))
    if claim.privileges:
        message = f"{some_of(claim.privileges)}: write actions in can where they fit"
        yield Smell(rules.RAW_PRIVILEGES, (*path, "privileges"), message)
    if Action.MANAGE in claim.actions or _DESTROYING & set(claim.privileges):
        field = "can" if Action.MANAGE in claim.actions else "privileges"
        message = f"whole indices of {some_of(claim.indices)} may be deleted, with all documents in them"
        yield Smell(rules.DESTROYS, (*path, field), message)
    if claim.by_query and claim.broad:
        yield Smell(
            rules.WHERE_MATCHES_ALL, (*path, "where"), "it may match every document: write a condition on a field"
        )


def _of_pattern(pattern: str, path: Path) -> Iterator[Smell]:
    if is_name(pattern) or expression_of(pattern) is None:
        return
    if contained("*", (pattern,)).contained:
        message = f"{pattern} matches every index, those of other teams too: write names, or a prefix such as orders-*"
        yield Smell(rules.ALL_INDICES, path, message)
    elif len(prefix_of(pattern)) < SHORTEST_PREFIX:
        rule = rules.WIDE_EXPRESSION if pattern.startswith("/") else rules.WIDE_PATTERN
        message = (
            f"{pattern} begins with fewer than {SHORTEST_PREFIX} characters that are certain: write a longer prefix"
        )
        yield Smell(rule, path, message)


def _of_credential(access: Access) -> Iterator[Smell]:
    credential = access.credential
    if credential is None:
        return
    yield Smell(
        rules.STORED_SECRET, ("spec", "auth"), f"auth: {access.auth}: whoever can read the secret has the rights"
    )
    if seconds(credential.rotate_every) > seconds(LONGEST_ROTATION):
        message = f"it is replaced every {credential.rotate_every}: write {LONGEST_ROTATION} or less"
        yield Smell(rules.SELDOM_ROTATED, ("spec", "credential", "rotateEvery"), message)


def _of_state(access: Access, now: datetime) -> Iterator[Smell]:
    if validity_at(access.time_box, now.timestamp()).term is Term.EXPIRED:
        yield Smell(rules.EXPIRED, ("spec", "validUntil"), "it is past: remove the SearchAccess, or set a later time")
    if access.deletion_policy is DeletionPolicy.ORPHAN:
        message = "its rights stay, without an owner, when it is deleted"
        yield Smell(rules.ORPHANS, ("spec", "deletionPolicy"), message)
    for field, is_set in (("suspend", access.suspend), ("mode", access.mode is Mode.OBSERVE)):
        if is_set:
            message = "its rights in Elasticsearch may be others than it declares"
            yield Smell(rules.SUSPENDED, ("spec", field), message)


def _of_limits(access: Access) -> Iterator[Smell]:
    limits = access.limits
    if limits.burst and limits.per_second and limits.burst > limits.per_second * _BURSTS:
        message = (
            f"the caller may send {limits.burst} requests at once, and {limits.per_second} in a second: write at most "
            f"{limits.per_second * _BURSTS}"
        )
        yield Smell(rules.LIMITS, ("spec", "limits", "burst"), message)


def _of_agent(access: Access) -> Iterator[Smell]:
    if access.time_box.ends is None:
        message = "rights of an AI agent should end: set spec.validUntil"
        yield Smell(rules.AGENT_WITHOUT_END, ("spec", "validUntil"), message)
    for position, claim in enumerate(access.claims):
        path: Path = ("spec", "grants", position)
        changing = [str(each) for each in claim.actions if each in _CHANGING] + sorted(_WRITING & set(claim.privileges))
        if changing:
            message = f"an AI agent may {some_of(changing)} on {some_of(claim.indices)}: let it read, or append"
            yield Smell(rules.AGENT_WRITES, (*path, "can"), message)
        if claim.reads and not claim.hides_fields and (not claim.by_query or claim.broad):
            message = f"an AI agent may read everything in {some_of(claim.indices)}: limit it by where or fields"
            yield Smell(rules.AGENT_SEES_ALL, (*path, "can"), message)


def of_policy(policy: Policy, now: datetime) -> Iterator[Smell]:
    """Yield what is questionable in a SearchAccessPolicy that can be read."""
    if policy.audits:
        yield Smell(rules.AUDIT_ONLY, ("spec", "mode"), "it refuses nothing: set mode: Enforce when it reports nothing")
    for at, each in enumerate((policy.spec.exceptions if policy.spec else None) or ()):
        end = end_of(each)
        if end is not None and end <= now:
            message = (
                f"the exception of {each.namespace}/{each.name} has ended: remove it, or let somebody decide again"
            )
            yield Smell(rules.EXCEPTION_ENDED, ("spec", "exceptions", at), message)


def of_cluster(spec: Mapping[str, Any]) -> Iterator[Smell]:
    """Yield what is questionable in the spec of a SearchCluster that can be read."""
    if "allowedNamespaces" not in spec:
        yield Smell(rules.OPEN_CLUSTER, ("spec",), "every namespace may use it: set spec.allowedNamespaces")
