"""Options of the commands that read what is declared, and what is in Elasticsearch; and how they connect."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from searchaccess.adapters.googlecloud.endpoint import GkeEndpoint
from searchaccess.cli.common import (
    ContainerEndpoint,
    Gke,
    Instance,
    Kubeconfig,
    KubeContext,
    WhichEndpoint,
    check_instance,
    configure_logging,
    kubernetes_options,
    read_elasticsearch_logins,
)
from searchaccess.cli.merging import taking

if TYPE_CHECKING:
    from searchaccess.operator.reading import Live

ElasticsearchLogin = Annotated[
    list[str] | None,
    typer.Option(
        envvar="SEARCHACCESS_ELASTICSEARCH_LOGIN",
        metavar="[CLUSTER=]WHERE",
        help="Login to Elasticsearch instead of the operator's, for all SearchClusters or for one. WHERE is env:PREFIX"
        " (variables PREFIX_USERNAME and PREFIX_PASSWORD, PREFIX_API_KEY, or PREFIX_TOKEN), file:FOLDER (files username"
        " and password, apiKey, or token), or secret:NAMESPACE/NAME. May be repeated.",
    ),
]
ElasticsearchUrl = Annotated[
    str,
    typer.Option(
        "--elasticsearch",
        metavar="URL",
        help="Elasticsearch to read without Kubernetes, such as https://elasticsearch.example.com:9200. Requires"
        " --elasticsearch-login.",
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option(
        "--ca-file",
        exists=True,
        dir_okay=False,
        metavar="FILE",
        help="Certificate authorities of --elasticsearch (PEM); the system's by default.",
    ),
]
Namespace = Annotated[
    str,
    typer.Option(
        "--namespace", "-n", metavar="NAME", help="Only this namespace; that of the kubeconfig's context by default."
    ),
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces.")]
ClusterName = Annotated[str, typer.Option("--cluster", metavar="NAME", help="Only this SearchCluster.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Which API server; its fields are what the command line shows."""

    kubeconfig: Kubeconfig = None
    context: KubeContext = ""
    gke: Gke = ""
    gke_endpoint: WhichEndpoint = GkeEndpoint.AUTO
    container_endpoint: ContainerEndpoint = ""

    @asynccontextmanager
    async def open(self, namespace: str = "", *, everywhere: bool = False) -> "AsyncIterator[Live]":
        """Connect to the API server; no request is sent yet.

        Args:
            namespace: that was chosen; empty: that of the kubeconfig's context.
            everywhere: all namespaces were chosen.

        Raises:
            typer.BadParameter: an option has no valid value.
            LoginMissing: there is no login for Kubernetes.
        """
        from searchaccess.operator.reading import opened

        configure_logging(as_json=False, verbose=False)
        options = kubernetes_options(
            self.kubeconfig, self.context, self.gke, self.gke_endpoint, self.container_endpoint
        )
        async with opened(options, namespace, everywhere=everywhere) as live:
            yield live


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubernetes(Server):
    """Which API server, and which namespace; its fields are what the command line shows."""

    namespace: Namespace = ""
    all_namespaces: AllNamespaces = False

    def check(self) -> None:
        """Check that one namespace was chosen, or all.

        Raises:
            typer.BadParameter: both were.
        """
        _expect_one_namespace(self.namespace, self.all_namespaces)

    @asynccontextmanager
    async def open_scope(self) -> "AsyncIterator[Live]":
        """Connect to the API server, with the namespace that was chosen; see ``Server.open``."""
        self.check()
        async with self.open(self.namespace, everywhere=self.all_namespaces) as live:
            yield live


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaching:
    """How to reach the API server and Elasticsearch; its fields are what the command line shows."""

    kubeconfig: Kubeconfig = None
    context: KubeContext = ""
    gke: Gke = ""
    gke_endpoint: WhichEndpoint = GkeEndpoint.AUTO
    container_endpoint: ContainerEndpoint = ""
    namespace: Namespace = ""
    all_namespaces: AllNamespaces = False
    cluster: ClusterName = ""
    instance: Instance = "default"
    elasticsearch_login: ElasticsearchLogin = None
    elasticsearch: ElasticsearchUrl = ""
    ca_file: CaFile = None

    @asynccontextmanager
    async def open(self) -> "AsyncIterator[Live]":
        """Connect to the API server, unless ``--elasticsearch`` is given; no request is sent yet.

        Raises:
            typer.BadParameter: an option has no valid value.
            LoginMissing: there is no login for Kubernetes.
        """
        from searchaccess.operator.reading import BadAddress, opened, opened_without_kubernetes

        self._check()
        configure_logging(as_json=False, verbose=False)
        logins = read_elasticsearch_logins(self.elasticsearch_login or [])
        if self.elasticsearch:
            name = self.cluster or "elasticsearch"
            ca = _text(self.ca_file) if self.ca_file else ""
            try:
                async with opened_without_kubernetes(self.elasticsearch, ca, logins, name, self.instance) as live:
                    yield live
            except BadAddress as error:
                raise typer.BadParameter(str(error), param_hint="--elasticsearch") from None
            return
        options = kubernetes_options(
            self.kubeconfig, self.context, self.gke, self.gke_endpoint, self.container_endpoint
        )
        async with opened(
            options, self.namespace, everywhere=self.all_namespaces, logins=logins, instance=self.instance
        ) as live:
            yield live

    def _check(self) -> None:
        check_instance(self.instance)
        _expect_one_namespace(self.namespace, self.all_namespaces)
        if self.ca_file and not self.elasticsearch:
            text = "requires --elasticsearch: a SearchCluster names its own authorities"
            raise typer.BadParameter(text, param_hint="--ca-file")
        if not self.elasticsearch:
            return
        if not self.elasticsearch_login:
            raise typer.BadParameter("requires --elasticsearch-login", param_hint="--elasticsearch")
        if self.kubeconfig or self.context or self.gke:
            raise typer.BadParameter(
                "excludes --kubeconfig, --context and --gke: nothing is read from Kubernetes",
                param_hint="--elasticsearch",
            )


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise typer.BadParameter(f"{file} cannot be read", param_hint="--ca-file") from None


def _expect_one_namespace(namespace: str, everywhere: bool) -> None:  # noqa: FBT001 - of two options
    if namespace and everywhere:
        raise typer.BadParameter("excludes --all-namespaces", param_hint="--namespace")


def takes_reaching(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of ``Reaching`` to a command, which gets them as its argument ``reaching``."""
    return taking(Reaching, "reaching")(command)


def takes_kubernetes(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of ``Kubernetes`` to a command, which gets them as its argument ``kubernetes``."""
    return taking(Kubernetes, "kubernetes")(command)


def takes_server(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of ``Server`` to a command, which gets them as its argument ``server``."""
    return taking(Server, "server")(command)
