"""``searchaccess audit-filter``."""

import json
from enum import StrEnum
from typing import Annotated, Final

import typer

from searchaccess.cli.helptexts import block, epilog, exit_codes
from searchaccess.core.answers.audit.naming import IGNORED_FOR_INDICES, IGNORED_FOR_PRINCIPALS

_SETTING: Final = "xpack.security.audit.logfile.events.ignore_filters.searchaccess.actions"


class FilterFormat(StrEnum):
    """Where the filter is put."""

    YAML = "yaml"
    JSON = "json"


class Kept(StrEnum):
    """What reports still know."""

    INDICES = "indices"
    PRINCIPALS = "principals"


_IGNORED: Final = {Kept.INDICES: IGNORED_FOR_INDICES, Kept.PRINCIPALS: IGNORED_FOR_PRINCIPALS}
EPILOG: Final = epilog(
    exit_codes("it was printed", "it could not be printed"),
    block(
        "Examples",
        "# For elasticsearch.yml:",
        "searchaccess audit-filter",
        "# For a running cluster, as small as possible:",
        "searchaccess audit-filter --keep principals -o json |",
        "  curl -X PUT -H 'Content-Type: application/json' -d @- https://…/_cluster/settings",
    ),
)


def command(
    *,
    keep: Annotated[
        Kept,
        typer.Option(
            help="indices: who used which index last, and all refusals. principals: who was last there, with less than"
            " a tenth of the bytes of bulk requests to several shards; where these add documents is lost.",
        ),
    ] = Kept.INDICES,
    output: Annotated[
        FilterFormat,
        typer.Option("--output", "-o", help="yaml: for elasticsearch.yml; json: body of PUT _cluster/settings."),
    ] = FilterFormat.YAML,
) -> None:
    """Print a filter that keeps Elasticsearch's audit log small.

    It leaves out parts of searches and of bulk requests. With --keep indices, each index and operation in a bulk
    request still has an event, and so has each refusal. With --keep principals, only the request itself has one.
    """
    if output is FilterFormat.JSON:
        typer.echo(json.dumps({"persistent": {_SETTING: list(_IGNORED[keep])}}))
        return
    typer.echo(f"{_SETTING}:")
    for action in _IGNORED[keep]:
        typer.echo(f'  - "{action}"')
