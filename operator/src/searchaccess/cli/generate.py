"""Writes the files that are generated from the code: the CRDs and the reference pages.

``python -m searchaccess.cli.generate`` writes them; ``--check`` changes nothing and fails when one is stale.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import yaml

from searchaccess.api.conditions.docs import REASON_DOCS, doc_of
from searchaccess.api.conditions.events import EVENT_DOCS, STALLED_EVENT
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import CONDITION_DOCS, ConditionType
from searchaccess.api.crd import custom_resource_definitions
from searchaccess.api.vocabulary.actions import ACTION_NAMES, RESTRICTED, Action
from searchaccess.api.vocabulary.privileges import CLUSTER_PRIVILEGES, INDEX_PRIVILEGES, actions_with
from searchaccess.api.vouching import vouching_objects
from searchaccess.cli.pages import actions as actionspage
from searchaccess.cli.pages.api import api_page
from searchaccess.cli.pages.apigroups import api_groups_page
from searchaccess.cli.pages.argo import argo_files
from searchaccess.cli.pages.chart import CHART, chart_page
from searchaccess.cli.pages.cli import cli_page
from searchaccess.cli.pages.completeness import missing_commands, missing_parts
from searchaccess.cli.pages.dashboard import dashboard, gateway_dashboard
from searchaccess.cli.pages.lint import lint_page
from searchaccess.cli.pages.markdown import COMMAND, as_code, page, table
from searchaccess.core.gateway.render import render_bootstrap, render_certificate
from searchaccess.core.gateway.render.paths import IN_THE_CHART
from searchaccess.core.model.grants.actions import PRIVILEGE_LETTER
from searchaccess.operator.telemetry.families import families
from searchaccess.operator.telemetry.metrics import LABELS, Metrics

_YAML_WIDTH: Final = 110
WITHOUT_EVENT: Final = {Reason.POLICY_INVALID}
"""Terminal reasons of SearchAccessPolicies, which have no events."""


class _Dumper(yaml.SafeDumper):
    """Block style; long texts folded, so that they wrap without quotes and escapes."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - PyYAML's signature
        super().increase_indent(flow, indentless=False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    foldable = len(text) > _YAML_WIDTH // 2 and " " in text and text == " ".join(text.split())
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=">" if foldable else None)


_Dumper.add_representer(str, _represent_text)


def crd_yaml(crd: dict[str, Any]) -> str:
    """Return a CustomResourceDefinition as YAML."""
    body = yaml.dump(crd, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_YAML_WIDTH)
    return f"# Generated from operator/src/searchaccess/api by `{COMMAND}`. Do not edit.\n---\n{body}"


def reasons_page() -> str:
    """Return the reference of condition types and reasons."""
    types = [
        [f"`{kind.value}`", doc.kinds, doc.true, doc.false, doc.unknown]
        for kind, doc in ((kind, CONDITION_DOCS[kind]) for kind in ConditionType)
    ]
    reasons = [
        [f"`{reason.value}`", doc.meaning, doc.next_step, doc.who.value, _yes(doc.terminal)]
        for reason, doc in REASON_DOCS.items()
    ]
    stalling = (reason for reason in Reason if doc_of(reason).terminal and reason not in WITHOUT_EVENT)
    terminal = ", ".join(f"`{reason.value}`" for reason in stalling)
    events = [
        [name, "Warning" if doc.warning else "Normal", doc.when]
        for name, doc in (*((f"`{name.value}`", doc) for name, doc in EVENT_DOCS.items()), (terminal, STALLED_EVENT))
    ]
    return page(
        "Conditions and reasons",
        "What each condition means, what to do next, and who acts. Every condition has the `observedGeneration` that "
        "it was computed from; compare it with `metadata.generation` before you rely on it.",
        "## Condition types",
        *table(["Type", "Kinds", "True", "False", "Unknown"], types),
        "## Reasons",
        "A *terminal* reason makes the object `Stalled`: retrying does not help. After the others the operator "
        "retries by itself. `NotYetValid`, `Expired` and `OutsideSchedule` are declared, and `PendingApproval` waits "
        "for a person: nothing is retried.",
        *table(["Reason", "Meaning", "Next step", "Who acts", "Terminal"], reasons),
        "## Events",
        "Events report changes; what changes continuously is in the status. Each object has a budget of 25 events, "
        "which refills with one every five minutes, and at most 200 events wait to be written. After a mass change, "
        "the statuses are still complete. Each warning is also in the operator's log, drift with the declared (`want`) "
        "and observed (`have`) value.",
        *table(["Reason", "Type", "When"], events),
    )


