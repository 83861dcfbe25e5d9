"""Options of all commands that run the operator, and how these log and stop."""

import os
import re
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from searchaccess.adapters.googlecloud.endpoint import GkeEndpoint
from searchaccess.cli.options.merging import taking
from searchaccess.core.model.intake.reading import is_label
from searchaccess.operator.connections.defaults import SERVICE_ACCOUNT_TOKEN
from searchaccess.ports.errors import ExternalError, TlsNotVerified, Unreachable

if TYPE_CHECKING:
    import asyncio

    from searchaccess.operator.app import Options
    from searchaccess.operator.connections.login import KubernetesOptions
    from searchaccess.operator.observer_login import ObserverLogin

T = TypeVar("T")

_INSTANCE: Final = re.compile(r"[a-z0-9-]*[a-z0-9][a-z0-9-]*")
# https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters/get
_GKE_NAME: Final = re.compile(r"projects/[^/]+/(locations|zones)/[^/]+/clusters/[^/]+")

_ELASTICSEARCH: Final = "Elasticsearch: "
"""How messages begin of an Elasticsearch that did not answer; those of other servers have their next step."""
_NEXT_STEPS: Final[dict[type[ExternalError], str]] = {
    Unreachable: "check that this machine can reach it: the address is that of the SearchCluster, or of"
    " --elasticsearch",
    TlsNotVerified: "check the address, and the certificate authorities: spec.ca of the SearchCluster, or --ca-file",
}

