"""Which installed CustomResourceDefinitions may be replaced."""

import copy
from typing import Any

import pytest

from searchaccess.api.crd import custom_resource_definitions
from searchaccess.core.answers.kinds import newer_fields

OURS = custom_resource_definitions()["searchaccesses"]


def with_field(path: list[str], name: str) -> dict[str, Any]:
    """Return ours with one more field, in a schema that a path leads to."""
    crd = copy.deepcopy(OURS)
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for key in path:
        schema = schema[key]
    schema["properties"][name] = {"type": "string"}
    return crd


def test_the_same_loses_nothing() -> None:
    assert newer_fields(OURS, OURS) == []


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (["properties", "spec"], "v1alpha1.spec.later"),
        (["properties", "status", "properties", "drift"], "v1alpha1.status.drift.later"),
        (["properties", "spec", "properties", "grants", "items"], "v1alpha1.spec.grants[].later"),
    ],
)
def test_a_field_that_ours_does_not_have_would_be_lost(path: list[str], field: str) -> None:
    newer = with_field(path, "later")
    assert newer_fields(newer, OURS) == [field]
    assert newer_fields(OURS, newer) == []


def test_a_value_that_ours_does_not_have_would_be_refused() -> None:
    newer = copy.deepcopy(OURS)
    schema = newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    schema["mode"]["enum"].append("Later")
    schema["grants"]["items"]["properties"]["can"]["items"]["enum"].append("fly")
    assert newer_fields(newer, OURS) == ["v1alpha1.spec.grants[].can[]=fly", "v1alpha1.spec.mode=Later"]
    assert newer_fields(OURS, newer) == []


def test_a_selector_that_ours_does_not_have_would_be_lost() -> None:
    newer, older = copy.deepcopy(OURS), copy.deepcopy(OURS)
    newer["spec"]["versions"][0]["selectableFields"].append({"jsonPath": ".spec.later"})
    assert newer_fields(newer, OURS) == ["v1alpha1 selects .spec.later"]
    del older["spec"]["versions"][0]["selectableFields"]  # As Kubernetes 1.30 does it.
    assert newer_fields(older, OURS) == []


def test_a_version_that_ours_does_not_have_would_be_lost() -> None:
    newer = copy.deepcopy(OURS)
    newer["spec"]["versions"].append({"name": "v1", "schema": {"openAPIV3Schema": {}}})
    assert newer_fields(newer, OURS) == ["v1"]


@pytest.mark.parametrize("odd", [{}, {"spec": None}, {"spec": {"versions": [{"name": "v1alpha1", "schema": 3}]}}])
def test_what_has_no_schema_has_nothing_to_lose(odd: dict[str, Any]) -> None:
    assert newer_fields(odd, OURS) == []
