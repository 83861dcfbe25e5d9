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
from searchaccess.cli.completeness import missing_parts
from searchaccess.cli.pages import actions as actionspage
from searchaccess.cli.pages.api import api_page
from searchaccess.cli.pages.apigroups import api_groups_page
from searchaccess.cli.pages.argo import argo_files
from searchaccess.cli.pages.chart import CHART, chart_page
from searchaccess.cli.pages.cli import cli_page
from searchaccess.cli.pages.dashboard import dashboard, gateway_dashboard
from searchaccess.cli.pages.markdown import COMMAND, as_code, page, table
from searchaccess.core.gateway.render import render_bootstrap, render_certificate
from searchaccess.core.gateway.render.paths import IN_THE_CHART
from searchaccess.core.model.actions import PRIVILEGE_LETTER
from searchaccess.core.model.restrictions.where import MOST_BYTES, QUERY_DEPTH
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
        "- `write` includes Elasticsearch's update and overwrite: both replace what a document said before. Where "
        "history must stay, grant `append`.",
        "- `write` shows a document to whoever knows its id: Elasticsearch's update (`_update`) returns the document "
        "that it found. `append` has no updates, and `write` has none in a SearchAccess that restricts with `where` or "
        "`fields` what may be read of the same indices (and has no `auth: ApiKey`): replace the whole document there, "
        "or grant `privileges: [index]` and accept `Bypassable`.",
        "- A scripted update may set `ctx.op: delete`, which deletes the document, and is part of Elasticsearch's "
        "`index` privilege, so of `write`. Our tests do not cover it, as the test server has no scripting.",
        "- `append` and `write` may bring new fields into an index: Elasticsearch adds them to its mapping, and "
        "still accepts explicit changes of the mapping with these privileges, except with `write` in a SearchAccess "
        "that has `where` or `fields` on the same indices (and no `auth: ApiKey`). `dynamic: strict` in the mapping "
        "stops the first.",
        "- None of `append`, `write` and `delete` creates an index. Grant `create` too, or create it first.",
        "## What to know about new indices, data streams and aliases",
        "- With `create` beside `append` or `write`, the first write to a name that the grant covers creates it: a "
        "data stream where a template with `data_stream` matches, else an index. Settings, mappings and aliases are "
        "those of the template ([why it is an action of its own](adr/0033-vocabulary.md)).",
        "- Elasticsearch creates the index before it checks each document: a document that is then refused, such as an "
        "overwrite with `append`, leaves an empty index behind.",
        "- New fields: in an index, `append` and `write` bring them; in a data stream, only with `create`.",
        "- `?refresh=true` and `?refresh=wait_for` on a write need nothing more. The refresh API needs `privileges: "
        "[maintenance]`.",
        "- A rollover that a lifecycle policy or somebody else makes needs nothing of the writer: the next write "
        "goes to the new index. Elasticsearch makes that of a policy with the rights of whoever wrote the policy. "
        "One's own takes `monitor` and the privilege `indices:admin/rollover`, which can give the new index an "
        "alias of any name: who reads that name then reads what is written here.",
        "- `manage` gives aliases, of names that it covers. `privileges: [create_index]` gives none, but lets one "
        "choose settings and mappings.",
        actionspage.AFTER_ROLLOVER,
        actionspage.NO_POLICIES,
        "- A grant on Elasticsearch's own indices, such as `.security*` or `.kibana*`, gives nothing on them. The "
        "condition `Ineffective` says so.",
        "- A pattern that matches no index, alias or data stream now, as one with a typing error, is named in the same "
        "condition (`NoIndexYet`), where the operator's login has `view_index_metadata` on it: a hint within two "
        "minutes, which goes when there is one.",
        "## Which name counts",
        actionspage.NAMES,
        *table(actionspage.NAMES_HEAD, actionspage.NAMES_TABLE),
        "## What to know about index patterns",
        "- Hundreds of names, beginnings (`orders-*`) and patterns such as `team-*-prod-*` are no burden. Patterns "
        "that begin with `*` and have another within, such as `*a*0`, `*b*1`, `*c*2`, …, double Elasticsearch's work "
        "with each more, in one grant or in several. It would store them, and then answer every request of the caller "
        "with an error. So they are refused: as `InvalidSpec` where one SearchAccess goes too far by itself, as "
        "`PatternsTooComplicated` where it does so together with others of its service account, which stay "
        "([how](adr/0030-strict-roles.md)).",
        "## What to know about `where` and `fields`",
        "- They limit what is read. With `write` in the same grant a document outside of `where` can still be "
        "overwritten.",
        "- A name in `fields` means the field, its multi-fields (`customer.ssn.keyword`) and everything below it, in "
        "`include` and `exclude` alike. A name that ends in `.*` means only what is below. In Elasticsearch's role "
        "`x` is therefore `x` and `x.*`. Everything in `exclude` must be among the fields of `include`: Elasticsearch "
        "refuses anything else. Metadata such as `_id` can be read unless `exclude` names it, and Elasticsearch 8.19.0 "
        "and 9.1.0 take a field of your own whose name begins with `_` for metadata: exclude it by name.",
        "- Hidden fields are closed to every kind of search, aggregation and lookup that our tests know of. Two "
        "things stay open in Elasticsearch itself: a value that the mapping copies to another field (`copy_to`) can be "
        "read there, and a key inside of a `flattened` field cannot be hidden apart from the whole field. Exclude the "
        "target of the copy, or the whole field. Where the operator's login has `view_index_metadata` on the indices, "
        "copies are found at each sweep and reported as `FieldsReachable`.",
        "- Some rights lead around `where` and `fields`: `append`, and `write` of another SearchAccess or of an API "
        "key, may change mappings, and so copy hidden fields, or have others' documents match a `where`; that `write` "
        "also shows documents by their id (`_update`); `manage` changes mappings, and may create an index in advance, "
        "with an alias that another grant lets it read. The condition `Bypassable` of the SearchAccess says which "
        "([why](adr/0028-fields.md)).",
        "- What is left out restricts nothing, so a template that renders nothing must not pass: `where: {}`, "
        "`fields: {}` and empty lists in it are refused by the API server, and `where` or `fields` with nothing after "
        "it (null) is an `InvalidSpec`; all of it in files (`-f`) too. `kubectl apply` without `--server-side` drops "
        "nulls before it sends them: there the operator reads them from the annotation in which it keeps what it was "
        "given. Another tool that drops nulls cannot be distinguished from somebody who removes the line.",
        f"- A `where` has at most {QUERY_DEPTH} nested queries and {MOST_BYTES:,} bytes as JSON: "
        "Elasticsearch accepts no more. A larger one is an `InvalidSpec`.",
        "- Two grants that read the same indices show exactly what each of them shows, also when they are in two "
        "SearchAccesses of one service account; where Elasticsearch cannot do that, the newer SearchAccess is refused "
        "(`RestrictionsWouldWiden`), or the one that has both. It can when both have the same `where`, or the same "
        "`fields`, or when one of them allows at least the documents (no `where`, or the same) and at least the fields "
        "of the other. Else write one of these, or use indices whose names cannot be the same, or "
        "`auth: ApiKey` for one of them: it has rights of its own ([why](adr/0029-exact-unions.md)).",
        "- Patterns are compared with each other, not with aliases: an alias on an index for which another grant is "
        "restricted differently joins both in requests that name both, or `*`. A pattern for a data stream and one for "
        "its backing indices (`.ds-…`) are known to meet.",
        "- A grant that does not read widens nothing that can be searched.",
        "- Elasticsearch parses a `where` when the role is written, and no more. So the operator refuses "
        "(`InvalidSpec`) what would match nothing in a role: `multi_match`, `query_string`, `simple_query_string` and "
        "the like without fields or with a wildcard in them; what would match everything: `bool` without a query, "
        "`range` without a bound, nulls; what would need another request: terms that are looked up, indexed shapes, a "
        "model's vectors; what asks for the present time: `range` with `now`; and what nobody can review: `wrapper`, "
        "stored scripts and stored templates.",
        "- What fails only on an index is found where the operator's login has `view_index_metadata` on the indices "
        "([which role](clusters.md#which-role-it-needs)): text where the mapping has a number, a kind of query that "
        "the field's type does not have, a nested path that is not there, a pattern or list that is too large. "
        "Elasticsearch tries each `where` on one shard of each open index that the grant names, without running it; "
        "the condition `QueriesProven` has the result. `QueryFails` is not `Ready`; the role is written all the same, "
        "as its caller sees nothing then. A new `where` is tried at once, and again within minutes when the cluster's "
        "state has changed; at most ten a minute are tried again ([how](adr/0038-proven-queries.md)).",
        "- No try finds what depends on the documents or on the caller: a script that fails on a document, a template, "
        "the present time in another query than `range` (`{term: {day: now}}`), or a `where` on a field that no index "
        "has, which matches nothing.",
        "- A [template](https://www.elastic.co/docs/deploy-manage/users-roles/cluster-or-deployment-auth/controlling-"
        "access-at-document-field-level#templating-role-query) such as "
        '`{template: {source: {term: {owner: "{{_user.username}}"}}}}` is filled in when the caller makes a request: '
        "with `auth: IdentityToken` its name is the principal that the status shows. With `ApiKey` and `Password` it "
        "would be a name that the operator made up, so it is refused there. A template is parsed only when it is used: "
        "one that is wrong makes every search of the caller fail.",
        "- In Elasticsearch a restricted entry carries one more name, `/NO-INDEX …/`, which no index has: without "
        "it Elasticsearch would merge it with an unrestricted entry on the same indices and drop the restriction "
        "([why](adr/0011-restrictions-kept-apart.md)).",
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
    if missing := missing_parts():
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
