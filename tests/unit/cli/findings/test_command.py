"""`searchaccess findings`, against files and an API server that gives one answer to everything."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from searchaccess.cli.findings.shown import lines_of
from searchaccess.cli.main import app
from searchaccess.cli.plans.text import wrapped
from tests.unit.answers.audit.lines import line, written
from tests.unit.answers.findings.material import access, cluster, drifted, others_give
from tests.unit.answers.findings.test_lifecycle import run as followed
from tests.unit.answers.test_statuses import condition
from tests.unit.builders import a_grant
from tests.unit.cli.options.test_connecting import answers, forbidden
from tests.unit.cli.options.test_reaching import listed
from tests.unit.cli.program import Answers, api_server, refused, write_kubeconfig

OPS = access(status=others_give("ops"))
CLEAN = access()


def run(folder: Path, *arguments: str, served: Answers | None = None) -> tuple[int, str, str]:
    """Run the command; return its exit code, its output, and what it says beside that."""
    with api_server(served or {}, []) as url:
        given = ("--kubeconfig", str(write_kubeconfig(folder, url))) if served is not None else ()
        done = CliRunner().invoke(app, ["findings", *arguments, *given], env={"COLUMNS": "80"})
    assert "Traceback" not in done.output
    return done.exit_code, done.stdout, done.stderr


def files(folder: Path, *objects: dict[str, Any], name: str = "all.yaml") -> str:
    """Write what `kubectl get -o yaml` prints."""
    file = folder / name
    file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": list(objects)}))
    return str(file)


def saved(folder: Path, text: str, name: str) -> str:
    file = folder / name
    file.write_text(text)
    return str(file)


def found(text: str) -> dict[str, tuple[str, str | None]]:
    """Return state and change of each finding, by its title."""
    return {each["title"]: (each["state"], each["change"]) for each in json.loads(text)["findings"]}


def in_a_year() -> str:
    return (datetime.now(UTC) + timedelta(days=300)).isoformat(timespec="seconds")


def test_a_finding_is_opened_suppressed_fixed_and_reopened(tmp_path: Path) -> None:
    code, first, _ = run(tmp_path, "-A", "-f", files(tmp_path, OPS, cluster()), "-o", "json")
    assert code == json.loads(first)["exitCode"] == 3
    (finding,) = json.loads(first)["findings"]
    assert (finding["kind"], finding["object"]) == (
        "broader-than-declared", {"kind": "SearchAccess", "namespace": "shop", "name": "orders"}
    )  # fmt: skip
    decision = [{"id": finding["id"], "reason": "only for the migration", "by": "ada", "until": in_a_year()}]
    decided = saved(tmp_path, yaml.safe_dump(decision), "suppressions.yaml")
    baseline = saved(tmp_path, first, "first.json")
    options = ("-A", "--baseline", baseline, "--suppressions", decided, "-o", "json")
    code, second, _ = run(tmp_path, "-f", files(tmp_path, OPS, cluster()), *options)
    assert (code, found(second)) == (0, {finding["title"]: ("Suppressed", "Unchanged")})
    baseline = saved(tmp_path, second, "second.json")
    options = ("-A", "--baseline", baseline, "--suppressions", decided, "-o", "json")
    code, third, _ = run(tmp_path, "-f", files(tmp_path, CLEAN, cluster()), *options)
    assert (code, found(third)) == (0, {finding["title"]: ("Fixed", "Fixed")})
    assert [each["effect"] for each in json.loads(third)["staleSuppressions"]] == ["Stale"]
    baseline = saved(tmp_path, third, "third.json")
    code, fourth, _ = run(tmp_path, "-A", "-f", files(tmp_path, OPS, cluster()), "--baseline", baseline, "-o", "json")
    assert (code, found(fourth)) == (3, {finding["title"]: ("Open", "Reopened")})
    assert json.loads(fourth)["findings"][0]["firstSeen"] == finding["firstSeen"]


def test_files_that_are_not_all_fix_nothing(tmp_path: Path) -> None:
    _, first, _ = run(tmp_path, "-f", files(tmp_path, OPS, cluster()), "-o", "json")
    baseline = saved(tmp_path, first, "first.json")
    other = files(tmp_path, access("other"), cluster(), name="other.yaml")
    code, text, _ = run(tmp_path, "-f", other, "--baseline", baseline, "-o", "json")
    assert (code, list(found(text).values())) == (3, [("Open", "NotExamined")])
    code, text, _ = run(tmp_path, "-f", other, "-A", "--baseline", baseline, "-o", "json")
    assert (code, list(found(text).values())) == (0, [("Fixed", "Fixed")])


def test_the_api_server_is_read_in_one_namespace_or_all(tmp_path: Path) -> None:
    exposed = cluster(condition("Private", "False", "ExposureAllowed", "http"))
    served = answers(searchaccesses=listed(OPS), searchclusters=listed(exposed))
    code, text, said = run(tmp_path, "-A", "-o", "json", served=served)
    assert (code, said) == (3, "")
    assert sorted(each["kind"] for each in json.loads(text)["findings"]) == ["broader-than-declared", "exposed"]
    code, text, _ = run(tmp_path, "-n", "shop", "-o", "json", served=served)
    assert (code, [each["kind"] for each in json.loads(text)["findings"]]) == (3, ["broader-than-declared"])


def test_what_may_not_be_read_is_no_clean_result(tmp_path: Path) -> None:
    no = forbidden("list", "searchclusters", "searchaccess.dev", "at the cluster scope")
    served = answers(searchaccesses=listed(CLEAN), searchclusters=no)
    code, text, said = run(tmp_path, "-A", "-o", "json", served=served)
    assert (code, len(json.loads(text)["gaps"])) == (4, 1)
    assert said.startswith("searchaccess: not read: ")
    assert "kubectl create clusterrole" in said
    assert run(tmp_path, "-A", "--fail-on", "never", served=served)[0] == 0
    # Who asks about a namespace need not read SearchClusters.
    assert run(tmp_path, "-n", "shop", served=served)[0] == 0
    no = forbidden("list", "searchaccesses", "searchaccess.dev", "at the cluster scope")
    assert run(tmp_path, "-A", served=answers(searchaccesses=no))[0] == 1


def test_what_the_logs_say(tmp_path: Path) -> None:
    web = access("web", service_account="web@acme-shop.iam.gserviceaccount.com", grants=[a_grant("orders-*", "log")])
    log = str(written(tmp_path, line(), line(user__name="ada")))
    code, text, _ = run(tmp_path, "-A", "-f", files(tmp_path, web, cluster()), "--events", log, "-o", "json")
    kinds = {each["kind"]: each["what"] for each in json.loads(text)["findings"]}
    assert (code, kinds) == (3, {"unexplained": ["user"], "unused": ["index", "log"]})
    baseline = saved(tmp_path, text, "first.json")
    options = ("-A", "-f", files(tmp_path, web, cluster()), "--baseline", baseline, "-o", "json")
    _, without, _ = run(tmp_path, *options)
    assert set(found(without).values()) == {("Open", "NotExamined")}
    empty = str(written(tmp_path, name="empty.json"))
    _, nothing, _ = run(tmp_path, *options, "--events", empty)
    assert set(found(nothing).values()) == {("Open", "NotExamined")}
    log = str(written(tmp_path, line(), line(indices=["log"])))
    _, used, _ = run(tmp_path, *options, "--events", log)
    assert set(found(used).values()) == {("Fixed", "Fixed")}


@pytest.mark.parametrize(("fail_on", "code"), [("critical", 0), ("high", 3), ("medium", 3), ("low", 3), ("never", 0)])
def test_the_exit_code_is_what_was_asked_for(tmp_path: Path, fail_on: str, code: int) -> None:
    assert run(tmp_path, "-A", "-f", files(tmp_path, OPS, cluster()), "--fail-on", fail_on)[0] == code


def test_people_see_what_is_wrong_with_each_object_and_what_to_do(tmp_path: Path) -> None:
    both = access("b", status=others_give("ops", "dev") | {"drift": drifted("cluster")})
    _, text, _ = run(tmp_path, "-A", "-f", files(tmp_path, both, access("a", suspend=True), cluster()))
    lines = [each for each in text.splitlines() if not each.startswith("    ")]
    assert [each.split(" f-")[0] for each in lines] == [
        "SearchAccess shop/b",
        "  high broader-than-declared",
        "  high broader-than-declared",
        "  high drift",
        "",
        "SearchAccess shop/a",
        "  medium suspended",
        "",
        "4 open (3 high, 1 medium).",
    ]
    assert "    next: Ask its owner to narrow or delete it in Elasticsearch" in text
    code, text, _ = run(tmp_path, "-A", "-f", files(tmp_path, CLEAN, cluster()))
    assert (code, text) == (0, "0 open.\n")


def test_80_columns_are_enough() -> None:
    first = followed(OPS, access("b", suspend=True))
    decided = [{"id": first.findings[1].finding.id, "reason": "a reason " * 20, "by": "ada", "until": "2026-02-01"}]
    stale = {"id": "f-0123456789abcdef", "reason": "gone", "by": "ada", "until": "2026-02-01"}
    second = followed(
        access(status=others_give("dev")), access("b", suspend=True), before=first, decisions=[*decided, stale]
    )
    lines = [each.text for each in wrapped(lines_of(second), 80)]
    assert max(map(len, lines)) <= 80
    heads = [each for each in lines if each.endswith(":") and not each.startswith(" ")]
    assert heads == ["Suppressed:", "Fixed:", "Stale suppressions, of which no finding has the id:"]


@pytest.mark.parametrize("output", ["table", "json", "yaml", "sarif", "ocsf", "openreports", "policyreport"])
def test_what_others_wrote_reaches_no_terminal_as_a_command(tmp_path: Path, output: str) -> None:
    evil = access(status=others_give("ops\x1b[31m\n::error::x\u202e", adds="\x1b]0;x\x07"))
    code, text, _ = run(tmp_path, "-A", "-f", files(tmp_path, evil, cluster()), "-o", output)
    assert code == 3
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert not [each for each in text.splitlines() if each.startswith("::")]
    if output in {"yaml", "openreports", "policyreport"}:
        assert yaml.safe_load(text)
    elif output != "table":
        assert [json.loads(each) for each in (text.splitlines() if output == "ocsf" else [text])]


WRONG: dict[str, tuple[str, str, str]] = {
    "no JSON": ("--baseline", "{", "it is no JSON"),
    "something else": ("--baseline", "{}", "it is no result of searchaccess findings -o json"),
    "nested": ("--baseline", "[" * 100_000, ""),
    "no YAML": ("--suppressions", "a: [", "line 1: it cannot be read as YAML"),
    "no list": ("--suppressions", "a: 1", "write a list"),
    "no reason": ("--suppressions", "[{id: f-0123456789abcdef, by: a, until: 2026-01-01}]", "[0].reason: "),
}


@pytest.mark.parametrize(("option", "text", "says"), WRONG.values(), ids=WRONG)
def test_a_file_that_cannot_be_used_ends_it(tmp_path: Path, option: str, text: str, says: str) -> None:
    file = saved(tmp_path, text, "wrong")
    code, shown, said = run(tmp_path, "-A", "-f", files(tmp_path, OPS), option, file)
    assert (code, shown) == (1, "")
    assert says in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--since", "1d"), "requires --events"),
        (("-n", "a", "-A"), "excludes --all-namespaces"),
        (("--baseline", "nowhere.json"), "does not exist"),
        (("--fail-on", "always"), "is not one of"),
    ],
    ids=str,
)
def test_a_wrong_command_line_is_a_usage_error(arguments: tuple[str, ...], says: str) -> None:
    assert says in refused("findings", *arguments)
