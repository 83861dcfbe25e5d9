"""What the login of the tier Roles can do on a real Elasticsearch, exactly as docs/clusters.md has it; and what not."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import httpx
import pytest

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.adapters.elasticsearch.loginrights import ACTIONS
from searchaccess.api.clusters.tiers import Tier
from searchaccess.api.searchaccess import SearchAccessSpec
from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.api.vocabulary.actions import Action
from searchaccess.api.vocabulary.privileges import INDEX_PRIVILEGES
from searchaccess.core.answers.logins import observer_role, role_for
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.model.canonical import RoleBody, role_from_json
from searchaccess.core.model.grants.actions import CONFINED_WRITE
from searchaccess.core.model.parsing import access_from_object, build_share
from searchaccess.core.patterns.marks import is_mark, mark_for
from searchaccess.core.policy.delegation import AUTO_PUT, implies, is_open, lacking
from searchaccess.core.policy.guardrails.aliases import Aliases
from searchaccess.core.rights.mapping import build_template_mapping
from searchaccess.core.rights.ownership import Operator, Role
from searchaccess.ports.errors import PermissionDenied
from tests.stack.elasticsearch import ElasticsearchServer
from tests.support.worlds.logins import documented_role, role_for_keys
from tests.support.worlds.world import access, grant

LOGIN: Final = "contract-small"
PASSWORD: Final = "only-for-this-test"
THEIRS: Final = "contract-theirs"
OURS: Final = "searchaccess.default.contract@acme-shop.iam.gserviceaccount.com"
SMALL: Final = documented_role(Tier.ROLES)


def an_entry(*names: str, can: tuple[str, ...] = ("read",), **more: Any) -> dict[str, Any]:
    return {"names": list(names), "privileges": list(can), **more}


class Ground:
    """What others have, and the login that tries."""

    def __init__(self, server: ElasticsearchServer, stack: ExitStack) -> None:
        self._server, self._stack = server, stack
        self.admin = stack.enter_context(server.client())
        self.login = self.user(LOGIN, SMALL)
        self.write(f"/_security/role/{THEIRS}", {"indices": [an_entry("theirs")]})
        self.them = self.user(f"{THEIRS}-user", {"indices": [an_entry("orders-*", "theirs")]})
        self.write(f"/_security/role_mapping/{THEIRS}", {
            "roles": [THEIRS], "enabled": True, "rules": {"field": {"username": THEIRS}},
        })  # fmt: skip
        made = self.admin.post("/_security/api_key", json={"name": THEIRS}).raise_for_status().json()
        self.key: str = made["id"]
        stack.callback(self.admin.request, "DELETE", "/_security/api_key", json={"ids": [self.key]})
        for index in ("orders-contract", "theirs"):
            stack.callback(self.admin.delete, f"/{index}")
            document = self.admin.put(f"/{index}/_doc/1?refresh=true", json={"region": "eu"})
            document.raise_for_status()
        stack.callback(self.admin.delete, f"/_security/role/{OURS}")

    def write(self, path: str, body: dict[str, Any]) -> None:
        """Write something that goes at the end."""
        self._stack.callback(self.admin.delete, path)
        self.admin.put(path, json=body).raise_for_status()

    def user(self, name: str, role: dict[str, Any]) -> httpx.Client:
        """Make a user with a role of its own; return a client for it."""
        self.write(f"/_security/role/{name}", role)
        self.write(f"/_security/user/{name}", {"password": PASSWORD, "roles": [name]})
        client = self._server.client()
        client.auth = httpx.BasicAuth(name, PASSWORD)
        return self._stack.enter_context(client)

    def rights(self, *, username: str = "", password: str = "", api_key: str = "") -> ElasticsearchClient:
        """Return the operator's own client."""
        ca = self._server.ca_file.read_text()
        return ElasticsearchClient(Connection((self._server.url,), ca, username, password, api_key=api_key))


@pytest.fixture(scope="module")
def ground(elasticsearch_server: ElasticsearchServer) -> Iterator[Ground]:
    with ExitStack() as stack:
        yield Ground(elasticsearch_server, stack)


# What is refused


class Try(NamedTuple):
    """A request that must be refused."""

    method: str
    path: str
    body: dict[str, Any] | None = None


