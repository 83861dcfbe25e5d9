"""The audit report as tables."""

from typing import TYPE_CHECKING, Final

from searchaccess.cli.printing import blocks, fits, plain, table
from searchaccess.core.answers.audit.report import MEANINGS, Oddity, Report, Row
from searchaccess.core.messages import number_of
from searchaccess.core.model.identities.workload import is_unique_id

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES: Final = {Oddity.UNEXPLAINED: "red", Oddity.BEYOND: "red", Oddity.NOT_SERVING: "yellow"}
_HEADS: Final = ("CALLER", "ACTION", "INDEX", "REVISION", "ALLOWED", "DENIED", "FIRST", "LAST")


def tables(report: Report) -> "list[RenderableType]":
    """Return what people see: one table for each finding, then all that is explained."""
    parts: list[RenderableType] = []
    for finding in Oddity:
        found = [row for row in report.rows if row.oddities and row.oddities[0] is finding]
        if found:
            parts += [f"{finding}: {MEANINGS[finding]}", *_rows(found, _STYLES.get(finding)), ""]
    explained = [row for row in report.rows if not row.oddities]
    if explained:
        parts += ["As declared:", *_rows(explained, None), ""]
    return [*parts, summary(report)]


def summary(report: Report) -> str:
    """Return one line about the whole, and what it cannot say."""
    findings = ", ".join(f"{number} {name}" for name, number in report.counts.items()) or "no findings"
    text = f"{number_of(report.events, 'request')} in {number_of(len(report.rows), 'row')}; {findings}."
    if report.unread:
        lines = number_of(report.unread, "line")
        text += f" {lines} {'is no event' if report.unread == 1 else 'are not events'}."
    if report.merged:
        text += " There are too many combinations: some revisions and indices are merged (…)."
    if any(row.revision and not row.proven for row in report.rows):
        text += " ~ the caller claims this revision in X-Opaque-Id; --request-log proves it."
    if any(Oddity.UNEXPLAINED in row.oddities and not row.key and is_unique_id(row.principal) for row in report.rows):
        text += " Whose a caller's unique id is, only the status of a SearchAccess shows: files lack it."
    return text


def _rows(rows: list[Row], style: str | None) -> "list[RenderableType]":
    """Return rows as a table, or on a narrow terminal by caller, so that names stay whole and can be copied."""
    from rich.text import Text

    cells = [_cells(row) for row in rows]
    if fits(_HEADS, cells):
        return [table(_HEADS, cells, [style] * len(rows))]
    return [Text(line, style or "", no_wrap=True, overflow="ignore") for line in blocks(map(_block, cells))]


def _block(cells: tuple[str, ...]) -> tuple[str, str]:
    # A name with a line break could look like another row.
    caller, action, index, revision, allowed, denied, first, last = (" ".join(plain(cell).split()) for cell in cells)
    counted = f"{allowed} allowed, {denied} denied"
    by = f"by {revision}: {counted}" if revision != "-" else counted
    return caller, "\n".join([f"{action} {index}", f"  {by}", f"  {first}" + (f" to {last}" if last != first else "")])


def _cells(row: Row) -> tuple[str, ...]:
    caller = ", ".join(row.accesses) + ("~" if row.claimed_access else "") or row.principal or "unknown"
    if row.key:
        caller += f" (key {row.key})"
    elif row.accesses and row.principal:
        caller += f" ({row.principal.removesuffix('.iam.gserviceaccount.com')})"
    revision = row.revision + ("" if row.proven or not row.revision else "~")
    times = (at.strftime("%Y-%m-%d %H:%M") for at in (row.first, row.last))
    return (caller, row.kind, row.index or "-", revision or "-", str(row.allowed), str(row.denied), *times)
