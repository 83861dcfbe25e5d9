"""Counts requests to external systems and their results; guards writes."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from searchaccess.api.vouching import AdmissionObject
from searchaccess.core.clusters.cluster import ClusterFacts, License
from searchaccess.core.clusters.realm import WantedRealm
from searchaccess.core.clusters.sources import Source
from searchaccess.core.credentials.credential import Secret, Slot
from searchaccess.core.credentials.keys import Login
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.gateway.proof import Answer
from searchaccess.core.gateway.users import NativeUser
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.model.identities.workload import Account, Found, Place, Template, Workload
from searchaccess.core.policy.guardrails.aliases import IndexNames
from searchaccess.core.policy.login import LoginRights
from searchaccess.core.policy.proofs import Tried
from searchaccess.core.rights.mapping import RoleMapping
from searchaccess.core.rights.ownership import Role
from searchaccess.core.status.events import Note
from searchaccess.core.usage.uses import Uses, UsesWanted
from searchaccess.decorators.measuring import Count, Guard, Measured
from searchaccess.ports import stores
from searchaccess.ports.elasticsearch import ClusterFingerprint, ElasticsearchPort, MadeKey, Probe, Written
from searchaccess.ports.google import Accounts, Executions, GooglePort, Workloads
from searchaccess.ports.kubernetes import KubernetesPort, NamespacePage, ObjectRef, Page, Plural, StoredStatus


class MeasuredElasticsearch(Measured):
    """Counts the operations on an Elasticsearch cluster. Its client guards each request itself.

    Args:
        real: performs them.
        count: counts operations.
        guard: called before each write; an error that it raises prevents the write.
    """

    def __init__(self, real: ElasticsearchPort, count: Count, guard: Guard | None = None) -> None:
        super().__init__(count, guard)
        self._real = real

    async def facts(self, realm: WantedRealm | None) -> ClusterFacts:
        """Read version, uuid, license and the realm's settings (three requests)."""
        return await self._do("facts", self._real.facts, realm)

    async def fingerprint(self) -> ClusterFingerprint | None:
        """Read what shows whether license or nodes may have changed (one request); None: not permitted."""
        # The metric keeps the name that dashboards may know.
        return await self._do("fingerprint", self._real.fingerprint)

    async def read_license(self) -> License:
        """Read the license (one request)."""
        return await self._do("license", self._real.read_license)

    async def realm_of_own(self, audience: str) -> str | None:
        """Ask who a token of the operator's own is (one request)."""
        return await self._do("realm_of_own", self._real.realm_of_own, audience)

    async def probe(self) -> Probe | None:
        """Read the position of the security index; None: not permitted, or there is none yet."""
        return await self._do("probe", self._real.probe)

    async def roles(self, names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        """Read roles by name, or all of them (one request). Missing ones are left out."""
        return await self._do("roles", self._real.roles, names)

    async def mappings(self, names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        """Read role mappings by name, or all of them (one request). Missing ones are left out."""
        return await self._do("mappings", self._real.mappings, names)

    async def copied_fields(self, patterns: Sequence[str] | None) -> Mapping[str, Any] | None:
        """Read which fields the mappings of indices copy (one request)."""
        return await self._do("copied_fields", self._real.copied_fields, patterns)

    async def hidden(self, patterns: Sequence[str]) -> frozenset[str]:
        """Return of which indices the login may not see names and mappings (one request)."""
        return await self._do("hidden", self._real.hidden, patterns)

    async def index_names(self) -> IndexNames | None:
        """Read the names of all indices, aliases and data streams that the login may see (one request)."""
        return await self._do("index_names", self._real.index_names)

    async def try_query(self, names: Sequence[str], query: str) -> Tried:
        """Try whether a query can be run on indices, without running it (one request)."""
        return await self._do("try_query", self._real.try_query, names, query)

    async def last_uses(self, wanted: UsesWanted) -> Uses:
        """Read from audit events when callers were last allowed a request (some requests)."""
        return await self._do("last_uses", self._real.last_uses, wanted)

    async def put_roles(self, roles: Sequence[Role]) -> Written:
        """Write roles in one request; at most 1,000. Existing keys of ``metadata`` and ``global`` stay."""
        return await self._do("put_roles", self._real.put_roles, roles)

    async def replace_roles(self, roles: Sequence[Role]) -> Written:
        """Replace roles as a whole, a request each."""
        return await self._do("replace_roles", self._real.replace_roles, roles)

    async def delete_roles(self, names: Sequence[str]) -> Written:
        """Delete roles in one request; at most 1,000. A missing one counts as unchanged."""
        return await self._do("delete_roles", self._real.delete_roles, names)

    async def put_mapping(self, mapping: RoleMapping) -> None:
        """Write a role mapping. It clears the realm's caches: do this rarely."""
        await self._do("put_mapping", self._real.put_mapping, mapping)

    async def delete_mapping(self, name: str) -> None:
        """Delete a role mapping; a missing one is fine. It clears the realm's caches."""
        await self._do("delete_mapping", self._real.delete_mapping, name)

    async def time(self) -> float | None:
        """Read the cluster's time."""
        return await self._do("time", self._real.time)

    async def login(self) -> Login:
        """Return who the operator is (one request)."""
        return await self._do("login", self._real.login)

    async def login_rights(self) -> LoginRights | None:
        """Read what the operator's login may do (one request, up to four for small ones)."""
        return await self._do("login_rights", self._real.login_rights)

    async def lacks(self, rights: RoleBody) -> Sequence[str]:
        """Return which of some rights the operator's login lacks."""
        return await self._do("lacks", self._real.lacks, rights)

    async def keys(self, pattern: str) -> Sequence[dict[str, Any]]:
        """Read all API keys that still work and whose names match a pattern such as ``a.*`` (one request)."""
        return await self._do("keys", self._real.keys, pattern)

    async def create_key(self, name: str, lifetime: float, rights: RoleBody, metadata: Mapping[str, Any]) -> MadeKey:
        """Make an API key with these rights, and no others."""
        return await self._do("create_key", self._real.create_key, name, lifetime, rights, metadata)

    async def update_keys(self, ids: Sequence[str], rights: RoleBody) -> Written:
        """Replace the rights of API keys, in one request. A missing one, or one of another login, is refused."""
        return await self._do("update_keys", self._real.update_keys, ids, rights)

    async def prolong_keys(self, ids: Sequence[str], lifetime: float) -> Written:
        """Let API keys work for so many seconds from now, in one request. As with rights, some may be refused."""
        return await self._do("prolong_keys", self._real.prolong_keys, ids, lifetime)

    async def refresh_keys(self, ids: Sequence[str]) -> Written:
        """Limit API keys by what the operator's login may now, not when they were made (one request)."""
        return await self._do("refresh_keys", self._real.refresh_keys, ids)

    async def note_key(self, key_id: str, metadata: Mapping[str, Any]) -> None:
        """Replace an API key's metadata."""
        await self._do("note_key", self._real.note_key, key_id, metadata)

    async def revoke_keys(self, ids: Sequence[str]) -> None:
        """Invalidate API keys, anybody's, in one request. Those that no longer work are fine."""
        await self._do("revoke_keys", self._real.revoke_keys, ids)

    async def owned_keys(self, realm: str, besides: str = "") -> Sequence[dict[str, Any]] | None:
        """Read the API keys that users of a realm own (one request)."""
        return await self._do("owned_keys", self._real.owned_keys, realm, besides)

    async def changed_keys(self, since: float) -> Sequence[dict[str, Any]] | None:
        """Read the API keys that were created or invalidated since a time (one request)."""
        return await self._do("changed_keys", self._real.changed_keys, since)

    async def every_key(self) -> Sequence[dict[str, Any]] | None:
        """Read all API keys, also those that no longer work (one request)."""
        return await self._do("every_key", self._real.every_key)

    async def holders(self, prefix: str) -> Sequence[dict[str, Any]] | None:
        """Read the users of the native realm that have a role with a name prefix (one request)."""
        return await self._do("holders", self._real.holders, prefix)

    async def users(self, prefix: str) -> Sequence[dict[str, Any]]:
        """Read all users of the native realm whose names begin so (one request for each 1,000)."""
        return await self._do("users", self._real.users, prefix)

    async def create_user(self, name: str, metadata: Mapping[str, Any]) -> MadeKey:
        """Make a user of the native realm, with a random password, and with the role of its own name alone."""
        return await self._do("create_user", self._real.create_user, name, metadata)

    async def note_user(self, name: str, metadata: Mapping[str, Any]) -> None:
        """Replace a user's metadata, and its roles by the one of its name. The password stays."""
        await self._do("note_user", self._real.note_user, name, metadata)

    async def keys_of_users(self, prefix: str) -> Sequence[dict[str, Any]] | None:
        """Read the API keys of users with a name prefix (one request)."""
        return await self._do("keys_of_users", self._real.keys_of_users, prefix)

    async def user(self, name: str) -> dict[str, Any] | None:
        """Read a user of the native realm (one request)."""
        return await self._do("user", self._real.user, name)

    async def put_users(self, users: Sequence[NativeUser]) -> Written:
        """Write users of the native realm with passwords that nobody knows (a request each)."""
        return await self._do("put_users", self._real.put_users, users)

    async def remove_users(self, names: Sequence[str]) -> Written:
        """Delete users of the native realm (a request each)."""
        return await self._do("remove_users", self._real.remove_users, names)

    async def delete_users(self, names: Sequence[str]) -> None:
        """Delete users of the native realm (a request each). Missing ones are fine."""
        await self._do("delete_users", self._real.delete_users, names)

    async def users_named(self, names: Sequence[str]) -> Mapping[str, dict[str, Any]]:
        """Read users of the native realm by name, as they are now (one request)."""
        return await self._do("users_named", self._real.users_named, names)

    async def put_gateway_user(
        self, name: str, role: str, metadata: Mapping[str, Any], password: Sealed | None
    ) -> None:
        """Write a user of the native realm that a gateway logs in as."""
        await self._do("put_gateway_user", self._real.put_gateway_user, name, role, metadata, password)

    async def authenticate_as(self, user: str) -> Answer:
        """Ask who this login is when it runs as a user (one request)."""
        return await self._do("authenticate_as", self._real.authenticate_as, user)

    async def privileges_as(self, user: str) -> Mapping[str, Any]:
        """Read what a user really has, on the node that answers (one request)."""
        return await self._do("privileges_as", self._real.privileges_as, user)

    async def nodes_without_run_as(self) -> Sequence[str] | None:
        """Read which nodes have run_as switched off (one request); None: not permitted."""
        return await self._do("nodes_without_run_as", self._real.nodes_without_run_as)

    async def close(self) -> None:
        """Close connections."""
        await self._do("close", self._real.close)


class MeasuredKubernetes(Measured):
    """Counts the operations on the API server.

    Args:
        real: performs them.
        count: counts operations.
        guard: called before each write; an error that it raises prevents the write.
    """

    def __init__(self, real: KubernetesPort, count: Count, guard: Guard | None = None) -> None:
        super().__init__(count, guard)
        self._real = real

    async def controller_id(self) -> str:
        """Return the identity of this Kubernetes cluster: the uid of the namespace kube-system."""
        return await self._do("controller_id", self._real.controller_id)

    async def list_page(self, plural: Plural, following: str = "") -> Page:
        """Return some objects of a kind, of all namespaces; together, pages show one moment."""
        return await self._do("list_page", self._real.list_page, plural, following)

    async def list_namespaces(self, following: str = "") -> NamespacePage:
        """Return some namespaces with their labels."""
        return await self._do("list_namespaces", self._real.list_namespaces, following)

    async def replace_status(self, ref: ObjectRef, status: Mapping[str, Any]) -> StoredStatus:
        """Replace an object's status; return what is stored of it."""
        return await self._write("replace_status", self._real.replace_status, ref, status)

    async def set_finalizers(self, ref: ObjectRef, before: Sequence[str], after: Sequence[str]) -> str:
        """Replace an object's finalizers, if they are still as before; return its resource version then."""
        return await self._write("set_finalizers", self._real.set_finalizers, ref, before, after)

    async def version_of(self, ref: ObjectRef, generation: int) -> str | None:
        """Return the resource version of an object; None: it was edited since, or its deletion began."""
        return await self._do("version_of", self._real.version_of, ref, generation)

    async def delete_object(self, ref: ObjectRef, version: str, *, dry_run: bool = False) -> None:
        """Delete an object, as long as it has this resource version."""
        await self._write("delete_object", partial(self._real.delete_object, ref, version, dry_run=dry_run))

    async def create_event(self, ref: ObjectRef, note: Note) -> None:
        """Write an event about an object."""
        await self._write("create_event", self._real.create_event, ref, note)

    async def read_admission(self, wanted: AdmissionObject) -> dict[str, Any]:
        """Return a ValidatingAdmissionPolicy, or its binding."""
        return await self._do("read_admission", self._real.read_admission, wanted)

    async def read_source(self, source: Source) -> dict[str, bytes]:
        """Return the data of a Secret or ConfigMap, decoded."""
        return await self._do("read_source", self._real.read_source, source)


class MeasuredGoogle(Measured):
    """Counts the operations on Google Cloud.

    Args:
        real: performs them.
        count: counts operations.
        guard: called before each write; an error that it raises prevents the write.
    """

    def __init__(self, real: GooglePort, count: Count, guard: Guard | None = None) -> None:
        super().__init__(count, guard)
        self._real = real

    async def list_workloads(self, place: Place, following: str = "") -> Workloads:
        """Return some workloads of a kind in a location."""
        return await self._do("list_workloads", self._real.list_workloads, place, following)

    async def get_workload(self, workload: Workload) -> Found:
        """Return one workload."""
        return await self._do("get_workload", self._real.get_workload, workload)

    async def revision_template(self, workload: Workload, revision: str) -> Template:
        """Return what a revision of a service or worker pool was made from."""
        return await self._do("revision_template", self._real.revision_template, workload, revision)

    async def roll(self, workload: Workload, names: Collection[str], number: int) -> None:
        """Write the number of a secret's version into a workload's template, wherever that names the secret."""
        await self._write("roll", self._real.roll, workload, names, number)

    async def running_executions(self, job: Workload, following: str = "") -> Executions:
        """Return some executions of a job that are not completed."""
        return await self._do("running_executions", self._real.running_executions, job, following)

    async def list_accounts(self, project: str, following: str = "") -> Accounts:
        """Return some service accounts of a project, with their unique ids."""
        return await self._do("list_accounts", self._real.list_accounts, project, following)

    async def get_account(self, email: str) -> Account:
        """Return one service account of any project, with its unique id."""
        return await self._do("get_account", self._real.get_account, email)


class MeasuredStore(Measured):
    """Counts the operations on a secret store.

    Args:
        real: performs them.
        count: counts operations.
        guard: called before each write; an error that it raises prevents the write.
    """

    def __init__(self, real: stores.SecretStore, count: Count, guard: Guard | None = None) -> None:
        super().__init__(count, guard)
        self._real = real

    async def find(self, place: stores.Place) -> stores.Found | None:
        """Return a secret without its values; None: there is none."""
        return await self._do("find", self._real.find, place)

    async def read(self, place: stores.Place, number: int) -> str:
        """Return the id of the key that a version holds; empty: something else."""
        return await self._do("read", self._real.read, place, number)

    async def add(
        self, place: stores.Place, owner: stores.Owner, known: Secret | None, number: int, value: Sealed
    ) -> Slot:
        """Store a value as the newest version; return where it is then."""
        return await self._write("add", self._real.add, place, owner, known, number, value)

    async def rewrite(self, place: stores.Place, owner: stores.Owner, known: Secret, number: int) -> None:
        """Write a value in the declared form."""
        await self._write("rewrite", self._real.rewrite, place, owner, known, number)

    async def disable(self, place: stores.Place, known: Secret, numbers: Sequence[int]) -> None:
        """Make versions unreadable. Those that are so already are fine."""
        await self._write("disable", self._real.disable, place, known, numbers)

    async def destroy(self, place: stores.Place, known: Secret, numbers: Sequence[int]) -> None:
        """Destroy what versions hold. Those that are destroyed already are fine."""
        await self._write("destroy", self._real.destroy, place, known, numbers)

    async def remove(self, place: stores.Place, known: Secret) -> None:
        """Delete a secret with all versions. A missing one is fine."""
        await self._write("remove", self._real.remove, place, known)
