"""What the loop needs from Elasticsearch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from searchaccess.api.searchcluster import SearchClusterSpec
from searchaccess.core.clusters.cluster import ClusterFacts, License
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.realm import WantedRealm
from searchaccess.core.credentials.keys import Login
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.policy.login import LoginRights
from searchaccess.core.policy.proofs import Tried
from searchaccess.core.rights.mapping import RoleMapping
from searchaccess.core.rights.ownership import Role
from searchaccess.ports.errors import ExternalError


@dataclass(frozen=True, slots=True)
class Probe:
    """The position of the security index. Every change of a security object moves the number."""

    index_uuid: str
    """It changes when the security index, or the whole cluster, is replaced."""
    sequence_number: int


@dataclass(frozen=True, slots=True)
class ClusterFingerprint:
    """What shows in one small request that a cluster is not as it was."""

    state: str
    """Another one after each change of the cluster's state, so of its license, nodes or indices."""
    nodes: frozenset[str]
    """One for each start of a node. Settings and version of a node change with a start alone."""


@dataclass(slots=True)
class Written:
    """The result of a bulk write, object by object: it is not atomic."""

    changed: set[str] = field(default_factory=set)
    unchanged: set[str] = field(default_factory=set)
    refused: dict[str, ExternalError] = field(default_factory=dict)

    def add(self, more: "Written") -> None:
        """Add the results for other objects."""
        self.changed |= more.changed
        self.unchanged |= more.unchanged
        self.refused |= more.refused


@dataclass(frozen=True, slots=True)
class MadeKey:
    """An API key or a user that was just made: its secret part is never shown again."""

    id: str
    """The key's id, or the user's name."""
    secret: Sealed
    created: float | None = None
    """When Elasticsearch made it, in seconds since the epoch by its own clock; None: it does not say."""


