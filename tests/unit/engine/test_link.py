"""When the connection to a cluster is opened again."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from searchaccess.core.clusters.cluster import cluster_from_object
from searchaccess.engine.loop.link import Link
from searchaccess.engine.state import ClusterState
from tests.unit.builders import a_search_cluster


class Connector:
    """Opens what does nothing, and notes the addresses."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    async def find(self, spec: Any) -> Any:
        return SimpleNamespace(urls=tuple(spec.urls), verify=True, ca="", username="x", public=False)

    async def resolve(self, _host: str) -> tuple[str, ...]:
        return ("10.0.0.1",)

    async def open(self, connection: Any, _cluster: str) -> Any:
        self.opened.append(connection.urls[0])

        async def close() -> None:
            """Nothing is open."""

        return SimpleNamespace(close=close)


async def test_another_spec_of_the_same_generation_is_another_connection() -> None:
    """A restored etcd counts generations again."""
    connector: Any = Connector()
    link = Link(connector, ClusterState())
    raw = a_search_cluster()
    for url in ("https://one:9200", "https://two:9200", "https://two:9200"):
        raw["spec"]["urls"] = [url]
        cluster = replace(cluster_from_object(raw), generation=5)
        assert cluster.spec is not None
        await link.session(cluster, cluster.spec, reconnect=False, recheck=False)
    assert connector.opened == ["https://one:9200", "https://two:9200"]