UNDECIDED: Final = "with an action"
"""Which privileges have this action, only Elasticsearch knows: it is tried."""
ROLES: Final[dict[str, dict[str, Any]]] = {
    "on all indices": {"indices": [an_entry("*")]},
    "on an index that was not delegated": {"indices": [an_entry("theirs")]},
    "on one more index": {"indices": [an_entry("orders-1", "theirs")]},
    "on one more index in an entry of its own": {"indices": [an_entry("orders-1"), an_entry("theirs")]},
    "on a wider pattern": {"indices": [an_entry("orders*")]},
    "on a wider regular expression": {"indices": [an_entry("/(orders|theirs).*/")]},
    "on .security*": {"indices": [an_entry(".security*")]},
    "on .security* with restricted indices": {"indices": [an_entry(".security*", allow_restricted_indices=True)]},
    "on .security-7": {"indices": [an_entry(".security-7", allow_restricted_indices=True)]},
    "on all with restricted indices": {"indices": [an_entry("*", allow_restricted_indices=True)]},
    "that reads indices of its own names": {"indices": [an_entry("searchaccess.default.x")]},
    "that deletes indices of delegated names": {"indices": [an_entry("orders-1", can=("delete_index",))]},
    "with all": {"indices": [an_entry("orders-1", can=("all",))]},
    "with manage": {"indices": [an_entry("orders-1", can=("manage",))]},
    "with write": {"indices": [an_entry("orders-1", can=("write",))]},
    UNDECIDED: {"indices": [an_entry("orders-1", can=("indices:admin/delete",))]},
    "with the cluster privilege all": {"cluster": ["all"]},
    "with the cluster privilege manage_security": {"cluster": ["manage_security"]},
    "with the cluster privilege read_security": {"cluster": ["read_security"]},
    "with the cluster privilege monitor": {"cluster": ["monitor"]},
    "with the cluster privilege manage_own_api_key": {"cluster": ["manage_own_api_key"]},
    "with run_as": {"run_as": ["elastic"]},
    "with applications": {
        "applications": [{"application": "kibana-.kibana", "privileges": ["all"], "resources": ["*"]}]
    },
    "with remote indices": {"remote_indices": [{"clusters": ["*"], **an_entry("orders-1")}]},
    "with remote clusters": {"remote_cluster": [{"clusters": ["*"], "privileges": ["monitor_enrich"]}]},
    "that delegates": {"global": SMALL["global"]},
    "that manages applications": {"global": {"application": {"manage": {"applications": ["*"]}}}},
    "that writes profiles": {"global": {"profile": {"write": {"applications": ["*"]}}}},
}
TRIES: Final[dict[str, Try]] = {
    **{f"a role {name}": Try("PUT", f"/_security/role/{OURS}", body) for name, body in ROLES.items()},
    **{f"bulk: a role {name}": Try("POST", "/_security/role", {"roles": {OURS: body}}) for name, body in ROLES.items()},
    "its own role, wider": Try("PUT", f"/_security/role/{LOGIN}", {"cluster": ["all"]}),
    "a foreign role deleted": Try("DELETE", f"/_security/role/{THEIRS}"),
    "a foreign role deleted, in bulk": Try("DELETE", "/_security/role", {"names": [THEIRS]}),
    "a foreign role deleted together with one of ours": Try("DELETE", "/_security/role", {"names": [OURS, THEIRS]}),
    "a reserved role deleted": Try("DELETE", "/_security/role/kibana_system"),
    "a user made": Try("PUT", "/_security/user/contract-new", {"password": PASSWORD, "roles": []}),
    "a user made superuser": Try("PUT", f"/_security/user/{THEIRS}-user", {"roles": ["superuser"]}),
    "itself made superuser": Try("PUT", f"/_security/user/{LOGIN}", {"roles": ["superuser"]}),
    "a user's password": Try("POST", f"/_security/user/{THEIRS}-user/_password", {"password": "changed-by-it"}),
    "the superuser's password": Try("POST", "/_security/user/elastic/_password", {"password": "changed-by-it"}),
    "a user disabled": Try("PUT", f"/_security/user/{THEIRS}-user/_disable"),
    "a user deleted": Try("DELETE", f"/_security/user/{THEIRS}-user"),
    "a role mapping": Try("PUT", "/_security/role_mapping/contract-new", {
        "roles": ["superuser"], "enabled": True, "rules": {"field": {"username": "*"}},
    }),
    "our role mapping": Try("PUT", "/_security/role_mapping/searchaccess.default", {
        "roles": ["superuser"], "enabled": True, "rules": {"field": {"username": "*"}},
    }),
    "a role mapping deleted": Try("DELETE", f"/_security/role_mapping/{THEIRS}"),
    "an API key": Try("POST", "/_security/api_key", {"name": "contract-new"}),
    "an API key for another": Try("POST", "/_security/api_key/grant", {
        "grant_type": "password", "username": f"{THEIRS}-user", "password": PASSWORD, "api_key": {"name": "x"},
    }),
    "an API key for another cluster": Try("POST", "/_security/cross_cluster/api_key", {
        "name": "x", "access": {"search": [{"names": ["orders-1"]}]},
    }),
    "API keys invalidated by name": Try("DELETE", "/_security/api_key", {"name": THEIRS}),
    "its own API keys invalidated": Try("DELETE", "/_security/api_key", {"owner": True}),
    "a token": Try("POST", "/_security/oauth2/token", {"grant_type": "client_credentials"}),
    "a token of a service": Try("POST", "/_security/service/elastic/kibana/credential/token/contract"),
    "a profile": Try("POST", "/_security/profile/_activate", {
        "grant_type": "password", "username": f"{THEIRS}-user", "password": PASSWORD,
    }),
    "privileges of an application": Try("PUT", "/_security/privilege", {"app": {"read": {"actions": ["data:read/*"]}}}),
    "settings of the security index": Try("PUT", "/_security/settings", {"security": {"index.number_of_replicas": 0}}),
    "a realm's cache": Try("POST", "/_security/realm/*/_clear_cache"),
    "the cache of roles": Try("POST", "/_security/role/*/_clear_cache"),
    "documents searched": Try("GET", "/orders-contract/_search"),
    "a document read": Try("GET", "/orders-contract/_doc/1"),
    "the security index searched": Try("GET", "/.security-7/_search"),
    "a document written": Try("PUT", "/orders-contract/_doc/2", {"region": "eu"}),
    "the security index written": Try("PUT", "/.security-7/_doc/role-superuser", {}),
    "a document deleted": Try("DELETE", "/orders-contract/_doc/1"),
    "an index created": Try("PUT", "/orders-contract-2"),
    "an index deleted": Try("DELETE", "/orders-contract"),
    "the security index deleted": Try("DELETE", "/.security-7"),
    "a mapping changed": Try("PUT", "/orders-contract/_mapping", {"properties": {"b": {"type": "keyword"}}}),
    "an alias": Try("POST", "/_aliases", {"actions": [{"add": {"index": "orders-contract", "alias": "x"}}]}),
    "an index template": Try("PUT", "/_index_template/contract", {"index_patterns": ["contract-*"]}),
    "an ingest pipeline": Try("PUT", "/_ingest/pipeline/contract", {"processors": []}),
    "settings of the cluster": Try("PUT", "/_cluster/settings", {"persistent": {"action.auto_create_index": "true"}}),
    "a snapshot repository": Try("PUT", "/_snapshot/contract", {"type": "fs", "settings": {"location": "backups"}}),
    "a script": Try("PUT", "/_scripts/contract", {"script": {"lang": "mustache", "source": {}}}),
    "the license": Try("POST", "/_license/start_basic?acknowledge=true"),
    "shards moved": Try("POST", "/_cluster/reroute"),
}  # fmt: skip


