"""Findings for a SIEM and for Kubernetes, by the schemas of these."""

import json
from datetime import timedelta
from typing import Annotated, Literal

import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from searchaccess.core.answers.findings.audits import Logged
from searchaccess.core.answers.findings.examined import Examined, examined
from searchaccess.core.answers.findings.formats import reports as reporting
from searchaccess.core.answers.findings.formats.ocsf import events
from searchaccess.core.answers.findings.formats.reports import OPENREPORTS, POLICYREPORTS, reports
from searchaccess.core.answers.findings.kinds import KINDS, Kind
from searchaccess.core.answers.findings.lifecycle import Result, follow
from searchaccess.core.answers.findings.model import About, Finding
from searchaccess.core.answers.findings.statuses import Seen
from searchaccess.core.answers.findings.suppressions import read_suppressions
from tests.unit.answers.findings.material import AT, access, cluster, others_give
from tests.unit.answers.findings.test_lifecycle import again, run

SHOP, PROD, ADA = About("SearchAccess", "shop", "a"), About("SearchCluster", "", "prod"), About("Caller", "", "ada")


def of_all_kinds() -> Result:
    """Return a result with each kind, some suppressed, fixed, new and reopened."""
    found = [
        Finding(kind, (SHOP, PROD, ADA)[number % 3], (str(number),), f"title {number}", ("evidence",))
        for number, kind in enumerate(KINDS)
    ]
    seen = [Seen(SHOP, found), Seen(PROD), Seen(ADA)]

    def followed(shown: list[Finding], before: Result | None, *decided: Finding) -> Result:
        raw = [{"id": each.id, "reason": "r", "by": "ada", "until": "2026-02-01"} for each in decided]
        logged = Logged((), frozenset({SHOP.path}))
        whole = examined(seen, namespace="", whole=True, clusters=True, logged=logged)[1]
        baseline = again(before) if before else None
        return follow(shown, whole, now=AT, baseline=baseline, suppressions=read_suppressions(raw, AT))

    first = followed(found[:20], None)
    second = followed(found[4:20], first)
    return followed([*found[:2], *found[8:]], second, found[10], found[11])


def test_events_are_valid_by_the_schema_of_ocsf() -> None:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.5.0")).get_class_schema("compliance_finding", [])
    validator = Draft202012Validator(schema)
    made = list(events(of_all_kinds(), "1.0.0"))
    assert [error.message for event in made for error in validator.iter_errors(event)] == []
    assert {(event["activity_id"], event["status_id"]) for event in made} == {(1, 1), (2, 2), (2, 3), (3, 4)}
    assert {event["severity_id"] for event in made} == {2, 3, 4, 5}
    assert list(validator.iter_errors(made[0] | {"status_id": 77}))


def test_an_event_says_where_a_finding_is_in_its_life() -> None:
    ops = access(status=others_give("ops"))
    first = run(ops)
    stages = [
        first,
        run(ops, before=first, now=AT + timedelta(hours=1)),
        run(
            ops,
            before=first,
            decisions=[{"id": first.findings[0].finding.id, "reason": "why", "by": "ada", "until": "2026-02-01"}],
        ),
        run(access(), before=first),
    ]
    made = [next(iter(events(stage, "1"))) for stage in stages]
    assert [(event["activity_name"], event["status"]) for event in made] == [
        ("Create", "New"), ("Update", "In Progress"), ("Update", "Suppressed"), ("Close", "Resolved")
    ]  # fmt: skip
    assert len({event["finding_info"]["uid"] for event in made}) == 1
    assert made[2]["comment"] == "why (ada, until 2026-02-01T00:00:00Z)"
    # What was fixed before is no news.
    assert list(events(run(access(), before=stages[3]), "1")) == []


# The objects of https://github.com/openreports/reports-api (docs/api-docs.md), with the properties that we use; those
# of wgpolicyk8s.io/v1alpha2 are the same. tests/integration/commands/test_findings.py has the API server check them by
# the CRDs.


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Reference(Part):  # corev1.ObjectReference
    api_version: str
    kind: str
    name: str
    namespace: str = ""


