"""Expectations: shown one by one, counted for the verdict at the end."""

from rich.table import Table
from rich.text import Text

_EXPECTED_WIDTH = 22


class Checks:
    """Which expectations held."""

    def __init__(self) -> None:
        self.held = 0
        self.failed = 0

    @property
    def total(self) -> int:
        return self.held + self.failed

    def count(self, *, right: bool) -> Text:
        """Count one; return its mark."""
        if right:
            self.held += 1
            return Text("✓", "bold green")
        self.failed += 1
        return Text("✗", "bold red")

    def add_row(self, table: Table, what: str, expected: str, got: str, note: str = "") -> None:
        """Compare, and add a row to a table of `new_checks_table`."""
        right = expected == got
        request = Text.assemble(what, (f"  {note}" if note else "", "dim"))
        table.add_row(request, Text(expected, "dim"), Text(got, "" if right else "bold red"), self.count(right=right))


def new_checks_table(width: int, *, head: bool = False) -> Table:
    """Columns at the same places in every such table of a width."""
    table = Table(box=None, show_header=head, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("request", width=width - 2 * (_EXPECTED_WIDTH + 2) - 3, overflow="fold")
    table.add_column("expected", width=_EXPECTED_WIDTH, overflow="fold")
    table.add_column("got", width=_EXPECTED_WIDTH, overflow="fold")
    table.add_column("", width=1)
    return table