@pytest.mark.parametrize("tried", TRIES.values(), ids=TRIES)
def test_it_is_refused(ground: Ground, tried: Try) -> None:
    answer = ground.login.request(tried.method, tried.path, json=tried.body)
    assert answer.status_code == httpx.codes.FORBIDDEN, answer.text


def test_other_refusals(ground: Ground) -> None:
    key = ground.login.put(f"/_security/api_key/{ground.key}", json={"metadata": {}})
    assert key.status_code == httpx.codes.FORBIDDEN, "somebody's API key"
    key = ground.login.request("DELETE", "/_security/api_key", json={"ids": [ground.key]})
    assert key.status_code == httpx.codes.FORBIDDEN, "that one, invalidated"
    run_as = ground.login.get("/_security/_authenticate", headers={"es-security-runas-user": "elastic"})
    assert run_as.status_code == httpx.codes.FORBIDDEN, "somebody else's name"
    reserved = ground.login.put("/_security/role/superuser", json={"indices": [an_entry("orders-1")]})
    assert reserved.status_code == httpx.codes.BAD_REQUEST, "a reserved role"


# What it is for


@pytest.mark.parametrize(
    "grants",
    [
        [{"indices": ["orders-*"], "can": [action]}]
        for action in Action
        if action is not Action.MANAGE  # The documented role leaves it out.
    ]
    + [
        [{"indices": ["orders-eu-*"], "can": ["read"], "where": {"term": {"region": "eu"}}}],
        [{"indices": ["/audit-(a|b)/"], "can": ["read"], "fields": {"exclude": ["ssn"]}}],
        [{"indices": ["orders-1"], "can": ["read", "write", "create"], "fields": {"exclude": ["ssn"]}}],
    ],
    ids=str,
)
def test_each_action_is_granted_and_revoked(ground: Ground, grants: list[dict[str, Any]]) -> None:
    subject = {"serviceAccount": "x@y.iam.gserviceaccount.com"}
    spec = SearchAccessSpec.model_validate({"cluster": "x", "subject": subject, "grants": grants})
    body = RoleBody(entries=build_share(spec).entries)
    written = ground.login.post("/_security/role", json={"roles": {OURS: body.to_json() | {"metadata": {"a": 1}}}})
    assert written.is_success, written.text
    assert not written.json().get("errors")
    deleted = ground.login.request("DELETE", "/_security/role", json={"names": [OURS]})
    assert deleted.json() == {"deleted": [OURS]}


