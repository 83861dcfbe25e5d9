"""Elasticsearch in memory, as far as the operator sees it. The contract tests hold it to the real server."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Final

from searchaccess.api.vocabulary.privileges import CLUSTER_PRIVILEGES, INDEX_PRIVILEGES
from searchaccess.core.clusters.cluster import NO_REALM, ClusterFacts, License, facts_of
from searchaccess.core.clusters.realm import WantedRealm, check_realm
from searchaccess.core.model.canonical import Entry, RoleBody
from searchaccess.core.model.intake.reading import readable
from searchaccess.core.policy.delegation import lacking
from searchaccess.core.rights.mapping import RoleMapping
from searchaccess.core.rights.ownership import Role
from searchaccess.ports.elasticsearch import ClusterFingerprint, Probe, Written
from searchaccess.ports.errors import PermissionDenied, Rejected
from tests.support.copies import copied
from tests.support.failures.faults import Call, Faults
from tests.support.memory.indices import MemoryIndices
from tests.support.memory.keys import ELASTICSEARCH, MemoryKeys
from tests.support.memory.users import MemoryUsers

SIDE: Final = ELASTICSEARCH
UUID: Final = "kQ8aW-cluster-one"
REALM: Final = "google"
AUDIENCE: Final = "https://es.example.com"
ISSUER: Final = "https://accounts.google.com"

_QUERIES: Final = frozenset(
    (  # noqa: SIM905 - shorter to read
        "bool exists ids match match_all match_none match_phrase prefix range regexp script template term terms "
        "wildcard"
    ).split()
)
_ENTRY_KEYS: Final = frozenset({"names", "privileges", "field_security", "query", "allow_restricted_indices"})
_RESERVED: Final = frozenset({"superuser", "kibana_system"})
_NAME_LIMIT: Final = 507
_DESCRIPTION_LIMIT: Final = 1000


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value))


def served_role(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a role as a GET returns it after a PUT (measured)."""
    body: dict[str, Any] = _copy(raw)
    served: dict[str, Any] = {
        "cluster": [],
        "indices": [],
        "applications": [],
        "run_as": [],
        "metadata": {},
        "transient_metadata": {"enabled": True},
        **body,
    }
    if not served.get("remote_indices"):
        served.pop("remote_indices", None)
    for entry in (*served["indices"], *served.get("remote_indices", ())):
        entry.setdefault("allow_restricted_indices", False)
        query = entry.pop("query", None)
        if query:
            entry["query"] = query if isinstance(query, str) else json.dumps(query, separators=(",", ":"))
    if not served.get("description"):
        served.pop("description", None)
    return served


def merged_role(known: Mapping[str, Any] | None, served: dict[str, Any]) -> dict[str, Any]:
    """Return a role after a bulk write over another: objects are merged key by key, all else is replaced (measured)."""
    merged = dict(served)
    for key in ("metadata", "global"):
        if known and key in known:
            merged[key] = _merged(known[key], served.get(key, {}))
    return merged


def _merged(known: Any, new: Any) -> Any:
    if not isinstance(known, dict) or not isinstance(new, dict):
        return new
    return known | {key: _merged(known.get(key), value) for key, value in new.items()}


