"""What is generated from a SearchAccessPolicy, and what is left to the operator. How the API server evaluates it is
tested on a real one."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from searchaccess.api.policies.rules import Limits
from searchaccess.api.searchaccesspolicy import SearchAccessPolicySpec
from searchaccess.core.answers.admission import cel
from searchaccess.core.answers.admission.objects import Generated, generated
from searchaccess.core.answers.admission.rules import Left, rules_of
from tests.integration.kinds.cases.policy import EVERYTHING
from tests.support.operatorprocess import ROOT
from tests.unit.cli.program import api_server, refused, write_kubeconfig
from tests.unit.policy.guardrails.test_verdicts import READ_ORDERS, a_policy

NO_GRANTS: dict[str, Any] = {"limits": {"grants": 0}}


def of(name: str = "limits", **spec: Any) -> Generated:
    return generated(a_policy(name, **spec))


@pytest.mark.parametrize(("mode", "actions"), [("Enforce", ["Deny"]), ("Audit", ["Warn", "Audit"])])
def test_the_mode_says_what_a_violation_does(mode: str, actions: list[str]) -> None:
    definition, binding = of(mode=mode, **NO_GRANTS).objects
    assert binding["spec"] == {"policyName": definition["metadata"]["name"], "validationActions": actions}
    assert binding["metadata"]["name"] == definition["metadata"]["name"] == "limits.policies.searchaccess.dev"
    # What cannot be evaluated may be accepted by the operator.
    assert definition["spec"]["failurePolicy"] == "Ignore"


def test_each_rule_says_which_policy_and_what_to_write() -> None:
    definition, _ = of(allow=READ_ORDERS, require={"validUntil": "8h"}).objects
    messages = [each["message"] for each in definition["spec"]["validations"]]
    assert messages == [
        "SearchAccessPolicy limits: can: accepted: read",
        "SearchAccessPolicy limits: privileges: accepted: none",
        "SearchAccessPolicy limits: indices: only orders-* are allowed for read",
        (
            "SearchAccessPolicy limits: validUntil is required: write a time at most 8h after validFrom, or without it "
            "after the creation"
        ),
    ]


@pytest.mark.parametrize(
    ("spec", "left"),
    [
        ({"allow": [{"indices": ["/orders-.*/"], "can": ["read"]}]}, "allow: read on /orders-.*/"),
        ({"deny": [{"indices": ["/orders-.*/"]}]}, "deny: /orders-.*/"),
        ({"deny": [{"indices": [".*"]}]}, "deny: .*"),
        ({"allow": READ_ORDERS}, "allow, deny: grants with regular expressions"),
        ({"require": {"hiddenFields": ["ssn"]}}, "require.hiddenFields"),
        ({"subjects": [{"projects": ["acme"]}]}, "subjects: accounts behind Cloud Run workloads"),
        ({"match": {"subjects": [{"projects": ["acme"]}]}, **NO_GRANTS}, "match.subjects: Cloud Run workloads"),
        (
            {
                "exceptions": [{"namespace": "shop", "name": "a", "reason": "b", "until": "2027-01-31T00:00:00Z"}],
                **NO_GRANTS,
            },
            "exceptions: the end of shop/a (2027-01-31T00:00:00Z): generate again after it",
        ),
        (
            {"allow": [{"indices": [f"{'a' * 200}{number}-*" for number in range(99)], "can": ["read"]}]},
            "allow: read on",
        ),
    ],
)
def test_what_cel_cannot_express_is_named(spec: dict[str, Any], left: str) -> None:
    assert [each for each in of(**spec).left if each.startswith(left)]


def test_what_limits_only_what_cel_can_express_leaves_nothing() -> None:
    assert of(require={"auth": ["IdentityToken"], "where": True}, **NO_GRANTS).left == ()


def test_a_field_that_nobody_thought_of_is_named_and_one_beside_the_rules_prevents_all() -> None:
    class More(Limits):
        colors: int = 3

    class Wider(SearchAccessPolicySpec):
        doors: bool = True

    known = SearchAccessPolicySpec.model_validate(NO_GRANTS)
    limited = list(rules_of(known.model_copy(update={"limits": More(grants=0)})))
    assert [each.what for each in limited if isinstance(each, Left)] == ["limits.colors"]
    assert list(rules_of(Wider.model_validate(NO_GRANTS))) == [Left("all of the policy, because of doors")]


def test_every_field_gives_a_rule_or_is_named() -> None:
    for part in ("require", "limits"):
        for field, value in EVERYTHING[part].items():
            assert list(rules_of(SearchAccessPolicySpec.model_validate({part: {field: value}}))), (part, field)


def test_one_that_cannot_be_read_gives_nothing_and_says_why() -> None:
    found = of(allow=[{"indices": ["/orders"], "can": ["read"]}])
    assert found.objects == ()
    assert found.problem.startswith("spec.allow")


def test_names_fit_and_stay_apart() -> None:
    names = [of("a" * 250 + end, **NO_GRANTS).objects[0]["metadata"]["name"] for end in ("b", "c")]
    assert len(set(names)) == 2
    assert all(len(name) <= 253 and name.isascii() for name in names)


def test_only_patterns_stand_for_the_namespace() -> None:
    assert cel.matching(["{namespace}-*", "a.b"]) == '"^(?:" + request.namespace + "-.*|a\\\\.b)$"'
    match = {"labels": {"matchLabels": {"team": "{namespace}"}}}
    variables = of(match=match, **NO_GRANTS).objects[0]["spec"]["variables"]
    assert "request.namespace" not in json.dumps(variables)


def test_the_command_prints_the_examples_and_says_what_it_leaves_out() -> None:
    output = refused("generate-admission-policy", "-f", str(ROOT / "examples" / "policies"), code=0)
    printed = [line for line in output.splitlines() if "searchaccess: " not in line and " [info " not in line]
    kinds = [raw["kind"] for raw in yaml.safe_load_all("\n".join(printed)) if raw]
    assert kinds == ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] * 5
    assert "# only the operator checks require.hiddenFields" in output
    assert "searchaccess: SearchAccessPolicy ai-agents: only the operator checks require.hiddenFields" in output


def test_the_command_asks_the_api_server_without_files(tmp_path: Path) -> None:
    item = {"metadata": {"name": "listed", "uid": "u"}, "spec": NO_GRANTS}
    answers = {"searchaccesspolicies": (200, {"metadata": {}, "items": [item]})}
    with api_server(answers, []) as url:
        kubeconfig = write_kubeconfig(tmp_path, url)
        output = refused("generate-admission-policy", f"--kubeconfig={kubeconfig}", code=0)
        assert "name: listed.policies.searchaccess.dev" in output
    with api_server({"searchaccesspolicies": (403, {"message": "forbidden"})}, []) as url:
        said = refused("generate-admission-policy", f"--kubeconfig={write_kubeconfig(tmp_path, url)}", code=1)
    assert "searchaccess: " in said


def test_the_command_reaches_a_gke_cluster_as_others_do() -> None:
    said = refused("generate-admission-policy", "--gke", "tools")
    assert "write projects/P/locations/L/clusters/C" in said


def test_the_command_fails_if_a_policy_cannot_be_read(tmp_path: Path) -> None:
    metadata, spec = {"name": "broken"}, {"allow": [{"indices": ["/orders"], "can": ["read"]}]}
    raw = {"apiVersion": "searchaccess.dev/v1alpha1", "kind": "SearchAccessPolicy", "metadata": metadata, "spec": spec}
    (tmp_path / "broken.yaml").write_text(yaml.safe_dump(raw))
    said = refused("generate-admission-policy", "-f", str(tmp_path), code=1)
    assert "SearchAccessPolicy broken cannot be read: spec.allow[0].indices" in said