async def test_what_was_delegated_is_read_back_and_judged_as_elasticsearch_does(ground: Ground) -> None:
    client = ground.rights(username=LOGIN, password=PASSWORD)
    rights = await client.login_rights()
    await client.close()
    assert rights is not None
    assert (rights.user, rights.tier) == (LOGIN, Tier.ROLES)
    for name, body in ROLES.items():
        beyond = "indices" not in body or bool(lacking(rights.delegated, role_from_json(body).entries))
        assert beyond is (name != UNDECIDED), name


async def test_each_login_says_its_tier(ground: Ground) -> None:
    observer, full = f"{LOGIN}-observer", f"{LOGIN}-full"
    ground.user(observer, documented_role(Tier.OBSERVE))
    ground.user(full, documented_role(Tier.FULL))
    ground.user(f"{LOGIN}-keys", documented_role(Tier.ROLES_AND_KEYS))
    reads = ["read_security", "monitor"]
    ground.user(f"{LOGIN}-actions", {"cluster": [*reads, *ACTIONS]})
    ground.user(f"{LOGIN}-pattern", {"cluster": [*reads, "cluster:admin/xpack/security/*"]})
    ground.user(f"{LOGIN}-some", {"cluster": [*reads, *ACTIONS[:-1], "manage_own_api_key"]})
    descriptors = {"role_descriptors": {"operator": SMALL}, "name": LOGIN}
    made = ground.admin.post("/_security/api_key", json=descriptors).raise_for_status().json()
    found = {}
    for name, login in {
        "observer": {"username": observer, "password": PASSWORD},
        "full": {"username": full, "password": PASSWORD},
        **{
            name: {"username": f"{LOGIN}-{name}", "password": PASSWORD}
            for name in ("keys", "actions", "pattern", "some")
        },
        "API key": {"api_key": str(made["encoded"])},
    }.items():
        client = ground.rights(**login)
        found[name] = await client.login_rights()
        await client.close()
    ground.admin.request("DELETE", "/_security/api_key", json={"ids": [made["id"]]})
    tiers = {name: rights.tier for name, rights in found.items() if rights}
    assert tiers == {
        "observer": Tier.OBSERVE, "full": Tier.FULL, "keys": Tier.ROLES_AND_KEYS, "API key": Tier.ROLES,
        "actions": Tier.FULL, "pattern": Tier.FULL, "some": Tier.OBSERVE,
    }  # fmt: skip
    assert {name: rights.missing for name, rights in found.items() if rights and rights.missing} == {
        "some": ACTIONS[-1:]
    }
    assert found["API key"] is not None
    assert any("orders-*" in each.names for each in found["API key"].delegated)


