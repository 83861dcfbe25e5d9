"""What the engine needs from Elasticsearch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from searchaccess.api.searchcluster import SearchClusterSpec
from searchaccess.core.clusters.cluster import ClusterFacts, License
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.realm import WantedRealm
from searchaccess.core.credentials.keys import Login
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.proof import Answer
from searchaccess.core.gateway.users import NativeUser
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.policy.guardrails.aliases import IndexNames
from searchaccess.core.policy.login import LoginRights
from searchaccess.core.policy.proofs import Tried
from searchaccess.core.rights.mapping import RoleMapping
from searchaccess.core.rights.ownership import Role
from searchaccess.core.usage.uses import Uses, UsesWanted
from searchaccess.ports.errors import ExternalError


@dataclass(frozen=True, slots=True)
class Probe:
    """The position of the security index. Every change of a security object increases the number."""

    index_uuid: str
    """It changes when the security index, or the whole cluster, is replaced."""
    sequence_number: int


@dataclass(frozen=True, slots=True)
class ClusterFingerprint:
    """Shows, in one small request, whether a cluster has changed."""

    state: str
    """Id of the cluster's state, which changes with the license, nodes and indices."""
    nodes: frozenset[str]
    """Ids of the nodes' starts. A node's settings and version change only with a start."""


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
    """A new API key or user: its secret part is never shown again."""

    id: str
    """The key's id, or the user's name."""
    secret: Sealed
    created: float | None = None
    """When Elasticsearch created it, in seconds since the epoch by its own clock; None: not reported."""