def served_mapping(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a role mapping as a GET returns it after a PUT (measured)."""
    body: dict[str, Any] = _copy(raw)
    body.setdefault("metadata", {})
    for template in body.get("role_templates", []):
        template.setdefault("format", "string")
        if not isinstance(template["template"], str):
            template["template"] = json.dumps(template["template"], separators=(",", ":"))
    return body


def role_problem(name: str, raw: Mapping[str, Any]) -> str:  # noqa: PLR0911 - reads as a table
    """Say why the server refuses a role; empty: it takes it."""
    if name in _RESERVED:
        return f"Role [{name}] is reserved and may not be used."
    if len(name) > _NAME_LIMIT:
        return f"id [role-{name}] is too long"
    if any(key.startswith("_") for key in raw.get("metadata", {})):
        return "role descriptor metadata keys may not start with [_]"
    if len(raw.get("description", "")) > _DESCRIPTION_LIMIT:
        return "Role description must be less than 1000 characters."
    for privilege in raw.get("cluster", []):
        if privilege not in CLUSTER_PRIVILEGES and not privilege.startswith("cluster:"):
            return f"unknown cluster privilege [{privilege}]"
    # For remote clusters whatever the query is like (measured).
    remote = [{**entry, "clusters": None, "query": None} for entry in raw.get("remote_indices", [])]
    for entry in (*raw.get("indices", []), *remote):
        if problem := _entry_problem(entry):
            return problem
    return ""


def _entry_problem(entry: Mapping[str, Any]) -> str:  # noqa: PLR0911 - reads as a table
    unknown = sorted(key for key in set(entry) - _ENTRY_KEYS if entry[key] is not None)
    if unknown:
        return f"unexpected field [{unknown[0]}]"
    if not entry["names"]:
        return "[names] cannot be an empty array"
    if not entry["privileges"]:
        return "indices privileges must define at least one privilege"
    if len(set(entry["privileges"])) < len(entry["privileges"]):
        return "duplicate element"
    for privilege in entry["privileges"]:
        if privilege not in INDEX_PRIVILEGES and not privilege.startswith("indices:"):
            return f"unknown index privilege [{privilege}]"
    fields = entry.get("field_security") or {}
    if "except" in fields and "grant" not in fields:
        return "field_security requires grant if except is given"
    for field in fields.get("except", []):
        if not any(fnmatchcase(field, granted) for granted in fields["grant"]):
            return "Exceptions for field permissions must be a subset of the granted fields"
    return _query_problem(entry.get("query"))


def _query_problem(query: Any) -> str:
    if not query:
        return ""
    try:
        parsed = json.loads(query) if isinstance(query, str) else query
    except ValueError:
        return "failed to parse field 'query'"
    if not isinstance(parsed, Mapping) or len(parsed) != 1:
        return "failed to parse field 'query'"
    kind = next(iter(parsed))
    return "" if kind in _QUERIES else f"unknown query [{kind}]"


def _mapping_problem(raw: Mapping[str, Any]) -> str:
    if not raw.get("roles") and not raw.get("role_templates"):
        return "missing field [roles]"
    rules = raw.get("rules") or {}
    if len(rules) != 1 or next(iter(rules)) not in {"any", "all", "field"}:
        return "failed to parse rules expression"
    return ""


def realm_settings() -> dict[str, Any]:
    """Return the settings of a realm that is as the SearchCluster says."""
    return {
        "order": "1",
        "token_type": "id_token",
        "allowed_issuer": ISSUER,
        "allowed_audiences": [AUDIENCE],
        "allowed_signature_algorithms": ["RS256"],
        "claims": {"principal": "email"},
        "pkc_jwkset_path": "jwks.json",
        "client_authentication": {"type": "none"},
    }


class MemoryElasticsearch(MemoryKeys, MemoryUsers, MemoryIndices):
    """One cluster. The port's methods are the operator's; the others are everybody else's."""

    def __init__(self, faults: Faults) -> None:
        MemoryKeys.__init__(self, faults, served_role)
        MemoryUsers.__init__(self)
        MemoryIndices.__init__(self)
        self.wipe(UUID)
        self.version = "8.19.0"
        self.license = "trial"
        self.license_ends: float | None = None
        self.realm: dict[str, Any] = realm_settings()
        self.own_identity = False
        """The operator has an identity of its own."""
        self.accepts: Callable[[str], bool] = lambda audience: audience in self.realm.get("allowed_audiences", ())
        """Says whether the realm accepts a token for an audience."""
        self.other_realms: dict[str, Any] = {}
        """JWT realms, by name."""
        self.starts = 1
        self.indices_made: set[str] = set()
        self.fingerprint_works = True
        self.probe_works = True
        self.indices_now: dict[str, dict[str, Any]] | None = {}
        """By name, as far as the mappings copy fields; None: the login may not read them."""
        self.on_role: Callable[[str, Mapping[str, Any]], object] = lambda _name, _raw: None
        """Called with every role that the operator writes."""

    # Everybody else

    def wipe(self, uuid: str) -> None:
        """Be another cluster, an empty one."""
        self.uuid = uuid
        self.index_uuid = f"security-of-{uuid}"
        self.sequence = 10
        self.roles_now: dict[str, dict[str, Any]] = {}
        self.mappings_now: dict[str, dict[str, Any]] = {}
        self.keys_now: dict[str, dict[str, Any]] = {}
        self.users_now = {}

    def restart(self, version: str = "", **realm: Any) -> None:
        """Start the node again, with another version or other settings of the realm; None removes one."""
        self.version = version or self.version
        self.realm = {name: value for name, value in {**self.realm, **realm}.items() if value is not None}
        self.starts += 1

    def write_role(self, name: str, raw: Mapping[str, Any]) -> None:
        """Write a role by a single PUT: an identical one moves the sequence number too."""
        body = {key: value for key, value in raw.items() if key != "transient_metadata"}
        self.roles_now[name] = served_role(body)
        self.sequence += 1

    def remove_role(self, name: str) -> None:
        """Delete a role."""
        self.roles_now.pop(name, None)
        self.sequence += 1

    def write_mapping(self, name: str, raw: Mapping[str, Any]) -> None:
        """Write a role mapping."""
        self.mappings_now[name] = served_mapping(raw)
        self.sequence += 1

    def remove_mapping(self, name: str) -> None:
        """Delete a role mapping."""
        self.mappings_now.pop(name, None)
        self.sequence += 1

    # The port

    async def facts(self, realm: WantedRealm | None) -> ClusterFacts:
        return await self._faults.perform(Call(SIDE, "facts"), lambda: self._facts(realm))

    def _facts(self, realm: WantedRealm | None) -> ClusterFacts:
        if realm is None:
            return facts_of(self.version, self.uuid, self._license(), NO_REALM)
        settings = {"xpack": {"security": {"authc": {"realms": {"jwt": {REALM: self.realm} | self.other_realms}}}}}
        nodes = {"n0": {"name": "node-0", "settings": settings}}
        return facts_of(self.version, self.uuid, self._license(), check_realm(nodes, realm))

    async def read_license(self) -> License:
        return await self._faults.perform(Call(SIDE, "license"), self._license)

    def _license(self) -> License:
        if self.license_ends is not None and self.license_ends <= self.now():
            return License("expired")
        return License(self.license, self.license_ends)

    async def fingerprint(self) -> ClusterFingerprint | None:
        def read() -> ClusterFingerprint | None:
            seen = repr((self.license, self.license_ends, self.indices_made, self.indices, self.closed, self.aliases))
            return (
                ClusterFingerprint(seen, frozenset({f"start {self.starts} of node-0"}))
                if self.fingerprint_works
                else None
            )

        return await self._faults.perform(Call(SIDE, "fingerprint"), read)

    async def realm_of_own(self, audience: str) -> str | None:
        def read() -> str | None:
            if not self.own_identity:
                return None
            return REALM if self.accepts(audience) else ""

        return await self._faults.perform(Call(SIDE, "realm_of_own", (audience,)), read)

    async def probe(self) -> Probe | None:
        def read() -> Probe | None:
            return Probe(self.index_uuid, self.sequence) if self.probe_works else None

        return await self._faults.perform(Call(SIDE, "probe"), read)

    async def roles(self, names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        return await self._faults.perform(Call(SIDE, "roles", tuple(names or ())), lambda: _some(self.roles_now, names))

    async def mappings(self, names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        return await self._faults.perform(
            Call(SIDE, "mappings", tuple(names or ())), lambda: _some(self.mappings_now, names)
        )

    async def copied_fields(self, patterns: Sequence[str] | None) -> Mapping[str, Any] | None:
        return await self._faults.perform(
            Call(SIDE, "copied_fields", tuple(patterns or ())), lambda: self._copied_fields(patterns)
        )

    def _copied_fields(self, patterns: Sequence[str] | None) -> Mapping[str, Any] | None:
        if self.indices_now is None:
            return None
        wanted = patterns or ["*"]
        return {
            name: copied(raw)
            for name, raw in self.indices_now.items()
            if any(fnmatchcase(one, pattern) for one in (name, *raw.get("aliases", {})) for pattern in wanted)
        }

    async def put_roles(self, roles: Sequence[Role]) -> Written:
        call = Call(SIDE, "put_roles", tuple(role.name for role in roles), write=True)
        return await self._faults.perform(call, lambda: self._put_roles(roles, whole=False))

    async def replace_roles(self, roles: Sequence[Role]) -> Written:
        written = Written()
        for role in roles:
            call = Call(SIDE, "replace_roles", (role.name,), write=True)
            written.add(await self._faults.perform(call, partial(self._put_roles, [role], whole=True)))
        return written

    def _put_roles(self, roles: Sequence[Role], *, whole: bool) -> Written:
        self._expect_delegated(*roles)
        written = Written()
        for role in roles:
            raw, known = role.to_json(), self.roles_now.get(role.name)
            problem = role_problem(role.name, raw) or self._license_problem(raw)
            if problem:
                written.refused[role.name] = Rejected(f"Elasticsearch refused it: {problem}")
            elif whole:
                self.write_role(role.name, raw)
                written.changed.add(role.name)
            elif known == (served := merged_role(known, served_role(raw))):
                written.unchanged.add(role.name)
            else:
                self.roles_now[role.name] = served
                self.sequence += 1
                written.changed.add(role.name)
            if role.name in written.changed:
                self.on_role(role.name, self.roles_now[role.name])
        return written

    def _license_problem(self, raw: Mapping[str, Any]) -> str:
        """Say what of a role the license lacks; empty: nothing."""
        restricted = any(
            entry.get("query") or entry.get("field_security")
            for entry in (*raw.get("indices", ()), *raw.get("remote_indices", ()))
        )
        if not restricted or self.license in {"trial", "platinum", "enterprise"}:
            return ""
        return "current license is non-compliant for [field and document level security]"

    async def delete_roles(self, names: Sequence[str]) -> Written:
        call = Call(SIDE, "delete_roles", tuple(names), write=True)
        return await self._faults.perform(call, lambda: self._delete_roles(names))

    def _delete_roles(self, names: Sequence[str]) -> Written:
        # Deleting a role takes the right to delete an index of its name.
        self._expect_delegated(
            *(Role("", RoleBody(entries=(Entry((name,), ("delete_index",)),)), {}) for name in names)
        )
        written = Written()
        for name in names:
            if name in _RESERVED:
                written.refused[name] = Rejected(f"role [{name}] is reserved and cannot be deleted")
                continue
            self.sequence += 1  # Measured: a missing one moves it too.
            known = self.roles_now.pop(name, None)
            (written.unchanged if known is None else written.changed).add(name)
        return written

    def _expect_delegated(self, *roles: Role) -> None:
        """Refuse the whole request, as Elasticsearch does, if the login may not write one of these roles."""
        rights = self.rights_now
        if rights is None or rights.manages:
            return
        for role in roles:
            body = role.body
            if not rights.delegated or body.cluster or body.other or lacking(rights.delegated, body.entries):
                raise PermissionDenied("Elasticsearch answered 403: this action is granted by manage_security")

    async def put_mapping(self, mapping: RoleMapping) -> None:
        call = Call(SIDE, "put_mapping", (mapping.name,), write=True)
        await self._faults.perform(call, lambda: self._put_mapping(mapping))

    def _put_mapping(self, mapping: RoleMapping) -> None:
        self.expect_manages()
        raw = mapping.to_json()
        if problem := _mapping_problem(raw):
            raise Rejected(f"Elasticsearch answered 400: {problem}")
        self.write_mapping(mapping.name, raw)

    async def delete_mapping(self, name: str) -> None:
        call = Call(SIDE, "delete_mapping", (name,), write=True)
        await self._faults.perform(call, lambda: self._delete_mapping(name))

    def _delete_mapping(self, name: str) -> None:
        self.expect_manages()
        self.remove_mapping(name)

    async def close(self) -> None:
        """Nothing is open."""


def _some(stored: Mapping[str, dict[str, Any]], names: Sequence[str] | None) -> dict[str, dict[str, Any]]:
    found = {name: raw for name, raw in stored.items() if names is None or name in names}
    return copied(readable(found))


def _merge(known: Any, new: Any) -> Any:
    if not isinstance(known, dict) or not isinstance(new, dict):
        return new
    return known | {key: _merge(known[key], value) if key in known else value for key, value in new.items()}


def owner_uids(raw: Mapping[str, Any]) -> set[str]:
    """Return the uids of the SearchAccesses that a role's metadata names as owners."""
    owners = raw.get("metadata", {}).get("owners", [])
    return {owner["uid"] for owner in owners if isinstance(owner, dict) and re.fullmatch(r"\S+", str(owner.get("uid")))}
