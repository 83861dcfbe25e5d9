"""Callers, users and API keys in generated worlds, all in one cluster at once, and what each of them really gets."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

import httpx

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.core.answers.access.actions import is_confirmed, probed, question_of
from searchaccess.core.answers.access.holders import Kind
from searchaccess.core.model.access import Access
from searchaccess.core.model.timeboxes.timebox import Term, Validity
from searchaccess.core.rights.mapping import build_template_mapping
from searchaccess.core.rights.ownership import Operator
from tests.contract.rights import exclusiveworlds as worlds
from tests.stack.elasticsearch import ElasticsearchServer

CALLERS: Final = 300
USERS: Final = 150
KEYS: Final = 50
BEHIND: Final = 40
"""Callers who also come through a gateway."""
DECLARATIONS: Final = 12
ROLES: Final = 40
MAPPINGS: Final = 60
SEED: Final = 63
PASSWORD: Final = "long enough"
NOW: Final = Term.IN_FORCE
_NOT_NOW: Final = (Term.NOT_YET, Term.EXPIRED, Term.OUTSIDE)
OPERATOR: Final = Operator("answers", "contract")
ACTIONS: Final = (
    "read",
    "append",
    "write",
    "create",
    "delete",
    "monitor",
    "manage",
    "view_index_metadata",
    "delete_index",
)
_MORE: Final[tuple[dict[str, Any], ...]] = (
    {"names": ["excl-a*"], "privileges": ["indices:data/read/get"]},
    {"names": ["excl-b1"], "privileges": ["indices:data/write/index*", "indices:data/write/bulk*"]},
    {"names": ["excl-*"], "privileges": ["delete_index"]},
    {"names": ["excl-alias"], "privileges": ["read"]},
    {"names": ["excl-a1"], "privileges": ["delete"]},
)
"""Entries that no SearchAccess declares."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one of them really gets."""

    kind: Kind
    name: str
    may: Mapping[tuple[str, str], bool]
    """By index and action: whether Elasticsearch says that it has all that the usual way takes."""
    sees: Mapping[str, frozenset[tuple[str, str]]]
    """By index, the documents and their fields that a search shows: id and path; of the document itself: no path."""


