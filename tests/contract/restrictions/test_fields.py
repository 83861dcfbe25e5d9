"""A reader who may not see a field tries every way to get at its value, on a real Elasticsearch (docs/adr/0028)."""

import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from searchaccess.core.model.canonical import RoleBody
from tests.contract.restrictions.fieldways import ASKING, GUESSES, NEW, SECRET, SEEING, Place, Way, ask
from tests.stack.elasticsearch import ElasticsearchServer
from tests.unit.builders import a_grant, an_access

Body = dict[str, Any]

_KEYWORD: Final = {"type": "text", "fields": {"keyword": {"type": "keyword"}}}
_RICH: Final = {
    "type": "text",
    "fielddata": True,
    "store": True,
    "term_vector": "with_positions_offsets",
    "index_prefixes": {},
    "index_phrases": True,
    "fields": {
        "keyword": {"type": "keyword", "store": True},
        "complete": {"type": "completion"},
    },
}


@dataclass(frozen=True)
class Scene:
    """An index with the secret in it.

    Args:
        properties: of its mapping, besides those that come by themselves.
        customer: what a document says of its customer.
        paths: fields that have the secret.
        nested: whether the customer is a nested object.
        opaque: whether what is below customer is no field of its own.
        settings: of the index.
    """

    properties: Body
    customer: Any
    paths: tuple[str, ...]
    nested: bool = False
    opaque: bool = False
    settings: Body | None = None

    def places(self, index: str) -> list[Place]:
        return [Place(index, path, "customer" if self.nested else "") for path in self.paths]


_PERSON: Final = {"name": "Carol", "ssn": SECRET}
_BOTH: Final = ("customer.ssn", "customer.ssn.keyword")
SCENES: Final[Mapping[str, Scene]] = {
    "dynamic": Scene({}, _PERSON, _BOTH),
    "list": Scene({}, [_PERSON, {"name": "Dan", "ssn": "wombat"}], _BOTH),
    "nested": Scene({"customer": {"type": "nested", "properties": {"ssn": _KEYWORD}}}, [_PERSON], _BOTH, nested=True),
    "rich": Scene(
        {"customer": {"properties": {"ssn": _RICH}}},
        _PERSON,
        (*_BOTH, "customer.ssn.complete", "customer.ssn._index_prefix"),
    ),
    "object": Scene({}, {"name": "Carol", "ssn": {"number": SECRET}}, ("customer.ssn.number.keyword",)),
    "alias": Scene(
        {"shown": {"type": "alias", "path": "customer.ssn"}, "customer": {"properties": {"ssn": {"type": "keyword"}}}},
        _PERSON,
        ("shown",),
    ),
    "synthetic": Scene(
        {"customer": {"properties": {"ssn": _KEYWORD}}},
        _PERSON,
        _BOTH,
        settings={"index.mapping.source.mode": "synthetic"},
    ),
    "flattened": Scene({"customer": {"type": "flattened"}}, _PERSON, ("customer.ssn", "customer"), opaque=True),
}
RESTRICTIONS: Final[Mapping[str, Body]] = {
    "without the field": {"exclude": ["customer.ssn"]},
    "without the object": {"exclude": ["customer"]},
    "others": {"include": ["region", "customer.name"]},
}
TRIED: Final[Mapping[str, frozenset[str]]] = {
    "without the field": frozenset(name for name, scene in SCENES.items() if not scene.opaque),
    "without the object": frozenset({"dynamic", "nested", "flattened"}),
    "others": frozenset({"dynamic", "flattened", "alias"}),
}
"""Where each is tried: a sample of what differs."""
NOT_HERE: Final = {
    "async search",
    "ES|QL",
    "SQL",
    "EQL",
    "a vector tile",
    "multi terms",
    "a script field",
    "a runtime field with a script",
    "a script",
}
"""What the test server has no module for: these ways are closed there, and tried where a complete one is used."""
PASSWORD: Final = "only-for-this-test"


def index_of(scene: str) -> str:
    return f"fields-{scene}"


def share_of(*grants: Body) -> Body:
    access = an_access(grants=list(grants))
    assert not access.invalid
    return RoleBody(entries=access.share.entries).to_json()


class Callers:
    """Native users, each with the role that some grants make."""

    def __init__(self, server: ElasticsearchServer, admin: httpx.Client, stack: ExitStack) -> None:
        self._server = server
        self._admin = admin
        self._stack = stack

    def add(self, name: str, *grants: Body, cluster: tuple[str, ...] = ()) -> httpx.Client:
        user = f"fields-{name}".replace(" ", "-")
        role = share_of(*grants) | {"cluster": list(cluster)}
        self._admin.put(f"/_security/role/{user}", json=role).raise_for_status()
        self._stack.callback(self._admin.delete, f"/_security/role/{user}")
        self._admin.put(f"/_security/user/{user}", json={"password": PASSWORD, "roles": [user]}).raise_for_status()
        self._stack.callback(self._admin.delete, f"/_security/user/{user}")
        trust = ssl.create_default_context(cafile=str(self._server.ca_file))
        client = httpx.Client(base_url=self._server.url, auth=(user, PASSWORD), verify=trust, timeout=30)
        return self._stack.enter_context(client)


