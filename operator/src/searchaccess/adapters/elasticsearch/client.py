"""The Elasticsearch port, by the official asynchronous client."""

import asyncio
import math
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from elastic_transport import AiohttpHttpNode, NodeConfig
from elastic_transport.client_utils import url_to_node_config
from elasticsearch import AsyncElasticsearch

from searchaccess.adapters.elasticsearch.errors import map_item, mapped
from searchaccess.adapters.elasticsearch.node import guarded
from searchaccess.adapters.elasticsearch.users import UsersClient
from searchaccess.core.clusters.cluster import ClusterFacts
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.realm import Mismatch, WantedRealm, check_realm
from searchaccess.core.credentials.credential import DESCRIPTOR
from searchaccess.core.credentials.keys import Login
from searchaccess.core.credentials.sealed import Sealed
from searchaccess.core.model.canonical import NO_INDEX, Entry, RoleBody
from searchaccess.core.rights.mapping import RoleMapping
from searchaccess.core.rights.ownership import Role
from searchaccess.ports.elasticsearch import MadeKey, Probe, Written
from searchaccess.ports.errors import NotFound, PermissionDenied, Rejected, Unexpected

REQUEST_TIMEOUT: Final = 30.0
"""Seconds."""
_CONNECTIONS: Final = 4

_REALMS: Final = "nodes.*.name,nodes.*.settings.xpack.security.authc.realms.jwt"
_DIGITS: Final = 12
_LATEST: Final = 10**15
"""Milliseconds since the epoch, far beyond any that is meant."""
_SEQUENCE: Final = "indices.*.uuid,indices.*.shards.*.seq_no.max_seq_no"


