"""Options of the commands that read what is declared, and what is in Elasticsearch; and how they connect."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from searchaccess.adapters.googlecloud.endpoint import GkeEndpoint
from searchaccess.cli.options.common import (
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
from searchaccess.cli.options.merging import taking

if TYPE_CHECKING:
    from searchaccess.operator.answers.reading import Live
    from searchaccess.operator.observer_login import ObserverLogin

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


def nothing_in(namespace: str) -> str:
    """Return what to say of a namespace that has no SearchAccess, with the next step."""
    return f"there is no SearchAccess in namespace {namespace}: -n chooses another one, -A shows all"


@dataclass(frozen=True, slots=True, kw_only=True)
class _ApiServer:
    """Which API server; its fields are what the command line shows."""

    kubeconfig: Kubeconfig = None
    context: KubeContext = ""
    gke: Gke = ""
    gke_endpoint: WhichEndpoint = GkeEndpoint.AUTO
    container_endpoint: ContainerEndpoint = ""

    @asynccontextmanager
    async def _opened(
        self,
        namespace: str = "",
        *,
        everywhere: bool = False,
        logins: "Collection[ObserverLogin]" = (),
        instance: str = "default",
    ) -> "AsyncIterator[Live]":
        """Connect to the API server; for the arguments and errors see ``opened``."""
        from searchaccess.operator.answers.reading import opened

        configure_logging(as_json=False, verbose=False)
        options = kubernetes_options(
            self.kubeconfig, self.context, self.gke, self.gke_endpoint, self.container_endpoint
        )
        async with opened(options, namespace, everywhere=everywhere, logins=logins, instance=instance) as live:
            yield live


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope(_ApiServer):
    """Which API server, and which namespace; its fields are what the command line shows."""

    namespace: Namespace = ""
    all_namespaces: AllNamespaces = False

    def check(self) -> None:
        """Check that one namespace was chosen, or all.

        Raises:
            typer.BadParameter: both were.
        """
        if self.namespace and self.all_namespaces:
            raise typer.BadParameter("excludes --all-namespaces", param_hint="--namespace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server(_ApiServer):
    """Which API server; its fields are what the command line shows."""

    def open(self) -> "AbstractAsyncContextManager[Live]":
        """Connect to the API server; no request is sent yet.

        Raises:
            typer.BadParameter: an option has no valid value.
            LoginMissing: there is no login for Kubernetes.
        """
        return self._opened()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubernetes(_Scope):
    """Which API server, and which namespace; its fields are what the command line shows."""

    def open(self) -> "AbstractAsyncContextManager[Live]":
        """Connect to the API server, whatever namespace was chosen; see ``Server.open``."""
        return self._opened()

    def open_scope(self) -> "AbstractAsyncContextManager[Live]":
        """Connect to the API server, with the namespace that was chosen; see ``Server.open``."""
        self.check()
        return self._opened(self.namespace, everywhere=self.all_namespaces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaching(_Scope):
    """How to reach the API server and Elasticsearch; its fields are what the command line shows."""

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
        from searchaccess.operator.answers.reading import BadAddress, opened_without_kubernetes

        self._check()
        logins = read_elasticsearch_logins(self.elasticsearch_login or [])
        if self.elasticsearch:
            configure_logging(as_json=False, verbose=False)
            name = self.cluster or "elasticsearch"
            ca = certificates_in(self.ca_file)
            try:
                async with opened_without_kubernetes(self.elasticsearch, ca, logins, name, self.instance) as live:
                    yield live
            except BadAddress as error:
                raise typer.BadParameter(str(error), param_hint="--elasticsearch") from None
            return
        async with self._opened(
            self.namespace, everywhere=self.all_namespaces, logins=logins, instance=self.instance
        ) as live:
            yield live

    def _check(self) -> None:
        check_instance(self.instance)
        self.check()
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


def certificates_in(file: Path | None, option: str = "--ca-file") -> str:
    """Return the text of a file of certificates; empty: none is given.

    Args:
        file: the file.
        option: by which it was given.

    Raises:
        typer.BadParameter: it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8") if file else ""
    except (OSError, UnicodeDecodeError):
        raise typer.BadParameter(f"{file} cannot be read: write it in PEM form", param_hint=option) from None


def takes_reaching(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of ``Reaching`` to a command, which gets them as its argument ``reaching``."""
    return taking(Reaching, "reaching")(command)


def takes_kubernetes(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of ``Kubernetes`` to a command, which gets them as its argument ``kubernetes``."""
    return taking(Kubernetes, "kubernetes")(command)


def takes_server(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of ``Server`` to a command, which gets them as its argument ``server``."""
    return taking(Server, "server")(command)
