"""Findings for code scanning and for annotations of pull requests."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from searchaccess.cli.plans.findings import github_lines, to_sarif
from searchaccess.core.answers.lint.model import Finding, Position
from searchaccess.core.answers.lint.rules import ALL_INDICES, RULES
from tests.unit.answers.plan.manifests import a_cluster, an_access
from tests.unit.builders import a_grant
from tests.unit.cli.program import refused

# The objects of SARIF 2.1.0 of which a log consists, with the properties that it uses: section by section of
# https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Message(Part):  # 3.11
    text: Annotated[str, Field(min_length=1)]


class Multiformat(Part):  # 3.12
    text: Annotated[str, Field(min_length=1)]
    markdown: str | None = None


class Artifact(Part):  # 3.4
    uri: Annotated[str, Field(pattern=r"^[A-Za-z0-9%/_~!$&'()*+,;=@-][A-Za-z0-9%/._~!$&'()*+,;=@-]*$")]


class Region(Part):  # 3.30
    start_line: Annotated[int, Field(ge=1)]
    start_column: Annotated[int, Field(ge=1)]


class Physical(Part):  # 3.29
    artifact_location: Artifact
    region: Region


class Logical(Part):  # 3.33
    fully_qualified_name: str


class Location(Part):  # 3.28
    physical_location: Physical
    logical_locations: list[Logical] = []


class Suppression(Part):  # 3.35
    kind: Literal["inSource", "external"]
    status: Literal["accepted", "underReview", "rejected"]


Level = Literal["none", "note", "warning", "error"]


class Result(Part):  # 3.27
    rule_id: str
    rule_index: Annotated[int, Field(ge=0)]
    level: Level
    message: Message
    locations: Annotated[list[Location], Field(min_length=1)]
    partial_fingerprints: dict[str, str]
    suppressions: list[Suppression] = []


class Configuration(Part):  # 3.50
    level: Level


class Descriptor(Part):  # 3.49
    id: str
    name: str
    short_description: Multiformat
    help: Multiformat
    default_configuration: Configuration
    properties: dict[str, list[str]]


class Driver(Part):  # 3.19
    name: str
    semantic_version: str
    rules: list[Descriptor]


class Tool(Part):  # 3.18
    driver: Driver


class Run(Part):  # 3.14
    tool: Tool
    column_kind: Literal["utf16CodeUnits", "unicodeCodePoints"]
    results: list[Result]


class Log(Part):  # 3.13
    schema_uri: Annotated[str, Field(alias="$schema")]
    version: Literal["2.1.0"]
    runs: Annotated[list[Run], Field(min_length=1)]


def linted(folder: Path, *arguments: str, code: int) -> str:
    ignoring = {"searchaccess.dev/lint-ignore": "SA013"}
    raw = {"indices": ["orders"], "privileges": ["maintenance"]}
    objects = [an_access(grants=[a_grant("*")]), an_access("raw", grants=[raw], annotations=ignoring), a_cluster("dev")]
    folder.mkdir(exist_ok=True)
    (folder / "a file, with:odd%name.yaml").write_text(yaml.safe_dump_all(objects))
    return refused("lint", "-f", str(folder), *arguments, code=code)


def test_sarif_is_what_the_standard_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    log = Log.model_validate(json.loads(linted(Path("m"), "-o", "sarif", code=2)))
    (run,) = log.runs
    assert [rule.id for rule in run.tool.driver.rules] == [rule.id for rule in RULES]
    assert all(run.tool.driver.rules[each.rule_index].id == each.rule_id for each in run.results)
    assert {each.locations[0].physical_location.artifact_location.uri for each in run.results} == {
        "m/a%20file,%20with%3Aodd%25name.yaml"
    }
    suppressed = {each.rule_id: [one.kind for one in each.suppressions] for each in run.results}
    assert (suppressed["SA010"], suppressed["SA013"]) == ([], ["inSource"])


def test_nothing_found_is_a_log_too() -> None:
    assert Log.model_validate(to_sarif([])).runs[0].results == []


def test_a_message_of_sarif_has_no_link_of_others() -> None:
    evil = "no action [read](https://evil.example.com)"
    finding = Finding(ALL_INDICES, evil, "a.yaml", Position(3, 5), "SearchAccess", "shop/orders", "spec")
    text = to_sarif([finding])["runs"][0]["results"][0]["message"]["text"]
    assert (text.startswith("SearchAccess shop/orders: no action"), "](" in text) == (True, False)


def test_annotations_cannot_be_forged() -> None:
    evil = "x%0A::error::y\r\n::set-output name=a::b"
    finding = Finding(ALL_INDICES, evil, "a:b,c\n::x.yaml", Position(3, 5), "SearchAccess", "shop/orders", "spec")
    lines = list(github_lines([finding]))
    assert len(lines) == 2
    (about, _, text) = lines[0].removeprefix("::").partition("::")
    assert about == "warning file=a%3Ab%2Cc\\u000a%3A%3Ax.yaml,line=3,col=5,title=SA010 all-indices"
    assert "%250A" in text
    assert not [line for line in lines if "\n" in line or "\r" in line]


def test_only_as_many_annotations_as_github_shows() -> None:
    findings = [Finding(ALL_INDICES, "x", "a.yaml", Position(at)) for at in range(1, 200)]
    lines = list(github_lines(findings))
    assert sum(line.startswith("::") for line in lines) == 50
    assert "149 more" in lines[-2]


@pytest.mark.parametrize(("fail_on", "code"), [("error", 0), ("warning", 2), ("note", 2), ("never", 0)])
def test_the_exit_code_is_what_was_asked_for(tmp_path: Path, fail_on: str, code: int) -> None:
    text = linted(tmp_path / "m", "--fail-on", fail_on, code=code)
    assert "3 warnings, 1 note; 1 ignored." in text


def test_errors_end_with_1(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(an_access(grants=[a_grant("ORDERS")])))
    text = refused("lint", "-f", str(tmp_path), code=1)
    assert "error SA002 (SearchAccess shop/orders): spec.grants[0].indices" in text


def test_json_has_positions_and_pages(tmp_path: Path) -> None:
    data: dict[str, Any] = json.loads(linted(tmp_path / "m", "-o", "json", code=2))
    assert (data["format"], data["exitCode"]) == ("searchaccess.dev/lint/v1", 2)
    assert {each["page"] for each in data["findings"]} >= {"docs/lint.md#sa010"}
    assert all(each["line"] >= 1 for each in data["findings"])
    as_yaml = linted(tmp_path / "m", "-o", "yaml", "--fail-on", "never", code=0)
    assert yaml.safe_load(as_yaml) == data | {"exitCode": 0}


def test_rules_are_listed_without_files() -> None:
    assert [each["id"] for each in json.loads(refused("lint", "--rules", "-o", "json", code=0))] == [
        r.id for r in RULES
    ]
    assert "SA010" in refused("lint", "--rules", code=0)
    assert len(yaml.safe_load(refused("lint", "--rules", "-o", "yaml", code=0))) == len(RULES)


def test_a_file_may_have_any_name(tmp_path: Path) -> None:
    file = os.fsencode(tmp_path) + b"/\xff\n\x1b.yaml"
    with open(file, "w") as opened:  # noqa: PTH123 - no path has such a name
        opened.write(yaml.safe_dump(an_access() | {"spec": {}}))
    for output in ("table", "json", "yaml", "sarif", "github"):
        shown = linted(tmp_path, "-o", output, code=1)
        assert not {"\x1b", "\udcff"} & set(shown)


@pytest.mark.parametrize("arguments", [(), ("-f", "-"), ("-f", "nowhere"), ("--rules", "-o", "sarif")])
def test_a_wrong_command_line_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    refused("lint", *arguments, code=64)
