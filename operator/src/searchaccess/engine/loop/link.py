"""The connection of one reconciler to its Elasticsearch cluster."""

import asyncio

from searchaccess.api.searchcluster import SearchClusterSpec
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.exposure import Exposed, allowed_exposures, find_exposures, hosts_of, refusal
from searchaccess.engine.state import ClusterState, Session
from searchaccess.ports.elasticsearch import Connector
from searchaccess.ports.errors import NotPrivate


class Link:
    """Holds one session at most.

    Args:
        connector: opens connections.
        state: what is known about the cluster; receives address and exposure.
    """

    def __init__(self, connector: Connector, state: ClusterState) -> None:
        self._connector = connector
        self._state = state
        self.current: Session | None = None
        """The session that is open."""

    async def session(self, cluster: Cluster, spec: SearchClusterSpec, *, reconnect: bool, recheck: bool) -> Session:
        """Return a session; a new one if the SearchCluster, or the content of its Secrets, has changed.

        Args:
            cluster: the SearchCluster.
            spec: its spec.
            reconnect: open a new one in any case, such as after a failure.
            recheck: read its Secrets and resolve its hosts again.

        Raises:
            NotPrivate: the connection is exposed, and that is not allowed. The login is not sent.
            ExternalError: it cannot be connected to.
        """
        known = self.current
        if known is not None and (reconnect or _version(known.cluster) != _version(cluster)):
            known = None
        if known is not None and not recheck:
            known.cluster = cluster
            return known
        connection = await self._connector.find(spec)
        await self._expect_private(spec, connection)
        if known is not None and connection == known.connection:
            known.cluster = cluster
            return known
        await self.close()
        port = await self._connector.open(connection, cluster.name)
        self.current = Session(cluster, connection, port, self._state)
        return self.current

    async def close(self) -> None:
        """Close the session, if there is one."""
        if self.current is not None:
            session, self.current = self.current, None
            await session.port.close()

    async def _expect_private(self, spec: SearchClusterSpec, connection: Connection) -> None:
        """Check whether the connection is exposed, before the login is sent.

        Raises:
            NotPrivate: it is, and that is not allowed.
        """
        exposed, resolved = await exposures_of(self._connector, connection)
        self._state.url = connection.urls[0]
        # A host that does not resolve cannot be reached either, but it is not known to be private.
        self._state.exposed = exposed if exposed or resolved else None
        if refused := refusal(exposed, allowed_exposures(spec)):
            await self.close()
            raise NotPrivate(refused)


async def exposures_of(connector: Connector, connection: Connection) -> tuple[tuple[Exposed, ...], bool]:
    """Return in which ways a connection is not private, and whether all of its hosts resolve.

    Args:
        connector: resolves hosts.
        connection: no request is sent to it.
    """
    hosts = hosts_of(connection)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(connector.resolve(host)) for host in hosts]
    found = [task.result() for task in tasks]
    return find_exposures(connection, dict(zip(hosts, found, strict=True))), all(found)


def _version(cluster: Cluster) -> tuple[object, ...]:
    # A restored etcd counts generations again.
    return cluster.uid, cluster.generation, cluster.spec
