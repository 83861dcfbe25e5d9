"""Elasticsearch in memory and for real, each with what others can do there."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from searchaccess.adapters.elasticsearch.client import ElasticsearchClient
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.realm import WantedRealm
from searchaccess.core.model.canonical import Entry, RoleBody
from searchaccess.core.rights.ownership import Role
from searchaccess.ports.elasticsearch import ElasticsearchPort
from tests.stack.elasticsearch import ElasticsearchServer
from tests.support.failures.faults import Faults
from tests.support.memory.elasticsearch import AUDIENCE, ISSUER, REALM, MemoryElasticsearch
from tests.support.worlds.world import OPERATOR_PASSWORD, OPERATOR_ROLE, OPERATOR_USER


class ElasticsearchSide(ABC):
    """One of the two.

    Args:
        prefix: of the names of all that a test makes.
        port: what is tested.
        realm: what a SearchCluster would say.
    """

    is_real = False

    def __init__(self, prefix: str, port: ElasticsearchPort, realm: WantedRealm) -> None:
        self.prefix = prefix
        self.port = port
        self.realm = realm

    def name(self, name: str) -> str:
        return self.prefix + name

    def role(self, name: str, *entries: Entry, **more: Any) -> Role:
        """Return a role to write."""
        metadata = more.pop("metadata", {"made_by": "contract"})
        return Role(self.name(name), RoleBody(entries=entries or (an_entry(),), **more), metadata)

    async def position(self) -> int:
        """Return the sequence number."""
        probe = await self.port.probe()
        assert probe is not None
        return probe.sequence_number

    async def some_roles(self, *names: str) -> Mapping[str, dict[str, Any]]:
        """Read roles by their short names."""
        found = await self.port.roles([self.name(name) for name in names])
        return {name.removeprefix(self.prefix): raw for name, raw in found.items()}

    @property
    @abstractmethod
    def version(self) -> str:
        """The server's, as everybody sees it."""

    @abstractmethod
    def write_role(self, name: str, raw: Mapping[str, Any]) -> None:
        """Write a role by a single PUT, as somebody else."""

    @abstractmethod
    def write_mapping(self, name: str, raw: Mapping[str, Any]) -> None:
        """Write a role mapping, as somebody else."""

    @abstractmethod
    def write_user(self, name: str, *roles: str) -> None:
        """Write a user of the native realm, by its whole name, as somebody else."""

    @abstractmethod
    def make_index(self, name: str) -> None:
        """Make an index, as somebody else."""

    @abstractmethod
    def make_mapped(self, name: str, fields: Mapping[str, str]) -> str:
        """Make an index with fields of these types, as somebody else, and return its whole name."""

    @abstractmethod
    def close_index(self, name: str) -> None:
        """Close an index, by its whole name, as somebody else."""

    @abstractmethod
    def let_see(self, *patterns: str) -> None:
        """Give the operator's login ``view_index_metadata`` on these indices, and on no others."""

    @abstractmethod
    async def close(self) -> None:
        """Clean up."""


def an_entry(*names: str, privileges: Sequence[str] = ("read",), **more: Any) -> Entry:
    """Return an entry of a role."""
    return Entry(names or ("logs-*",), tuple(privileges), **more)


class MemorySide(ElasticsearchSide):
    """In memory."""

    def __init__(self, prefix: str) -> None:
        self.server = MemoryElasticsearch(Faults())
        super().__init__(prefix, self.server, WantedRealm(REALM, AUDIENCE, ISSUER))

    @property
    def version(self) -> str:
        return self.server.version

    def write_role(self, name: str, raw: Mapping[str, Any]) -> None:
        self.server.write_role(self.name(name), raw)

    def write_mapping(self, name: str, raw: Mapping[str, Any]) -> None:
        self.server.write_mapping(self.name(name), raw)

    def write_user(self, name: str, *roles: str) -> None:
        self.server.write_user(name, *roles)

    def make_index(self, name: str) -> None:
        self.server.indices_made.add(self.name(name))

    def make_mapped(self, name: str, fields: Mapping[str, str]) -> str:
        whole = self.name(name).lower()
        self.server.indices[whole] = dict(fields)
        return whole

    def close_index(self, name: str) -> None:
        self.server.closed.add(name)

    def let_see(self, *patterns: str) -> None:
        self.server.may_see = patterns

    async def close(self) -> None:
        """Nothing is left."""


