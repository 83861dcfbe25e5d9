"""The connection of one reconciler to its Elasticsearch cluster."""

import asyncio

from searchaccess.api.searchcluster import SearchClusterSpec
from searchaccess.core.clusters.cluster import Cluster
from searchaccess.core.clusters.connection import Connection
from searchaccess.core.clusters.exposure import allowed_exposures, find_exposures, hosts_of, refusal
from searchaccess.engine.state import ClusterState, Session
from searchaccess.ports.elasticsearch import Connector
from searchaccess.ports.errors import NotPrivate


class Link:
    """Holds at most one session.

    Args:
        connector: opens connections.
        state: what is known of the cluster; learns address and exposure.
    """

    def __init__(self, connector: Connector, state: ClusterState) -> None:
        self._connector = connector
        self._state = state
        self.current: Session | None = None
        """The session that is open."""

    async def session(self, cluster: Cluster, spec: SearchClusterSpec, *, reconnect: bool, recheck: bool) -> Session:
        """Return a session; another one where the SearchCluster, or what its Secrets hold, has changed.

        Args:
            cluster: the SearchCluster.
            spec: what it says.
            reconnect: open a new one in any case, such as after trouble.
            recheck: read its Secrets and resolve its hosts again.

        Raises:
            NotPrivate: others could listen, and nobody allowed that. The login is not sent.
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
        """Find out whether others could listen, before the login is sent.

        Raises:
            NotPrivate: they could, and nobody allowed that.
        """
        hosts = hosts_of(connection)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._connector.resolve(host)) for host in hosts]
        found = [task.result() for task in tasks]
        exposed = find_exposures(connection, dict(zip(hosts, found, strict=True)))
        self._state.url = connection.urls[0]
        # What does not resolve now cannot be connected to either, but it is not known to be private.
        self._state.exposed = exposed if exposed or all(found) else None
        if refused := refusal(exposed, allowed_exposures(spec)):
            await self.close()
            raise NotPrivate(refused)


def _version(cluster: Cluster) -> tuple[str, int]:
    return cluster.uid, cluster.generation
