"""`searchaccess status` and `searchaccess version`, against an API server that gives one answer to everything."""

import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from searchaccess import __version__
from searchaccess.cli.main import app
from searchaccess.cli.statuses import _overview
from tests.support.operatorprocess import ROOT
from tests.unit.answers.test_statuses import a_report, deployment, ready
from tests.unit.builders import LATER, a_search_access, a_search_cluster
from tests.unit.cli.options.test_connecting import answers, forbidden
from tests.unit.cli.options.test_reaching import listed
from tests.unit.cli.program import Answers, api_server, environment, refused, write_kubeconfig


def run(folder: Path, served: Answers, *arguments: str) -> tuple[int, str, str]:
    """Run a command; return its exit code, its output, and what it says beside that."""
    with api_server(served, []) as url:
        given = ("--kubeconfig", str(write_kubeconfig(folder, url)))
        done = CliRunner().invoke(app, [*arguments, *given], env={"COLUMNS": "80"})
    assert "Traceback" not in done.output
    return done.exit_code, done.stdout, done.stderr


def served(*items: dict[str, Any], **more: Any) -> Answers:
    return answers(searchaccesses=listed(*items), **more)


SOME = (
    a_search_access("orders", status=ready(access="r orders-*", subject="orders.l.p")),
    a_search_access("broken", status=ready("False", "InvalidSpec", message="no\x1b[31m such action")),
)


def test_an_overview(tmp_path: Path) -> None:
    code, text, said = run(tmp_path, served(*SOME), "status", "-A")
    assert (code, said) == (0, "")
    assert text.splitlines() == [
        "NAME         CLUSTER  ACCESS      READY  REASON",
        "shop/broken  prod     r orders-*  False  InvalidSpec",
        "shop/orders  prod     r orders-*  True   InSync",
        "",
        "2 SearchAccesses: 1 ready, 0 drifted.",
    ]
    _, text, _ = run(tmp_path, served(*SOME), "status", "-A", "--not-ready")
    assert [line.split()[0] for line in text.splitlines() if line] == ["NAME", "shop/broken", "2"]


def test_an_overview_says_what_is_suspended_or_only_observed(tmp_path: Path) -> None:
    some = served(
        a_search_access("asleep", status=ready(access="r orders-*"), suspend=True),
        a_search_access("orders", status=ready(access="r orders-*")),
        a_search_access("seen", status=ready(access="r orders-*"), mode="Observe"),
    )
    code, text, _ = run(tmp_path, some, "status", "-n", "shop")
    assert code == 0
    assert text.splitlines()[:4] == [
        "NAME    CLUSTER  ACCESS      READY  REASON  MODE",
        "asleep  prod     r orders-*  True   InSync  Suspended",
        "orders  prod     r orders-*  True   InSync",
        "seen    prod     r orders-*  True   InSync  Observe",
    ]


def test_an_empty_namespace_is_named_with_the_next_step(tmp_path: Path) -> None:
    for command, rest in (("status", "0 SearchAccesses: 0 ready, 0 drifted.\n"), ("findings", "0 open.\n")):
        code, text, said = run(tmp_path, served(), command, "-n", "empty")
        assert (code, text) == (0, rest)
        assert "there is no SearchAccess in namespace empty: -n chooses another one, -A shows all\n" in said
        code, _, said = run(tmp_path, served(), command, "-A")
        assert (code, "there is no SearchAccess" in said) == (0, False)


def test_an_overview_says_when_each_was_last_used_where_that_is_known(tmp_path: Path) -> None:
    used = {"lastUsed": "2026-01-31T09:59:12Z", "observedAt": "2026-01-31T10:00:00Z", "since": "2026-01-01T00:00:00Z"}
    idle = {"observedAt": "2026-01-31T10:00:00Z", "since": "2026-01-01T00:00:00Z"}
    until = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    items = (
        a_search_access("orders", status=ready(access="r orders-*", usage=used)),
        a_search_access("idle", status=ready(access="r idle-*", usage=idle)),
        a_search_access("new", status=ready(access="r new-*")),
    )

    def known(until: str) -> Answers:
        status = {"audit": {"index": "audit", "observedUntil": until}}
        cluster = a_search_cluster(audit={"index": "audit"})
        return served(*items, searchclusters=listed(cluster | {"status": status}))

    some = known(until)
    code, text, _ = run(tmp_path, some, "status", "-n", "shop")
    assert code == 0
    assert text.splitlines()[:4] == [
        "NAME    CLUSTER  ACCESS      READY  REASON  LAST USED",
        "idle    prod     r idle-*    True   InSync  not since 2026-01-01",
        "new     prod     r new-*     True   InSync",
        "orders  prod     r orders-*  True   InSync  2026-01-31T09h",
    ]
    _, text, _ = run(tmp_path, some, "status", "-n", "shop", "--unused", "1d")
    names = {line.split()[0] for line in text.splitlines() if line}
    # Neither is "used" anywhere near now; of the new one, nothing is known, and that is said.
    assert names == {"NAME", "idle", "orders", "3", "1", "shop/new:"}
    assert "  shop/new: nothing is recorded yet: it is new, it is refused, or" in text, "events are read"
    _, text, _ = run(tmp_path, known("2026-02-01T00:00:00Z"), "status", "-n", "shop", "--unused", "1d")
    assert "  shop/idle, shop/new, shop/orders: no audit events of SearchCluster prod were read lately" in text
    _, text, _ = run(tmp_path, known("2026-02-01T00:00:00Z"), "status", "-n", "shop")
    assert "not since 2026-01-01?" in text
    assert "2026-01-31T09h?" in text
    code, _, said = run(tmp_path, some, "status", "shop/idle", "--unused", "1d")
    assert code != 0
    assert "--unused" in said