class RealSide(ElasticsearchSide):
    """For real, under the operator's least-privilege login."""

    is_real = True

    def __init__(self, prefix: str, server: ElasticsearchServer) -> None:
        ca = Path(server.ca_file).read_text()
        self._client = ElasticsearchClient(Connection((server.url,), ca, OPERATOR_USER, OPERATOR_PASSWORD))
        self._admin = server.client()
        self._indices: list[str] = []
        self._users: list[str] = []
        super().__init__(prefix, self._client, WantedRealm(server.realm, server.audience, ISSUER))

    @staticmethod
    def install(server: ElasticsearchServer) -> None:
        """Make the operator's login."""
        with server.client() as admin:
            admin.put(f"/_security/role/{OPERATOR_USER}", json=OPERATOR_ROLE).raise_for_status()
            login = {"password": OPERATOR_PASSWORD, "roles": [OPERATOR_USER]}
            admin.put(f"/_security/user/{OPERATOR_USER}", json=login).raise_for_status()

    @property
    def version(self) -> str:
        return str(self._admin.get("/").json()["version"]["number"])

    def write_role(self, name: str, raw: Mapping[str, Any]) -> None:
        self._admin.put(f"/_security/role/{self.name(name)}", json=dict(raw)).raise_for_status()

    def write_mapping(self, name: str, raw: Mapping[str, Any]) -> None:
        self._admin.put(f"/_security/role_mapping/{self.name(name)}", json=dict(raw)).raise_for_status()

    def write_user(self, name: str, *roles: str) -> None:
        self._users.append(name)
        user = {"password": OPERATOR_PASSWORD, "roles": list(roles)}
        self._admin.put(f"/_security/user/{name}", json=user).raise_for_status()

    def make_index(self, name: str) -> None:
        self._indices.append(self.name(name).lower())
        self._admin.put(f"/{self._indices[-1]}").raise_for_status()

    def make_mapped(self, name: str, fields: Mapping[str, str]) -> str:
        self._indices.append(self.name(name).lower())
        properties = {field: {"type": kind} for field, kind in fields.items()}
        body = {"mappings": {"properties": properties}}
        self._admin.put(f"/{self._indices[-1]}", json=body).raise_for_status()
        return self._indices[-1]

    def close_index(self, name: str) -> None:
        self._admin.post(f"/{name}/_close").raise_for_status()

    def let_see(self, *patterns: str) -> None:
        entry = {"names": list(patterns), "privileges": ["view_index_metadata"]}
        role = {**OPERATOR_ROLE, "indices": [*OPERATOR_ROLE["indices"], *([entry] if patterns else [])]}
        self._admin.put(f"/_security/role/{OPERATOR_USER}", json=role).raise_for_status()

    async def close(self) -> None:
        self.let_see()
        for index in self._indices:
            self._admin.delete(f"/{index}").raise_for_status()
        for user in self._users:
            self._admin.delete(f"/_security/user/{user}").raise_for_status()
        roles = [name for name in self._admin.get("/_security/role").json() if name.startswith(self.prefix)]
        if roles:
            self._admin.request("DELETE", "/_security/role", json={"names": roles}).raise_for_status()
        for name in self._admin.get("/_security/role_mapping").json():
            if name.startswith(self.prefix):
                self._admin.delete(f"/_security/role_mapping/{name}").raise_for_status()
        self._admin.close()
        await self._client.close()