@pytest.mark.parametrize("tier", [Tier.OBSERVE, Tier.ROLES])
async def test_the_printed_role_suffices_for_what_its_tier_reads_and_writes(ground: Ground, tier: Tier) -> None:
    declared = [access_from_object(access("printed", grant("orders-contract", "orders-names", "ord*", can=["write"])))]
    ours = Operator("default", "")
    role = observer_role(declared) if tier is Tier.OBSERVE else role_for(declared, ours)[0]
    alias = {"actions": [{"add": {"index": "theirs", "alias": "orders-names"}}]}
    ground.admin.post("/_aliases", json=alias).raise_for_status()
    name = f"contract-printed-{tier.lower()}"
    ground.user(name, role)
    rights = ground.rights(username=name, password=PASSWORD)
    try:
        found = await rights.login_rights()
        assert found is not None
        assert found.tier is tier
        patterns = declared[0].share.local_indices
        assert await rights.hidden(patterns) == frozenset()
        assert await rights.hidden(["theirs"]) == {"theirs"}
        seen = await rights.index_names()
        assert seen is not None
        leads = Aliases(seen, patterns).led_into("ord*", "theirs")
        assert leads is not None
        assert leads.name == "orders-names"
        assert await rights.probe() is not None
        assert await rights.roles([OURS]) == {}
        body = replace(declared[0].share.body, description="printed")
        written = await rights.put_roles([Role(OURS, body, {})])
        if tier is Tier.ROLES:
            assert written.changed == {OURS}
            assert (await rights.delete_roles([OURS])).changed == {OURS}
        else:
            assert not written.changed
    except PermissionDenied:
        assert tier is Tier.OBSERVE, "it may write no role"
        assert OURS not in ground.admin.get("/_security/role").json()
    finally:
        ground.admin.post("/_aliases", json={"actions": [{"remove": alias["actions"][0]["add"]}]}).raise_for_status()
        await rights.close()


async def test_a_login_whose_role_names_the_actions_does_all_that_the_tier_full_does(ground: Ground) -> None:
    name = f"{LOGIN}-acting"
    ground.user(name, {"cluster": ["read_security", "monitor", *ACTIONS]})
    client = ground.rights(username=name, password=PASSWORD)
    role = Role(OURS, RoleBody(cluster=("manage",)), {})
    mapping = build_template_mapping(Operator("contract", "acting"), "google", PrincipalClaim.EMAIL)
    try:
        for write in (client.put_roles, client.replace_roles):
            assert not (await write([role])).refused
        await client.put_mapping(mapping)
        await client.delete_mapping(mapping.name)
        assert not (await client.delete_roles([OURS])).refused
        key = await client.create_key(f"{LOGIN}-key", 600.0, RoleBody(cluster=("monitor",)), {"a": 1})
        await client.note_key(key.id, {"a": 2})
        assert not (await client.refresh_keys([key.id])).refused
        await client.revoke_keys([key.id])
        user = await client.create_user(f"{LOGIN}-made", {"a": 1})
        await client.delete_users([user.id])
    finally:
        await client.close()


# What it can still do, as SECURITY.md says


def test_it_can_narrow_a_foreign_role_of_any_name(ground: Ground) -> None:
    name = f"{THEIRS}-narrowed"
    ground.write(f"/_security/role/{name}", {"cluster": ["monitor"], "indices": [an_entry("theirs")]})
    answer = ground.login.put(f"/_security/role/{name}", json={"indices": [an_entry("orders-1")]})
    assert answer.is_success
    now = ground.admin.get(f"/_security/role/{name}").json()[name]
    assert (now["cluster"], now["indices"][0]["names"]) == ([], ["orders-1"])


def test_it_can_give_itself_what_was_delegated_and_loses_the_rest(ground: Ground) -> None:
    name = f"{LOGIN}-greedy"
    greedy = ground.user(name, SMALL)
    assert greedy.put(f"/_security/role/{name}", json={"indices": [an_entry("orders-contract")]}).is_success
    assert greedy.get("/orders-contract/_search").is_success
    assert greedy.get("/theirs/_search").status_code == httpx.codes.FORBIDDEN
    assert greedy.get("/_security/role").status_code == httpx.codes.FORBIDDEN


def test_it_can_change_its_own_password_as_every_user_can(ground: Ground) -> None:
    name = f"{LOGIN}-itself"
    itself = ground.user(name, SMALL)
    assert itself.post("/_security/user/_password", json={"password": "another-one-of-it"}).is_success


