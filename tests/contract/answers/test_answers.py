"""Who may do what, and sees what: what the command line concludes, and what Elasticsearch really gives 500 of them."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import httpx
import pytest

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.api.vocabulary.privileges import INDEX_PRIVILEGES
from searchaccess.cli.access.asking import Asking, Declarations, why
from searchaccess.cli.access.reading import read_security
from searchaccess.core.answers.access.actions import allows, patterns_of, question_of, shows_some
from searchaccess.core.answers.access.callers import Callers, realm_chosen
from searchaccess.core.answers.access.documents import any_of, matches
from searchaccess.core.answers.access.explain import Says
from searchaccess.core.answers.access.groups import Rights
from searchaccess.core.answers.access.holders import Finding, Holder, Kind, Outcome, People, judge
from searchaccess.core.answers.access.state import IndexedRoles, SecurityState, Target, target_of
from searchaccess.core.answers.access.subjects import subject_of
from searchaccess.core.answers.access.whocan import WhoCan, who_can
from searchaccess.core.answers.logins import observer_role
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.model.access import Access
from searchaccess.core.model.timeboxes.timebox import Term
from searchaccess.ports.errors import PermissionDenied
from tests.contract.answers.answerworlds import ACTIONS, CALLERS, KEYS, OPERATOR, USERS, AnswerWorld, Asked, paths_in
from tests.contract.rights import exclusiveworlds as worlds
from tests.stack.elasticsearch import ElasticsearchServer
from tests.unit.builders import a_grant, an_access

T = TypeVar("T")
WORLDS: Final = CALLERS + USERS + KEYS
ON: Final = (*worlds.INDICES, "logs-1")


def ask(server: ElasticsearchServer, question: Callable[[ElasticsearchClient], Awaitable[T]], **login: str) -> T:
    """Ask by the operator's client, as the administrator unless a login is given."""
    ca = Path(server.ca_file).read_text()
    who: Any = login or {"username": server.username, "password": server.password}

    async def run() -> T:
        client = ElasticsearchClient(Connection((server.url,), ca, **who))
        try:
            return await question(client)
        finally:
            await client.close()

    return asyncio.run(run())


class NotAsked:
    """A cluster whose login may not act as others."""

    async def may(self, *_: object, **__: object) -> None:
        raise PermissionDenied("not allowed")


@dataclass(frozen=True)
class Answered:
    """What Elasticsearch gives all of them, and what was read."""

    asked: list[Asked]
    behind: list[Asked]
    """The same callers behind a gateway."""
    state: SecurityState
    accesses: Mapping[str, Access]

    @cached_property
    def holders(self) -> list[tuple[Asked, Holder]]:
        """All of them as what was read says, whichever index is asked about."""
        roles, realm = self.roles("excl-a1"), realm_chosen(self.state.realms, None)
        assert realm is not None
        people, callers = People(self.state, roles), Callers(self.state, roles, realm)
        read: dict[Kind, Callable[[str], Holder | None]] = {
            Kind.CALLER: callers.caller,
            Kind.USER: people.user,
            Kind.KEY: people.key,
        }
        found = [(one, read[one.kind](one.name)) for one in self.asked]
        return [(one, holder) for one, holder in found if holder is not None]

    def asking(self, *, gateway: bool) -> Asking:
        """Return what the command has when it has read everything; it may not act as anybody, so it only concludes."""
        realm = None if gateway else realm_chosen(self.state.realms, None)
        declared = Declarations(tuple(({}, access) for access in self.accesses.values()))
        return Asking(cast("ElasticsearchClient", NotAsked()), self.state, declared, "prod", realm, gateway, OPERATOR)

    def roles(self, index: str) -> IndexedRoles:
        """Return the roles that have anything on an index by its own name: Elasticsearch was asked about that."""
        return IndexedRoles(self.state.roles, Target(index))


@pytest.fixture(scope="module")
def admin(elasticsearch_server: ElasticsearchServer) -> Iterator[httpx.Client]:
    with elasticsearch_server.client() as client:
        yield client


@pytest.fixture(scope="module")
def answered(elasticsearch_server: ElasticsearchServer, admin: httpx.Client) -> Iterator[Answered]:
    world = AnswerWorld(elasticsearch_server, admin)
    try:
        world.write()
        yield Answered(world.ask(), world.ask_behind(), ask(elasticsearch_server, read_security), world.accesses)
    finally:
        world.remove()


