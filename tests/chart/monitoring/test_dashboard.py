"""The Grafana dashboard: what it asks Prometheus for exists, promtool can read it, and panels lie side by side."""

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from searchaccess.cli.pages.dashboard import dashboard
from searchaccess.operator.telemetry.metrics import LABELS

DASHBOARD: dict[str, Any] = json.loads(dashboard())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
QUERIES: list[tuple[str, str, str]] = [
    (panel["title"], target["expr"], target["legendFormat"]) for panel in PANELS for target in panel["targets"]
]
# Prometheus adds it to what it reads from a pod.
ADDED = {"pod"}
BUCKET = {"le"}


def known() -> dict[str, set[str]]:
    found = {name: set(labels) for name, labels in LABELS.items()}
    counters = {f"{name}_total": labels for name, labels in found.items()}
    buckets = {f"{name}_bucket": labels | BUCKET for name, labels in found.items()}
    return found | counters | buckets


def test_it_asks_for_metrics_and_labels_that_there_are() -> None:
    metrics = known()
    for title, expression, legend in QUERIES:
        names = re.findall(r"searchaccess_\w+", expression)
        assert names, title
        assert set(names) <= set(metrics), title
        labels = ADDED.union(*(metrics[name] for name in names))
        grouped = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")}
        asked = set(re.findall(r"(\w+)(?:=~|!=|!~|=)\"", expression))
        assert grouped | asked <= labels, title
        shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
        assert shown <= (grouped or labels), title
    variable = next(item for item in DASHBOARD["templating"]["list"] if item["name"] == "cluster")
    assert re.findall(r"searchaccess_\w+", variable["query"])[0] in metrics


def check(promtool: Path, folder: Path, expressions: list[str]) -> "subprocess.CompletedProcess[str]":
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions)]
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    return subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)


def test_promtool_reads_each_query(promtool: Path, tmp_path: Path) -> None:
    plain = [text.replace("$__rate_interval", "5m").replace("$cluster", ".*") for _, text, _ in QUERIES]
    done = check(promtool, tmp_path, plain)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(QUERIES)} rules found" in done.stdout
    assert check(promtool, tmp_path, [*plain, "sum by ("]).returncode != 0, "the check can fail"


def overlapping(panels: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Return the panels that overlap; check that each has an id and a description, and is within the width."""
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = {}
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        columns, rows = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        cells[panel["id"]] = {(x, y) for x in columns for y in rows}
        assert panel["description"]
    return [pair for pair in combinations(cells, 2) if cells[pair[0]] & cells[pair[1]]]


def test_panels_fill_the_width_and_hide_none() -> None:
    assert overlapping(PANELS) == []