def test_what_is_not_known_to_be_used_is_never_called_unused(tmp_path: Path) -> None:
    idle = {"observedAt": "2026-01-31T10:00:00Z", "since": "2026-01-01T00:00:00Z"}
    items = (
        a_search_access("orders", status=ready(access="r orders-*", usage=idle)),
        a_search_access("elsewhere", status=ready(access="r orders-*"), cluster="gone"),
    )
    unaudited = served(*items, searchclusters=listed(a_search_cluster()))
    _, text, _ = run(tmp_path, unaudited, "status", "-n", "shop", "--unused", "1d")
    assert text.splitlines() == [
        "2 SearchAccesses: 2 ready, 0 drifted, 2 not shown.",
        "",
        "2 more may be unused or in use, which is not known:",
        "  shop/elsewhere: SearchCluster gone cannot be read, or does not exist",
        "  shop/orders: SearchCluster prod does not name its audit events (spec.audit)",
    ]
    _, text, _ = run(tmp_path, unaudited, "status", "-n", "shop", "--unused", "1d", "-o", "json")
    found = json.loads(text)
    assert (found["items"], [each["searchAccesses"] for each in found["usesUnknown"]]) == (
        [],
        [["shop/elsewhere"], ["shop/orders"]],
    )
    _, text, _ = run(tmp_path, unaudited, "status", "-n", "shop")
    assert "not known" not in text


def test_a_cluster_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    some = served(*SOME, searchclusters=listed(a_search_cluster()))
    code, text, said = run(tmp_path, some, "status", "-A", "--cluster", "prdo", "--drifted")
    assert (code, text) == (1, "")
    assert "there is no SearchCluster named 'prdo'; there are: prod" in said
    assert run(tmp_path, served(*SOME), "status", "-A", "--cluster", "prod")[0] == 0, "a SearchAccess names it"


def test_one_is_a_tree_and_the_same_as_data(tmp_path: Path) -> None:
    code, text, _ = run(tmp_path, served(*SOME), "status", "shop/broken")
    assert code == 0
    assert text.splitlines()[:2] == ["SearchAccess shop/broken on SearchCluster prod", text.splitlines()[1]]
    assert "not ready: InvalidSpec" in text
    assert "no\N{REPLACEMENT CHARACTER}[31m such action" in text
    assert "\x1b" not in text
    _, as_json, _ = run(tmp_path, served(*SOME), "status", "broken", "-n", "shop", "-o", "json")
    _, as_yaml, _ = run(tmp_path, served(*SOME), "status", "broken", "-n", "shop", "-o", "yaml")
    found = json.loads(as_json)
    assert found == yaml.safe_load(as_yaml)
    assert (found["name"], found["ready"], found["reason"]) == ("broken", "False", "InvalidSpec")
    assert found["entries"] == [
        {
            "indices": ["orders-*"],
            "clusters": [],
            "application": None,
            "privileges": ["read", "view_index_metadata"],
            "fields": None,
            "where": None,
        }
    ]


def test_none_of_a_name_is_said_with_those_that_there_are(tmp_path: Path) -> None:
    code, text, said = run(tmp_path, served(*SOME), "status", "nope")
    assert (code, text) == (1, "")
    assert said == (
        "searchaccess: there is no SearchAccess named 'nope' in namespace default; there are: broken, orders. Choose"
        " another namespace with -n, or list all with -A\n"
    )


