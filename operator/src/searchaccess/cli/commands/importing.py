"""``searchaccess import``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from searchaccess.cli.helptexts import block, epilog
from searchaccess.cli.options.common import answer
from searchaccess.cli.options.connecting import Reaching, takes_reaching
from searchaccess.cli.printing import Format, Output, emit, progress, warn
from searchaccess.core.answers.exits import Exit
from searchaccess.core.model.intake.reading import is_label

if TYPE_CHECKING:
    from searchaccess.core.answers.importing.importing import Imported
    from searchaccess.core.model.access import Access

EPILOG: Final = epilog(
    block(
        "Exit codes",
        " 0  everything that Elasticsearch has is imported, or declared already",
        " 1  it could not be read, or a file could not be written",
        " 2  something is left that a person has to decide",
        "64  usage error; nothing was done",
    ),
    block(
        "Examples",
        "# What would be imported, and what is left:",
        "searchaccess import --cluster prod -n shop",
        "# Write a file for each SearchAccess, to review and commit:",
        "searchaccess import --cluster prod -n shop --subject-map who.yaml --directory manifests/",
        "# From an Elasticsearch without Kubernetes:",
        "searchaccess import --cluster prod --elasticsearch https://es.example.com:9200 \\",
        "    --elasticsearch-login env:OBSERVER",
        "# From files of other tools, without Elasticsearch:",
        "searchaccess import --cluster prod -n shop --from roles.yml --from terraform.tfstate",
        "# Nothing changes by this: what is imported only observes.",
        "searchaccess import --cluster prod -n shop -o yaml | kubectl apply -f -",
    ),
)


@takes_reaching
def command(
    *,
    subject_map: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="YAML that says whose roles, users, apiKeys and usernames are: a service account or a workload by"
            " name. See docs/import.md.",
        ),
    ] = None,
    sources: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            exists=True,
            metavar="FILE|FOLDER",
            help="Read this instead of Elasticsearch: roles.yml, answers of the security API, a Terraform state, or"
            " objects of eck-custom-resources or the OpenSearch operator. May be repeated.",
        ),
    ] = None,
    realm: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="JWT realm of the callers; that of the SearchCluster by default, else any that role mappings name.",
        ),
    ] = "",
    directory: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, metavar="FOLDER", help="Write each SearchAccess into a file there. No file is overwritten."
        ),
    ] = None,
    output: Output = Format.TABLE,
    reaching: Reaching,
) -> None:
    """Write SearchAccesses for the rights that Elasticsearch has already, and report the rest.

    Each SearchAccess grants a service account or a workload exactly what one role gives it today: the same privileges,
    indices, fields and query. It has the mode Observe, so applying it changes nothing. What cannot be declared exactly
    is reported with the reason and the next step. Nothing is written to Elasticsearch or Kubernetes.

    With -o json or yaml, the answer is a List that kubectl accepts, with the report in the field report.
    """
    from searchaccess.cli.importing import report, write_all

    _check(reaching, sources or [])

    async def work() -> "Imported":
        return await _imported(reaching, sources or [], subject_map, realm)

    found = answer(work)
    written: list[Path] = []
    if directory is not None:

        async def write() -> list[Path]:
            return write_all(found, directory)

        written = answer(write)
    emit(output, found.to_json(), lambda: report(found, written, directory))
    if found.leftovers:
        raise typer.Exit(Exit.PENDING)


def _check(reaching: Reaching, sources: list[Path]) -> None:
    if not reaching.cluster:
        raise typer.BadParameter("name the SearchCluster of the manifests", param_hint="--cluster")
    if reaching.all_namespaces:
        text = "SearchAccesses of one namespace are written: use --namespace"
        raise typer.BadParameter(text, param_hint="--all-namespaces")
    if reaching.namespace and not is_label(reaching.namespace):
        raise typer.BadParameter("write the name of a namespace", param_hint="--namespace")
    if sources and (reaching.elasticsearch or reaching.elasticsearch_login):
        raise typer.BadParameter("excludes --elasticsearch and --elasticsearch-login", param_hint="--from")


async def _imported(reaching: Reaching, sources: list[Path], subject_map: Path | None, realm: str) -> "Imported":
    """Read what there is, and return what becomes of it.

    Raises:
        ExternalError: it cannot be read; the message has the next step.
    """
    from searchaccess.cli.importing import material_from, material_of, subjects_in
    from searchaccess.core.answers.importing.importing import Wish, import_all
    from searchaccess.core.policy.guardrails.messages import refusal_message
    from searchaccess.core.work import completed

    subjects = subjects_in(subject_map)
    if sources:
        wish = Wish(reaching.cluster, reaching.namespace or "default", subjects, realm)
        return import_all(material_from(sources), wish)
    with progress("reading roles, role mappings, users and API keys") as shown:
        async with reaching.open() as live:
            material, gaps = await material_of(await live.elasticsearch(reaching.cluster))
            shown("reading what is declared")
            declared = await live.declared()
            scope = live.scope or "default"
    for gap in (*gaps, *declared.gaps):
        warn(gap)
    found = declared.cluster(reaching.cluster)
    spec = found.read.spec if found else None
    named = spec.identity.jwt_realm.name if spec and spec.identity.jwt_realm else ""

    def refusal(access: "Access") -> str:
        judged = completed(declared.inventory.previewing(access))
        return refusal_message(judged) if judged.verdict.refused else ""

    claim, there = declared.inventory.claim(reaching.cluster), tuple(item.read for item in declared.accesses)
    return import_all(material, Wish(reaching.cluster, scope, subjects, realm or named, claim, refusal, there))
