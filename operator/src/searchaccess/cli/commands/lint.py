"""``searchaccess lint``."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from searchaccess.cli.helptexts import block, epilog
from searchaccess.cli.manifests import STANDARD_INPUT, Filenames
from searchaccess.core.answers.exits import Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from searchaccess.core.answers.lint.model import Finding

EPILOG: Final = epilog(
    block(
        "Exit codes",
        " 0  nothing was found at or above --fail-on",
        " 1  errors: something cannot be applied, or gets no rights",
        " 2  warnings (or notes), and no error",
        "64  usage error; nothing was done",
    ),
    block(
        "Examples",
        "# All manifests of a repository, without any server:",
        "searchaccess lint -f manifests/",
        "# As annotations of a pull request in GitHub:",
        "searchaccess lint -f manifests/ -o github",
        "# For code scanning:",
        "searchaccess lint -f manifests/ -o sarif --fail-on never > lint.sarif",
        "# What rules there are:",
        "searchaccess lint --rules",
    ),
)


class Format(StrEnum):
    """How findings are printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    SARIF = "sarif"
    GITHUB = "github"


class FailOn(StrEnum):
    """From which severity on the exit code is not 0."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    NEVER = "never"


def command(
    *,
    filename: Annotated[list[Path] | None, Filenames] = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="Format of the findings.")] = Format.TABLE,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="From which severity on the exit code is not 0.")
    ] = FailOn.WARNING,
    rules: Annotated[bool, typer.Option("--rules", help="Print all rules, and lint nothing.")] = False,
) -> None:
    """Find what is wrong or questionable in manifests, without any server.

    Checks what the API server and the operator would refuse, what SearchAccessPolicies in the files say, and what is
    questionable. An object ignores a rule by the annotation searchaccess.dev/lint-ignore: SA010.
    """
    import logging

    from searchaccess.cli.options.common import configure_logging

    if rules:
        _show_rules(output)
        return
    if not filename:
        raise typer.BadParameter("name a file or a folder", param_hint="--filename")
    if STANDARD_INPUT in filename:
        raise typer.BadParameter("standard input has no lines to point to: name files", param_hint="--filename")
    from searchaccess.operator.answers.linting import lint_files

    configure_logging(as_json=False, verbose=False)
    # What it logs about objects that cannot be read is among the findings.
    logging.getLogger("searchaccess").setLevel(logging.CRITICAL)
    findings = lint_files(filename)
    code = _code(findings, fail_on)
    _show(findings, output, code)
    raise typer.Exit(int(code))


def _code(findings: "Sequence[Finding]", fail_on: FailOn) -> Exit:
    from searchaccess.core.answers.lint.lint import worst
    from searchaccess.core.answers.lint.model import Severity

    found = worst(findings)
    order = list(Severity)
    if found is None or fail_on is FailOn.NEVER or order.index(found) > order.index(Severity(fail_on.value)):
        return Exit.IN_SYNC
    return Exit.FAILED if found is Severity.ERROR else Exit.PENDING


def _show(findings: "Sequence[Finding]", output: Format, code: Exit) -> None:
    from searchaccess.cli import printing
    from searchaccess.cli.plans.findings import github_lines, lines_of, to_json, to_sarif
    from searchaccess.cli.plans.text import print_lines

    match output:
        case Format.JSON:
            typer.echo(json.dumps(to_json(findings, int(code)), indent=2, ensure_ascii=False))
        case Format.YAML:
            printing.emit(printing.Format.YAML, to_json(findings, int(code)), list)
        case Format.SARIF:
            typer.echo(json.dumps(to_sarif(findings), indent=2, ensure_ascii=False))
        case Format.GITHUB:
            for text in github_lines(findings):
                typer.echo(text)
        case Format.TABLE:
            print_lines(lines_of(findings))


def _show_rules(output: Format) -> None:
    from searchaccess.cli import printing
    from searchaccess.core.answers.lint.rules import RULES

    if output not in {Format.TABLE, Format.JSON, Format.YAML}:
        raise typer.BadParameter("rules are printed as table, json or yaml", param_hint="--output")
    data = [
        {
            "id": rule.id, "name": rule.name, "severity": str(rule.severity), "finds": rule.finds,
            "instead": rule.instead, "ignorable": rule.ignorable,
        }
        for rule in RULES
    ]  # fmt: skip
    rows = [[rule.id, str(rule.severity), rule.name, rule.finds] for rule in RULES]
    printing.emit(
        printing.Format(output.value), data, lambda: [printing.table(["ID", "SEVERITY", "NAME", "FINDS"], rows)]
    )
