"""The Elasticsearch port, by the official asynchronous client."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from elastic_transport import NodeConfig
from elastic_transport.client_utils import url_to_node_config
from elasticsearch import AsyncElasticsearch
from elasticsearch.serializer import JsonSerializer

from searchaccess.adapters.answers import decode
from searchaccess.adapters.elasticsearch.answers import AnswersClient
from searchaccess.adapters.elasticsearch.audit import AuditClient
from searchaccess.adapters.elasticsearch.errors import mapped
from searchaccess.adapters.elasticsearch.gateways import GatewayClient
from searchaccess.adapters.elasticsearch.indices import IndicesClient
from searchaccess.adapters.elasticsearch.keys import KeysClient
from searchaccess.adapters.elasticsearch.loginrights import LoginClient
from searchaccess.adapters.elasticsearch.node import node_class
from searchaccess.adapters.elasticsearch.part import AT_A_TIME
from searchaccess.adapters.elasticsearch.reach import lacking
from searchaccess.adapters.elasticsearch.readers import (
    fingerprint_of,
    identity_of,
    license_of,
    login_of,
    probe_of,
    time_of,
    written_of,
)
from searchaccess.adapters.elasticsearch.users import AT_A_TIME as USERS_AT_A_TIME
from searchaccess.adapters.elasticsearch.users import UsersClient
from searchaccess.adapters.longanswers import AT_ONCE, LongAnswer, decoded
from searchaccess.adapters.trust import trusting
from searchaccess.core.clusters.cluster import NO_REALM, ClusterFacts, License, facts_of
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.realm import RealmFindings, WantedRealm, check_realm
from searchaccess.core.credentials.keys import Login
from searchaccess.core.model.canonical import RoleBody
from searchaccess.core.model.intake.reading import mapping, readable
from searchaccess.core.rights.mapping import RoleMapping
from searchaccess.core.rights.ownership import Role
from searchaccess.ports.elasticsearch import ClusterFingerprint, Probe, Written
from searchaccess.ports.errors import LoginMissing, LoginRefused, NotFound, PermissionDenied, Rejected
from searchaccess.ports.tasks import first_error_alone

REQUEST_TIMEOUT: Final = 30.0
"""Seconds."""
_CONNECTIONS: Final = 4
"""To each address, beside those for users."""

_COPIES: Final = "*.aliases,*.data_stream,*.mappings.properties.**.copy_to"
_REALMS: Final = "nodes.*.name," + ",".join(
    f"nodes.*.settings.xpack.security.authc.realms.{part}" for part in ("jwt", "*.*.order")
)
_FINGERPRINT: Final = "state_uuid,nodes.*.ephemeral_id"
_SEQUENCE: Final = "indices.*.uuid,indices.*.shards.*.seq_no.max_seq_no"


class ElasticsearchClient(
    KeysClient, UsersClient, LoginClient, IndicesClient, GatewayClient, AnswersClient, AuditClient
):
    """One cluster.

    Args:
        connection: how to reach it and log in.
        token: gives a bearer token for each request, in place of a login in the connection.
        guard: called right before each request; whatever it raises keeps the request from being made.
        opaque_id: shown in Elasticsearch's logs and tasks with each request (``X-Opaque-Id``).
        own_tokens: gives identity tokens of the operator's own for an audience; None: it has none.

    Raises:
        LoginMissing: the certificates or an address cannot be used.
    """

    def __init__(
        self,
        connection: Connection,
        token: Callable[[], Awaitable[str]] | None = None,
        guard: Callable[[], None] | None = None,
        opaque_id: str = "",
        own_tokens: Callable[[str], Awaitable[str]] | None = None,
    ) -> None:
        self._own_tokens = own_tokens
        self._logged_in: tuple[str, AsyncElasticsearch] | None = None
        """The last bearer token, and the client that sends it."""
        headers = {"X-Opaque-Id": opaque_id} if opaque_id else {}
        if connection.client_secret:
            headers["ES-Client-Authentication"] = f"SharedSecret {connection.client_secret}"
        self._token = token
        self._client = AsyncElasticsearch(
            _nodes(connection),
            node_class=node_class(guard, public=connection.public),
            serializers={BoundedJson.mimetype: BoundedJson()},
            basic_auth=(connection.username, connection.password) if connection.username else None,
            api_key=connection.api_key or None,
            bearer_auth=connection.token or None,
            request_timeout=REQUEST_TIMEOUT,
            connections_per_node=_CONNECTIONS + USERS_AT_A_TIME,
            # When an address cannot be reached, the next one is tried at once; so it is when a connection breaks, apart
            # from requests that are sent once (``sent_once``). After a timeout, none is tried.
            max_retries=len(connection.urls) - 1,
            retry_on_status=(),
            headers=headers,
        )

    async def _api(self) -> AsyncElasticsearch:
        """Return the client with a valid login."""
        if self._token is None:
            return self._client
        token = await self._token()
        if self._logged_in is None or self._logged_in[0] != token:
            self._logged_in = token, self._client.options(bearer_auth=token)
        return self._logged_in[1]

    async def facts(self, realm: WantedRealm | None) -> ClusterFacts:
        """Read version, uuid, license and the realm's settings."""
        with mapped():
            api = await self._api()
            info = (await api.info()).body
        held = await self.read_license()
        version, uuid = identity_of(info)
        return facts_of(version, uuid, held, await self._realm(realm) if realm else NO_REALM)

    async def read_license(self) -> License:
        """Read the license."""
        with mapped():
            api = await self._api()
            answer = await api.license.get()
        return license_of(answer.body)

    async def fingerprint(self) -> ClusterFingerprint | None:
        """Read the ids of the cluster's state and of its running nodes."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.cluster.state(metric="version,nodes", filter_path=_FINGERPRINT)
        except PermissionDenied:
            return None
        return fingerprint_of(answer.body)

    async def _realm(self, realm: WantedRealm) -> RealmFindings | None:
        try:
            with mapped():
                api = await self._api()
                answer = await api.nodes.info(metric="settings", filter_path=_REALMS)
        except PermissionDenied:
            return None
        return check_realm(mapping(answer.body).get("nodes"), realm)

    async def realm_of_own(self, audience: str) -> str | None:
        """Find out which realm accepts the operator's own token."""
        if self._own_tokens is None:
            return None
        token = await self._own_tokens(audience)
        try:
            with mapped():
                answer = await self._client.options(bearer_auth=token).security.authenticate()
        except LoginRefused:
            return ""
        return login_of(answer.body).realm

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
        return probe_of(answer.body)

    async def roles(self, names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        """Read roles by name, or all of them."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.get_role(name=list(names) if names is not None else None)
        except NotFound:
            return {}
        return await _readable(await decoded(answer.body))

    async def mappings(self, names: Sequence[str] | None) -> Mapping[str, dict[str, Any]]:
        """Read role mappings by name, or all of them."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.security.get_role_mapping(name=list(names) if names is not None else None)
        except NotFound:
            return {}
        return await _readable(await decoded(answer.body))

    async def copied_fields(self, patterns: Sequence[str] | None) -> Mapping[str, Any] | None:
        """Read which fields the mappings of indices copy."""
        try:
            with mapped():
                api = await self._api()
                answer = await api.indices.get(
                    index=list(patterns) if patterns is not None else "*",
                    features=["aliases", "mappings"],
                    expand_wildcards=["open", "hidden"],
                    ignore_unavailable=True,
                    allow_no_indices=True,
                    filter_path=_COPIES,
                )
        except PermissionDenied:
            return None
        except NotFound:
            return {}
        return await _readable(await decoded(answer.body))

    async def put_roles(self, roles: Sequence[Role]) -> Written:
        """Write roles in one request.

        Some faults of one role make the server refuse the whole request (an excluded field that is not among the
        included ones, too long a name, too large a body). Then its halves are tried, so that one bad object does not
        affect the others.
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
        return written_of(answer.body, ("created", "updated"), "noop")

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

        with first_error_alone():
            async with asyncio.TaskGroup() as tasks:
                for role in roles:
                    tasks.create_task(put(role))
        return written

    async def delete_roles(self, names: Sequence[str]) -> Written:
        """Delete roles in one request."""
        with mapped():
            api = await self._api()
            answer = await api.security.bulk_delete_role(names=list(names))
        return written_of(answer.body, ("deleted",), "not_found")

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
        return time_of(answer.body)

    async def login(self) -> Login:
        """Return who the operator is."""
        with mapped():
            api = await self._api()
            answer = await api.security.authenticate()
        return login_of(answer.body)

    async def lacks(self, rights: RoleBody) -> Sequence[str]:
        """Return which of some rights the login lacks."""
        with mapped():
            api = await self._api()
            return await lacking(api, rights)

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()


class BoundedJson(JsonSerializer):
    """Reads JSON of any depth."""

    def json_loads(self, data: bytes) -> Any:
        """Read an answer. One that is long is not decoded before it is read."""
        return decode(data) if len(data) <= AT_ONCE else LongAnswer(data)


async def _readable(answer: Any) -> dict[str, dict[str, Any]]:
    """Return objects by name as far as they can be read, and let others run in between: there may be thousands."""
    items, found = list(mapping(answer).items()), dict[str, dict[str, Any]]()
    for start in range(0, len(items), AT_A_TIME):
        found |= readable(dict(items[start : start + AT_A_TIME]))
        await asyncio.sleep(0)
    return found


def _nodes(connection: Connection) -> list[NodeConfig]:
    """Return the addresses, each with its TLS settings: they cannot be set for all if one address uses plain http."""
    context = trusting(connection.ca, "spec.ca")
    if not connection.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        nodes = [url_to_node_config(url, use_default_ports_for_scheme=True) for url in connection.urls]
    except ValueError:
        # Its text shows the whole address, which may have a password in it.
        raise LoginMissing("spec.urls: an address has no host, or an invalid port") from None
    return [node.replace(ssl_context=context) if node.scheme == "https" else node for node in nodes]