def test_what_may_not_be_read_beside_is_said_and_the_rest_shown(tmp_path: Path) -> None:
    refused_policies = forbidden("list", "searchaccesspolicies", "searchaccess.dev", "at the cluster scope")
    code, text, said = run(tmp_path, served(*SOME, searchaccesspolicies=refused_policies), "status", "-A")
    assert code == 0
    assert "2 SearchAccesses" in text
    assert said.startswith("searchaccess: not read: the API server answered 403")
    assert said.count("\n") == 1
    code, text, said = run(tmp_path, answers(searchaccesses=refused_policies), "status")
    assert (code, text) == (1, "")
    assert "an administrator grants it: kubectl create clusterrole" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("orders", "--drifted"), "excludes --cluster, --drifted"),
        (("a/b", "-n", "c"), "excludes --namespace"),
        (("-n", "c", "-A"), "excludes --all-namespaces"),
        (("--expiring", "soon"), "write a time, such as 7d, 36h or 1d12h"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_excludes_what(arguments: tuple[str, ...], says: str) -> None:
    assert says in refused("status", *arguments)


def test_versions(tmp_path: Path) -> None:
    cluster = a_search_cluster("prod") | {"status": {"version": "9.1.0", "license": "basic", **ready("False", "Gone")}}
    given = answers(
        version=(200, {"gitVersion": "v1.36.0"}),
        deployments=listed(deployment("operator", "registry/searchaccess-operator:0.1.0")),
        searchclusters=listed(cluster),
        **{"searchaccess.dev": (200, {"versions": [{"version": "v1alpha1"}]})},
    )
    code, text, said = run(tmp_path, given, "version")
    assert (code, said) == (0, "")
    assert [line.split()[:2] for line in text.splitlines()] == [
        ["WHAT", "VERSION"],
        ["client", __version__],
        ["operator", "0.1.0"],
        ["kinds", "v1alpha1"],
        ["Kubernetes", "v1.36.0"],
        ["Elasticsearch", "9.1.0"],
    ]
    assert text.splitlines()[-1].endswith("SearchCluster prod, license basic, not ready: Gone")
    given["deployments"] = forbidden("list", "deployments", "apps", "at the cluster scope")
    code, text, said = run(tmp_path, given, "version", "-o", "json")
    assert (code, json.loads(text)["operators"]) == (0, None)
    assert said.startswith("searchaccess: not read: ")
    assert said.count("an administrator grants it") == 1


def test_the_client_alone_needs_no_server() -> None:
    assert json.loads(refused("version", "--client", "-o", "json", code=0))["client"]["version"] == __version__


SHOWN = """
import sys
sys.path.insert(0, {root!r})
from searchaccess.cli.printing import Format, emit
from searchaccess.cli.statuses import _overview, _tree
from searchaccess.core.answers.statuses.tree import tree_of
from tests.unit.answers.test_statuses import LATER, a_report, ready
reports = [
    a_report("orders-reader", ready(access="r orders-*, audit-* +3", drift={{"open": 2}}), validUntil=LATER),
    a_report("other", ready("False", "PermissionDenied", message="no right " * 30)),
]
shown = _overview(reports, "2 SearchAccesses", 0.0, several=True)
emit(Format.TABLE, {{}}, lambda: [*shown, _tree(tree_of(reports[1]))])
"""


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_terminal_of_80_columns_is_enough_and_gets_colors(tmp_path: Path, no_color: str) -> None:
    code, environ = SHOWN.format(root=str(ROOT)), environment(tmp_path, COLUMNS="80", TERM="xterm", NO_COLOR=no_color)
    terminal, inside = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=inside) as process:
        os.close(inside)
        shown = b""
        with suppress(OSError):
            while piece := os.read(terminal, 65536):
                shown += piece
    os.close(terminal)
    assert process.returncode == 0, shown
    text = shown.decode()
    assert ("\x1b[31m" in text) is (not no_color)
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()]
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["NAME", "ACCESS", "READY", "REASON", "DRIFT", "ENDS"]
    assert lines[1].split()[0] == "shop/orders-reader"
    assert any(line.endswith("2026-01-01T11:00Z") for line in lines)


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_names_stay_whole_in_an_overview_on_any_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all columns, there is no room for names on a terminal of 80."""
    monkeypatch.setattr("searchaccess.cli.printing.width", lambda: columns)
    monkeypatch.setattr("searchaccess.cli.statuses.width", lambda: columns)
    usage = {"lastUsed": "2026-01-31T09:59:12Z", "observedAt": "2026-01-31T10:00:00Z", "since": "2026-01-01T00:00:00Z"}
    long = "settlement-of-all-orders-in-europe-west1-production"
    status = ready("False", "RestrictionsWouldWiden", access="r orders-*, a-* +3", drift={"open": 2}, usage=usage)
    reports = [a_report(name, status, validUntil=LATER, mode="Observe") for name in ("orders", long)]
    lines = shown_on(columns, _overview(reports, "2 SearchAccesses", 0.0, several=True))
    for name in ("orders", long):
        assert [line.split()[0] for line in lines].count(f"shop/{name}") == 1
    text = "\n".join(lines)
    assert all(text.count(word) == 2 for word in ("RestrictionsWouldWiden", "Observe", "2026-01-31T09h?"))
    assert ("\n  Ready False: RestrictionsWouldWiden\n" in text) is (columns < 200)


def shown_on(columns: int, parts: Sequence[Any]) -> list[str]:
    """Return the lines that a terminal shows."""
    console = Console(file=io.StringIO(), width=columns, color_system=None, highlight=False, force_terminal=True)
    for part in parts:
        console.print(part, soft_wrap=getattr(part, "no_wrap", None))
    return [line for line in cast("io.StringIO", console.file).getvalue().splitlines() if line.strip()]