class ElasticsearchPort(Protocol):
    """An Elasticsearch cluster. Every method raises only ``ExternalError``."""

    async def facts(self, realm: WantedRealm) -> ClusterFacts:
        """Read version, uuid, license and the realm's settings (three requests)."""

    async def fingerprint(self) -> ClusterFingerprint | None:
        """Read what shows that license or nodes may have changed (one request); None: not permitted."""

    async def read_license(self) -> License:
        """Read the license (one request)."""

    async def realm_of_own(self, audience: str) -> str | None:
        """Ask who a token of the operator's own is (one request).

        Args:
            audience: of the token.

        Returns:
            The name of the realm that accepts it; empty: it is refused; None: the operator has no identity of its own.
        """

    async def probe(self) -> Probe | None:
        """Read the position of the security index; None: not permitted, or there is none yet."""

    async def roles(self, names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        """Read roles by name, or all of them (one request). Missing ones are left out.

        Each is an object of at most ``reading.DEPTH`` levels, and so is its metadata; in place of one that is not,
        there is ``reading.UNREADABLE``. This holds of all objects that this port gives.
        """

    async def mappings(self, names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        """Read role mappings by name, or all of them (one request), as roles are."""

    async def copied_fields(self, patterns: Sequence[str] | None) -> Mapping[str, Any] | None:
        """Read which fields the mappings of indices copy (one request).

        Args:
            patterns: names and wildcards of the indices; None: all. Missing ones are left out.

        Returns:
            By index, an object with ``aliases``, ``data_stream`` and of ``mappings`` what has a ``copy_to``, each if
            there is one, as far as the login may read them; None: not permitted.
        """

    async def hidden(self, patterns: Sequence[str]) -> frozenset[str]:
        """Return of which indices the login may not see names and mappings, nor try queries on them (one request).

        Args:
            patterns: names and patterns as a role has them; at most 1,000.
        """

    async def index_names(self) -> Sequence[str] | None:
        """Read the names of all indices, aliases and data streams that the login may see (one request).

        Returns:
            The names, also those of closed and hidden indices; None: it may see none.
        """

    async def try_query(self, names: Sequence[str], query: str) -> Tried:
        """Try whether a query can be run on indices, without running it (one request).

        Args:
            names: names and wildcards of the indices, as an address can have them; missing and closed ones are left
                out, and so are those that the login may not see.
            query: JSON.
        """

    async def put_roles(self, roles: Sequence[Role]) -> Written:
        """Write roles in one request; at most 1,000. Existing keys of ``metadata`` and ``global`` stay."""

    async def replace_roles(self, roles: Sequence[Role]) -> Written:
        """Replace roles as a whole, a request each."""

    async def delete_roles(self, names: Sequence[str]) -> Written:
        """Delete roles in one request; at most 1,000. A missing one counts as unchanged."""

    async def put_mapping(self, mapping: RoleMapping) -> None:
        """Write a role mapping. It clears the realm's caches: do this rarely."""

    async def delete_mapping(self, name: str) -> None:
        """Delete a role mapping; a missing one is fine. It clears the realm's caches."""

    async def time(self) -> float | None:
        """Read the cluster's time, in seconds since the epoch (one request); None: not permitted."""

    async def login(self) -> Login:
        """Return who the operator is (one request)."""

    async def login_rights(self) -> LoginRights | None:
        """Read what the operator's login may do (one request, up to four for small ones); None: it is not said."""

    async def lacks(self, rights: RoleBody) -> Sequence[str]:
        """Return which of some rights the operator's login lacks, such as ``read on orders-*``.

        It takes one request, and another one where there are remote clusters.
        """

    async def keys(self, pattern: str) -> Sequence[dict[str, Any]]:
        """Read all API keys that still work and whose names match a pattern such as ``a.*`` (one request).

        Those that cannot be read are left out.
        """

    async def create_key(self, name: str, lifetime: float, rights: RoleBody, metadata: Mapping[str, Any]) -> MadeKey:
        """Make an API key with these rights, and no others.

        Args:
            name: what the audit log shows.
            lifetime: seconds that it works.
            rights: what it may do; at most what the operator's own login may.
            metadata: whose it is.

        Raises:
            Rejected: the rights are refused, or the login can make no keys.
        """

    async def update_keys(self, ids: Sequence[str], rights: RoleBody) -> Written:
        """Replace the rights of API keys, in one request. A missing one, or one of another login, is refused."""

    async def prolong_keys(self, ids: Sequence[str], lifetime: float) -> Written:
        """Let API keys work for so many seconds from now, in one request. As with rights, some may be refused."""

    async def refresh_keys(self, ids: Sequence[str]) -> Written:
        """Limit API keys by what the operator's login may now, not when they were made (one request).

        Where that is the same, nothing is written.
        """

    async def note_key(self, key_id: str, metadata: Mapping[str, Any]) -> None:
        """Replace an API key's metadata.

        Raises:
            NotFound: it does not work any more, or is not the login's own.
        """

    async def revoke_keys(self, ids: Sequence[str]) -> None:
        """Invalidate API keys, anybody's, in one request. Those that no longer work are fine."""

    async def users(self, prefix: str) -> Sequence[dict[str, Any]]:
        """Read all users of the native realm whose names begin so (one request for each 1,000).

        Those that cannot be read are left out.
        """

    async def create_user(self, name: str, metadata: Mapping[str, Any]) -> MadeKey:
        """Make a user of the native realm, with a random password, and with the role of its own name alone.

        Args:
            name: what its name begins with; so that nobody ever had it before, something random follows.
            metadata: whose it is.
        """

    async def note_user(self, name: str, metadata: Mapping[str, Any]) -> None:
        """Replace a user's metadata, and its roles by the one of its name. The password stays.

        Raises:
            Rejected: it is not there.
        """

    async def delete_users(self, names: Sequence[str]) -> None:
        """Delete users of the native realm (a request each). Missing ones are fine."""

    async def close(self) -> None:
        """Close connections."""


class Connector(Protocol):
    """Opens connections to clusters."""

    async def find(self, spec: SearchClusterSpec) -> Connection:
        """Read what is needed to connect.

        Raises:
            LoginMissing: some of it is missing or cannot be used.
            ExternalError: it could not be read.
        """

    async def resolve(self, host: str) -> tuple[str, ...]:
        """Resolve a host name to its addresses (IPv4, IPv6); none: it does not resolve now."""

    async def open(self, connection: Connection, cluster: str = "") -> ElasticsearchPort:
        """Open a connection. No request is sent yet.

        Args:
            connection: how to reach it and log in.
            cluster: name of the SearchCluster.

        Raises:
            LoginMissing: the certificates cannot be used.
        """
