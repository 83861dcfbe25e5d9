"""Shows the states of SearchAccesses."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from searchaccess.cli.manifests import failure
from searchaccess.cli.options.connecting import Kubernetes, nothing_in
from searchaccess.cli.printing import Format, blocks, emit, fits, plain, progress, table, warn, width
from searchaccess.core.answers.statuses.overview import (
    Audited,
    UsesUnknown,
    Wanted,
    chosen,
    counted,
    last_use,
    open_differences,
    uses_unknown,
)
from searchaccess.core.answers.statuses.report import Report, report_of, used_until
from searchaccess.core.answers.statuses.tree import Mark, Node, tree_of
from searchaccess.core.messages import some_of

_STYLES: Final = {Mark.PLAIN: "", Mark.GOOD: "green", Mark.WARN: "yellow", Mark.BAD: "bold red"}
_WIDE: Final = 100
"""Columns of a terminal that has room for the same SearchCluster in each row."""
_TEXTS: Final = frozenset({"ACCESS"})
"""Columns that may wrap."""
_CLOSE: Final = 5
"""Names that are suggested."""


async def show_statuses(kubernetes: Kubernetes, access: str, wanted: Wanted, output: Format) -> None:
    """Print the state of one SearchAccess as a tree, or an overview of many.

    Args:
        kubernetes: where they are.
        access: ``name`` or ``namespace/name``; empty: an overview.
        wanted: what the overview shows.
        output: the format.

    Raises:
        typer.Exit: there is none of this name; that was printed.
        ExternalError: they may not be read.
    """
    async with kubernetes.open_scope() as live:
        namespace, _, name = access.rpartition("/")
        with progress("reading SearchAccesses"):
            declared = await live.declared(namespace or live.scope)
    for gap in declared.gaps:
        warn(f"not read: {gap}")
    known = {item.read.name: used_until(item.raw) for item in declared.clusters}
    reports = [report_of(item.read, item.raw, known.get(item.read.cluster)) for item in declared.accesses]
    scope = namespace or live.scope
    if access:
        _show_one([report for report in reports if report["name"] == name], reports, name, scope, output)
        return
    now = time.time()
    shown = chosen(reports, wanted, now)
    summary = counted(reports, len(shown))
    if scope and not reports:
        warn(nothing_in(scope))
    clusters = {
        item.read.name: Audited(item.read.audit is not None, known[item.read.name]) for item in declared.clusters
    }
    _check_cluster(wanted.cluster, {*clusters, *(report["cluster"] for report in reports)}, declared.gaps)
    unknown = uses_unknown(reports, wanted, now, clusters)
    data: dict[str, Any] = {"items": shown, "summary": summary}
    if wanted.unused_since is not None:
        data["usesUnknown"] = [{"why": each.why, "searchAccesses": list(each.names)} for each in unknown]
    emit(output, data, lambda: [*_overview(shown, summary, now, several=not scope), *_unknown(unknown)])


def _check_cluster(name: str, known: Collection[str], gaps: Sequence[str]) -> None:
    """Check that a SearchCluster exists, so that a mistyped name does not look as if all were well.

    Raises:
        typer.Exit: there is none of this name, and no SearchAccess names it; that was printed.
    """
    if name and name not in known and not gaps:
        there = ", ".join(sorted(known)[:_CLOSE]) or "none"
        raise failure(f"there is no SearchCluster named {plain(name)!r}; there are: {there}")


def _unknown(found: Sequence[UsesUnknown]) -> list[str]:
    """Report for which SearchAccesses uses are not known: unknown is never unused."""
    if not found:
        return []
    number = sum(len(each.names) for each in found)
    head = f"{number} more may be unused or in use, which is not known:"
    return ["", head, *(f"  {some_of(each.names, _CLOSE)}: {each.why}" for each in found)]


def _show_one(found: list[Report], all_of_them: list[Report], name: str, scope: str, output: Format) -> None:
    if not found:
        names = sorted(report["name"] for report in all_of_them)
        there = f"; there are: {', '.join(names[:_CLOSE])}" if names else ""
        where = f" in namespace {plain(scope)}" if scope else ""
        hint = f". Choose another namespace with -n{', or list all with -A' if scope else ''}"
        raise failure(f"there is no SearchAccess named {plain(name)!r}{where}{there}{hint}")
    data: Any = found[0] if len(found) == 1 else {"items": found}
    emit(output, data, lambda: [_tree(tree_of(report)) for report in found])


def _tree(node: Node) -> Tree:
    tree = Tree(Text(plain(node.text), style="bold"))
    _add(tree, node.below)
    return tree


def _add(tree: Tree, nodes: Sequence[Node]) -> None:
    for node in nodes:
        _add(tree.add(Text(" ".join(plain(node.text).split()), style=_STYLES[node.mark])), node.below)


def _overview(reports: Sequence[Report], summary: str, now: float, *, several: bool) -> list[RenderableType]:
    if not reports:
        return [f"{summary}."]
    heads = ["NAME", "CLUSTER", "ACCESS", "READY", "REASON", "MODE", "DRIFT", "ENDS", "LAST USED"]
    rows, styles = [], []
    for report in reports:
        name = f"{report['namespace']}/{report['name']}" if several else report["name"]
        drift = open_differences(report)
        ready = report["ready"] if report["current"] else f"{report['ready']}?"
        # To the minute.
        ends = f"{report['ends'][:16]}Z" if report["ends"] else ""
        last = last_use(report["usage"], now)
        mode = "" if report["mode"] == "Enforce" else report["mode"]
        state = [ready, report["reason"], mode, drift or "", ends, last]
        rows.append([name, report["cluster"], report["access"], *state])
        styles.append("red" if report["ready"] == "False" or drift else None)
    # An empty column takes width from the others.
    narrow = (width() or _WIDE) < _WIDE
    used = [
        number for number, head in enumerate(heads) if _is_needed(head, {row[number] for row in rows}, narrow=narrow)
    ]
    columns = [heads[number] for number in used]
    cells = [[row[number] for number in used] for row in rows]
    if fits(columns, cells, _TEXTS):
        return [table(columns, cells, styles, {*columns} - _TEXTS), "", f"{summary}."]
    shown = [
        Text(line, style or "", no_wrap=True, overflow="ignore")
        for row, style in zip(cells, styles, strict=True)
        for line in blocks([_block(dict(zip(columns, row, strict=True)))])
    ]
    return [*shown, "", f"{summary}."]


def _block(row: Mapping[str, object]) -> tuple[str, str]:
    """Return a row as a title and what is below it, for terminals that are too narrow."""
    said = {head: " ".join(plain(cell).split()) for head, cell in row.items()}
    name, access, ready, reason = (said.pop(head) for head in ("NAME", "ACCESS", "READY", "REASON"))
    cluster = said.pop("CLUSTER", "")
    lines = [f"{access} on {cluster}" if access and cluster else access or cluster]
    lines.append(f"Ready {ready}: {reason}" if reason else f"Ready {ready}")
    lines.append(", ".join(f"{head.lower()} {cell}" for head, cell in said.items() if cell))
    return name, "\n".join(filter(None, lines))


def _is_needed(head: str, values: Collection[object], *, narrow: bool) -> bool:
    if head in {"MODE", "DRIFT", "ENDS", "LAST USED"}:
        return any(values)
    return not (narrow and head == "CLUSTER" and len(values) == 1)
