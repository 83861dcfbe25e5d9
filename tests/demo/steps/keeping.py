"""What to do next: with the servers left running, commands that work in another terminal."""

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from tests.demo.stage import Stage
from tests.stack.development import ENVIRONMENT_FILE, environment_file

_ELASTICSEARCH = ("$SEARCHACCESS_ES_URL", "$SEARCHACCESS_ES_CA")
_CURL = "curl -sS --cacert $SEARCHACCESS_ES_CA"


@dataclass(frozen=True)
class Suggestion:
    """Something to try, as lines for a shell."""

    what: str
    lines: tuple[str, ...]


def suggestions(python: str, called: tuple[str, str] = _ELASTICSEARCH) -> tuple[Suggestion, ...]:
    """Commands for a shell in this folder that has read the environment file.

    Args:
        python: the program.
        called: where callers call, and its authority.
    """
    url, ca = called
    command = Path(python).parent / "searchaccess"
    return (
        Suggestion(
            "See what is declared, its status, and what can be declared",
            (
                "kubectl get searchaccess -A",
                "kubectl describe searchaccess orders-reader -n shop",
                "kubectl explain searchaccess.spec.grants",
            ),
        ),
        Suggestion(
            "Ask who may read an index, and why, and what somebody has to look at",
            (
                f"{command} status -A",
                f"{command} who-can read orders-2026-11",
                f"{command} explain shop/orders-reader orders-2026-11",
                f"{command} findings -A",
            ),
        ),
        Suggestion(
            "Ask Elasticsearch as shop-web",
            (
                f"TOKEN=$({python} -m tests.stack token shop-web@acme-shop.iam.gserviceaccount.com)",
                f"curl -sS --cacert {ca} \\",
                f'  -K <(echo "header = \\"Authorization: Bearer $TOKEN\\"") "{url}/orders-*/_search?pretty"',
            ),
        ),
        Suggestion(
            "Grant the auditors access: switch from Observe to Enforce",
            (
                "kubectl patch searchaccess audit-reader -n shop --type=merge \\",
                """  -p '{"spec":{"mode":"Enforce"}}'""",
            ),
        ),
        Suggestion(
            "Delete a role behind the operator's back, and see it come back",
            (
                "ROLE=$(kubectl get searchaccess orders-indexer -n shop \\",
                "  -o jsonpath='{.status.elasticsearch.role}')",
                f"{_CURL} \\",
                '  -K <(echo "user = \\"$SEARCHACCESS_ES_USERNAME:$SEARCHACCESS_ES_PASSWORD\\"") \\',
                '  -X DELETE "$SEARCHACCESS_ES_URL/_security/role/$ROLE"',
                "sleep 3; kubectl get events -n shop --sort-by=.lastTimestamp",
            ),
        ),
        Suggestion(
            "Revoke and grant",
            ("kubectl delete -f examples/orders.yaml", "kubectl apply -f examples/orders.yaml"),
        ),
    )


def keep(stage: Stage) -> None:
    """Leave everything running until Ctrl-C or SIGTERM."""
    console = stage.screen.console
    with environment_file(stage.stack) as lines:
        console.print("\n[bold]Everything keeps running.[/] In another terminal, in this folder:\n")
        _show_lines(console, (f"source {ENVIRONMENT_FILE}",))
        console.print("\nIt sets:\n")
        console.print(Padding(Text(lines.rstrip(), "dim"), (0, 0, 0, 4)), soft_wrap=True)
        for suggestion in suggestions(_python(), stage.called):
            console.print()
            console.print(Text(suggestion.what, "cyan"))
            _show_lines(console, suggestion.lines)
        console.print()
        console.print(Text("Read the operator's log", "cyan"))
        _show_lines(console, (f"tail -f {stage.operator.log}",))
        console.print("\n[bold]Ctrl-C[/] stops all of it.")
        with suppress(KeyboardInterrupt):
            while True:
                signal.pause()
        console.print("\nStopping.")


def suggest(console: Console, *, gateway: bool = False) -> None:
    """Say what to do next when everything is about to stop."""
    again = "make demo KEEP=1 GATEWAY=1" if gateway else "make demo KEEP=1"
    console.print()
    for what, line in (
        ("Explore it: the same, left running, with commands to try", again),
        ("Read what can be declared", "less docs/api.md docs/actions.md examples/*.yaml"),
    ):
        console.print(Text(what, "cyan"))
        _show_lines(console, (line,))


def _show_lines(console: Console, lines: tuple[str, ...]) -> None:
    for line in lines:
        console.print(Text(f"    {line}"), soft_wrap=True)


def _python() -> str:
    """The Python that runs this, as it is named from here."""
    here = Path(sys.executable)
    return os.path.relpath(here) if here.is_relative_to(Path.cwd()) else str(here)