def actions_page() -> str:
    """Return the reference of the actions."""
    actions = [
        [f"`{action}`", action.letter, action.allows, action.refuses, as_code(action.privileges)] for action in Action
    ]
    indices = [
        [
            f"`{name}`",
            known.says,
            "refused" if known.refused else as_code(actions_with(name)) or "by name",
            known.releases,
        ]
        for name, known in sorted(INDEX_PRIVILEGES.items())
    ]
    declarable = {name: known for name, known in CLUSTER_PRIVILEGES.items() if not known.refused}
    cluster = [[f"`{name}`", known.says, known.releases] for name, known in declarable.items()]
    refused = [[f"`{name}`", known.says] for name, known in CLUSTER_PRIVILEGES.items() if known.refused]
    return page(
        "Actions",
        "The words for `can` and `clusterCan`, and the Elasticsearch privileges that each stands for.",
        "## On indices: `can`",
        *table(["Action", "Letter", "Allows", "Does not allow", "Index privileges"], actions),
        "The column ACCESS of `kubectl get searchaccesses` shows the letters of the first grant, its first index, and "
        f"how many indices more there are: `rw orders-* +1`. `{PRIVILEGE_LETTER}` stands for raw `privileges`, "
        f"`{RESTRICTED}` for a grant with `where` or `fields`. `+remote`, `+cluster` and `+kibana` say that there are "
        "rights on remote clusters, cluster privileges or rights in Kibana too; without `+`, there is nothing else.",
        "## What to know about writing",
        *actionspage.WRITING,
        "## What to know about new indices, data streams and aliases",
        *actionspage.NEW_INDICES,
        "## Which name counts",
        actionspage.NAMES,
        *table(actionspage.NAMES_HEAD, actionspage.NAMES_TABLE),
        "## What to know about index patterns",
        *actionspage.PATTERNS,
        "## What to know about `where` and `fields`",
        *actionspage.RESTRICTIONS,
        "## On remote clusters: `remoteClusters`",
        actionspage.ON_REMOTE_CLUSTERS,
        "## On the cluster: `clusterCan`",
        *table(["Privilege", "Allows", "Since"], cluster),
        "None of the others can be declared:",
        *table(["Privilege", "Why not"], refused),
        "## In Kibana: `kibana`",
        actionspage.IN_KIBANA,
        "## Elasticsearch's privileges on indices: `privileges`",
        "Where the actions do not fit, `privileges` takes Elasticsearch's own names, and its index actions such as "
        "`indices:data/read/search`. A SearchAccess with a privilege that came with a later release than the cluster's "
        "is `VersionUnsupported`, and nothing of it is written.",
        *table(["Privilege", "Allows", "Declared", "Since"], indices),
    )


def readme(root: Path) -> str:
    """Return the README, with all actions in its example.

    Args:
        root: of the repository.
    """
    text = (root / "README.md").read_text(encoding="utf-8")
    return re.sub(r"^( +can: \[read\] +# ).*$", rf"\g<1>{ACTION_NAMES}", text, count=1, flags=re.MULTILINE)


def _yes(value: bool) -> str:  # noqa: FBT001 - one value in, one word out
    return "yes" if value else ""


