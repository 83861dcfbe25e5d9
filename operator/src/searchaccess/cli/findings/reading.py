"""Reads what findings are about: objects with their statuses, logs, the earlier run, and decisions."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from searchaccess.cli.auditing.logs import LogOptions
from searchaccess.cli.manifests import failure, read
from searchaccess.cli.options.connecting import Kubernetes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from searchaccess.core.answers.findings.audits import Logged
    from searchaccess.core.answers.findings.baseline import Baseline
    from searchaccess.core.answers.findings.examined import Examined
    from searchaccess.core.answers.findings.lifecycle import Result
    from searchaccess.core.answers.findings.model import Finding
    from searchaccess.core.answers.findings.suppressions import Suppression

_LARGEST: Final = 200 * 1024 * 1024
"""Bytes of a file."""


@dataclass(frozen=True, slots=True)
class Objects:
    """What was read, from the API server or from files.

    Args:
        accesses: SearchAccesses; of all namespaces if there are logs, as another one may explain a caller.
        clusters: SearchClusters; None: they may not be read, or files have none.
        namespace: the only one that is asked about; empty: all.
        whole: they are all that there are.
        gaps: what may not be read.
    """

    accesses: list[dict[str, Any]]
    clusters: list[dict[str, Any]] | None
    namespace: str
    whole: bool
    gaps: tuple[str, ...] = ()


async def objects_of(kubernetes: Kubernetes, files: list[Path], *, everywhere: bool) -> Objects:
    """Read SearchAccesses and SearchClusters.

    Args:
        kubernetes: the API server, and the namespace.
        files: to read in its place; empty: none. Whether they have all objects is what --all-namespaces, or
            --namespace, says.
        everywhere: SearchAccesses of all namespaces are needed, whichever is asked about.

    Raises:
        ExternalError: SearchAccesses may not be listed.
        typer.Exit: a file is invalid; the error was printed.
    """
    if files:
        manifests = read(files, kubernetes.namespace)
        clusters = [raw for raw in manifests if raw["kind"] == "SearchCluster"]
        whole = kubernetes.all_namespaces or bool(kubernetes.namespace)
        accesses = [raw for raw in manifests if raw["kind"] == "SearchAccess"]
        return Objects(accesses, clusters or None, kubernetes.namespace, whole)
    from searchaccess.ports.errors import PermissionDenied
    from searchaccess.ports.kubernetes import Plural

    async with kubernetes.open_scope() as live:
        gaps, listed = list[str](), None
        try:
            listed = await live.list_raw(Plural.CLUSTERS)
        except PermissionDenied as error:
            gaps.append(error.message)
        accesses = await live.list_raw(Plural.ACCESSES, "" if everywhere else live.scope)
        return Objects(accesses, listed, live.scope, whole=True, gaps=tuple(gaps))


def found_in(objects: Objects, logs: LogOptions | None) -> "tuple[list[Finding], Examined]":
    """Return the findings in statuses and logs, and what could be seen.

    Args:
        objects: what was read.
        logs: which logs; None: none.

    Raises:
        typer.Exit: a log cannot be read; the error was printed.
    """
    from searchaccess.api.status import SearchClusterStatus
    from searchaccess.core.answers.findings.examined import examined
    from searchaccess.core.answers.findings.statuses import of_access, of_cluster
    from searchaccess.core.model.intake.metadata import metadata_of, part

    clusters = objects.clusters or ()
    statuses = {metadata_of(raw).name: SearchClusterStatus.read(raw.get("status")) for raw in clusters}
    asked = [raw for raw in objects.accesses if objects.namespace in ("", metadata_of(raw).namespace)]
    seen = [of_access(raw, statuses.get(str(part(raw, "spec").get("cluster")))) for raw in asked]
    if not objects.namespace:
        seen += map(of_cluster, clusters)
    return examined(
        seen,
        namespace=objects.namespace,
        whole=objects.whole,
        clusters=objects.clusters is not None,
        logged=_logged(objects, logs) if logs else None,
    )


def _logged(objects: Objects, logs: LogOptions) -> "Logged | None":
    from searchaccess.core.answers.audit.known import Known, known_access, logins_of
    from searchaccess.core.answers.audit.report import Wanted, report
    from searchaccess.core.answers.findings.audits import in_logs
    from searchaccess.core.answers.recommend.advice import advise

    tally = logs.tally()
    logs.count(tally)
    if not any(True for _ in tally.uses()):
        return None
    known = Known([known_access(raw) for raw in objects.accesses], logins_of(objects.clusters or ()))
    return in_logs(report(tally, known, Wanted()), advise(objects.accesses, tally))


def baseline_in(file: Path | None) -> "Baseline | None":
    """Read the result of an earlier run; None: none was given.

    Raises:
        typer.Exit: it cannot be used; the error was printed.
    """
    from searchaccess.core.answers.findings.baseline import BadBaseline, read_baseline

    if file is None:
        return None
    try:
        return read_baseline(json.loads(_text(file)), datetime.now(UTC))
    except (BadBaseline, RecursionError) as error:
        raise failure(f"{file}: {error}") from None
    except ValueError:
        raise failure(f"{file}: it is no JSON") from None


def suppressions_in(file: Path | None) -> "Mapping[str, Suppression]":
    """Read decisions; none if no file was given.

    Raises:
        typer.Exit: they cannot be used; the error was printed.
    """
    import yaml

    from searchaccess.adapters.yamlfiles import PlainLoader, line_of
    from searchaccess.core.answers.findings.suppressions import BadSuppressions, read_suppressions

    if file is None:
        return {}
    text = _text(file)
    try:
        documents = list(yaml.load_all(text, Loader=PlainLoader))
        return read_suppressions(documents[0] if len(documents) == 1 else documents or None, datetime.now(UTC))
    except BadSuppressions as error:
        raise failure(f"{file}: {error}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise failure(f"{file}{line_of(error)}: it cannot be read as YAML") from None


def followed(objects: Objects, logs: LogOptions | None, baseline: Path | None, decisions: Path | None) -> "Result":
    """Return the result of a run.

    Args:
        objects: what was read.
        logs: which logs; None: none.
        baseline: file of an earlier result.
        decisions: file of suppressions.

    Raises:
        typer.Exit: a file cannot be used; the error was printed.
    """
    from searchaccess.core.answers.findings.lifecycle import follow

    earlier, decided = baseline_in(baseline), suppressions_in(decisions)
    found, seen = found_in(objects, logs)
    # Of one namespace, SearchClusters only say which problems are said there.
    gaps = () if objects.namespace else objects.gaps
    return follow(found, seen, now=datetime.now(UTC), baseline=earlier, suppressions=decided, gaps=gaps)


def _text(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            text = opened.read(_LARGEST + 1)
    except (OSError, UnicodeDecodeError):
        raise failure(f"{file} cannot be read") from None
    if len(text) > _LARGEST:
        raise failure(f"{file} is larger than {_LARGEST} bytes")
    return text
