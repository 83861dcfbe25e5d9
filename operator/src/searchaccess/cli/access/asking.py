"""Finds out who a subject is in Elasticsearch, and asks about it."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from searchaccess.cli.access.reading import read_security
from searchaccess.core.answers.access.actions import Question, is_confirmed, probed
from searchaccess.core.answers.access.callers import Callers, realm_chosen
from searchaccess.core.answers.access.documents import all_of, any_of, matches
from searchaccess.core.answers.access.explain import (
    Asked,
    Explanation,
    Says,
    Step,
    confirmed,
    explain,
    steps_of_access,
    steps_of_status,
    steps_of_use,
)
from searchaccess.core.answers.access.holders import Holder, Kind, Outcome, People, judge, runs_as
from searchaccess.core.answers.access.state import IndexedRoles, Realm, SecurityState, Target, target_of
from searchaccess.core.answers.access.subjects import Subject, SubjectKind
from searchaccess.core.answers.access.whocan import WhoCan, unseen_in, who_can
from searchaccess.core.answers.statuses.report import use_of, used_until
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.model.access import Access
from searchaccess.core.model.intake.reading import mapping
from searchaccess.core.rights.ownership import Operator, owner_in
from searchaccess.ports.errors import (
    ExternalError,
    NoSuchCluster,
    NoSuchSubject,
    NotFound,
    PermissionDenied,
    Rejected,
)

if TYPE_CHECKING:
    from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
    from searchaccess.operator.answers.reading import Declared, Live

_NAMED: Final = 5
"""Names that a message lists."""
_WITHOUT_RUN_AS: Final = (
    "Elasticsearch tells only the caller itself what its token may do: run searchaccess can-i with that token"
)


@dataclass(frozen=True, slots=True)
class Declarations:
    """What is declared, as far as it is needed here."""

    accesses: tuple[tuple[Mapping[str, Any], Access], ...] = ()
    clusters: tuple[Cluster, ...] = ()
    gaps: tuple[str, ...] = ()
    used_until: Mapping[str, str | None] = field(default_factory=dict)
    """By SearchCluster, until when uses are known; None: they are not."""
    complete: bool = True
    """Whether the SearchAccesses could be read."""


async def declarations(live: "Live", namespace: str = "") -> Declarations:
    """Read what is declared; what may not be read is a gap.

    Args:
        live: the API server, if there is one.
        namespace: of the SearchAccesses; empty: all.

    Raises:
        ExternalError: the API server does not answer.
    """
    if live.kubernetes is None:
        return Declarations(gaps=("SearchAccesses are not read: --elasticsearch was given",), complete=False)
    try:
        found: Declared = await live.declared(namespace)
    except PermissionDenied as error:
        return Declarations(gaps=(error.message,), complete=False)
    return Declarations(
        tuple((item.raw, item.read) for item in found.accesses),
        tuple(item.read for item in found.clusters),
        found.gaps,
        {item.read.name: used_until(item.raw) for item in found.clusters},
    )


def check_declared(subject: Subject, declared: Declarations, cluster: str) -> None:
    """Check that a SearchAccess that is asked about exists, so that a mistyped name does not look like an answer.

    Args:
        subject: who is asked about.
        declared: what is declared.
        cluster: name of the SearchCluster that was given; empty: none.

    Raises:
        NoSuchSubject: there is no such SearchAccess, or it names another SearchCluster.
    """
    if subject.kind is not SubjectKind.ACCESS or not declared.complete:
        return
    found = next((access for _, access in declared.accesses if access.ref == subject.name), None)
    if found is None:
        namespace = subject.name.partition("/")[0]
        names = sorted(access.ref for _, access in declared.accesses if access.namespace == namespace)
        there = f"there are: {', '.join(names[:_NAMED])}" if names else f"there is none in namespace {namespace}"
        raise NoSuchSubject(f"there is no SearchAccess {subject.name}; {there}. See searchaccess status -A")
    if cluster and found.cluster != cluster:
        raise NoSuchSubject(f"SearchAccess {subject.name} names SearchCluster {found.cluster}, not {cluster}")


def cluster_for(subject: Subject | None, declared: Declarations, wanted: str) -> str:
    """Return the name of the SearchCluster that is asked.

    Args:
        subject: who is asked about; None: everybody.
        declared: what is declared.
        wanted: the name that was given; empty: none.

    Raises:
        NoSuchCluster: it is not clear which one is meant.
    """
    if wanted:
        return wanted
    if subject and subject.kind is SubjectKind.ACCESS:
        of_subject = {access.cluster for _, access in declared.accesses if access.ref == subject.name}
        if of_subject:
            return of_subject.pop()
    names = sorted(cluster.name for cluster in declared.clusters)
    if len(names) == 1:
        return names[0]
    if not names and not declared.complete:
        raise NoSuchCluster(f"name a SearchCluster with --cluster; none can be listed: {'; '.join(declared.gaps)}")
    raise NoSuchCluster(f"name a SearchCluster with --cluster; there are: {', '.join(names[:_NAMED]) or 'none'}")


@dataclass(frozen=True, slots=True)
class Asking:
    """One cluster, and what is declared about it."""

    port: "ElasticsearchClient"
    state: SecurityState
    declared: Declarations
    cluster: str
    realm: Realm | None
    gateway: bool
    operator: Operator

    @property
    def used_until(self) -> str | None:
        """Until when uses are known; None: they are not."""
        return self.declared.used_until.get(self.cluster)

    def accesses(self) -> Iterator[tuple[Mapping[str, Any], Access]]:
        """Yield the SearchAccesses of this cluster."""
        return ((raw, access) for raw, access in self.declared.accesses if access.cluster == self.cluster)


async def ask(live: "Live", declared: Declarations, cluster: str) -> Asking:
    """Read the security of a cluster.

    Args:
        live: how to reach it.
        declared: what is declared.
        cluster: name of its SearchCluster.

    Raises:
        ExternalError: it cannot be reached, or refuses the login.
    """
    found = next((each for each in declared.clusters if each.name == cluster), None)
    wanted = found.wanted_realm if found else None
    port = await live.elasticsearch(cluster)
    state = await read_security(port)
    realm = realm_chosen(state.realms, Realm(wanted.name, "jwt", wanted.issuer, wanted.principal) if wanted else None)
    gateway = found is not None and found.gateway is not None
    return Asking(port, state, declared, cluster, realm, gateway, Operator(live.instance, ""))


def who(asking: Asking, index: str, question: Question, field: str) -> WhoCan:
    """Return everybody who may do something."""
    found = who_can(asking.state, index, question, asking.realm, field)
    return replace(found, unread=(*found.unread, *asking.declared.gaps))


async def why(asking: Asking, subject: Subject, shown: str, index: str, question: Question, field: str) -> Explanation:
    """Return whether somebody may do something, and why.

    Args:
        asking: the cluster.
        subject: who.
        shown: as it was given.
        index: on which index.
        question: what.
        field: that must be shown; empty: any.

    Raises:
        NoSuchSubject: no API key of this id works, although all can be read.
    """
    target = target_of(index, asking.state.names)
    roles = IndexedRoles(asking.state.roles, target)
    before, holders = _Finding(asking, roles, target, question).of(subject)
    people = People(asking.state, roles)
    judged = (judge(each, roles, question, field) for each in people.users()) if _may_act(holders, roles) else ()
    users = [each for each in judged if each.outcome is not Outcome.NO]
    asked = Asked(shown, target, question, field)
    found = explain(asked, holders, roles, before, users, knows_aliases=asking.state.knows_aliases)
    found = replace(
        found,
        unread=(*asking.state.unread(), *asking.declared.gaps),
        unseen=unseen_in(asking.state),
    )
    return await _verified(asking, found, holders)


def _may_act(holders: Sequence[Holder], roles: IndexedRoles) -> bool:
    return any(runs_as(each, roles) for each in holders)


@dataclass(frozen=True, slots=True)
class _Finding:
    """Finds who a subject is in Elasticsearch, and what is declared of it."""

    asking: Asking
    roles: IndexedRoles
    target: Target
    question: Question

    def of(self, subject: Subject) -> tuple[list[Step], list[Holder]]:
        people, state = People(self.asking.state, self.roles), self.asking.state
        match subject.kind:
            case SubjectKind.USER:
                return self._alone(people.user(subject.name), "user", subject.name, self._about_user(subject.name))
            case SubjectKind.KEY:
                found = people.key(subject.name)
                if found is None and state.keys is not None:
                    text_ = f"there is no API key of the id {subject.name}, or it is invalidated or has expired"
                    raise NoSuchSubject(f"{text_}: see GET _security/api_key?id={subject.name}")
                return self._alone(found, "API key", subject.name, "API keys cannot be read")
            case SubjectKind.ACCESS:
                return self._of_accesses([each for each in self.asking.accesses() if each[1].ref == subject.name])
            case SubjectKind.WORKLOAD:
                return self._of_accesses(
                    [each for each in self.asking.accesses() if each[1].subject == subject.workload]
                )
            case SubjectKind.ACCOUNT:
                chosen = [each for each in self.asking.accesses() if subject.name in _names_of(each[1])]
                steps, holders = self._of_accesses(chosen, known=True)
                if not holders:
                    holders = self._callers([(subject.name, "")])
                return steps, holders
        return [], []

    def _about_user(self, name: str) -> str:
        users = self.asking.state.users
        if users is None:
            return "users cannot be read"
        if name in users:
            return "the user is disabled"
        return "no user of the native realm has this name; another realm may have one"

    @staticmethod
    def _alone(holder: Holder | None, what: str, name: str, nothing: str) -> tuple[list[Step], list[Holder]]:
        if holder is not None:
            return [], [holder]
        return [Step(what, name, Says.UNKNOWN, nothing)], []

    def _of_accesses(
        self, chosen: Sequence[tuple[Mapping[str, Any], Access]], *, known: bool = False
    ) -> tuple[list[Step], list[Holder]]:
        steps, holders = list[Step](), list[Holder]()
        names = dict[tuple[str, str], None]()
        for raw, access in chosen:
            steps += steps_of_access(access, self.target, self.question)
            steps += steps_of_status(raw, access)
            steps += steps_of_use(use_of([raw], self.asking.used_until), access, time.time())
            if access.has_credential:
                holders += self._credentials(access)
            else:
                names |= dict.fromkeys((name, _other_of(access, name)) for name in access.principals)
                if not access.principals:
                    text_ = "its service account is not known yet: the operator reads it from Google"
                    steps.append(Step("subject", access.ref, Says.UNKNOWN, text_))
        if not chosen and not known:
            text_ = "no SearchAccess of it names this cluster: see searchaccess status -A, or name its service account"
            if not self.asking.declared.complete:
                text_ = "SearchAccesses are not read: name its service account"
            steps.append(Step("SearchAccess", "", Says.UNKNOWN, text_))
        steps += self._about_realm()
        return steps, [*holders, *self._callers(names)]

    def _about_realm(self) -> Iterator[Step]:
        """Yield that callers cannot log in, if no node has their realm."""
        realm, known = self.asking.realm, self.asking.state.realms
        if realm and known is not None and all(each.name != realm.name or each.kind != "jwt" for each in known):
            yield Step("realm", realm.name, Says.BLOCKS, "no node has this realm: nobody can log in by a token of it")

    def _callers(self, names: Mapping[tuple[str, str], None] | Sequence[tuple[str, str]]) -> list[Holder]:
        people = People(self.asking.state, self.roles)
        if self.asking.gateway:
            # A gateway runs as the native user with the name of the caller's role.
            users = (people.user(self.asking.operator.role_name(name)) for name, _ in names)
            return [user for user in users if user is not None]
        callers = Callers(self.asking.state, self.roles, self.asking.realm, people.common())
        return [callers.caller(name, other) for name, other in names]

    def _credentials(self, access: Access) -> Iterator[Holder]:
        """Yield the API keys, or users, that the operator made for a SearchAccess."""
        people = People(self.asking.state, self.roles)
        for raw in self.asking.state.keys or ():
            owner = owner_in(mapping(raw.get("metadata")).get("owner"))
            if owner and owner.uid == access.uid:
                yield people.read_key(raw)
        for name, raw in (self.asking.state.users or {}).items():
            owner = owner_in(mapping(raw.get("metadata")).get("owner"))
            if owner and owner.uid == access.uid and (user := people.user(name)):
                yield user


def _names_of(access: Access) -> set[str]:
    accounts = access.identity.accounts if access.identity else ()
    return {*access.principals, *(each.email for each in accounts), *(each.unique_id for each in accounts)} - {""}


def _other_of(access: Access, name: str) -> str:
    """Return the unique id of an address, or the address of a unique id; empty: not known."""
    for each in access.identity.accounts if access.identity else ():
        if name in {each.email, each.unique_id}:
            return each.unique_id if name == each.email else each.email
    return ""


async def _verified(asking: Asking, found: Explanation, holders: Sequence[Holder]) -> Explanation:
    """Ask Elasticsearch itself, where it answers about somebody else."""
    users = [each for each in holders if each.kind is Kind.USER]
    if not users or len(users) != len(holders):
        return confirmed(found, answer=None, why=_WITHOUT_RUN_AS if holders else "nobody was found")
    question, target = found.asked.question, found.asked.target
    for user in users:
        try:
            has = await asking.port.may(target.names, probed(question), acting_as=user.name)
        except (PermissionDenied, Rejected) as error:
            return confirmed(found, answer=None, why=f"{error.message}; run_as on {user.name} allows to ask")
        if any(is_confirmed(question, each) for each in has.values()):
            return confirmed(found, answer=True)
    return confirmed(found, answer=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """Whether one document is shown: yes, no, or None, which means that it cannot be decided; and why."""

    shown: bool | None
    why: str


async def document_of(asking: Asking, found: Explanation, document: str) -> Shown:
    """Return whether a document of the index is shown, by asking Elasticsearch.

    Args:
        asking: the cluster.
        found: what is allowed on the index.
        document: its id.
    """
    sets = found.rights.documents if found.rights else ()
    try:
        for some in sets or (frozenset[str](),):
            matched = await asking.port.finds(found.asked.target.name, document, sorted(some))
            if matched is None:
                return Shown(None, f"there is no document {document}, or this login may not see it")
            if not matched:
                return Shown(shown=False, why="it matches none of the queries (where)")
    except (ExternalError, ValueError) as error:
        reason = error.message if isinstance(error, ExternalError) else "a query is a template"
        hint = "; the login needs read on the index" if isinstance(error, PermissionDenied | NotFound) else ""
        return Shown(None, f"cannot be decided: {reason}{hint}")
    return Shown(shown=True, why="it matches" if sets else "all documents are shown")


def document_in(found: Explanation, source: Mapping[str, Any]) -> Shown:
    """Return whether a document of a file would be shown, without asking Elasticsearch.

    Args:
        found: what is allowed on the index.
        source: the document.
    """
    sets = found.rights.documents if found.rights else ()
    shown = all_of(iter([any_of(matches(_query(query), source) for query in some) for some in sets]))
    if shown is None:
        return Shown(None, "cannot be decided here: a query depends on the mapping; --document asks Elasticsearch")
    taking = "with texts as keywords, and without fields that the mapping adds" if sets else "all documents are shown"
    return Shown(shown, taking)


def _query(query: str) -> Any:
    try:
        return json.loads(query)
    except ValueError:
        return None
