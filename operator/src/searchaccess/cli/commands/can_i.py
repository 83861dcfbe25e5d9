"""``searchaccess can-i``."""

from pathlib import Path
from typing import Annotated, Final

import typer

from searchaccess.cli.helptexts import ANSWER_CODES, block, epilog
from searchaccess.cli.options.common import answer
from searchaccess.cli.printing import Format, Output

EPILOG: Final = epilog(
    ANSWER_CODES,
    block(
        "Examples",
        "searchaccess can-i read orders-2026 --url https://es.example.com:9200 --audience https://es.example.com",
        "searchaccess can-i write orders-2026 --url https://es.example.com:9200 --token-file /run/token",
        "searchaccess can-i read orders-2026 --url https://gateway.example.com --token-env TOKEN -o json",
    ),
)


def command(
    *,
    action: Annotated[
        str, typer.Argument(metavar="ACTION", show_default=False, help="Action of a grant, or an index privilege.")
    ],
    index: Annotated[
        str, typer.Argument(metavar="INDEX", show_default=False, help="Name of an index, alias or data stream.")
    ],
    url: Annotated[
        str,
        typer.Option(
            envvar="ELASTICSEARCH_URL", metavar="URL", help="Address of Elasticsearch, or of a gateway in front of it."
        ),
    ] = "",
    ca_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, metavar="FILE", help="Certificate authorities (PEM)."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, metavar="FILE", help="File with the workload's token.")
    ] = None,
    token_env: Annotated[str, typer.Option(metavar="NAME", help="Variable with the workload's token.")] = "",
    audience: Annotated[
        str,
        typer.Option(metavar="AUDIENCE", help="Without a token: get one for this audience, as on Cloud Run or GKE."),
    ] = "",
    output: Output = Format.TABLE,
) -> None:
    """Ask Elasticsearch whether a workload's own token may do something on an index.

    Run it where the workload runs. The token is sent to --url alone, only over a verified connection, and never shown.
    """
    from searchaccess.cli.access.options import index_of, question_for
    from searchaccess.cli.access.own import NoTokenError, asked_with, token_of
    from searchaccess.cli.access.showing import exit_of
    from searchaccess.cli.options.connecting import certificates_in
    from searchaccess.cli.printing import emit
    from searchaccess.core.answers.access.holders import Outcome
    from searchaccess.operator.answers.reading import BadAddress

    question, name = question_for(action), index_of(index)
    if not url:
        raise typer.BadParameter(
            "name the address of Elasticsearch or of a gateway, or set ELASTICSEARCH_URL", param_hint="--url"
        )
    authorities = certificates_in(ca_file)

    async def work() -> int:
        token = await token_of(token_file, token_env, audience)
        found = await asked_with(url, authorities, token, name, question)
        emit(output, found.to_json(), found.lines)
        return int(exit_of(Outcome.YES if found.allowed else Outcome.NO))

    try:
        code = answer(work)
    except NoTokenError as error:
        raise typer.BadParameter(str(error), param_hint="--token-file") from None
    except BadAddress as error:
        raise typer.BadParameter(str(error), param_hint="--url") from None
    raise typer.Exit(code)