class AnswerWorld:
    """Roles, role mappings, users and API keys, all at once.

    Args:
        server: the cluster.
        admin: its administrator.
    """

    def __init__(self, server: ElasticsearchServer, admin: httpx.Client) -> None:
        self._server, self._admin = server, admin
        random = Random(SEED)  # noqa: S311 - only for tests
        self.random = random
        declared = [worlds.declared(random) for _ in range(DECLARATIONS)]
        self._roles = {f"ans-r{number}": self._role() for number in range(ROLES)}
        rendered = {f"excl-of-{worlds.principal(random.randrange(CALLERS))}": self._role() for _ in range(40)}
        self._foreign = self._roles | rendered | {"excl-google": self._role()}
        self._mappings = {
            f"ans-m{number}": {
                "enabled": random.random() < 0.9,
                "rules": worlds.rules(random, CALLERS),
                **worlds.given(random, self._roles),
            }
            for number in range(MAPPINGS)
        }
        principals = [worlds.principal(number) for number in range(CALLERS)]
        self.accesses = {
            name: _access_of(
                name, declared[number % DECLARATIONS], _NOT_NOW[number % 3] if random.random() >= 0.8 else NOW
            )
            for number, name in enumerate(principals)
        }
        """By principal. The role is written where rights are in force: others have a role mapping alone, or nothing."""
        self._own = {
            OPERATOR.role_name(name): access.share.body.to_json()
            for name, access in self.accesses.items()
            if access.validity.term is NOW
        }
        self._users = {
            f"ans-u{number:03}": random.sample([*self._roles, "ans-in-a-file", "viewer"], random.randint(0, 3))
            for number in range(USERS)
        }
        roles = sorted(self._roles)
        self.behind = {
            name: [OPERATOR.role_name(name), *(roles[number : number + 1] if number % 3 == 0 else ())]
            for number, name in enumerate(principals[:BEHIND])
        }
        """By principal, the roles of the native user as which a gateway would run: somebody gave some of them more."""
        self.key_ids: dict[str, str] = {}
        """What each API key logs in with, by id."""

    def _role(self) -> dict[str, Any]:
        body = worlds.role(self.random)
        if self.random.random() < 0.4:
            body["indices"].append(dict(self.random.choice(_MORE)))
        return body

    def write(self) -> None:
        """Write everything."""
        admin = self._admin
        for index in worlds.INDICES:
            body: dict[str, Any] = {"mappings": {"properties": worlds.FIELDS}}
            if index == "excl-a1":
                body["aliases"] = {"excl-alias": {}}
            admin.put(f"/{index}", json=body).raise_for_status()
            for key, document in enumerate(worlds.DOCUMENTS):
                admin.put(f"/{index}/_doc/{key}", json=document).raise_for_status()
        admin.post("/excl-*/_refresh").raise_for_status()
        answer = admin.post("/_security/role", json={"roles": self._foreign | self._own})
        assert "errors" not in answer.raise_for_status().json(), answer.text
        ours = build_template_mapping(OPERATOR, self._server.realm, PrincipalClaim.EMAIL)
        everything = {**self._mappings, ours.name: ours.to_json()}
        with ThreadPoolExecutor(4) as pool:
            paths = [(f"role_mapping/{name}", body) for name, body in everything.items()]
            paths += [
                (f"user/{name}", {**_login(number), "roles": roles})
                for number, (name, roles) in enumerate(self._users.items())
            ]
            paths += [
                (f"user/{OPERATOR.role_name(name)}", {**_login(KEYS), "roles": roles})
                for name, roles in self.behind.items()
            ]
            for done in pool.map(lambda each: admin.put(f"/_security/{each[0]}", json=each[1]), paths):
                assert done.is_success, done.text
            for made in pool.map(self._make_key, range(KEYS)):
                self.key_ids |= made
        admin.get("/_security/api_key?name=nobody").raise_for_status()
        admin.post("/_security/api_key", json={"name": "ans-refresh", "expiration": "1d"}).raise_for_status()

    def _make_key(self, number: int) -> dict[str, str]:
        random = Random(SEED + number)  # noqa: S311 - only for tests
        descriptors = {f"d{each}": worlds.role(random) for each in range(random.randint(0, 2))}
        for body in descriptors.values():
            body.pop("description", None)
        body = {
            "grant_type": "password",
            "username": f"ans-u{number:03}",
            "password": PASSWORD,
            "api_key": {"name": f"ans-k{number:02}", "role_descriptors": descriptors},
        }
        made = self._admin.post("/_security/api_key/grant?refresh=false", json=body)
        answer = made.raise_for_status().json()
        return {answer["id"]: answer["encoded"]}

    def ask(self) -> list[Asked]:
        """Ask Elasticsearch about each of them."""
        issuer = self._server.issuer
        whom = [
            (Kind.CALLER, name, {"Authorization": f"Bearer {issuer.mint(name)}"})
            for name in map(worlds.principal, range(CALLERS))
        ]
        whom += [(Kind.KEY, key, {"Authorization": f"ApiKey {secret}"}) for key, secret in self.key_ids.items()]
        with self._server.client_as("") as client, ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda each: self._ask(client, *each), whom))
            users = [(Kind.USER, name, {"es-security-runas-user": name}) for name in self._users]
            return found + list(pool.map(lambda each: self._ask(self._admin, *each), users))

    def ask_behind(self) -> list[Asked]:
        """Ask Elasticsearch as a gateway does, which runs as the native user of each caller."""
        with ThreadPoolExecutor(4) as pool:
            whom = [(name, {"es-security-runas-user": OPERATOR.role_name(name)}) for name in self.behind]
            return list(pool.map(lambda each: self._ask(self._admin, Kind.CALLER, *each), whom))

    def _ask(self, client: httpx.Client, kind: Kind, name: str, headers: dict[str, str]) -> Asked:
        probes = sorted({probe for action in ACTIONS for probe in probed(question_of(action))})
        question = {"index": [{"names": [*worlds.INDICES, "logs-1"], "privileges": probes}]}
        answer = client.post("/_security/user/_has_privileges", json=question, headers=headers)
        index = answer.raise_for_status().json()["index"]
        may = {(on, action): is_confirmed(question_of(action), has) for on, has in index.items() for action in ACTIONS}
        seen: dict[str, set[tuple[str, str]]] = {on: set() for on in worlds.INDICES}
        lines = "".join(f'{{"index":"{on}"}}\n{{"size":100}}\n' for on in worlds.INDICES)
        more = {**headers, "Content-Type": "application/x-ndjson"}
        found = client.post("/_msearch", content=lines, headers=more)
        for one in found.json()["responses"] if found.is_success else ():
            for hit in one.get("hits", {}).get("hits", ()):
                seen[hit["_index"]] |= {(hit["_id"], path) for path in ("", *paths_in(hit.get("_source", {})))}
        return Asked(kind, name, may, {on: frozenset(what) for on, what in seen.items()})

    def remove(self) -> None:
        """Remove what was written."""
        mappings = [*self._mappings, OPERATOR.mapping_name]
        users = [*self._users, *map(OPERATOR.role_name, self.behind)]
        paths = [f"role_mapping/{name}" for name in mappings] + [f"user/{name}" for name in users]
        keys = self._admin.get("/_security/api_key?name=ans-*").json()["api_keys"]
        ids = [key["id"] for key in keys if not key["invalidated"]]
        if ids:
            self._admin.request("DELETE", "/_security/api_key", json={"ids": ids})
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda path: self._admin.delete(f"/_security/{path}"), paths))
        self._admin.request("DELETE", "/_security/role", json={"names": [*self._foreign, *self._own]})
        for index in worlds.INDICES:
            self._admin.delete(f"/{index}")


def _access_of(principal: str, declared: Access, term: Term) -> Access:
    """Return the SearchAccess of a principal, with what its time box says."""
    name = principal.partition("@")[0]
    return replace(declared, namespace="shop", name=name, principals=(principal,), validity=Validity(term))


def _login(number: int) -> dict[str, str]:
    """Return how a user logs in: only owners of API keys need a password, which takes Elasticsearch time to hash."""
    return {"password": PASSWORD} if number < KEYS else {"password_hash": "$2a$10$" + "u" * 53}


def paths_in(source: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Yield the paths of all values of a document."""
    for name, value in source.items():
        if isinstance(value, Mapping):
            yield from paths_in(value, f"{before}{name}.")
        else:
            yield before + name
