"""Figures of a bench run, as a table and as JSON."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measured thing."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None: there is no goal."""
        return None if self.goal is None else self.value <= self.goal


@dataclass
class Report:
    """All figures of a run."""

    size: int
    figures: list[Figure] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str, goal: float | None = None, note: str = "") -> None:
        """Add a figure."""
        self.figures.append(Figure(name, round(value, 3), unit, goal, note))

    def print(self, console: Console) -> None:
        """Print a table."""
        table = Table(title=f"{self.size} SearchAccesses, {os.cpu_count()} cores", title_justify="left")
        for column in ("figure", "measured", "goal", "", "note"):
            table.add_column(column, justify="right" if column in {"measured", "goal"} else "left")
        for figure in self.figures:
            goal = "" if figure.goal is None else f"≤ {figure.goal:g} {figure.unit}"
            mark = {True: "[green]met[/]", False: "[yellow]missed[/]", None: ""}[figure.met]
            table.add_row(figure.name, f"{figure.value:g} {figure.unit}", goal, mark, figure.note)
        console.print(table)

    def write(self, path: Path) -> None:
        """Write JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        body = {
            "size": self.size,
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "figures": [asdict(figure) | {"met": figure.met} for figure in self.figures],
        }
        path.write_text(json.dumps(body, indent=2) + "\n")
