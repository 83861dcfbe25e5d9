"""``searchaccess plan``."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from searchaccess.cli.helptexts import block, epilog
from searchaccess.cli.manifests import STANDARD_INPUT, Filenames, failure, read
from searchaccess.cli.options.common import Common, read_elasticsearch_logins, run_to_end, takes_common
from searchaccess.cli.options.connecting import CaFile, ElasticsearchLogin, ElasticsearchUrl, Reaching
from searchaccess.cli.options.reading import duration

if TYPE_CHECKING:
    from searchaccess.core.answers.plan.model import Plan

_TIMEOUT: Final = "10m"
_LIVE: Final = "live"
EPILOG: Final = epilog(
    block(
        "Exit codes",
        " 0  nothing changes",
        " 1  something is refused or cannot be applied, or the plan is not complete",
        " 2  something changes; .widens in -o json says whether anything is newly allowed",
        "64  usage error; nothing was done",
    ),
    block(
        "Examples",
        "# What a pull request opens and closes, without any server:",
        "searchaccess plan -f manifests/ --against origin/main",
        "# As a comment on it:",
        "searchaccess plan -f manifests/ --against origin/main -o markdown > comment.md",
        "# What would change in the clusters now, with a login that only reads:",
        "searchaccess plan -f manifests/ --elasticsearch-login env:OBSERVER",
        "# The same for one cluster, without Kubernetes:",
        "searchaccess plan -f manifests/ --elasticsearch https://es.example.com:9200 \\",
        "  --elasticsearch-login env:OBSERVER",
        "# Whether anything is newly allowed:",
        "searchaccess plan -f manifests/ --against origin/main -o json | jq .widens",
    ),
)


class Format(StrEnum):
    """How a plan is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    MARKDOWN = "markdown"


@takes_common
def command(
    *,
    filename: Annotated[list[Path], Filenames],
    against: Annotated[
        str,
        typer.Option(
            metavar="live|REVISION",
            help="What the files are compared with: what is in the API server and Elasticsearch now, or the files at a"
            " revision of their git repository, such as origin/main; then no server is asked.",
        ),
    ] = _LIVE,
    namespace: Annotated[
        str,
        typer.Option(
            "--namespace",
            "-n",
            metavar="NAME",
            help="Only this namespace; also the namespace of SearchAccesses in the files that name none.",
        ),
    ] = "",
    cluster: Annotated[str, typer.Option("--cluster", metavar="NAME", help="Only this SearchCluster.")] = "",
    elasticsearch_login: ElasticsearchLogin = None,
    trust_files: Annotated[
        bool,
        typer.Option(
            "--trust-files",
            help="Send logins also to addresses that only the files declare: use it for reviewed files.",
        ),
    ] = False,
    elasticsearch: ElasticsearchUrl = "",
    ca_file: CaFile = None,
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="Longest time for a plan against what is live, such as 90s.")
    ] = _TIMEOUT,
    diff: Annotated[bool, typer.Option("--diff/--no-diff", help="Show rights before and after as a diff.")] = True,
    output: Annotated[Format, typer.Option("--output", "-o", help="Format of the plan.")] = Format.TABLE,
    common: Common,
) -> None:
    """Show what manifests would open and close: for each caller, on which indices, documents and fields.

    What restricts less than before is marked. Nothing is written anywhere. Against a revision, neither Kubernetes nor
    Elasticsearch is asked: SearchClusters and policies count as far as they are in the files.
    """
    if against != _LIVE:
        _expect_alone(filename, bool(elasticsearch or trust_files), cluster)
        plan = _against(filename, against, namespace, common)
    elif elasticsearch:
        if trust_files:
            raise typer.BadParameter("excludes --elasticsearch", param_hint="--trust-files")
        plan = _with_elasticsearch(filename, namespace, cluster, common, elasticsearch, elasticsearch_login, ca_file)
    else:
        if ca_file:
            raise typer.BadParameter("requires --elasticsearch", param_hint="--ca-file")
        plan = _live(
            filename, namespace, cluster, common, elasticsearch_login, duration(timeout, "--timeout"), trust_files
        )
    _show(plan, output, diff)
    raise typer.Exit(int(plan.code))