@dataclass(frozen=True)
class World:
    admin: httpx.Client
    callers: Callers
    readers: Mapping[str, httpx.Client]
    pool: ThreadPoolExecutor


@pytest.fixture(scope="module")
def world(elasticsearch_server: ElasticsearchServer) -> Iterator[World]:
    with elasticsearch_server.client() as admin, ExitStack() as stack:
        for name, scene in SCENES.items():
            create(admin, stack, index_of(name), scene.properties, scene.settings)
            write(admin, index_of(name), "1", {"region": "eu", "customer": scene.customer})
            hidden = admin.put(f"/{index_of(name)}/_doc/{NEW}", json={"region": "eu", "customer": scene.customer})
            hidden.raise_for_status()
        create(admin, stack, GUESSES, {"guess": {"type": "keyword"}})
        write(admin, GUESSES, "1", {"guess": SECRET})
        callers = Callers(elasticsearch_server, admin, stack)
        guesses = a_grant(GUESSES)
        readers = {
            name: callers.add(name, a_grant("fields-*", fields=fields), guesses)
            for name, fields in RESTRICTIONS.items()
        }
        yield World(admin, callers, readers, stack.enter_context(ThreadPoolExecutor(4)))


def create(admin: httpx.Client, stack: ExitStack, index: str, properties: Body, settings: Body | None = None) -> None:
    whole = {"number_of_shards": 1, "refresh_interval": "-1"} | (settings or {})
    body = {"mappings": {"properties": properties}, "settings": whole}
    admin.put(f"/{index}", json=body).raise_for_status()
    stack.callback(admin.delete, f"/{index}")


def write(client: httpx.Client, index: str, key: str, document: Body) -> None:
    client.put(f"/{index}/_doc/{key}?refresh=true", json=document).raise_for_status()


def closed_to(restriction: str) -> list[Place]:
    """Return the places that a restriction covers."""
    return [
        place for name, scene in SCENES.items() if name in TRIED[restriction] for place in scene.places(index_of(name))
    ]


WAYS: Final = {
    f"{kind}: {name}": way for kind, ways in (("see", SEEING), ("ask", ASKING)) for name, way in ways.items()
}


@pytest.mark.parametrize(("name", "way"), WAYS.items(), ids=WAYS)
def test_no_way_leads_to_what_may_not_be_read(world: World, name: str, way: Way) -> None:
    tries = [(restriction, place) for restriction in world.readers for place in closed_to(restriction)]
    answers = world.pool.map(lambda one: ask(world.readers[one[0]], way, one[1]), tries)
    assert not [one for one, answer in zip(tries, answers, strict=True) if way.tells(answer)], name
    everywhere = [place for scene, found in SCENES.items() for place in found.places(index_of(scene))]
    works = any(way.tells(ask(world.admin, way, place)) for place in everywhere)
    assert works or name.split(": ")[1] in NOT_HERE, "with all rights this way does show it"


FORMS: Final[Mapping[str, Body]] = {
    "a name": {"exclude": ["customer.ssn"]},
    "an object": {"exclude": ["customer"]},
    "what is below": {"exclude": ["customer.*"]},
    "a prefix": {"exclude": ["cust*"]},
    "a wildcard inside": {"exclude": ["*.ssn"]},
    "any character": {"exclude": ["customer.ss?"]},
    "a regular expression": {"exclude": ["/customer\\.s.*|x/"]},
    "an object without a field": {"include": ["region", "customer"], "exclude": ["customer.ssn"]},
    "an included expression": {"include": ["/reg[a-z]+/", "customer.name"]},
    "metadata": {"exclude": ["_source", "customer"]},
}


@pytest.mark.parametrize("fields", FORMS.values(), ids=FORMS)
def test_each_form_of_a_name_hides_what_it_says_and_no_more(world: World, fields: Body) -> None:
    reader = world.callers.add("forms", a_grant("fields-*", fields=fields))
    seen = reader.post("/fields-dynamic/_search", json={"docvalue_fields": ["*.keyword"], "_source": False}).json()
    found = seen["hits"]["hits"][0]["fields"].keys()
    assert "region.keyword" in found
    assert not [name for name in found if "ssn" in name]
    assert ("customer.name.keyword" in found) == (
        not {"customer", "customer.*", "cust*"} & set(fields.get("exclude", []))
    )
    assert SECRET not in reader.get("/fields-dynamic/_search").text