class ElasticsearchClient(UsersClient):
    """One cluster.

    Args:
        connection: how to reach it and log in.
        token: gives a bearer token for each request, in place of a login in the connection.
        guard: called right before each request; whatever it raises keeps the request from being made.
        opaque_id: shown in Elasticsearch's logs and tasks with each request (``X-Opaque-Id``).

    Raises:
        ValueError: the certificates cannot be read.
    """

    def __init__(
        self,
        connection: Connection,
        token: Callable[[], Awaitable[str]] | None = None,
        guard: Callable[[], None] | None = None,
        opaque_id: str = "",
    ) -> None:
        headers = {"X-Opaque-Id": opaque_id} if opaque_id else {}
        if connection.client_secret:
            headers["ES-Client-Authentication"] = f"SharedSecret {connection.client_secret}"
        self._token = token
        self._client = AsyncElasticsearch(
            _nodes(connection),
            node_class=guarded(guard) if guard else AiohttpHttpNode,
            basic_auth=(connection.username, connection.password) if connection.username else None,
            api_key=connection.api_key or None,
            bearer_auth=connection.token or None,
            request_timeout=REQUEST_TIMEOUT,
            connections_per_node=_CONNECTIONS,
            # The next address is tried at once when one does not answer.
            max_retries=len(connection.urls) - 1,
            retry_on_status=(),
            http_compress=True,
            headers=headers,
        )

    async def _api(self) -> AsyncElasticsearch:
        """Give the client with a login that is good now."""
        return self._client if self._token is None else self._client.options(bearer_auth=await self._token())

    async def facts(self, realm: WantedRealm) -> ClusterFacts:
        """Read version, uuid, licence and the realm's settings."""
        with mapped():
            api = await self._api()
            info = (await api.info()).body
            licence = (await api.license.get()).body
        try:
            version, uuid = str(info["version"]["number"]), str(info["cluster_uuid"])
            known = licence["license"]
            licensed = str(known["type"]) if known["status"] == "active" else "expired"
        except (LookupError, TypeError):
            raise Unexpected("Elasticsearch: its answer lacks the version, the uuid or the licence") from None
        return ClusterFacts(version, uuid, licensed, await self._mismatches(realm))

    async def _mismatches(self, realm: WantedRealm) -> tuple[Mismatch, ...] | None:
        try:
            with mapped():
                api = await self._api()
                answer = await api.nodes.info(metric="settings", filter_path=_REALMS)
        except PermissionDenied:
            return None
        return tuple(check_realm(answer.body.get("nodes", {}), realm))

    async def probe(self) -> Probe | None:
        """Read the position of the security index."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.indices.stats(
                    index=".security", metric="docs", level="shards", filter_path=_SEQUENCE
                )
        except (PermissionDenied, NotFound):
            return None
        for index in answer.body.get("indices", {}).values():
            copies = [copy for shard in index.get("shards", {}).values() for copy in shard]
            numbers = [copy["seq_no"]["max_seq_no"] for copy in copies if "seq_no" in copy]
            if numbers:
                return Probe(str(index.get("uuid", "")), max(numbers))
        return None

    async def roles(self, names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        """Read roles by name, or all of them."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.get_role(name=list(names) if names is not None else None)
        except NotFound:
            return {}
        return dict(answer.body)

    async def mappings(self, names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        """Read role mappings by name, or all of them."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.get_role_mapping(name=list(names) if names is not None else None)
        except NotFound:
            return {}
        return dict(answer.body)

    async def put_roles(self, roles: Sequence[Role]) -> Written:
        """Write roles in one request.

        Some faults of one role make the server refuse the whole request (an excluded field that is not among the
        included ones, too long a name, too large a body). Then its halves are tried, so that nobody pays for another.
        """
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.bulk_put_role(roles={role.name: role.to_json() for role in roles})
        except Rejected as error:
            if len(roles) < 2:  # noqa: PLR2004 - it cannot be halved
                return Written(refused={role.name: error for role in roles})
            middle = len(roles) // 2
            written = await self.put_roles(roles[:middle])
            written.add(await self.put_roles(roles[middle:]))
            return written
        body = answer.body
        return Written(
            changed={*body.get("created", ()), *body.get("updated", ())},
            unchanged=set(body.get("noop", ())),
            refused=_refused(body),
        )

    async def replace_roles(self, roles: Sequence[Role]) -> Written:
        """Write roles, a request each. Each waits for a refresh of the index, so several wait for the same one."""
        written = Written()
        gate = asyncio.Semaphore(_CONNECTIONS)

        async def put(role: Role) -> None:
            async with gate:
                try:
                    with mapped():
                        api = await self._api()
                        await api.security.put_role(name=role.name, body=role.to_json())
                except Rejected as error:
                    written.refused[role.name] = error
                else:
                    written.changed.add(role.name)

        await asyncio.gather(*(put(role) for role in roles))
        return written

    async def delete_roles(self, names: Sequence[str]) -> Written:
        """Delete roles in one request."""
        with mapped():
            api = await self._api()
            answer = await api.security.bulk_delete_role(names=list(names))
        body = answer.body
        return Written(
            changed=set(body.get("deleted", ())), unchanged=set(body.get("not_found", ())), refused=_refused(body)
        )

    async def put_mapping(self, mapping: RoleMapping) -> None:
        """Write a role mapping, with the default refresh: without it, a revoked caller keeps its role (measured)."""
        body = mapping.to_json()
        with mapped():
            api = await self._api()
            await api.security.put_role_mapping(
                name=mapping.name,
                enabled=body["enabled"],
                rules=body["rules"],
                roles=body.get("roles"),
                role_templates=body.get("role_templates"),
                metadata=body["metadata"],
            )

    async def delete_mapping(self, name: str) -> None:
        """Delete a role mapping; a missing one is fine."""
        try:
            with mapped():
                api = await self._api()
                await api.security.delete_role_mapping(name=name)
        except NotFound:
            return

    async def time(self) -> float | None:
        """Read the cluster's time: that of the node that answers, in whole seconds."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.cat.health(h="epoch", format="json")
        except PermissionDenied:
            return None
        return _epoch(answer.body)

    async def login(self) -> Login:
        """Say who the operator is."""
        with mapped():
            api = await self._api()
            body = (await api.security.authenticate()).body
        try:
            realm = str(body["authentication_realm"]["name"])
            return Login(str(body["username"]), realm, body.get("authentication_type") == "api_key")
        except (LookupError, TypeError):
            raise Unexpected("Elasticsearch: its answer lacks the user's name and realm") from None

    async def lacks(self, rights: RoleBody) -> Sequence[str]:
        """Say which of some rights the login has not itself."""
        with mapped():
            api = await self._api()
            answer = await api.security.has_privileges(
                cluster=list(rights.cluster),
                index=[{"names": _real_names(entry), "privileges": list(entry.privileges)} for entry in rights.entries],
            )
        body = answer.body
        if body.get("has_all_requested"):
            return ()
        return _missing(body)

    async def keys(self, pattern: str) -> Sequence[dict[str, Any]]:
        """Read all API keys that still work and whose names match a pattern."""
        with mapped():
            api = await self._api()
            answer = await api.security.get_api_key(name=pattern, active_only=True)
        return list(answer.body.get("api_keys") or [])

    async def create_key(self, name: str, lifetime: float, rights: RoleBody, metadata: Mapping[str, Any]) -> MadeKey:
        """Make an API key. It is there for all reads when this returns."""
        with mapped():
            api = await self._api()
            answer = await api.security.create_api_key(
                name=name,
                expiration=_duration(lifetime),
                # Never empty: without a descriptor it would have all rights of the operator's login.
                role_descriptors={DESCRIPTOR: rights.to_json()},
                metadata=dict(metadata),
            )
        try:
            key_id, value, ends = str(answer.body["id"]), Sealed(answer.body["api_key"]), answer.body.get("expiration")
        except (LookupError, TypeError):
            raise Unexpected("Elasticsearch: its answer lacks the key that it made") from None
        # It tells when the key ends, and so when it was made.
        known = isinstance(ends, int) and not isinstance(ends, bool) and 0 < ends <= _LATEST
        return MadeKey(key_id, value, ends / 1000 - math.ceil(lifetime) if known else None)

    async def update_keys(self, ids: Sequence[str], rights: RoleBody) -> Written:
        """Give API keys other rights, in one request."""
        with mapped():
            api = await self._api()
            answer = await api.security.bulk_update_api_keys(
                ids=list(ids), role_descriptors={DESCRIPTOR: rights.to_json()}
            )
        return _updated(answer.body)

    async def refresh_keys(self, ids: Sequence[str]) -> Written:
        """Limit API keys by the login's present rights: every update takes them over."""
        with mapped():
            api = await self._api()
            answer = await api.security.bulk_update_api_keys(ids=list(ids))
        return _updated(answer.body)

    async def prolong_keys(self, ids: Sequence[str], lifetime: float) -> Written:
        """Let API keys work for longer, in one request."""
        with mapped():
            api = await self._api()
            answer = await api.security.bulk_update_api_keys(ids=list(ids), expiration=_duration(lifetime))
        return _updated(answer.body)

    async def note_key(self, key_id: str, metadata: Mapping[str, Any]) -> None:
        """Replace an API key's metadata."""
        with mapped():
            api = await self._api()
            await api.security.update_api_key(id=key_id, metadata=dict(metadata))

    async def revoke_keys(self, ids: Sequence[str]) -> None:
        """Invalidate API keys, in one request."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.invalidate_api_key(ids=list(ids))
        except NotFound:
            return
        if answer.body.get("error_count"):
            raise Unexpected("Elasticsearch: not all keys could be invalidated")

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()


def _nodes(connection: Connection) -> list[NodeConfig]:
    """Give the addresses, each with its way of TLS: it cannot be said for all if one of them is plain http."""
    context = ssl.create_default_context(cadata=connection.ca or None)
    if not connection.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    nodes = (url_to_node_config(url, use_default_ports_for_scheme=True) for url in connection.urls)
    return [node.replace(ssl_context=context) if node.scheme == "https" else node for node in nodes]


def _epoch(body: Any) -> float:
    try:
        # As text, like all that a cat API gives; never so long that it cannot be read.
        return float(int(str(body[0]["epoch"])[:_DIGITS]))
    except (LookupError, TypeError, ValueError):
        raise Unexpected("Elasticsearch: its answer lacks its time") from None


def _real_names(entry: Entry) -> list[str]:
    return [name for name in entry.names if not name.startswith(NO_INDEX)]


def _missing(body: Mapping[str, Any]) -> list[str]:
    """Give what an answer about privileges says that is missing."""
    found = sorted(name for name, has in (body.get("cluster") or {}).items() if not has)
    for index, privileges in sorted((body.get("index") or {}).items()):
        lacking = sorted(name for name, has in privileges.items() if not has)
        if lacking:
            found.append(f"{', '.join(lacking)} on {index}")
    return found


def _duration(lifetime: float) -> str:
    return f"{math.ceil(lifetime)}s"


def _updated(body: Mapping[str, Any]) -> Written:
    return Written(set(body.get("updated", ())), set(body.get("noops", ())), _refused(body))


def _refused(body: Mapping[str, Any]) -> dict[str, Any]:
    details = (body.get("errors") or {}).get("details") or {}
    return {name: map_item(error) for name, error in details.items()}
