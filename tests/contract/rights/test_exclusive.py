"""Who else gives a principal rights, and what that adds: what the operator concludes, and what Elasticsearch does.

Many worlds are in one cluster at once: each of 500 callers is in its own, of what it has declared and which of all role
mappings apply to it. Writing one role mapping after the other, and asking in between, would take many minutes.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

import httpx
import pytest

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.api.vocabulary.privileges import CLUSTER_PRIVILEGES
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.realm import WantedRealm
from searchaccess.core.rights.foreign.additions import CLUSTER_IMPLIED, Declared
from searchaccess.core.rights.foreign.callers import anybody_of, caller_of, named_by
from searchaccess.core.rights.foreign.exclusive import Caller, Exclusivity, Others
from searchaccess.core.rights.foreign.keys import owned_key
from searchaccess.core.rights.foreign.mappings import ForeignMapping, foreign_mapping
from searchaccess.core.rights.foreign.rules import User
from searchaccess.core.rights.mapping import build_template_mapping, mapping_of
from searchaccess.core.rights.ownership import Operator
from tests.contract.rights import exclusiveworlds as worlds
from tests.stack.elasticsearch import ElasticsearchServer
from tests.stack.trust.tokens import DEFAULT_ISSUER
from tests.support.worlds.world import OPERATOR_PASSWORD, OPERATOR_USER, account

CALLERS: Final = 500
DECLARATIONS: Final = 12
ROLES: Final = 30
MAPPINGS: Final = 80
SEED: Final = 52
EMAIL: Final = PrincipalClaim.EMAIL
OPERATOR: Final = Operator("excl", "contract")
ANYBODY: Final = anybody_of(ElasticsearchServer.realm, DEFAULT_ISSUER, frozenset())

Rights = frozenset[tuple[str, ...]]
"""What a user may do, and see: names, and cells of documents."""


def _caller(principal: str, anybody: User = ANYBODY) -> Caller:
    return caller_of(principal, OPERATOR.role_name(principal), anybody, EMAIL)


def _foreign(name: str, raw: Mapping[str, Any], anybody: User = ANYBODY) -> ForeignMapping | None:
    return foreign_mapping(mapping_of(name, raw), anybody, named_by(EMAIL), OPERATOR.role_name(""))


@dataclass(frozen=True, slots=True)
class Seen:
    """What Elasticsearch says about one caller, and what the operator concludes."""

    principal: str
    roles: frozenset[str]
    rights: Rights
    declared: Rights
    """What somebody has who has only what is declared."""
    applies: Mapping[str, bool | None]
    """By name of a role mapping."""
    given: frozenset[str]
    """The roles that these certainly give."""
    perhaps: frozenset[str]
    """The roles that others of these may give."""
    found: Exclusivity


class World:
    """Roles, role mappings and users, all at once.

    Args:
        server: the cluster.
        admin: its administrator.
    """

    def __init__(self, server: ElasticsearchServer, admin: httpx.Client) -> None:
        self._server, self._admin = server, admin
        self._known: dict[tuple[int, frozenset[str]], Rights] = {}
        """By the number of what is declared, and the other roles: what they allow is the same for each caller."""
        random = Random(SEED)  # noqa: S311 - only for tests
        self.declarations = [worlds.declared(random) for _ in range(DECLARATIONS)]
        self._roles = {f"excl-r{number}": worlds.role(random) for number in range(ROLES)}
        some = {worlds.principal(random.randrange(CALLERS)) for _ in range(60)}
        rendered = {f"excl-of-{name}": worlds.role(random) for name in some} | {"excl-google": worlds.role(random)}
        self._mappings = {
            f"excl-m{number}": {
                "enabled": random.random() < 0.95,
                "rules": worlds.rules(random, CALLERS),
                **worlds.given(random, self._roles),
            }
            for number in range(MAPPINGS)
        }
        self._foreign = self._roles | rendered
        bodies = [access.share.body.to_json() for access in self.declarations]
        self._own = {OPERATOR.role_name(worlds.principal(each)): bodies[each % DECLARATIONS] for each in range(CALLERS)}
        self._controls = {f"excl-d{number}": body for number, body in enumerate(bodies)}

    def write(self) -> None:
        """Write everything."""
        admin = self._admin
        for index in worlds.INDICES:
            admin.put(f"/{index}", json={"mappings": {"properties": worlds.FIELDS}}).raise_for_status()
            for key, document in enumerate(worlds.DOCUMENTS):
                admin.put(f"/{index}/_doc/{key}", json=document).raise_for_status()
        admin.post("/excl-*/_refresh").raise_for_status()
        answer = admin.post("/_security/role", json={"roles": self._foreign | self._own | self._controls})
        assert "errors" not in answer.raise_for_status().json(), answer.text
        ours = build_template_mapping(OPERATOR, self._server.realm, EMAIL)
        everything = {**self._mappings, ours.name: ours.to_json()}
        with ThreadPoolExecutor(4) as pool:
            for done in pool.map(lambda each: self._put(f"role_mapping/{each[0]}", each[1]), everything.items()):
                assert done.is_success, done.text
            users = {name: {"password": "long enough", "roles": [name]} for name in self._controls}
            for done in pool.map(lambda each: self._put(f"user/{each[0]}", each[1]), users.items()):
                assert done.is_success, done.text

    def _put(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        return self._admin.put(f"/_security/{path}", json=dict(body))

    def observe(self) -> list[Seen]:
        """Ask Elasticsearch about each caller, and evaluate what the APIs say."""
        raw = self._admin.get("/_security/role_mapping").raise_for_status().json()
        roles = self._admin.get("/_security/role").raise_for_status().json()
        found = (_foreign(name, raw[name]) for name in sorted(raw) if name in self._mappings)
        mappings = tuple(one for one in found if one is not None)
        others = Others(mappings, roles, ours=OPERATOR.role_name(""))
        with ThreadPoolExecutor(4) as pool, self._server.client_as("") as client:
            controls = list(pool.map(self._as_control, self._controls))
            return list(pool.map(lambda number: self._see(client, number, others, controls), range(CALLERS)))

    def _as_control(self, name: str) -> Rights:
        return self._rights(self._admin, {"es-security-runas-user": name})

    def _see(self, client: httpx.Client, number: int, others: Others, controls: Sequence[Rights]) -> Seen:
        principal = worlds.principal(number)
        headers = {"Authorization": f"Bearer {self._server.issuer.mint(principal)}"}
        who = client.get("/_security/_authenticate", headers=headers).raise_for_status().json()
        caller, roles = _caller(principal), frozenset(who["roles"])
        known = number % DECLARATIONS, roles - {caller.role}
        if known not in self._known:
            self._known[known] = self._rights(client, headers)
        given, perhaps = set[str](), set[str]()
        applies = {mapping.name: mapping.applies(caller.users) for mapping in others.mappings}
        for mapping in others.mappings:
            if applies[mapping.name] is not False:
                (given if applies[mapping.name] else perhaps).update(mapping.roles_for(caller.users)[0])
        verdict = others.about(caller, Declared.of([self.declarations[number % DECLARATIONS].share]))
        return Seen(
            principal,
            roles,
            self._known[known],
            controls[number % DECLARATIONS],
            applies,
            frozenset(given),
            frozenset(perhaps),
            verdict,
        )

    def _rights(self, client: httpx.Client, headers: Mapping[str, str]) -> Rights:
        question = {"cluster": list(worlds.CLUSTER_PRIVILEGES), "index": list(worlds.ASKED)}
        answer = client.post("/_security/user/_has_privileges", json=question, headers=headers)
        may = answer.raise_for_status().json()
        found: set[tuple[str, ...]] = {("cluster", name) for name, has in may["cluster"].items() if has}
        found |= {(on, name) for on, some in may["index"].items() for name, has in some.items() if has}
        everything = {"size": 100, "query": {"match_all": {}}}
        hits = client.post("/excl-*/_search?ignore_unavailable=true", json=everything, headers=headers)
        for hit in hits.json()["hits"]["hits"] if hits.is_success else ():
            place = hit["_index"], hit["_id"]
            found |= {place, *((*place, path) for path in _paths(hit["_source"]))}
        return frozenset(found)

    def remove(self) -> None:
        """Remove what was written."""
        mappings = [*self._mappings, OPERATOR.mapping_name]
        paths = [f"role_mapping/{name}" for name in mappings] + [f"user/{name}" for name in self._controls]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda path: self._admin.delete(f"/_security/{path}"), paths))
        names = [*self._foreign, *self._own, *self._controls]
        self._admin.request("DELETE", "/_security/role", json={"names": names}).raise_for_status()
        for index in worlds.INDICES:
            self._admin.delete(f"/{index}").raise_for_status()


def _paths(source: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for name, value in source.items():
        if isinstance(value, Mapping):
            yield from _paths(value, f"{before}{name}.")
        else:
            yield before + name


@pytest.fixture(scope="module")
def admin(elasticsearch_server: ElasticsearchServer) -> Iterator[httpx.Client]:
    with elasticsearch_server.client() as client:
        yield client


@pytest.fixture(scope="module")
def seen(elasticsearch_server: ElasticsearchServer, admin: httpx.Client) -> Iterator[list[Seen]]:
    world = World(elasticsearch_server, admin)
    try:
        world.write()
        yield world.observe()
    finally:
        world.remove()


def test_who_gets_which_role_is_as_elasticsearch_says(seen: list[Seen]) -> None:
    for one in seen:
        own = OPERATOR.role_name(one.principal)
        assert one.given | {own} <= one.roles <= one.given | one.perhaps | {own}, one
    decided = [applies for one in seen for applies in one.applies.values()]
    assert decided.count(None) < len(decided) / 50, "few depend on a claim that is not known"
    assert sum(bool(one.given) for one in seen) > CALLERS / 4


def test_what_others_add_is_what_the_caller_may_and_sees_beyond_what_is_declared(seen: list[Seen]) -> None:
    for one in seen:
        assert one.rights >= one.declared, one
        broader, reason = bool(one.rights - one.declared), one.found.reason
        if reason is Reason.CANNOT_BE_SEEN:
            # A template names a role that does not exist, or a rule is about a claim that is not known.
            continue
        assert broader is (reason is Reason.BROADER_THAN_DECLARED), (one.found, sorted(one.rights - one.declared))
    reasons = Counter(one.found.reason for one in seen)
    assert min(reasons[each] for each in (None, Reason.BROADER_THAN_DECLARED, Reason.NOT_BROADER)) >= 10, reasons
    assert reasons[Reason.CANNOT_BE_SEEN] < CALLERS / 4, reasons


# Sources beside role mappings

T = TypeVar("T")


def _ask(
    server: ElasticsearchServer,
    question: Callable[[ElasticsearchClient], Awaitable[T]],
    user: str = "",
    password: str = "",
) -> T:
    """Ask by the operator's client, with a login; by default the administrator's."""
    ca = Path(server.ca_file).read_text()
    login = (user, password) if user else (server.username, server.password)

    async def ask() -> T:
        client = ElasticsearchClient(Connection((server.url,), ca, *login))
        try:
            return await question(client)
        finally:
            await client.close()

    return asyncio.run(ask())


ORDERS: Final = account("exclusive-orders")
BROAD: Final[dict[str, Any]] = {
    "cluster": ["manage_own_api_key"],
    "indices": [{"names": ["excl-key-*"], "privileges": ["read"]}],
}
MAPPING: Final[dict[str, Any]] = {
    "enabled": True, "roles": ["excl-key"], "rules": {"field": {"username": ORDERS}},
}  # fmt: skip


@pytest.fixture
def by_hand(admin: httpx.Client) -> Iterator[None]:
    """Give the caller a role by a role mapping of somebody else."""
    admin.put("/_security/role/excl-key", json=BROAD).raise_for_status()
    admin.put("/_security/role_mapping/excl-key", json=MAPPING).raise_for_status()
    yield
    admin.delete("/_security/role_mapping/excl-key").raise_for_status()
    admin.delete("/_security/role/excl-key").raise_for_status()


@pytest.mark.usefixtures("by_hand")
def test_a_user_of_the_native_realm_with_the_name_of_a_principal_is_somebody_else(
    elasticsearch_server: ElasticsearchServer, admin: httpx.Client
) -> None:
    """Neither gets what the other has: no role mapping applies in the native realm."""
    admin.put(f"/_security/user/{ORDERS}", json={"password": "long enough", "roles": ["viewer"]}).raise_for_status()
    try:
        native = admin.get("/_security/_authenticate", auth=(ORDERS, "long enough")).raise_for_status().json()
        with elasticsearch_server.client_as(elasticsearch_server.issuer.mint(ORDERS)) as caller:
            by_token = caller.get("/_security/_authenticate").raise_for_status().json()
    finally:
        admin.delete(f"/_security/user/{ORDERS}").raise_for_status()
    assert native["roles"] == ["viewer"]
    assert "excl-key" in by_token["roles"]
    assert "viewer" not in by_token["roles"]


@pytest.mark.usefixtures("by_hand", "login")
def test_a_key_of_a_principal_keeps_what_its_owner_had(
    elasticsearch_server: ElasticsearchServer, admin: httpx.Client
) -> None:
    with elasticsearch_server.client_as(elasticsearch_server.issuer.mint(ORDERS)) as caller:
        made = caller.post("/_security/api_key", json={"name": "batch"}).raise_for_status().json()
    narrow = {"cluster": ["manage_own_api_key"], "indices": []}
    admin.put("/_security/role/excl-key", json=narrow).raise_for_status()
    login = OPERATOR_USER, OPERATOR_PASSWORD
    found = _ask(elasticsearch_server, lambda client: client.owned_keys(elasticsearch_server.realm), *login)
    others = _ask(elasticsearch_server, lambda client: client.owned_keys("default_native"), *login)
    question = {"index": [{"names": ["excl-key-1"], "privileges": ["read"]}]}
    headers = {"Authorization": f"ApiKey {made['encoded']}"}
    with elasticsearch_server.client_as("") as by_key:
        still = by_key.post("/_security/user/_has_privileges", json=question, headers=headers).json()
    admin.request("DELETE", "/_security/api_key", json={"ids": [made["id"]]}).raise_for_status()
    assert [each for each in others or () if each["username"] == ORDERS] == [], "it is of another realm"
    assert still["has_all_requested"] is True
    keys = [key for raw in found or () if (key := owned_key(raw)) and key.id == made["id"]]
    verdict = Others((), {}, tuple(keys)).about(_caller(ORDERS), Declared((), frozenset()))
    assert verdict.reason is Reason.BROADER_THAN_DECLARED
    assert verdict.message.startswith(f"API key batch (id {made['id']}) of {ORDERS} keeps: read on excl-key-*")


@pytest.mark.usefixtures("login")
def test_who_has_a_role_of_ours_is_read_and_who_may_not_read_that_is_told(
    elasticsearch_server: ElasticsearchServer, admin: httpx.Client
) -> None:
    prefix, password = f"excl.{secrets.token_hex(4)}.", "long enough"
    users = {"excl-ada": [f"{prefix}orders", "viewer"], "excl-bob": ["viewer"], f"{prefix}own": [f"{prefix}own"]}
    for name, roles in users.items():
        admin.put(f"/_security/user/{name}", json={"password": password, "roles": roles}).raise_for_status()
    try:
        found = _ask(elasticsearch_server, lambda client: client.holders(prefix), OPERATOR_USER, OPERATOR_PASSWORD)
        may_not = "excl-bob", password
        refused = (
            _ask(elasticsearch_server, lambda client: client.holders(prefix), *may_not),
            _ask(elasticsearch_server, lambda client: client.owned_keys(elasticsearch_server.realm), *may_not),
        )
    finally:
        for name in users:
            admin.delete(f"/_security/user/{name}").raise_for_status()
    assert [(raw["username"], raw["roles"]) for raw in found or ()] == [("excl-ada", users["excl-ada"])]
    assert refused == (None, None)


def test_a_realm_without_these_claims_gives_no_groups(elasticsearch_server: ElasticsearchServer) -> None:
    realm = WantedRealm(elasticsearch_server.realm, elasticsearch_server.audience, DEFAULT_ISSUER)
    assert _ask(elasticsearch_server, lambda client: client.facts(realm)).claimed == frozenset()


def test_a_cluster_privilege_includes_what_the_table_says(admin: httpx.Client) -> None:
    known = set(admin.get("/_security/privilege/_builtin").raise_for_status().json()["cluster"])
    user = {"password": "long enough", "roles": ["excl-cluster"]}
    admin.put("/_security/user/excl-cluster", json=user).raise_for_status()
    try:
        for name, included in CLUSTER_IMPLIED.items():
            admin.put("/_security/role/excl-cluster", json={"cluster": [name]}).raise_for_status()
            question = {"cluster": sorted(included & known)}
            headers = {"es-security-runas-user": "excl-cluster"}
            has = admin.post("/_security/user/_has_privileges", json=question, headers=headers).raise_for_status()
            assert has.json()["has_all_requested"] is True, has.text
            assert included <= CLUSTER_PRIVILEGES.keys()
    finally:
        admin.delete("/_security/user/excl-cluster").raise_for_status()
        admin.delete("/_security/role/excl-cluster").raise_for_status()
