"""Findings for code scanning, by the objects of SARIF 2.1.0."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from searchaccess.cli.findings.sarif import to_sarif
from searchaccess.core.answers.findings.kinds import KINDS
from searchaccess.core.answers.findings.lifecycle import Result
from tests.unit.answers.findings.material import access, others_give
from tests.unit.answers.findings.test_formats import of_all_kinds
from tests.unit.answers.findings.test_lifecycle import a_decision, run
from tests.unit.cli.plans.test_findings import Artifact, Configuration, Driver, Level, Message, Multiformat, Tool

# What tests/unit/cli/plans/test_findings.py does not have, section by section of
# https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Region(Part):  # 3.30
    start_line: Annotated[int, Field(ge=1)]


class Physical(Part):  # 3.29
    artifact_location: Artifact
    region: Region


class Logical(Part):  # 3.33
    fully_qualified_name: str
    kind: str


class Location(Part):  # 3.28
    physical_location: Physical
    logical_locations: list[Logical]


class Suppression(Part):  # 3.35
    kind: Literal["inSource", "external"]
    status: Literal["accepted", "underReview", "rejected"]
    justification: str


class Found(Part):  # 3.27
    rule_id: str
    rule_index: Annotated[int, Field(ge=0)]
    level: Level
    message: Message
    locations: Annotated[list[Location], Field(min_length=1)]
    partial_fingerprints: dict[str, str]
    baseline_state: Literal["new", "unchanged", "updated", "absent"] | None = None
    suppressions: list[Suppression] = []


class Tags(BaseModel):  # 3.8, and what GitHub reads in it
    model_config = ConfigDict(extra="forbid", strict=True)
    tags: list[str]
    severity: Annotated[str, Field(alias="security-severity", pattern=r"^(10|\d)\.\d$")]


class Descriptor(Part):  # 3.49
    id: str
    name: str
    short_description: Multiformat
    help: Multiformat
    default_configuration: Configuration
    properties: Tags


class OurDriver(Driver):
    rules: list[Descriptor]  # type: ignore[assignment]


class OurTool(Tool):
    driver: OurDriver


class Run(Part):  # 3.14
    tool: OurTool
    column_kind: Literal["utf16CodeUnits", "unicodeCodePoints"]
    results: list[Found]


class Log(Part):  # 3.13
    schema_uri: Annotated[str, Field(alias="$schema")]
    version: Literal["2.1.0"]
    runs: Annotated[list[Run], Field(min_length=1, max_length=1)]


def results(result: Result) -> list[Found]:
    return Log.model_validate(to_sarif(result)).runs[0].results


def test_it_is_what_the_standard_says() -> None:
    found = of_all_kinds()
    log = Log.model_validate(to_sarif(found))
    (made,) = log.runs
    assert [rule.id for rule in made.tool.driver.rules] == [str(kind) for kind in KINDS]
    assert all(made.tool.driver.rules[each.rule_index].id == each.rule_id for each in made.results)
    assert {each.baseline_state for each in made.results} == {"new", "unchanged", "absent"}
    ids = [each.partial_fingerprints["searchaccess/v1"] for each in made.results]
    assert len(set(ids)) == len(ids) == len(made.results)


def test_states_are_those_of_the_life_cycle() -> None:
    ops = access(status=others_give("ops"))
    first = run(ops)
    assert [each.baseline_state for each in results(first)] == [None]
    (held,) = results(run(ops, before=first, decisions=[a_decision(first)]))
    assert (held.baseline_state, held.suppressions[0].kind) == ("unchanged", "external")
    assert held.suppressions[0].justification == "a test (ada, until 2026-02-01T00:00:00Z)"
    fixed = run(access(), before=first)
    assert [each.baseline_state for each in results(fixed)] == ["absent"]
    assert results(run(access(), before=fixed)) == []
    assert [each.baseline_state for each in results(run(ops, before=fixed))] == ["new"]


@pytest.mark.parametrize("name", ["orders", "ops\x1b\n", "[open](https://evil.example.com)"])
def test_a_location_is_the_object(name: str) -> None:
    raw: dict[str, Any] = access(status=others_give(name))
    (found,) = results(run(raw))
    place = found.locations[0]
    assert place.physical_location.artifact_location.uri == "SearchAccess/shop/orders"
    assert place.logical_locations[0].fully_qualified_name == "SearchAccess/shop/orders"
    assert found.message.text.isprintable()
    assert "](" not in found.message.text, "a link"