@pytest.mark.parametrize(
    ("delegated", "opens"),
    [("*", True), (".*", True), ("/[^.].*/", False), ("orders-*", False)],
)
def test_a_pattern_that_security_fits_into_delegates_the_security_index(
    ground: Ground, delegated: str, *, opens: bool
) -> None:
    """Why docs/clusters.md says never to delegate such a one; shown, so that the advice can go when this changes."""
    name = f"{LOGIN}-too-much"
    small = SMALL | {"global": {"role": {"manage": {"indices": [an_entry(delegated)]}}}}
    login = ground.user(name, small)
    role = {"indices": [an_entry(".security*", allow_restricted_indices=True)]}
    assert login.put(f"/_security/role/{OURS}", json=role).is_success is is_open(delegated) is opens


# What the tables of the core say

_DELEGABLE: Final = sorted(name for name in INDEX_PRIVILEGES if "failure_store" not in name)
"""Elasticsearch takes privileges on failure stores as part of others only."""


def test_what_a_privilege_implies_is_what_elasticsearch_says(ground: Ground) -> None:
    known = ground.admin.get("/_security/privilege/_builtin").json()["index"]
    wanted = [*sorted(known), *CONFINED_WRITE]
    name = f"{LOGIN}-privileges"
    login = ground.user(name, {})
    for delegated in [*(each for each in _DELEGABLE if each in known), AUTO_PUT]:
        role = {"global": {"role": {"manage": {"indices": [an_entry("x-*", can=(delegated,))]}}}}
        ground.admin.put(f"/_security/role/{name}", json=role).raise_for_status()
        taken = {
            each
            for each in wanted
            if login.put(
                f"/_security/role/{OURS}?refresh=false", json={"indices": [an_entry("x-1", can=(each,))]}
            ).is_success
        }
        assert taken == {each for each in wanted if implies(delegated, each)}, delegated


# The mark


def test_restricted_entries_stay_apart_in_either_spelling(ground: Ground) -> None:
    restricted = {"indices": ["orders-contract"], "can": ["read"], "where": {"match_none": {}}}
    beside = {"indices": ["orders-contract"], "can": ["delete"]}
    subject = {"serviceAccount": "x@y.iam.gserviceaccount.com"}
    spec = SearchAccessSpec.model_validate({"cluster": "x", "subject": subject, "grants": [restricted, beside]})
    body = RoleBody(entries=build_share(spec).entries).to_json()
    marked, plain = body["indices"]
    (mark,) = filter(is_mark, marked["names"])
    caller = ground.user(f"{LOGIN}-caller", {})
    hits = {}
    for spelling in (mark, f"NO-INDEX#{mark[-17:-1]}", None):
        names = ["orders-contract", *([spelling] if spelling else [])]
        role = {"indices": [marked | {"names": names}, plain]}
        ground.admin.put(f"/_security/role/{LOGIN}-caller", json=role).raise_for_status()
        hits[spelling] = caller.get("/orders-contract/_search").raise_for_status().json()["hits"]["total"]["value"]
    assert list(hits.values()) == [0, 0, 1], "without it, the restriction is lost"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/{}", {}),
        ("PUT", "/orders-contract/_alias/{}", {}),
        ("POST", "/_aliases", {"actions": [{"add": {"index": "orders-contract", "alias": "{}"}}]}),
    ],
    ids=["an index", "an alias", "an alias by actions"],
)
def test_nothing_can_have_a_name_that_a_mark_matches(
    ground: Ground, method: str, path: str, body: dict[str, Any]
) -> None:
    name = mark_for("0123456789abcdef")[1:-1]
    sent = json.loads(json.dumps(body).replace("{}", name)) if body else None
    answer = ground.admin.request(method, path.format(quote(name)), json=sent)
    assert answer.status_code == 400, answer.text
    assert "must not contain" in answer.text or "invalid" in answer.text.lower(), answer.text


def test_hundreds_of_marks_are_no_burden(ground: Ground) -> None:
    entries = [
        an_entry("orders-contract", f"/NO-INDEX {number:016x}/", query={"term": {"region": f"{number}"}})
        for number in range(200)
    ]
    caller = ground.user(f"{LOGIN}-burdened", {"indices": [*entries, an_entry("orders-contract", "x")]})
    question = {"index": [{"names": ["orders-contract"], "privileges": ["read"]}]}
    answer = caller.post("/_security/user/_has_privileges", json=question).raise_for_status()
    assert answer.json()["has_all_requested"] is True
    caller.get("/orders-contract/_search").raise_for_status()


def test_full_with_keys_is_as_documented(ground: Ground) -> None:
    ground.user(f"{LOGIN}-for-keys", role_for_keys())
