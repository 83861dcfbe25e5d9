"""Whether the API server vouches for names: only by the admission policies of this version, as a whole."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from searchaccess.api.times.moments import moment
from searchaccess.api.vouching import APPROVERS, BINDINGS, OBJECTS, POLICIES, AdmissionObject, vouching_objects
from searchaccess.core.policy.consent.vouching import SETTLES, Vouching, vouching_of

CREATED = "2026-01-01T10:00:00Z"
Found = dict[AdmissionObject, Any]
POLICY, BINDING = AdmissionObject(POLICIES, APPROVERS), AdmissionObject(BINDINGS, APPROVERS)


def found() -> Found:
    return {
        each: deepcopy(manifest) | {"metadata": {"name": each.name, "creationTimestamp": CREATED}}
        for each, manifest in vouching_objects().items()
    }


def test_all_of_them_vouch_soon_after_they_exist() -> None:
    assert vouching_of(found()) == Vouching((moment(CREATED) or 0) + SETTLES)


def test_the_last_one_counts() -> None:
    there = found()
    there[BINDING]["metadata"]["creationTimestamp"] = "2026-01-01T11:00:00Z"
    assert vouching_of(there) == Vouching((moment("2026-01-01T11:00:00Z") or 0) + SETTLES)


@pytest.mark.parametrize("missing", OBJECTS, ids=str)
def test_a_missing_one_is_named(missing: AdmissionObject) -> None:
    said = vouching_of(found() | {missing: None})
    assert said.since is None
    assert f" {missing.name} is missing: apply deploy/approvals.yaml" in said.problem


def _in_namespaces(spec: dict[str, Any]) -> None:
    spec["matchResources"] = {"namespaceSelector": {"matchLabels": {"team": "shop"}}}


CHANGES: dict[str, tuple[AdmissionObject, Callable[[dict[str, Any]], Any]]] = {
    "a binding that audits": (BINDING, lambda spec: spec.update(validationActions=["Audit"])),
    "a binding that warns": (BINDING, lambda spec: spec.update(validationActions=["Warn"])),
    "a binding that warns and audits": (BINDING, lambda spec: spec.update(validationActions=["Warn", "Audit"])),
    "a binding of some namespaces": (BINDING, _in_namespaces),
    "a binding of another policy": (BINDING, lambda spec: spec.update(policyName="other")),
    "a policy that fails open": (POLICY, lambda spec: spec.update(failurePolicy="Ignore")),
    "a policy with another expression": (POLICY, lambda spec: spec["validations"][0].update(expression="true")),
    "a policy without a check": (POLICY, lambda spec: spec["validations"].pop()),
    "a policy with a condition": (
        POLICY, lambda spec: spec.update(matchConditions=[{"name": "never", "expression": "false"}]),
    ),
    "a policy of some objects": (
        POLICY, lambda spec: spec["matchConstraints"].update(objectSelector={"matchLabels": {"a": "b"}}),
    ),
    "a policy of creations only": (
        POLICY, lambda spec: spec["matchConstraints"]["resourceRules"][0].update(operations=["CREATE"]),
    ),
    "a policy that excludes": (
        POLICY,
        lambda spec: spec["matchConstraints"].update(
            excludeResourceRules=spec["matchConstraints"]["resourceRules"]
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "change"), CHANGES.values(), ids=CHANGES)
def test_a_changed_one_vouches_for_nobody(changed: AdmissionObject, change: Callable[[dict[str, Any]], object]) -> None:
    there = found()
    change(there[changed]["spec"])
    said = vouching_of(there)
    assert said.since is None
    assert "is not as this version of the operator needs it" in said.problem


def test_one_of_unknown_age_vouches_for_nobody() -> None:
    there = found()
    there[POLICY]["metadata"] = {}
    assert vouching_of(there).since is None
