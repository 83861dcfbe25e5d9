"""The exit codes of the real program. Those of what it finds in Elasticsearch are tested on real servers."""

import json
import re
from pathlib import Path

import pytest

from searchaccess.cli.helptexts import ANSWERS, EXITS
from searchaccess.core.answers.summary import Exit
from tests.support.operatorprocess import ROOT
from tests.unit.answers.audit.lines import line
from tests.unit.cli.options.test_connecting import answers
from tests.unit.cli.program import api_server, refused, searchaccess, warm, write_kubeconfig


def test_all_is_as_declared(tmp_path: Path) -> None:
    with api_server(answers(), []) as url:
        kubeconfig = str(write_kubeconfig(tmp_path, url))
        searchaccess(tmp_path, "reconcile", "--once", "--observe", "--kubeconfig", kubeconfig, check=0)


def test_it_could_not_start(tmp_path: Path) -> None:
    warm(tmp_path, "reconcile", "--once", check=1)


def test_the_command_line_is_wrong(tmp_path: Path) -> None:
    warm(tmp_path, "reconcile", "--once", "--observe", "-f", "nope", check=64)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Usage: "),
        (("recncile",), "No such command 'recncile'. Did you mean 'reconcile'?"),
        (("--nope",), "No such option: --nope"),
        (("reconcile",), "use --once, or --for"),
        (("reconcile", "--onec"), "No such option: --onec"),
        (("reconcile", "--once", "--observe", "-f", "nope"), "nope does not exist"),
        (("reconcile", "--once", "-o", "xml"), "'xml' is not one of"),
        (("login",), "requires manifests with -f"),
        (("audit", "x.json", "--index", "/[/"), "Invalid value for --index"),
        (("can-i", "read", "orders"), "or set ELASTICSEARCH_URL"),
        (("who-can", "read", "orders-\udcff"), "write the name of one index"),
    ],
)
def test_each_mistake_in_it_has_the_same_code(arguments: tuple[str, ...], says: str) -> None:
    assert says in refused(*arguments, code=Exit.USAGE)


def test_a_file_of_certificates_in_another_form_is_a_mistake_in_it(tmp_path: Path) -> None:
    der, token = tmp_path / "ca.der", tmp_path / "token"
    der.write_bytes(b"\x30\x82\xff\xfe")
    token.write_text("a.b.c")
    at = ("--url", "https://127.0.0.1:9", "--ca-file", str(der), "--token-file", str(token))
    assert "write it in PEM form" in refused("can-i", "read", "orders", *at, code=Exit.USAGE)


@pytest.mark.parametrize("index", ["logs::failures", "logs::data", "eu:logs"])
def test_a_failure_store_is_asked_about_by_its_data_stream(index: str) -> None:
    for arguments in (("who-can", "read"), ("explain", "user:ada")):
        assert "read_failure_store" in refused(*arguments, index, code=Exit.USAGE)


@pytest.mark.parametrize(
    ("since", "code"),
    [("30d", 0), ("1d12h", 0), ("24h", 0), ("999999h" * 30, 0), ("30 days", Exit.USAGE), ("2026-13-01T00:00:00Z", 64)],
)
def test_a_period_of_logs_may_be_in_days(tmp_path: Path, since: str, code: int) -> None:
    log, manifest = tmp_path / "audit.json", tmp_path / "none.yaml"
    log.write_text("")
    manifest.write_text("{}")
    text = refused("recommend", "--since", since, "-f", str(manifest), str(log), code=code)
    assert ("no events of this time" in text) is (code == 0), text


@pytest.mark.parametrize("output", ["table", "json", "yaml", "ocsf", "html"])
def test_halves_of_characters_in_a_log_are_printed_in_each_format(tmp_path: Path, output: str) -> None:
    event = {"timestamp": "2026-11-29T23:05:57,525+0000", "event.action": "access_granted", "user.name": "a\ud800b"}
    log, manifest = tmp_path / "audit.json", tmp_path / "none.yaml"
    log.write_text(json.dumps({"jsonPayload": event | {"action": "indices:data/read/search", "indices": ["x\udfff"]}}))
    manifest.write_text("{}")
    text = refused("audit", "-o", output, "-f", str(manifest), str(log), code=0)
    assert "nexplained" in text
    assert text.isprintable() or "\ud800" not in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("audit",), "in the files to explain a request; check -f"),
        (
            ("audit", "--cluster", "prod"),
            "of SearchCluster prod in the files to explain a request; check -f and --cluster",
        ),
        (("recommend",), "in the files to explain a request; check -f"),
        (("findings", "--fail-on", "never", "--events"), "in the files to explain a request; check -f"),
    ],
)
def test_a_log_without_any_declaration_is_said(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    log = tmp_path / "audit.json"
    log.write_text(json.dumps(line()))
    text = refused(*arguments, str(log), "-f", "-", code=0)
    assert f"searchaccess: there is no SearchAccess {says}\n" in text


def test_all_are_documented() -> None:
    page = (ROOT / "docs" / "jobs.md").read_text()
    text = refused("reconcile", "--help", code=0)
    assert [int(code) for code in Exit] == [0, 1, 2, 3, 4, 64]
    assert {*EXITS, *ANSWERS} == {*Exit}
    for code in Exit:
        assert f"\n| {int(code)} |" in page
    for code, meaning in EXITS.items():
        assert f" {int(code)}  {meaning}\n" in text
    for command in ("explain", "can-i"):
        text = refused(command, "--help", code=0)
        for code, meaning in ANSWERS.items():
            assert f" {int(code)}  {meaning}\n" in text


def test_help_lists_exit_codes_in_one_form() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    blocks = [re.split(r"\n\n|\n```", part)[0] for part in page.split("\n  Exit codes:\n")[1:]]
    listed = [block.splitlines() for block in blocks]
    assert len(listed) > 10
    for lines in listed:
        assert [line for line in lines if not re.fullmatch(r" {4}[ \d]\d  \S.*", line)] == []
        codes = [int(line.split()[0]) for line in lines]
        assert (codes[0], codes[-1]) == (0, 64)
        assert codes == sorted(codes)


@pytest.mark.parametrize("name", ["audit", "recommend"])
def test_a_report_says_what_its_own_exit_codes_mean(name: str) -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    text = page.partition(f"### searchaccess {name}\n")[2].partition("\n### ")[0]
    assert "with --exit-code: " in text.partition("Exit codes:")[2].partition("\n\n")[0]
