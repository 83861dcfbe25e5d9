"""Everybody who may do something on an index, whoever manages them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from searchaccess.core.answers.access.actions import Question
from searchaccess.core.answers.access.callers import Callers
from searchaccess.core.answers.access.holders import Finding, Holder, Kind, Outcome, People, acting, judge, runs_as
from searchaccess.core.answers.access.state import (
    IN_FILES,
    IndexedRoles,
    Realm,
    SecurityState,
    Target,
    target_of,
)
from searchaccess.core.rights.ownership import metadata_from_json

_ORDER: Final = {kind: number for number, kind in enumerate(Kind)}
_WITHOUT_FILES: Final = frozenset({"jwt", "native", "reserved"})
"""Kinds of realms whose users get no roles from files of the nodes."""


@dataclass(frozen=True, slots=True)
class Work:
    """How much was compared, for tests: it must not grow with all pairs."""

    patterns: int
    mappings: int
    judged: int


@dataclass(frozen=True, slots=True)
class WhoCan:
    """The answer: who may do what is asked about.

    Args:
        question: what.
        target: on which index.
        field: of which the value must be shown; empty: of any.
        findings: those who may, and those of whom it is not known.
        unread: what could not be read, and why.
        unseen: what no API shows.
        work: how much was compared.
    """

    question: Question
    target: Target
    field: str
    findings: tuple[Finding, ...]
    unread: tuple[str, ...]
    unseen: tuple[str, ...]
    work: Work


def who_can(
    state: SecurityState, index: str, question: Question, realm: Realm | None = None, field: str = ""
) -> WhoCan:
    """Return everybody who may do something on an index.

    Args:
        state: of the cluster's security.
        index: its name, or that of an alias or data stream.
        question: what is asked about.
        realm: of callers; None: there is none, or it is not known.
        field: that must be shown; empty: any.
    """
    target = target_of(index, state.names)
    roles = IndexedRoles(state.roles, target)
    people = People(state, roles)
    callers = Callers(state, roles, realm, people.common())
    found, runners, judged = list[Finding](), list[Holder](), 0
    for holder in _everybody(people, callers):
        judged += 1
        finding = judge(holder, roles, question, field)
        if finding.outcome is not Outcome.NO:
            found.append(finding)
        elif runs_as(holder, roles):
            runners.append(holder)
    users = [each for each in found if each.holder.kind is Kind.USER]
    found += [each for each in (acting(holder, roles, users) for holder in runners) if each]
    found.sort(key=lambda each: (each.outcome is not Outcome.YES, _ORDER[each.holder.kind], each.holder.name))
    return WhoCan(
        question,
        target,
        field,
        tuple(found),
        tuple(state.unread()),
        unseen_in(state),
        Work(roles.compared, callers.evaluated, judged),
    )


def _everybody(people: People, callers: Callers) -> Iterator[Holder]:
    for name in callers.names():
        yield callers.caller(name)
    yield from people.users()
    yield from people.keys()
    yield from people.services()
    yield from callers.others()
    if anonymous := people.anonymous():
        yield anonymous


def unseen_in(state: SecurityState) -> tuple[str, ...]:
    """Return what no API shows of a cluster, for messages."""
    outside = [f"{each.name} ({each.kind})" for each in state.realms or () if each.kind not in _WITHOUT_FILES]
    found = [IN_FILES]
    if outside:
        found.append(f"who the users of these realms are: {', '.join(outside)}; role mappings show what they get")
    return tuple(found)


def managed_by(roles: Mapping[str, Mapping[str, object]], finding: Finding) -> tuple[str, ...]:
    """Return the SearchAccesses whose rights are in the roles of a finding, as ``namespace/name``."""
    sources = finding.rights.sources if finding.rights else ()
    found = dict[str, None]()
    for name in sources:
        metadata = roles.get(name, {}).get("metadata")
        if isinstance(metadata, Mapping) and "managed_by" in metadata:
            found |= {f"{record.namespace}/{record.name}": None for record in metadata_from_json(metadata).records}
    return tuple(found)
