"""The reference of the rules of ``searchaccess lint``."""

from collections.abc import Iterator
from typing import Final

from searchaccess.api.constants import ANNOTATION_LINT_IGNORE
from searchaccess.cli.pages.markdown import page, table
from searchaccess.core.answers.lint.model import Rule
from searchaccess.core.answers.lint.rules import RULES

_EXAMPLE: Final = f"""```yaml
metadata:
  name: search-everything
  annotations:
    # Reviewed by the platform team: this job builds the catalog of all indices.
    {ANNOTATION_LINT_IGNORE}: SA010, SA018
```"""


def lint_page() -> str:
    """Return the reference of all rules."""
    rows = [[f"[{rule.id}](#{rule.id.lower()})", f"`{rule.name}`", str(rule.severity), rule.finds] for rule in RULES]
    return page(
        "Lint",
        "`searchaccess lint` finds what is wrong or questionable in files, before anybody applies them. It needs "
        "neither a cluster nor the network.",
        "<!-- exit code: 2 -->\n"
        "```console\n$ searchaccess lint -f manifests/\nmanifests/orders.yaml:11:17: warning SA010 (SearchAccess "
        "shop/orders-reader): * matches every index, those of other teams too: write names, or a prefix such as "
        "orders-* [all-indices]\n1 warning.\n```",
        "It reads YAML and JSON at any depth of a folder, except names that begin with a dot. Objects of other kinds, "
        "and files that are not YAML, such as templates, are left out: render them first. SearchAccesses are judged "
        "by the policies and SearchClusters in the files, by the same code as in the operator. What only a server "
        "knows, such as labels of namespaces and where aliases lead, is not judged.",
        "## Exit codes",
        *table(
            ["Exit code", "Meaning"],
            [
                ["0", "Nothing was found at or above the severity of `--fail-on` (default `warning`)."],
                ["1", "There are errors: something cannot be applied, or gets no rights."],
                ["2", "There are warnings, or notes with `--fail-on note`, and no error."],
                ["64", "The command line is wrong. Nothing was done."],
            ],
        ),
        "## Output",
        *table(
            ["Format", "For"],
            [
                ["`-o table`", "people: a line each, as compilers print them"],
                ["`-o json`", "scripts: `findings` with rule, severity, message, file, line, column and object"],
                ["`-o sarif`", "code scanning (SARIF 2.1.0); what is ignored is in it, as suppressed"],
                ["`-o github`", "annotations of the lines of a pull request in GitHub Actions"],
            ],
        ),
        "## Ignore a rule",
        "An annotation of the object names the rules that do not apply to it. Write the reason beside it:",
        _EXAMPLE,
        "What the API server or the operator refuses anyway cannot be ignored.",
        "## As a pre-commit hook",
        "```yaml\nrepos:\n  - repo: https://git.example.com/searchaccess\n    rev: COMMIT\n    hooks:\n"
        "      - id: searchaccess-lint\n        args: [-f, manifests/]\n```",
        "[Plan](plan.md#in-a-pipeline) shows pipelines that use it.",
        "## Rules",
        "An id is never given to another rule.",
        *table(["Rule", "Name", "Severity", "Finds"], rows),
        *(line for rule in RULES for line in _section(rule)),
    )


def _section(rule: Rule) -> Iterator[str]:
    yield f"### {rule.id}"
    ignorable = "" if rule.ignorable else " It cannot be ignored."
    more = "" if rule.page == "lint.md" else f" [More]({rule.page})."
    yield f"`{rule.name}`, {rule.severity}. {rule.finds} {rule.instead}{ignorable}{more}"