def test_what_somebody_may_do_is_what_elasticsearch_says(answered: Answered) -> None:
    outcomes = Counter[Outcome]()
    assert len(answered.holders) == len(answered.asked) == WORLDS
    for index in ON:
        roles = answered.roles(index)
        for action in ACTIONS:
            for one, holder in answered.holders:
                found, really = judge(holder, roles, question_of(action)), one.may[index, action]
                outcomes[found.outcome] += 1
                assert not (really and found.outcome is Outcome.NO), (index, action, one.name, found)
                special = found.rights is not None and found.rights.how
                if found.outcome is Outcome.YES and not special:
                    assert really, (index, action, one.name, found)
    total = sum(outcomes.values())
    assert outcomes[Outcome.YES] > total / 20, outcomes
    assert outcomes[Outcome.NO] > total / 20, outcomes
    assert outcomes[Outcome.UNKNOWN] < total / 5, outcomes


def _cells(rights: Rights) -> frozenset[tuple[str, str]]:
    """Return which documents and fields rights show, of those that there are."""
    found = set[tuple[str, str]]()
    for key, document in enumerate(worlds.DOCUMENTS):
        shown = [any_of(matches(json.loads(query), document) for query in some) for some in rights.documents]
        assert None not in shown
        if all(shown):
            found |= {(str(key), path) for path in ("", *(each for each in paths_in(document) if rights.shows(each)))}
    return frozenset(found)


def test_the_documents_and_fields_that_somebody_sees_are_those_that_elasticsearch_shows(answered: Answered) -> None:
    restricted = 0
    for index in worlds.INDICES:
        roles = answered.roles(index)
        for one, holder in answered.holders:
            found = judge(holder, roles, question_of("read"))
            if found.outcome is Outcome.UNKNOWN or (found.rights and found.rights.how):
                continue
            shown = _cells(found.rights) if found.rights else frozenset()
            if found.perhaps is None and not found.doubts:
                assert shown == one.sees[index], (index, one.name, found)
                restricted += bool(found.rights and not found.rights.is_open)
            else:
                assert shown <= one.sees[index], (index, one.name, found)
    assert restricted > 100


EXPLAINED: Final = (("excl-a2", "read"), ("excl-b1", "read"), ("excl-b1", "write"), ("excl-a2", "delete"))
"""Without an alias that leads to them, about which Elasticsearch was not asked."""


@pytest.mark.parametrize("gateway", [False, True], ids=["by-token", "gateway"])
async def test_what_explain_answers_is_what_each_of_them_gets(answered: Answered, gateway: bool) -> None:  # noqa: FBT001 - a case
    about, outcomes, terms = answered.asking(gateway=gateway), Counter[Outcome](), Counter[Term]()
    whom = answered.behind if gateway else answered.asked
    for number, one in enumerate(whom):
        access = answered.accesses.get(one.name)
        kinds = {Kind.USER: f"user:{one.name}", Kind.KEY: f"key:{one.name}"}
        # By its SearchAccess or by its address, it is the same caller.
        subject = kinds.get(one.kind) or (access.ref if access and number % 2 else one.name)
        index, action = EXPLAINED[number % len(EXPLAINED)]
        found = await why(about, subject_of(subject), subject, index, question_of(action), "")
        outcomes[found.outcome] += 1
        really = one.may[index, action]
        assert not (really and found.outcome is Outcome.NO), (index, action, subject, found)
        if found.outcome is Outcome.YES and not found.acting_as and not (found.rights and found.rights.how):
            assert really, (index, action, subject, found)
            certain = found.finding is not None and not (found.finding.perhaps or found.finding.doubts)
            if action == "read" and found.rights and certain:
                assert _cells(found.rights) == one.sees[index], (index, subject, found)
        if access is not None:
            terms[access.validity.term] += 1
            over = [each for each in found.steps if each.what == "time box" and each.says is Says.BLOCKS]
            assert bool(over) is (access.validity.term is not Term.IN_FORCE), (subject, found.steps)
    assert min(outcomes[Outcome.YES], outcomes[Outcome.NO]) > len(whom) / 20, outcomes
    assert outcomes[Outcome.UNKNOWN] < len(whom) / 3, outcomes
    assert len(terms) == 4 or gateway, terms


def test_everybody_who_may_do_it_is_listed_and_nobody_else(answered: Answered) -> None:
    realm = realm_chosen(answered.state.realms, None)
    for index, action in (("excl-a1", "read"), ("excl-b1", "delete")):
        roles = answered.roles(index)
        found = who_can(answered.state, index, question_of(action), realm)
        by_alias = index == "excl-a1"
        listed = {(each.holder.kind, each.holder.name): each for each in found.findings}
        for one, holder in answered.holders:
            row = listed.get((one.kind, one.name))
            if one.may[index, action]:
                assert row is not None or _is_covered(found, holder, roles), (index, action, one.name)
            elif row is not None and row.outcome is Outcome.YES and row.rights and not row.acting_as:
                assert row.rights.how or by_alias, (index, action, row)
    assert found.work.patterns < 200


