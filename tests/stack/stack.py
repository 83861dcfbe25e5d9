"""Kubernetes and Elasticsearch together, started side by side."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from types import TracebackType
from typing import Protocol, Self

from tests.stack.build_elasticsearch import ensure_elasticsearch_home
from tests.stack.build_kubernetes import ensure_kubernetes_binaries
from tests.stack.elasticsearch import ElasticsearchServer, ExternalElasticsearch, License, LocalElasticsearch
from tests.stack.kubernetes import ExternalKubernetes, KubernetesApi, KubernetesServers
from tests.stack.trust.tokens import TokenIssuer


class Stack:
    """The servers that the product works with. Each starts when first asked for; `start` starts both side by side.

    In a `with` statement both run; leaving it stops them for sure. After an exception the logs are kept.
    """

    def __init__(self, issuer: TokenIssuer | None = None, license: License = "trial") -> None:  # noqa: A002 - of Elasticsearch.
        self._license = license
        self.issuer = issuer or (
            ExternalElasticsearch().issuer if ExternalElasticsearch.is_configured() else TokenIssuer()
        )
        self._kubernetes: KubernetesApi | None = None
        self._elasticsearch: ElasticsearchServer | None = None

    @property
    def kubernetes(self) -> KubernetesApi:
        if self._kubernetes is None:
            self._start(kubernetes=True)
        assert self._kubernetes is not None
        return self._kubernetes

    @property
    def elasticsearch(self) -> ElasticsearchServer:
        if self._elasticsearch is None:
            self._start(elasticsearch=True)
        assert self._elasticsearch is not None
        return self._elasticsearch

    def start(self) -> None:
        """Start what does not run yet."""
        self._start(kubernetes=self._kubernetes is None, elasticsearch=self._elasticsearch is None)

    def stop(self, *, failed: bool = False) -> None:
        """Stop both and remove their data; after a failure logs and data are kept."""
        _close_all([server for server in (self._kubernetes, self._elasticsearch) if server], failed=failed)
        self._kubernetes, self._elasticsearch = None, None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(failed=error is not None)

    def _start(self, *, kubernetes: bool = False, elasticsearch: bool = False) -> None:
        # Builds come first and one after the other: two at once would share the processors and the terminal.
        if elasticsearch and ExternalElasticsearch.is_configured():
            self._elasticsearch, elasticsearch = ExternalElasticsearch(), False
        if kubernetes and ExternalKubernetes.is_configured():
            self._kubernetes, kubernetes = ExternalKubernetes(), False
        if kubernetes:
            ensure_kubernetes_binaries()
        if elasticsearch:
            ensure_elasticsearch_home()

        new_kubernetes = KubernetesServers() if kubernetes else None
        new_elasticsearch = LocalElasticsearch(issuer=self.issuer, license=self._license) if elasticsearch else None
        _start_side_by_side([server for server in (new_kubernetes, new_elasticsearch) if server])
        self._kubernetes = new_kubernetes or self._kubernetes
        self._elasticsearch = new_elasticsearch or self._elasticsearch


class _Server(Protocol):
    def start(self) -> None: ...
    def close(self, *, failed: bool = False) -> None: ...


def _start_side_by_side(servers: Sequence[_Server]) -> None:
    with ThreadPoolExecutor() as pool:
        try:
            for started in as_completed([pool.submit(server.start) for server in servers]):
                started.result()
        except BaseException as error:
            # This also makes a start that is still under way fail, for which the pool would wait otherwise.
            _close_all(servers, failed=not isinstance(error, KeyboardInterrupt))
            raise


def _close_all(servers: Sequence[_Server], *, failed: bool) -> None:
    with ExitStack() as closing:  # Closes each, even if closing another one fails.
        for server in servers:
            closing.callback(server.close, failed=failed)
