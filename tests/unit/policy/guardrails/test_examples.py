"""What each policy in examples/policies accepts and refuses."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from searchaccess.core.model.access import Access
from searchaccess.core.policy.guardrails.policy import Policy, policy_from_object
from tests.unit.builders import a_grant, an_access
from tests.unit.policy.guardrails.test_verdicts import KEY, verdict_of

FOLDER = Path(__file__).parents[4] / "examples" / "policies"
FILES = {path.stem: path for path in FOLDER.glob("*.yaml")}
SANDBOX = {"example.com/searchaccess": "sandbox"}
PRODUCTION = {"example.com/environment": "production"}
AGENT = (("searchaccess.dev/workload", "ai-agent"),)
SOME_FIELDS = {"fields": {"include": ["region", "amount"]}}
HIDING = {"fields": {"exclude": ["email", "phone", "customer", "ssn"]}}
OWN_KEY = KEY | {"credential": {"store": "main", "name": "shop-key"}}
LIMITED: dict[str, Any] = {"limits": {"requestsPerSecond": 10, "maxBody": "1Mi", "apis": ["Search"]}}
EIGHT_HOURS = {"validFrom": "2026-06-01T00:00:00Z", "validUntil": "2026-06-01T08:00:00Z"}
WORKLOAD = {"cloudRunService": {"project": "acme-shop", "location": "europe-west1", "name": "orders"}}
OF_BANK = {"cloudRunService": {"project": "acme-bank", "location": "europe-west1", "name": "orders"}}


def read(name: str) -> Policy:
    [raw] = yaml.safe_load_all(FILES[name].read_text(encoding="utf-8"))
    return policy_from_object(raw | {"metadata": raw["metadata"] | {"uid": name}})


def grants(*indices: str, **more: Any) -> dict[str, Any]:
    return {"grants": [a_grant(*indices, **more)]}


ALL_ACTIONS = ["read", "write", "append", "create", "monitor"]
# Each: the policy, what the SearchAccess says, the beginning of what is said; empty: it is accepted.
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "own indices": ("team-sandboxes", grants("shop-orders-*", can=ALL_ACTIONS), ""),
    "a key in an own secret": ("team-sandboxes", grants("shop-1") | OWN_KEY, ""),
    "another's indices": ("team-sandboxes", grants("bank-1"), "grants[0]: read is allowed only on "),
    "own indices and more": ("team-sandboxes", grants("shop*"), "grants[0]: read is allowed only on "),
    "deleting": ("team-sandboxes", grants("shop-1", can=["delete"]), "grants[0]: delete is not allowed"),
    "managing": ("team-sandboxes", grants("shop-1", can=["manage"]), "grants[0]: manage is not allowed"),
    "raw privileges": ("team-sandboxes", grants("shop-1", privileges=["all"]), "grants[0]: privilege all"),
    "cluster privileges": ("team-sandboxes", grants("shop-1") | {"clusterCan": ["monitor"]}, "clusterCan: monitor"),
    "remote clusters": ("team-sandboxes", grants("shop-1", remoteClusters=["eu"]), "grants[0].remoteClusters: eu"),
    "Kibana": ("team-sandboxes", grants("shop-1") | {"kibana": [{"spaces": ["*"], "base": "all"}]}, "kibana is not"),
    "rights that stay": ("team-sandboxes", grants("shop-1") | {"deletionPolicy": "Orphan"}, "deletionPolicy: Orphan"),
    "another's secret": ("team-sandboxes", grants("shop-1") | KEY, "credential.name: orders-key is not accepted"),
    "reading": ("production-read-only", grants("orders-*", can=["read", "monitor"]), ""),
    "writing": ("production-read-only", grants("orders-*", can=["write"]), "grants[0]: write is not allowed"),
    "everything": ("production-read-only", grants("*"), "grants[0]: read is allowed only on "),
    "a broad wildcard": ("production-read-only", grants("ord*"), "grants[0]: ord*: write at least 4 characters"),
    "hidden indices": ("production-read-only", grants(".kibana_1"), "grants[0]: read is allowed only on "),
    "an expression": ("production-read-only", grants("/orders.*/"), "grants[0]: /orders.*/: regular expressions"),
    "the own project's account": ("namespace-project", {}, ""),
    "a workload of the own project": ("namespace-project", {"subject": WORKLOAD, **KEY}, ""),
    "a workload of another project": ("namespace-project", {"subject": OF_BANK, **KEY}, "subject: this workload"),
    "another project's account": (
        "namespace-project",
        {"service_account": "orders@acme-bank.iam.gserviceaccount.com"},
        "subject: this workload or service account may not be named",
    ),
    "a project of a similar name": (
        "namespace-project",
        {"service_account": "orders@acme-shop-eu.iam.gserviceaccount.com"},
        "subject: this workload or service account may not be named",
    ),
    "some fields": ("ai-agents", grants("orders-1", **SOME_FIELDS) | EIGHT_HOURS, ""),
    "without personal data": ("ai-agents", grants("orders-1", **HIDING) | EIGHT_HOURS, ""),
    "a wildcard that can match personal data": (
        "ai-agents",
        grants("orders-*", **SOME_FIELDS),
        "grants[0]: read on orders-* is denied, as it can match what *-pii matches",
    ),
    "all fields": ("ai-agents", grants("orders-1"), "grants[0]: fields is required"),
    "personal data": ("ai-agents", grants("orders-1", fields={"include": ["email"]}), "grants[0]: email may not be"),
    "personal data below": (
        "ai-agents",
        grants("orders-1", fields={"include": ["customer.name"]}),
        "grants[0]: customer",
    ),
    "an index with personal data": ("ai-agents", grants("orders-pii", **SOME_FIELDS), "grants[0]: read on orders-pii"),
    "an agent that writes": ("ai-agents", grants("orders-*", can=["append"]), "grants[0]: append is not allowed"),
    "an agent whose access does not end": ("ai-agents", grants("orders-1", **SOME_FIELDS), "validUntil is required"),
    "an agent whose access ends late": (
        "ai-agents",
        grants("orders-1", **SOME_FIELDS) | EIGHT_HOURS | {"validUntil": "2026-06-01T08:00:01Z"},
        "validUntil: 2026-06-01T08:00:01Z is too late",
    ),
    "an agent behind a gateway": ("ai-agents-behind-gateway", grants("orders-1") | EIGHT_HOURS | LIMITED, ""),
    "an agent that appends": (
        "ai-agents-behind-gateway",
        grants("orders-1", can=["read", "append"]) | EIGHT_HOURS | LIMITED,
        "",
    ),
    "an agent that nothing limits": (
        "ai-agents-behind-gateway",
        grants("orders-1") | EIGHT_HOURS,
        "limits.requestsPerSecond is required: write at most 10",
    ),
    "an agent with SQL": (
        "ai-agents-behind-gateway",
        grants("orders-1") | EIGHT_HOURS | {"limits": LIMITED["limits"] | {"apis": ["Sql"]}},
        "limits.apis: Sql is not accepted: write some of Documents, Search, Bulk",
    ),
    "an agent that deletes": (
        "ai-agents-behind-gateway",
        grants("orders-1", can=["read", "delete"]) | EIGHT_HOURS | LIMITED,
        "grants[0]: delete on orders-1 is denied",
    ),
    "an agent with a key": (
        "ai-agents",
        grants("orders-1", **SOME_FIELDS) | KEY | EIGHT_HOURS,
        "auth: ApiKey is not accepted",
    ),
}


def reasons(policy: Policy, access: Access, labels: Mapping[str, str]) -> list[str]:
    verdict = verdict_of(access, policy, labels=labels)
    assert not verdict.unknown
    assert verdict.outcomes, "it applies"
    return [reason for outcome in verdict.outcomes for reason in outcome.reasons]


@pytest.mark.parametrize("case", CASES)
def test_example(case: str) -> None:
    name, given, says = CASES[case]

    found = reasons(
        read(name), replace(an_access(**given), labels=AGENT, created_at="2026-06-01T00:00:00Z"), SANDBOX | PRODUCTION
    )

    assert any(reason.startswith(says) for reason in found) if says else found == []


@pytest.mark.parametrize("name", FILES)
def test_each_example_can_be_read_and_has_both_an_accepted_and_a_refused_case(name: str) -> None:
    assert not read(name).invalid
    assert {bool(says) for policy, _, says in CASES.values() if policy == name} == {True, False}


@pytest.mark.parametrize("name", ["team-sandboxes", "production-read-only", "ai-agents"])
def test_example_says_nothing_of_others(name: str) -> None:
    assert verdict_of(an_access(), read(name), labels={}).outcomes == ()
