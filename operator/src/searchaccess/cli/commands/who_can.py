"""``searchaccess who-can``."""

from typing import Annotated, Final

import typer

from searchaccess.cli.helptexts import block, epilog, exit_codes
from searchaccess.cli.options.common import answer
from searchaccess.cli.options.connecting import Reaching, takes_reaching
from searchaccess.cli.printing import Format, Output

EPILOG: Final = epilog(
    exit_codes("it was shown, whoever may", "it could not be asked, or there is no such SearchCluster"),
    block(
        "Examples",
        "searchaccess who-can read orders-2026",
        "searchaccess who-can read orders-2026 --field customer.ssn -o json",
        "searchaccess who-can delete orders-2026 --cluster prod",
        "searchaccess who-can write orders-2026 --elasticsearch https://es:9200 --elasticsearch-login env:OBSERVER",
    ),
)


@takes_reaching
def command(
    *,
    action: Annotated[
        str,
        typer.Argument(
            metavar="ACTION",
            show_default=False,
            help="Action of a grant such as read, an index privilege, or an action of Elasticsearch.",
        ),
    ],
    index: Annotated[
        str, typer.Argument(metavar="INDEX", show_default=False, help="Name of an index, alias or data stream.")
    ],
    field: Annotated[str, typer.Option(metavar="NAME", help="Only who gets this field.")] = "",
    output: Output = Format.TABLE,
    reaching: Reaching,
) -> None:
    """List everybody who may do something on an index, with the documents and fields that each of them gets.

    It lists service accounts, users, API keys and role mappings, whether the operator manages them or somebody else.
    It also names what the login may not read, and what no API shows. A ? marks those whose rights depend on that.
    """
    from searchaccess.cli.access.asking import ask, cluster_for, declarations, who
    from searchaccess.cli.access.options import index_of, question_for
    from searchaccess.cli.access.showing import who_data, who_shown
    from searchaccess.cli.printing import emit, progress

    question, name = question_for(action, field), index_of(index)

    async def work() -> None:
        async with reaching.open() as live:
            with progress("reading what is declared") as show:
                declared = await declarations(live, reaching.namespace)
                cluster = reaching.cluster or "elasticsearch"
                if not reaching.elasticsearch:
                    cluster = cluster_for(None, declared, reaching.cluster)
                show("reading roles, role mappings, users and API keys")
                asking = await ask(live, declared, cluster)
            found = who(asking, name, question, field)
        emit(output, who_data(found, asking), lambda: who_shown(found, asking))

    answer(work)
