"""A dry run: the loop is the same, and what it would write is recorded instead of written."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from searchaccess.api.searchcluster import SearchClusterSpec
from searchaccess.core.answers.changes import Change, change_of_mapping, change_of_role, change_of_user
from searchaccess.core.clusters.cluster import ClusterFacts, License
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.realm import WantedRealm
from searchaccess.core.credentials.keys import Login
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.proof import Answer
from searchaccess.core.gateway.users import NativeUser, user_of
from searchaccess.core.model.canonical import RoleBody, role_from_json
from searchaccess.core.policy.guardrails.aliases import IndexNames
from searchaccess.core.policy.login import LoginRights
from searchaccess.core.policy.proofs import Tried
from searchaccess.core.rights.mapping import RoleMapping, mapping_of
from searchaccess.core.rights.ownership import Role
from searchaccess.core.usage.uses import Uses, UsesWanted
from searchaccess.ports.elasticsearch import ClusterFingerprint, Connector, ElasticsearchPort, MadeKey, Probe, Written
from searchaccess.ports.errors import NothingIsWritten


def refuse() -> NoReturn:
    """Refuse to write.

    Raises:
        NothingIsWritten: always.
    """
    raise NothingIsWritten("a dry run changes nothing")


class DryRun:
    """What would change."""

    def __init__(self) -> None:
        self._changes: dict[tuple[str, str], Change] = {}

    @property
    def changes(self) -> tuple[Change, ...]:
        """All of them, in the order of clusters and objects."""
        return tuple(self._changes[key] for key in sorted(self._changes))

    def note(self, cluster: str, target: str, change: Change | None) -> None:
        """Record what would happen to an object, instead of what was recorded before.

        Args:
            cluster: the SearchCluster's name.
            target: the object, as changes name it.
            change: the change; None: the object stays as it is.
        """
        if change is None:
            self._changes.pop((cluster, target), None)
        else:
            self._changes[cluster, target] = change


class DryRunElasticsearch:
    """A read-only cluster that seems to accept writes.

    Args:
        real: the cluster.
        cluster: the SearchCluster's name.
        dry_run: records what would be written.
    """

    def __init__(self, real: ElasticsearchPort, cluster: str, dry_run: DryRun) -> None:
        self._real = real
        self._cluster = cluster
        self._dry_run = dry_run
        self._roles: dict[str, Role | None] = {}
        self._mappings: dict[str, RoleMapping | None] = {}
        """By name, as they would be now; None: deleted."""
        self._users: dict[str, NativeUser | None] = {}
        """The same of users."""
        self._real_users: dict[str, NativeUser] = {}
        self._real_roles: dict[str, Role] = {}
        self._real_mappings: dict[str, RoleMapping] = {}

    async def roles(self, names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        """Read roles by name, or all of them."""
        raw = await self._real.roles(names)
        for name, item in raw.items():
            self._real_roles[name] = Role(name, role_from_json(item), dict(item.get("metadata") or {}))
        return _covered(raw, self._roles, names)

    async def mappings(self, names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        """Read role mappings by name, or all of them."""
        raw = await self._real.mappings(names)
        self._real_mappings |= {name: mapping_of(name, item) for name, item in raw.items()}
        return _covered(raw, self._mappings, names)

    async def put_roles(self, roles: Sequence[Role]) -> Written:
        """Pretend to write roles."""
        return self._take({role.name: role for role in roles})

    async def replace_roles(self, roles: Sequence[Role]) -> Written:
        """Pretend to replace roles as a whole."""
        return self._take({role.name: role for role in roles})

    async def delete_roles(self, names: Sequence[str]) -> Written:
        """Pretend to delete roles."""
        return self._take(dict.fromkeys(names))

    def _take(self, roles: Mapping[str, Role | None]) -> Written:
        self._roles |= roles
        for name, after in roles.items():
            change = change_of_role(self._cluster, name, self._real_roles.get(name), after)
            self._dry_run.note(self._cluster, f"role/{name}", change)
        return Written(changed=set(roles))

    async def put_mapping(self, mapping: RoleMapping) -> None:
        """Pretend to write a role mapping."""
        self._take_mapping(mapping.name, mapping)

    async def delete_mapping(self, name: str) -> None:
        """Pretend to delete a role mapping."""
        self._take_mapping(name, None)

    def _take_mapping(self, name: str, after: RoleMapping | None) -> None:
        self._mappings[name] = after
        change = change_of_mapping(self._cluster, name, self._real_mappings.get(name), after)
        self._dry_run.note(self._cluster, f"role_mapping/{name}", change)

    async def user(self, name: str) -> dict[str, Any] | None:
        """Read a user of the native realm."""
        if name in self._users:
            after = self._users[name]
            return {"username": name} | after.to_json() if after else None
        raw = await self._real.user(name)
        if raw is not None:
            self._real_users[name] = user_of(raw)
        return raw

    async def users(self, prefix: str) -> Sequence[dict[str, Any]]:
        """Read all users of the native realm whose names begin so (one request for each 1,000)."""
        raws = await self._real.users(prefix)
        self._real_users |= {str(raw.get("username")): user_of(raw) for raw in raws}
        kept = [raw for raw in raws if raw.get("username") not in self._users]
        after = ({"username": name} | user.to_json() for name, user in self._users.items() if user)
        return [*kept, *(raw for raw in after if raw["username"].startswith(prefix))]

    async def put_users(self, users: Sequence[NativeUser]) -> Written:
        """Pretend to write users."""
        return self._take_users({user.name: user for user in users})

    async def remove_users(self, names: Sequence[str]) -> Written:
        """Pretend to delete users."""
        return self._take_users(dict.fromkeys(names))

    def _take_users(self, users: Mapping[str, NativeUser | None]) -> Written:
        self._users |= users
        for name, after in users.items():
            change = change_of_user(self._cluster, name, self._real_users.get(name), after)
            self._dry_run.note(self._cluster, f"user/{name}", change)
        return Written(changed=set(users))

    # Reads

    async def facts(self, realm: WantedRealm | None) -> ClusterFacts:
        """Read version, uuid, license and the realm's settings (three requests)."""
        return await self._real.facts(realm)

    async def fingerprint(self) -> ClusterFingerprint | None:
        """Read what shows whether license or nodes may have changed (one request); None: not permitted."""
        return await self._real.fingerprint()

    async def read_license(self) -> License:
        """Read the license (one request)."""
        return await self._real.read_license()

    async def realm_of_own(self, audience: str) -> str | None:
        """Ask who a token of the operator's own is (one request)."""
        return await self._real.realm_of_own(audience)

    async def probe(self) -> Probe | None:
        """Read the position of the security index; None: not permitted, or there is none yet."""
        return await self._real.probe()

    async def time(self) -> float | None:
        """Return the cluster's time."""
        return await self._real.time()

    async def hidden(self, patterns: Sequence[str]) -> frozenset[str]:
        """Return of which indices the login may not see names and mappings (one request)."""
        return await self._real.hidden(patterns)

    async def index_names(self) -> IndexNames | None:
        """Read the names of all indices, aliases and data streams that the login may see (one request)."""
        return await self._real.index_names()

    async def try_query(self, names: Sequence[str], query: str) -> Tried:
        """Try whether a query can be run on indices, without running it (one request)."""
        return await self._real.try_query(names, query)

    async def last_uses(self, wanted: UsesWanted) -> Uses:
        """Read when callers were last allowed a request."""
        return await self._real.last_uses(wanted)

    async def copied_fields(self, patterns: Sequence[str] | None) -> Mapping[str, Any] | None:
        """Read which fields the mappings of indices copy (one request)."""
        return await self._real.copied_fields(patterns)

    async def login(self) -> Login:
        """Return who the operator is (one request)."""
        return await self._real.login()

    async def login_rights(self) -> LoginRights | None:
        """Return None: a read-only login does not show what the operator may do with its own."""
        return None

    async def lacks(self, rights: RoleBody) -> Sequence[str]:
        """Return which of some rights the operator's login lacks, such as ``read on orders-*`` (one request)."""
        return await self._real.lacks(rights)

    async def keys(self, pattern: str) -> Sequence[dict[str, Any]]:
        """Read all API keys that still work and whose names match a pattern such as ``a.*`` (one request)."""
        return await self._real.keys(pattern)

    async def owned_keys(self, realm: str, besides: str = "") -> Sequence[dict[str, Any]] | None:
        """Read the API keys that users of a realm own (one request)."""
        return await self._real.owned_keys(realm, besides)

    async def keys_of_users(self, prefix: str) -> Sequence[dict[str, Any]] | None:
        """Read the API keys of users with a name prefix (one request)."""
        return await self._real.keys_of_users(prefix)

    async def changed_keys(self, since: float) -> Sequence[dict[str, Any]] | None:
        """Read the API keys that were created or invalidated since a time (one request)."""
        return await self._real.changed_keys(since)

    async def every_key(self) -> Sequence[dict[str, Any]] | None:
        """Read all API keys, also those that no longer work (one request)."""
        return await self._real.every_key()

    async def holders(self, prefix: str) -> Sequence[dict[str, Any]] | None:
        """Read the users of the native realm that have a role with a name prefix (one request)."""
        return await self._real.holders(prefix)

    async def users_named(self, names: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        """Read users of the native realm by name (one request)."""
        return await self._real.users_named(names)

    async def authenticate_as(self, user: str) -> Answer:
        """Ask who this login is when it runs as a user (one request)."""
        return await self._real.authenticate_as(user)

    async def privileges_as(self, user: str) -> Mapping[str, Any]:
        """Read what a user really has, on the node that answers (one request)."""
        return await self._real.privileges_as(user)

    async def nodes_without_run_as(self) -> Sequence[str] | None:
        """Read which nodes have run_as switched off (one request); None: not permitted."""
        return await self._real.nodes_without_run_as()

    async def close(self) -> None:
        """Close connections."""
        await self._real.close()

    # Writes that are refused

    async def create_key(self, name: str, lifetime: float, rights: RoleBody, metadata: Mapping[str, Any]) -> MadeKey:  # noqa: ARG002 - of the port
        """Refuse: credentials are only observed."""
        refuse()

    async def update_keys(self, ids: Sequence[str], rights: RoleBody) -> Written:  # noqa: ARG002 - of the port
        """Refuse: credentials are only observed."""
        refuse()

    async def prolong_keys(self, ids: Sequence[str], lifetime: float) -> Written:  # noqa: ARG002 - of the port
        """Refuse: credentials are only observed."""
        refuse()

    async def refresh_keys(self, ids: Sequence[str]) -> Written:  # noqa: ARG002 - of the port
        """Refuse: credentials are only observed."""
        refuse()

    async def note_key(self, key_id: str, metadata: Mapping[str, Any]) -> None:  # noqa: ARG002 - of the port
        """Refuse: credentials are only observed."""
        refuse()

    async def revoke_keys(self, ids: Sequence[str]) -> None:  # noqa: ARG002 - of the port
        """Refuse: credentials are only observed."""
        refuse()

    async def create_user(self, name: str, metadata: Mapping[str, Any]) -> MadeKey:  # noqa: ARG002 - of the port
        """Refuse: credentials are only observed."""
        refuse()

    async def note_user(self, name: str, metadata: Mapping[str, Any]) -> None:  # noqa: ARG002 - of the port
        """Refuse: credentials are only observed."""
        refuse()

    async def delete_users(self, names: Sequence[str]) -> None:  # noqa: ARG002 - of the port
        """Refuse: credentials are only observed."""
        refuse()

    async def put_gateway_user(
        self,
        name: str,  # noqa: ARG002 - of the port
        role: str,  # noqa: ARG002 - of the port
        metadata: Mapping[str, Any],  # noqa: ARG002 - of the port
        password: Sealed | None,  # noqa: ARG002 - of the port
    ) -> None:
        """Refuse: logins are only observed."""
        refuse()


def _covered(
    raw: Mapping[str, dict[str, Any]],
    over: Mapping[str, Role | None] | Mapping[str, RoleMapping | None],
    names: Sequence[str] | None,
) -> dict[str, dict[str, Any]]:
    found = {name: item for name, item in raw.items() if name not in over}
    return found | {
        name: item.to_json() for name, item in over.items() if item is not None and (names is None or name in names)
    }


class DryRunConnections:
    """Read-only connections to clusters.

    Args:
        real: opens connections.
        dry_run: records what would be written.
    """

    def __init__(self, real: Connector, dry_run: DryRun) -> None:
        self._real = real
        self._dry_run = dry_run

    async def resolve(self, host: str) -> tuple[str, ...]:
        """Resolve a host name, as the client will."""
        return await self._real.resolve(host)

    async def find(self, spec: SearchClusterSpec) -> Connection:
        """Read what is needed to connect."""
        return await self._real.find(spec)

    async def open(self, connection: Connection, cluster: str = "") -> ElasticsearchPort:
        """Open a connection."""
        real = await self._real.open(connection, cluster)
        return DryRunElasticsearch(real, cluster, self._dry_run)