class ElasticsearchPort(Protocol):
    """An Elasticsearch cluster. Every method raises only ``ExternalError``."""

    async def facts(self, realm: WantedRealm | None) -> ClusterFacts:
        """Read version, uuid, license and the realm's settings (three requests).

        Args:
            realm: the realm that callers should have; None: none, so that its settings are not read (two requests).
        """

    async def fingerprint(self) -> ClusterFingerprint | None:
        """Read what shows whether license or nodes may have changed (one request); None: not permitted."""

    async def read_license(self) -> License:
        """Read the license (one request)."""

    async def realm_of_own(self, audience: str) -> str | None:
        """Read which realm accepts a token of the operator's own (one request).

        Args:
            audience: of the token.

        Returns:
            The name of the realm that accepts it; empty: it is refused; None: the operator has no identity of its own.
        """

    async def probe(self) -> Probe | None:
        """Read the position of the security index; None: not permitted, or there is none yet."""

    async def roles(self, names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        """Read roles by name, or all of them (one request). Missing ones are left out.

        Each is an object of at most ``reading.DEPTH`` levels, and so is its metadata; otherwise it is replaced by
        ``reading.UNREADABLE``. This holds for all objects that this port returns.
        """

    async def mappings(self, names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        """Read role mappings by name, or all of them (one request), like roles."""

    async def copied_fields(self, patterns: Sequence[str] | None) -> Mapping[str, Any] | None:
        """Read which fields the mappings of indices copy (one request).

        Args:
            patterns: names and wildcards of the indices; None: all. Missing ones are left out.

        Returns:
            By index, an object with ``aliases``, ``data_stream`` and the parts of ``mappings`` with a ``copy_to``, as
            far as they exist and the login may read them; None: not permitted.
        """

    async def hidden(self, patterns: Sequence[str]) -> frozenset[str]:
        """Return the patterns whose indices the login may not see, nor try queries on (one request).

        Args:
            patterns: names and patterns as a role has them; at most 1,000.
        """

    async def index_names(self) -> IndexNames | None:
        """Read the names of all indices, aliases and data streams that the login may see (one request).

        Returns:
            The names, also those of closed and hidden indices, and what is behind them; None: it may see none.
        """

    async def try_query(self, names: Sequence[str], query: str) -> Tried:
        """Try whether a query can be run on indices, without running it (one request).

        Args:
            names: names and wildcards of the indices that a URL can have; missing, closed and hidden ones are left out.
            query: JSON.
        """

    async def last_uses(self, wanted: UsesWanted) -> Uses:
        """Read from audit events when callers were last allowed a request.

        It takes three requests, one more for each 5,000 callers, and one more for the first event.

        Args:
            wanted: whose, and in which index.

        Raises:
            PermissionDenied: the login may not read the index.
            NotFound: there is no such index.
            Rejected: it has no audit events that can be searched, or too many callers.
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
        """Read what the operator's login may do (one request, up to four for limited ones); None: not reported."""

    async def lacks(self, rights: RoleBody) -> Sequence[str]:
        """Return which of some rights the operator's login lacks, such as ``read on orders-*``.

        It takes one request, and another one where there are remote clusters.
        """

    async def keys(self, pattern: str) -> Sequence[dict[str, Any]]:
        """Read all API keys that still work and whose names match a pattern such as ``a.*`` (one request).

        Those that cannot be read are left out.
        """

    async def create_key(self, name: str, lifetime: float, rights: RoleBody, metadata: Mapping[str, Any]) -> MadeKey:
        """Create an API key with exactly these rights.

        Args:
            name: shown in the audit log.
            lifetime: seconds that it works.
            rights: what it may do; at most what the operator's login may.
            metadata: its owner and state.

        Raises:
            Rejected: the rights are refused, or the login cannot create keys.
        """

    async def update_keys(self, ids: Sequence[str], rights: RoleBody) -> Written:
        """Replace the rights of API keys, in one request. A missing one, or one of another login, is refused."""

    async def prolong_keys(self, ids: Sequence[str], lifetime: float) -> Written:
        """Extend API keys by so many seconds from now, in one request. As with rights, some may be refused."""

    async def refresh_keys(self, ids: Sequence[str]) -> Written:
        """Limit API keys to what the operator's login may do now, not when they were created (one request).

        If that is the same, nothing is written.
        """

    async def note_key(self, key_id: str, metadata: Mapping[str, Any]) -> None:
        """Replace an API key's metadata.

        Raises:
            NotFound: it no longer works, or belongs to another login.
        """

    async def revoke_keys(self, ids: Sequence[str]) -> None:
        """Invalidate API keys of any owner in one request. Those that no longer work are fine."""

    async def owned_keys(self, realm: str, besides: str = "") -> Sequence[dict[str, Any]] | None:
        """Read the API keys that users of a realm own, with the roles that limit them (one request).

        Those of the user ``besides``, and those that cannot be read, are left out. None: not permitted, or there are
        more than one request returns.
        """

    async def keys_of_users(self, prefix: str) -> Sequence[dict[str, Any]] | None:
        """Read the API keys of users with a name prefix, of any realm, like ``owned_keys`` (one request)."""

    async def changed_keys(self, since: float) -> Sequence[dict[str, Any]] | None:
        """Read the API keys that were created or invalidated since a time, by Elasticsearch's clock (one request).

        Args:
            since: seconds since the epoch.

        Returns:
            None: not permitted, or there are more than one request returns.
        """

    async def every_key(self) -> Sequence[dict[str, Any]] | None:
        """Read all API keys, also those that no longer work (one request).

        Returns:
            None: not permitted, or there are more than one request returns.
        """

    async def holders(self, prefix: str) -> Sequence[dict[str, Any]] | None:
        """Read the users of the native realm that have a role with a name prefix (one request).

        Those whose own names have the prefix are left out. None: not permitted, or more than one request returns.
        """

    async def users(self, prefix: str) -> Sequence[dict[str, Any]]:
        """Read all users of the native realm with a name prefix (one request for each 1,000).

        Those that cannot be read are left out.
        """

    async def create_user(self, name: str, metadata: Mapping[str, Any]) -> MadeKey:
        """Create a user of the native realm, with a random password, and only with the role of the same name.

        Args:
            name: prefix of its name; a random suffix makes the name unique.
            metadata: its owner and state.
        """

    async def note_user(self, name: str, metadata: Mapping[str, Any]) -> None:
        """Replace a user's metadata, and its roles with the one of its name. The password stays.

        Raises:
            Rejected: it does not exist.
        """

    async def user(self, name: str) -> dict[str, Any] | None:
        """Read a user of the native realm as it is at this moment (one request); None: there is none."""

    async def put_users(self, users: Sequence[NativeUser]) -> Written:
        """Write users of the native realm with passwords that nobody knows (a request each, some at a time).

        They can be run as when this returns, but ``users`` may return them a second later.
        """

    async def remove_users(self, names: Sequence[str]) -> Written:
        """Delete users of the native realm (a request each, some at a time). A missing one counts as unchanged.

        Nobody can run as them when this returns, but ``users`` may still return them for a second.
        """

    async def delete_users(self, names: Sequence[str]) -> None:
        """Delete users of the native realm (a request each). Missing ones are fine."""

    async def users_named(self, names: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        """Read users of the native realm by name, as they are now (one request). Missing ones are left out."""

    async def put_gateway_user(
        self, name: str, role: str, metadata: Mapping[str, Any], password: Sealed | None
    ) -> None:
        """Write a user of the native realm that a gateway logs in as, and enable it.

        Args:
            name: of the user.
            role: its only role.
            metadata: its owner and state.
            password: the new one; None: it keeps its own.

        Raises:
            Rejected: without a password, and there is no such user.
        """

    async def authenticate_as(self, user: str) -> Answer:
        """Ask who this login is when it runs as a user (one request). It never raises an ``ExternalError``."""

    async def privileges_as(self, user: str) -> Mapping[str, Any]:
        """Read what a user really has on the node that answers, whatever its role says (one request).

        Args:
            user: whom this login runs as; empty: itself.

        Raises:
            PermissionDenied: there is no such user, or the login may not run as it.
            LoginRefused: the login is refused, or the user is disabled.
        """

    async def nodes_without_run_as(self) -> Sequence[str] | None:
        """Read which nodes have ``xpack.security.authc.run_as.enabled: false`` (one request); None: not permitted."""

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
        """Resolve a host name to its addresses (IPv4, IPv6); empty: it does not resolve now."""

    async def open(self, connection: Connection, cluster: str = "") -> ElasticsearchPort:
        """Open a connection. No request is sent yet.

        Args:
            connection: how to reach it and log in.
            cluster: name of the SearchCluster.

        Raises:
            LoginMissing: the certificates cannot be used.
        """