def _is_covered(found: WhoCan, holder: Holder, roles: IndexedRoles) -> bool:
    """Return whether a role mapping that applies to a caller is listed."""
    given = {each.by for each in holder.given if each.role in roles.relevant}
    rows = (each.holder.name for each in found.findings if each.holder.kind is Kind.MAPPING)
    return any(f"role mapping {name}" in given for name in rows)


def test_an_alias_leads_to_its_index(answered: Answered) -> None:
    target = target_of("excl-a1", answered.state.names)
    assert (target.leading, target.exists) == (("excl-alias",), True)
    assert target_of("excl-alias", answered.state.names).behind == ("excl-a1",)


ASKED: Final = tuple(name for name, what in INDEX_PRIVILEGES.items() if name != "none" and not what.since)
"""Also those that no grant may have: somebody else's role may."""
NAMES: Final = (
    "indices:data/read/search", "indices:data/read/get", "indices:data/write/index", "indices:data/write/bulk",
    "indices:data/write/index:op_type/index", "indices:data/write/update", "indices:data/write/delete",
    "indices:admin/auto_create", "indices:admin/create", "indices:admin/delete", "indices:admin/aliases",
    "indices:admin/settings/update", "indices:monitor/stats", "indices:data/read/field_caps", "indices:data/read/esql",
    "indices:data/read/mget", "indices:data/read/scroll", "indices:data/read/tv",
    "indices:data/read/xpack/ccr/shard_changes", "indices:admin/close", "indices:admin/seq_no/add_retention_lease",
    "indices:admin/data_stream/lifecycle/put", "indices:admin/xpack/ccr/put_follow", "indices:admin/xpack/ccr/unfollow",
)  # fmt: skip


def test_each_privilege_allows_the_actions_of_the_table(
    elasticsearch_server: ElasticsearchServer, admin: httpx.Client
) -> None:
    """Asked with a star at the end, as Elasticsearch takes names of actions."""
    entries = [{"names": [f"ans-p-{name}"], "privileges": [name]} for name in ASKED]
    admin.put("/_security/role/ans-privileges", json={"indices": entries}).raise_for_status()
    user = {"password": "long enough", "roles": ["ans-privileges"]}
    admin.put("/_security/user/ans-privileges", json=user).raise_for_status()
    try:
        names = [f"ans-p-{name}" for name in ASKED]
        has = ask(elasticsearch_server, lambda client: client.may(names, NAMES, acting_as="ans-privileges"))
    finally:
        admin.delete("/_security/user/ans-privileges").raise_for_status()
        admin.delete("/_security/role/ans-privileges").raise_for_status()
    for name in ASKED:
        patterns = patterns_of((name,))
        really = {action for action, may in has[f"ans-p-{name}"].items() if may}
        assert really == {action for action in NAMES if allows(patterns, f"{action}*")}, name
        reads = {each for each in really if each.startswith("indices:data/read/")} - {"indices:data/read/field_caps"}
        assert bool(reads) is shows_some(patterns), name


def test_what_the_login_may_not_read_is_named_and_never_a_no(
    elasticsearch_server: ElasticsearchServer, admin: httpx.Client
) -> None:
    user = {"password": "long enough", "roles": []}
    admin.put("/_security/user/ans-nobody", json=user).raise_for_status()
    try:
        state = ask(elasticsearch_server, read_security, username="ans-nobody", password="long enough")
    finally:
        admin.delete("/_security/user/ans-nobody").raise_for_status()
    unread = list(state.unread())
    assert [each.partition(":")[0] for each in unread] == [
        "roles", "role mappings", "users", "API keys", "service accounts",
        "settings of realms and of anonymous access", "aliases and data streams",
    ]  # fmt: skip
    roles = IndexedRoles(state.roles, Target("excl-a1"))
    caller = Callers(state, roles, None).caller("orders@acme-shop.iam.gserviceaccount.com")
    found: Finding = judge(caller, roles, question_of("read"))
    assert (found.outcome, found.doubts) == (Outcome.UNKNOWN, ("role mappings cannot be read",))


def test_an_observers_login_reads_all_of_it(elasticsearch_server: ElasticsearchServer, admin: httpx.Client) -> None:
    """Its role is what ``searchaccess login --tier Observe`` prints, as the documentation says."""
    role = observer_role([an_access(grants=[a_grant("*")])])
    admin.put("/_security/role/ans-observer", json=role).raise_for_status()
    user = {"password": "long enough", "roles": ["ans-observer"]}
    admin.put("/_security/user/ans-observer", json=user).raise_for_status()
    try:
        state = ask(elasticsearch_server, read_security, username="ans-observer", password="long enough")
    finally:
        admin.delete("/_security/user/ans-observer").raise_for_status()
        admin.delete("/_security/role/ans-observer").raise_for_status()
    assert list(state.unread()) == []
    assert state.knows_aliases
    assert "elastic" in (state.users or {})