class Timestamp(Part):  # metav1.Timestamp
    seconds: int
    nanos: Annotated[int, Field(ge=0, lt=1_000_000_000)]


class ReportResult(Part):
    source: str
    policy: str
    rule: str
    category: str
    severity: Literal["critical", "high", "low", "medium", "info"]
    result: Literal["pass", "fail", "warn", "error", "skip"]
    scored: bool
    timestamp: Timestamp
    message: str
    properties: dict[str, str]
    resources: list[Reference] = []


class Summary(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    passed: Annotated[int, Field(alias="pass")]
    fail: int
    warn: int
    error: int
    skip: int


class Metadata(Part):
    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
    namespace: str = ""
    labels: dict[str, str]


class Report(Part):
    api_version: Literal["openreports.io/v1alpha1", "wgpolicyk8s.io/v1alpha2"]
    kind: Literal["Report", "ClusterReport", "PolicyReport", "ClusterPolicyReport"]
    metadata: Metadata
    summary: Summary
    results: list[ReportResult]


@pytest.mark.parametrize("kinds", [OPENREPORTS, POLICYREPORTS])
def test_reports_are_what_their_api_says(kinds: reporting.Kinds) -> None:
    listed = reports(of_all_kinds(), kinds)
    made = [Report.model_validate(item) for item in listed["items"]]
    assert [(each.kind, each.metadata.namespace) for each in made] == [(kinds.whole, ""), (kinds.namespaced, "shop")]
    assert (listed["apiVersion"], listed["kind"]) == ("v1", "List")
    results = [result for each in made for result in each.results]
    assert {result.result for result in results} == {"pass", "fail", "warn", "skip"}
    assert sum(each.summary.fail for each in made) == sum(result.result == "fail" for result in results)
    # Somebody in a log is no object.
    assert all(bool(result.resources) is (KINDS_AT[result.policy] != 2) for result in results)


KINDS_AT = {str(kind): number % 3 for number, kind in enumerate(KINDS)}


def test_a_namespace_without_findings_has_an_empty_report_which_replaces_an_earlier_one() -> None:
    made = reports(run(access()), OPENREPORTS)["items"]
    assert [(item["kind"], item["results"]) for item in made] == [("ClusterReport", []), ("Report", [])]
    # Who asks about one namespace does not replace the report about all others.
    alone = reports(run(access(), namespace="shop"), OPENREPORTS)["items"]
    assert [item["kind"] for item in alone] == ["Report"]


def test_nothing_in_a_report_changes_from_run_to_run() -> None:
    ops = [access(status=others_give("ops"))]
    first = run(*ops)
    second, third = (run(*ops, before=first, now=AT + timedelta(days=day)) for day in (1, 2))
    assert reports(second, OPENREPORTS) == reports(third, OPENREPORTS)


def test_many_findings_are_several_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "MOST", 2)
    result = run(access(status=others_give("a", "b", "c")), clusters=[cluster()])
    made = [item for item in reports(result, OPENREPORTS)["items"] if item["kind"] == "Report"]
    assert [(item["metadata"]["name"], len(item["results"])) for item in made] == [
        ("searchaccess", 2), ("searchaccess-2", 1)
    ]  # fmt: skip


def test_no_report_is_larger_than_the_api_server_takes() -> None:
    hostile = "\x01" * 5000
    found = [Finding(Kind.UNEXPLAINED, About("Caller", "", f"{each}{hostile}"), ("key", hostile), hostile)
             for each in range(reporting.MOST + 1)]  # fmt: skip
    decided = [{"id": each.id, "reason": "r", "by": "\U0001f600" * 1024, "until": "2026-02-01"} for each in found]
    result = follow(found, Examined(), now=AT, suppressions=read_suppressions(decided, AT))
    first, second = reports(result, OPENREPORTS)["items"]
    size = len(json.dumps(first, ensure_ascii=False).encode())
    assert size < 1_500_000
    assert len(second["results"]) == 1


def test_each_kind_has_words_for_people() -> None:
    for kind in Kind:
        assert kind.doc.meaning.endswith(".")
        assert kind.doc.next_step.endswith((".", ")"))