Instance = Annotated[
    str,
    typer.Option(
        envvar="SEARCHACCESS_INSTANCE", metavar="NAME", help="Name of this installation, part of every role's name."
    ),
]
Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Kubeconfig to use instead of the pod's service account; without either, that of KUBECONFIG or"
        " ~/.kube/config.",
    ),
]
KubeContext = Annotated[
    str, typer.Option("--context", metavar="NAME", help="Context of the kubeconfig; its current one by default.")
]
Gke = Annotated[
    str,
    typer.Option(
        envvar="SEARCHACCESS_GKE",
        metavar="NAME",
        help="GKE cluster to use instead of a kubeconfig: projects/P/locations/L/clusters/C.",
    ),
]
WhichEndpoint = Annotated[
    GkeEndpoint,
    typer.Option(
        envvar="SEARCHACCESS_GKE_ENDPOINT",
        metavar="auto|dns|public|private",
        help="Endpoint of the GKE cluster; auto: the DNS endpoint if it is open, the public, or the private one.",
    ),
]
ContainerEndpoint = Annotated[
    str,
    typer.Option(
        envvar="SEARCHACCESS_CONTAINER_ENDPOINT",
        metavar="HOST",
        help="Host of the Kubernetes Engine API, such as one of Private Service Connect; Google's by default.",
    ),
]
LeaseNamespace = Annotated[
    str,
    typer.Option(
        envvar="SEARCHACCESS_LEASE_NAMESPACE",
        metavar="NAME",
        help="Namespace of the Leases that assign SearchClusters to replicas; without it, run one replica.",
    ),
]
WatchNamespace = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Namespace whose SearchAccesses are reconciled, when not all are; may be repeated. Rights of other"
        " namespaces stay as they are. Requires --lease-namespace or --home-namespace.",
    ),
]
SearchClusters = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder of files with the SearchClusters, in place of those that the API server has. They are read again"
        " when they change. Requires --watch-namespace.",
    ),
]
HomeNamespace = Annotated[
    str,
    typer.Option(
        envvar="SEARCHACCESS_HOME_NAMESPACE",
        metavar="NAME",
        help="With --watch-namespace: the operator's own namespace, whose uid identifies the installation; that of"
        " --lease-namespace by default. Never change it.",
    ),
]
RunEndpoint = Annotated[
    str,
    typer.Option(
        envvar="SEARCHACCESS_RUN_ENDPOINT", metavar="HOST", help="Host of the Cloud Run Admin API; Google's by default."
    ),
]
IamEndpoint = Annotated[
    str,
    typer.Option(envvar="SEARCHACCESS_IAM_ENDPOINT", metavar="HOST", help="Host of the IAM API; Google's by default."),
]
SecretManagerEndpoint = Annotated[
    str,
    typer.Option(
        envvar="SEARCHACCESS_SECRETMANAGER_ENDPOINT",
        metavar="HOST",
        help="Host of the Secret Manager API; Google's by default.",
    ),
]
ServiceAccountToken = Annotated[
    Path,
    typer.Option(
        envvar="SEARCHACCESS_SERVICE_ACCOUNT_TOKEN",
        metavar="FILE",
        help="File with the token of the operator's ServiceAccount, for Vault's Kubernetes auth method.",
    ),
]
LogJson = Annotated[bool, typer.Option("--log-json", help="Log as JSON, one object per line.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The options of all commands that run the operator; its fields are what the command line shows."""

    instance: Instance = "default"
    lease_namespace: LeaseNamespace = ""
    watch_namespace: WatchNamespace = None
    home_namespace: HomeNamespace = ""
    search_clusters: SearchClusters = None
    kubeconfig: Kubeconfig = None
    context: KubeContext = ""
    gke: Gke = ""
    gke_endpoint: WhichEndpoint = GkeEndpoint.AUTO
    container_endpoint: ContainerEndpoint = ""
    run_endpoint: RunEndpoint = ""
    iam_endpoint: IamEndpoint = ""
    secretmanager_endpoint: SecretManagerEndpoint = ""
    service_account_token: ServiceAccountToken = SERVICE_ACCOUNT_TOKEN
    log_json: LogJson = False
    verbose: Verbose = False

    def begin(self, **more: Any) -> "Options":
        """Check the options and configure logging; return how to run.

        Args:
            more: further fields of ``Options``.

        Raises:
            typer.BadParameter: an option has no valid value.
        """
        from searchaccess.operator.app import Options  # it takes a second to import
        from searchaccess.operator.connections.stores import StoreOptions

        check_instance(self.instance)
        watched, home = tuple(sorted(set(self.watch_namespace or ()))), self.home_namespace or self.lease_namespace
        if not all(map(is_label, watched)):
            raise typer.BadParameter("write the name of a namespace", param_hint="--watch-namespace")
        if watched and not home:
            text = "requires --lease-namespace or --home-namespace: the uid of kube-system may not be readable"
            raise typer.BadParameter(text, param_hint="--watch-namespace")
        if self.search_clusters and not watched:
            raise typer.BadParameter("requires --watch-namespace", param_hint="--search-clusters")
        kubernetes = kubernetes_options(
            self.kubeconfig, self.context, self.gke, self.gke_endpoint, self.container_endpoint
        )
        configure_logging(as_json=self.log_json, verbose=self.verbose)
        return Options(
            instance=self.instance,
            kubernetes=kubernetes,
            lease_namespace=self.lease_namespace,
            watch_namespaces=watched,
            home_namespace=home if watched else "",
            search_clusters=self.search_clusters,
            run_endpoint=self.run_endpoint,
            iam_endpoint=self.iam_endpoint,
            stores=StoreOptions(self.secretmanager_endpoint, self.service_account_token),
            **more,
        )


def takes_common(command: Callable[..., None]) -> Callable[..., None]:
    """Add the common options to a command, which gets them as its argument ``common``."""
    return taking(Common, "common")(command)


def check_instance(instance: str) -> None:
    """Check the name of an installation.

    Raises:
        typer.BadParameter: it has characters that no name of a role has.
    """
    if not _INSTANCE.fullmatch(instance):
        raise typer.BadParameter("use lower-case letters, digits and dashes", param_hint="--instance")


def kubernetes_options(
    kubeconfig: Path | None,
    context: str,
    gke: str = "",
    gke_endpoint: GkeEndpoint = GkeEndpoint.AUTO,
    container_endpoint: str = "",
) -> "KubernetesOptions":
    """Check which API server is named, and return how to connect to it; for the arguments see ``Common``.

    Raises:
        typer.BadParameter: it is named in two ways, or not by the name of a cluster.
    """
    from searchaccess.operator.connections.login import KubernetesOptions

    if gke and not _GKE_NAME.fullmatch(gke):
        raise typer.BadParameter("write projects/P/locations/L/clusters/C", param_hint="--gke")
    if gke and (kubeconfig or context):
        text = "excludes --kubeconfig and --context, which also select the API server"
        raise typer.BadParameter(text, param_hint="--gke")
    return KubernetesOptions(kubeconfig, context, gke, gke_endpoint, container_endpoint)


def read_elasticsearch_logins(given: list[str]) -> "tuple[ObserverLogin, ...]":
    """Read the logins of ``--elasticsearch-login``.

    Raises:
        typer.BadParameter: one cannot be used; the message has no part of it.
    """
    from searchaccess.operator.observer_login import BadLogin, read_logins

    try:
        return read_logins(given)
    except BadLogin as error:
        raise typer.BadParameter(str(error), param_hint="--elasticsearch-login") from None


def configure_logging(*, as_json: bool, verbose: bool) -> None:
    """Send our own log, and those of kopf and the clients, through one formatter."""
    import logging

    import structlog

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Without local variables, which may contain secrets.
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    # https://no-color.org
    in_colors = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    renderer: list[structlog.typing.Processor] = (
        [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=in_colors, exception_formatter=structlog.dev.plain_traceback)]
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # It repeats with every attempt what we log once.
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    logging.getLogger("searchaccess").setLevel(logging.DEBUG if verbose else logging.INFO)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def run_to_end(work: Callable[["asyncio.Event"], Coroutine[Any, Any, T]]) -> T:
    """Run until the work ends, or until a signal (SIGTERM, Ctrl-C) stops it."""
    import asyncio
    import signal

    async def run_it() -> T:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        return await work(stop)

    try:
        return asyncio.run(run_it())
    except ExternalError as error:
        typer.echo(f"searchaccess: {error.message}", err=True)
        raise typer.Exit(1) from None


def answer(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run what a command asks, and return the result. What goes wrong is one line, and the exit code is 1.

    Raises:
        typer.Exit: an external system did not do what was requested; the reason was printed, with the next step.
    """
    import asyncio

    from searchaccess.cli.printing import warn

    try:
        return asyncio.run(work())
    except ExternalError as error:
        step = _NEXT_STEPS.get(type(error), "") if error.message.startswith(_ELASTICSEARCH) else ""
        warn(f"{error.message}; {step}" if step else error.message)
        raise typer.Exit(1) from None