def _expect_alone(files: list[Path], has_server: bool, cluster: str) -> None:  # noqa: FBT001 - of several options
    if STANDARD_INPUT in files:
        raise typer.BadParameter("standard input has no revisions: name files or folders", param_hint="--filename")
    if has_server:
        text = "excludes --elasticsearch and --trust-files: no server is asked"
        raise typer.BadParameter(text, param_hint="--against")
    if cluster:
        raise typer.BadParameter("requires --against live: all files are compared", param_hint="--cluster")


def _against(files: list[Path], revision: str, namespace: str, common: Common) -> "Plan":
    from searchaccess.operator.answers.revisions import plan_against_revision
    from searchaccess.ports.errors import BadManifest

    common.begin()
    try:
        return plan_against_revision(files, revision, namespace)
    except BadManifest as error:
        raise failure(error.message) from None


def _live(
    files: list[Path],
    namespace: str,
    cluster: str,
    common: Common,
    login: list[str] | None,
    within: float,
    trust_files: bool,  # noqa: FBT001 - of an option
) -> "Plan":
    from searchaccess.cli.printing import progress
    from searchaccess.operator.answers.planning import plan_live

    options = common.begin(observe=True, namespace=namespace)
    manifests = tuple(_read(files, namespace))
    logins = read_elasticsearch_logins(login or [])
    options = replace(options, manifests=manifests, logins=logins, trusts_files=trust_files)
    only = (cluster,) if cluster else ()
    with progress("comparing with what is live"):
        return run_to_end(lambda stop: plan_live(options, stop, only=only, within=within))


def _with_elasticsearch(
    files: list[Path],
    namespace: str,
    cluster: str,
    common: Common,
    url: str,
    login: list[str] | None,
    ca_file: Path | None,
) -> "Plan":
    from searchaccess.operator.answers.planning import plan_with_elasticsearch

    common.begin()
    manifests = _read(files, namespace)
    name = cluster or _only_cluster(manifests)
    reaching = Reaching(
        kubeconfig=common.kubeconfig,
        context=common.context,
        gke=common.gke,
        cluster=name,
        instance=common.instance,
        elasticsearch_login=login,
        elasticsearch=url,
        ca_file=ca_file,
    )

    async def planned(_: object) -> "Plan":
        async with reaching.open() as live:
            return await plan_with_elasticsearch(live, manifests, name, common.instance)

    return run_to_end(planned)


def _read(files: list[Path], namespace: str) -> list[dict[str, Any]]:
    from searchaccess.operator.observing import check_unique
    from searchaccess.ports.errors import BadManifest

    manifests = read(files, namespace)
    try:
        check_unique(manifests)
    except BadManifest as error:
        raise failure(error.message) from None
    return manifests


def _only_cluster(manifests: list[dict[str, Any]]) -> str:
    specs = [raw.get("spec") for raw in manifests if raw["kind"] == "SearchAccess"]
    names = {spec.get("cluster") for spec in specs if isinstance(spec, dict)}
    if len(names) != 1 or not isinstance(name := names.pop(), str):
        text = "the files name several SearchClusters, or none: say which one --elasticsearch is"
        raise typer.BadParameter(text, param_hint="--cluster")
    return name


def _show(plan: "Plan", output: Format, diffs: bool) -> None:  # noqa: FBT001 - of an option
    from searchaccess.cli import printing
    from searchaccess.cli.plans.markdown import markdown_of
    from searchaccess.cli.plans.text import lines_of, print_lines

    if output is Format.MARKDOWN:
        typer.echo(markdown_of(plan), nl=False)
        return
    if output is not Format.TABLE:
        printing.emit(printing.Format(output.value), plan.to_json(), list)
        return
    print_lines(lines_of(plan, diffs=diffs))
