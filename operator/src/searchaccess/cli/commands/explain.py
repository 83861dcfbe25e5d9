"""``searchaccess explain``."""

from pathlib import Path
from typing import Annotated, Final

import typer

from searchaccess.cli.helptexts import ANSWER_CODES, block, epilog
from searchaccess.cli.options.common import answer
from searchaccess.cli.options.connecting import Reaching, takes_reaching
from searchaccess.cli.printing import Format, Output

EPILOG: Final = epilog(
    ANSWER_CODES,
    block(
        "Examples",
        "searchaccess explain shop/orders orders-2026",
        "searchaccess explain orders@acme-shop.iam.gserviceaccount.com orders-2026 --action write",
        "searchaccess explain run:acme-shop/europe-west1/orders orders-2026 --field customer.ssn",
        "searchaccess explain user:ada orders-2026 --document 4711",
        "searchaccess explain key:VwyDKaIBkDQr orders-2026 --elasticsearch https://es:9200"
        " --elasticsearch-login env:OBSERVER",
    ),
)


@takes_reaching
def command(
    *,
    subject: Annotated[
        str,
        typer.Argument(
            metavar="SUBJECT",
            show_default=False,
            help="NAMESPACE/NAME of a SearchAccess, address of a service account, run:PROJECT/LOCATION/SERVICE,"
            " user:NAME, or key:ID.",
        ),
    ],
    index: Annotated[
        str, typer.Argument(metavar="INDEX", show_default=False, help="Name of an index, alias or data stream.")
    ],
    action: Annotated[
        str, typer.Option(metavar="ACTION", help="Action of a grant, index privilege, or action of Elasticsearch.")
    ] = "read",
    field: Annotated[str, typer.Option(metavar="NAME", help="Field that must be shown.")] = "",
    document: Annotated[
        str, typer.Option(metavar="ID", help="Document that must be shown; Elasticsearch is asked.")
    ] = "",
    doc: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, metavar="FILE", help="The same for a document in a file (JSON)."),
    ] = None,
    output: Output = Format.TABLE,
    reaching: Reaching,
) -> None:
    """Say whether somebody may do something on an index, and by which chain of objects.

    The answer follows from what the SearchAccess, policies, approvals and clocks say, and from the roles, role
    mappings, users and API keys in Elasticsearch, whoever manages them. Where it may, it asks Elasticsearch itself.
    """
    from searchaccess.cli.access.asking import (
        ask,
        check_declared,
        cluster_for,
        declarations,
        document_in,
        document_of,
        why,
    )
    from searchaccess.cli.access.options import index_of, question_for, source_in
    from searchaccess.cli.access.showing import exit_of, explanation_data, explanation_shown, outcome_with
    from searchaccess.cli.printing import emit, progress
    from searchaccess.core.answers.access.subjects import NoSubjectError, SubjectKind, subject_of

    try:
        who = subject_of(subject)
    except NoSubjectError as error:
        raise typer.BadParameter(str(error), param_hint="SUBJECT") from None
    if reaching.elasticsearch and who.kind in {SubjectKind.ACCESS, SubjectKind.WORKLOAD}:
        text = "--elasticsearch reads no SearchAccesses, so name the service account instead"
        raise typer.BadParameter(text, param_hint="SUBJECT")
    question, name = question_for(action, field, documents=bool(document or doc)), index_of(index)
    if document and doc:
        raise typer.BadParameter("excludes --document", param_hint="--doc")
    source = source_in(doc) if doc else None

    async def work() -> int:
        async with reaching.open() as live:
            with progress("reading what is declared") as show:
                namespace = subject.partition("/")[0] if who.kind is SubjectKind.ACCESS else ""
                declared = await declarations(live, namespace)
                check_declared(who, declared, reaching.cluster)
                cluster = reaching.cluster or "elasticsearch"
                if not reaching.elasticsearch:
                    cluster = cluster_for(who, declared, reaching.cluster)
                show("reading roles, role mappings, users and API keys")
                asking = await ask(live, declared, cluster)
                found = await why(asking, who, subject, name, question, field)
                shown = await document_of(asking, found, document) if document else None
            if source is not None:
                shown = document_in(found, source)
        emit(
            output,
            explanation_data(found, asking, shown),
            lambda: explanation_shown(found, asking, shown),
        )
        return int(exit_of(outcome_with(found, shown)))

    raise typer.Exit(answer(work))