def metrics_page() -> str:
    """Return the reference of the metrics."""
    rows = []
    for family in (*Metrics().registry.collect(), *families().values()):
        if family.name.startswith("searchaccess_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = ", ".join(f"`{label}`" for label in LABELS[family.name])
            rows.append([f"`{name}`", family.type, labels, family.documentation])
    return page(
        "Metrics",
        "What `/metrics` serves where the operator is started with `--listen`, such as `--listen 0.0.0.0:8080`. "
        "`/livez` fails when a reconcile makes no progress; `/readyz` fails until what is declared was listed and is "
        "watched, and when it can no longer be listed.",
        *table(["Metric", "Type", "Labels", "What it says"], sorted(rows)),
        "The `process_*` metrics of every Prometheus client are served too. No metric has a label for each "
        "SearchAccess: `kubectl get searchaccesses -A` says which one it is.",
    )


_PAGES: Final[dict[str, Callable[[], str]]] = {
    "docs/reasons.md": reasons_page,
    "docs/actions.md": actions_page,
    "docs/api-groups.md": api_groups_page,
    "docs/api.md": api_page,
    "docs/metrics.md": metrics_page,
    "docs/cli.md": cli_page,
    "docs/lint.md": lint_page,
}


def generate(root: Path) -> dict[Path, str]:
    """Return the content of every generated file by its path under a root."""
    folders = (root / "crds", root / CHART / "charts" / "crds" / "crds")
    crds = {
        folder / f"{plural}.yaml": crd_yaml(crd)
        for plural, crd in custom_resource_definitions().items()
        for folder in folders
    }
    crds[root / CHART / "README.md"] = chart_page(root)
    crds[root / CHART / "files" / "dashboard.json"] = dashboard()
    crds |= gateway_files(root)
    crds[root / CHART / "files" / "gateway" / "dashboard.json"] = gateway_dashboard()
    crds[root / "README.md"] = readme(root)
    crds |= argo_files(root)
    crds |= vouching_files(root)
    return crds | {root / path: build() for path, build in _PAGES.items()}


def gateway_files(root: Path) -> dict[Path, str]:
    """Return the static files with which the Envoy of the chart's gateway starts.

    Args:
        root: of the repository.
    """
    note = f"# Generated from operator/src/searchaccess/core/gateway/render by `{COMMAND}`. Do not edit.\n"
    files = {"bootstrap.yaml": render_bootstrap(IN_THE_CHART), "certificate.yaml": render_certificate(IN_THE_CHART)}
    return {root / CHART / "files" / "gateway" / name: note + text for name, text in files.items()}


def vouching_files(root: Path) -> dict[Path, str]:
    """Return the admission policies for approvals: for kubectl, and for the chart.

    Args:
        root: of the repository.
    """
    note = f"# Generated from operator/src/searchaccess/api/vouching.py by `{COMMAND}`. Do not edit.\n"
    objects = list(vouching_objects().values())
    options: dict[str, Any] = {"sort_keys": False, "width": _YAML_WIDTH}
    return {
        root / "deploy" / "approvals.yaml": note
        + yaml.dump_all(objects, Dumper=_Dumper, explicit_start=True, **options),
        root / CHART / "files" / "approvals.yaml": note + yaml.dump({"items": objects}, Dumper=_Dumper, **options),
    }


def stale_files(root: Path) -> list[Path]:
    """Return the generated files that are missing or differ from what the code says."""
    return [
        path for path, text in generate(root).items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def command(
    root: Annotated[Path, typer.Argument(help="Root of the repository.")] = Path(),
    *,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 when a file is stale.")] = False,
) -> None:
    """Write the CRDs and the reference pages that are generated from the code."""
    if missing := [*missing_parts(), *missing_commands()]:
        typer.echo("\n".join(missing))
        raise typer.Exit(1)
    stale = stale_files(root)
    for path in stale:
        typer.echo(f"{path.relative_to(root)} is stale: run `{COMMAND}`" if check else f"{path.relative_to(root)}")
    if check:
        raise typer.Exit(1 if stale else 0)
    for path, text in generate(root).items():
        if path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    typer.run(command)
