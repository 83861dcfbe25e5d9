"""The command ``searchaccess``."""

import asyncio
import logging
import signal
from pathlib import Path
from typing import Annotated

import structlog
import typer

from searchaccess import __version__
from searchaccess.engine.host import LIST_EVERY
from searchaccess.operator.app import Options, run_operator
from searchaccess.operator.stores import SERVICE_ACCOUNT_TOKEN, StoreOptions
from searchaccess.ports.errors import ExternalError

app = typer.Typer(
    name="searchaccess",
    help="Declares which Cloud Run service may do what on which Elasticsearch indices, and keeps it true.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


def _configure_logging(*, as_json: bool, verbose: bool) -> None:
    """Send our own log and that of kopf and the clients through one formatter."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[structlog.typing.Processor] = (
        [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer()]
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # It repeats at every try what we say once.
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    logging.getLogger("searchaccess").setLevel(logging.DEBUG if verbose else logging.INFO)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _show_version(*, value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Keep declared access to Elasticsearch true."""


@app.command()
def run(
    *,
    instance: Annotated[
        str, typer.Option(envvar="SEARCHACCESS_INSTANCE", help="Name of this installation, part of every role's name.")
    ] = "default",
    kubeconfig: Annotated[
        Path | None, typer.Option(help="File to use instead of the pod's service account.", exists=True, dir_okay=False)
    ] = None,
    liveness: Annotated[
        str | None, typer.Option(help="Address of the liveness endpoint, such as http://0.0.0.0:8080/healthz.")
    ] = None,
    list_every: Annotated[
        float,
        typer.Option(min=1.0, help="Seconds between full lists, which notice deletions that left no event."),
    ] = LIST_EVERY,
    run_endpoint: Annotated[
        str,
        typer.Option(
            envvar="SEARCHACCESS_RUN_ENDPOINT",
            help="Host of the Cloud Run Admin API, such as one of Private Service Connect; Google's by default.",
        ),
    ] = "",
    iam_endpoint: Annotated[
        str,
        typer.Option(envvar="SEARCHACCESS_IAM_ENDPOINT", help="The same for the IAM API."),
    ] = "",
    secretmanager_endpoint: Annotated[
        str,
        typer.Option(envvar="SEARCHACCESS_SECRETMANAGER_ENDPOINT", help="The same for the Secret Manager API."),
    ] = "",
    service_account_token: Annotated[
        Path,
        typer.Option(
            envvar="SEARCHACCESS_SERVICE_ACCOUNT_TOKEN",
            help="File with the token of the operator's ServiceAccount, for Vault's Kubernetes auth method.",
        ),
    ] = SERVICE_ACCOUNT_TOKEN,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log as JSON, one object a line.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Run the operator until it is told to stop (SIGTERM, Ctrl-C)."""
    if not instance.replace("-", "").isalnum() or instance != instance.lower():
        raise typer.BadParameter("use lower-case letters, digits and dashes", param_hint="--instance")
    _configure_logging(as_json=log_json, verbose=verbose)
    try:
        stores = StoreOptions(secretmanager_endpoint, service_account_token)
        options = Options(instance, kubeconfig, liveness, list_every, run_endpoint, iam_endpoint, stores)
        asyncio.run(_run(options))
    except ExternalError as error:
        typer.echo(f"searchaccess: {error.message}", err=True)
        raise typer.Exit(1) from None


async def _run(options: Options) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run_operator(options, stop)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
