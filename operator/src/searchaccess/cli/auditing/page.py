"""The audit report as one HTML page, which loads nothing from elsewhere."""

from dataclasses import dataclass
from typing import Final

from searchaccess.cli.auditing.shown import summary
from searchaccess.core.answers.audit.report import MEANINGS, Oddity, Report

MOST_ROWS: Final = 2_000
_MOST_BARS: Final = 24 * 31
_HEIGHT: Final = 120.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour, in units of the drawing."""

    x: float
    allowed_y: float
    allowed: float
    denied_y: float
    denied: float
    width: float
    title: str


def bars(report: Report) -> list[Bar]:
    """Return the bars of the drawing: refused requests stand on the allowed ones."""
    hours = report.hours[-_MOST_BARS:]
    most = max((allowed + denied for _, allowed, denied in hours), default=0)
    width = 960 / max(len(hours), 1)
    found = []
    for number, (hour, allowed, denied) in enumerate(hours):
        up, more = _HEIGHT * allowed / most, _HEIGHT * denied / most
        title = f"{hour.replace('T', ' ')}:00: {allowed} allowed, {denied} refused"
        # A gap between bars, where there is room for it.
        shown = width - min(1.0, width / 4)
        found.append(Bar(number * width, _HEIGHT - up, up, _HEIGHT - up - more, more, shown, title))
    return found


def page(report: Report, title: str) -> str:
    """Return the page.

    Args:
        report: the rows; beyond 2,000 the rest is counted.
        title: such as the period.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Names in the log may come from anybody: everything is escaped.
    environment = Environment(
        loader=PackageLoader("searchaccess.cli.auditing", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        title=title,
        summary=summary(report),
        report=report,
        rows=report.rows[:MOST_ROWS],
        left_out=max(0, len(report.rows) - MOST_ROWS),
        bars=bars(report),
        meanings=[(str(item), MEANINGS[item], report.counts.get(str(item), 0)) for item in Oddity],
        allowed=sum(row.allowed for row in report.rows),
        denied=sum(row.denied for row in report.rows),
    )
