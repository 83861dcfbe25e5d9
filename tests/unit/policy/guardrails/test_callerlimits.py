"""What SearchAccessPolicies require of the limits of callers."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.builders import an_access
from tests.unit.policy.guardrails.test_verdicts import KEY, reasons_of

ALL: Mapping[str, Any] = {"requestsPerSecond": 10, "maxBody": "1Mi", "apis": ["Documents", "Search"]}

# Each: limits of the SearchAccess, limits that the policy requires, and what is said.
CASES: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], tuple[str, ...]]] = {
    "exactly as required": (ALL, ALL, ()),
    "less of each": ({"requestsPerSecond": 1, "burst": 1, "maxBody": "1Ki", "apis": ["Search"]}, ALL, ()),
    "a higher rate": (
        {"requestsPerSecond": 11},
        {"requestsPerSecond": 10, "burst": 100},
        ("limits.requestsPerSecond: 11 is not accepted: write at most 10",),
    ),
    "a low rate with a huge burst": (
        {"requestsPerSecond": 1, "burst": 100_000},
        {"requestsPerSecond": 10},
        ("limits.burst: 100000 is not accepted: write at most 20",),
    ),
    "a burst that the policy accepts": (
        {"requestsPerSecond": 10, "burst": 100},
        {"requestsPerSecond": 10, "burst": 100},
        (),
    ),
    "a burst that follows from the rate": (
        {"requestsPerSecond": 60},
        {"burst": 100},
        ("limits.burst: 120 is not accepted: write at most 100",),
    ),
    "no burst where one is required": (
        {"maxBody": "1Mi"},
        {"burst": 100},
        ("limits.burst is required: write at most 100, with requestsPerSecond",),
    ),
    "no rate": (
        {"maxBody": "1Mi"},
        {"requestsPerSecond": 10},
        ("limits.requestsPerSecond is required: write at most 10",),
    ),
    "a larger body": (
        {"maxBody": "1Gi"},
        {"maxBody": "512Ki"},
        ("limits.maxBody: 1Gi is not accepted: write at most 512Ki",),
    ),
    "a larger body in a smaller unit": (
        {"maxBody": "1025Ki"},
        {"maxBody": "1Mi"},
        ("limits.maxBody: 1025Ki is not accepted: write at most 1Mi",),
    ),
    "the same body in another unit": ({"maxBody": "1024Ki"}, {"maxBody": "1Mi"}, ()),
    "another part of the API": (
        {"apis": ["Search", "Sql", "Scripts"]},
        {"apis": ["Documents", "Search"]},
        ("limits.apis: Sql, Scripts is not accepted: write some of Documents, Search",),
    ),
    "all parts of the API": (
        {"maxBody": "1Mi"},
        {"apis": ["Search"]},
        ("limits.apis is required: write some of Search",),
    ),
}


@pytest.mark.parametrize(("limits", "required", "says"), CASES.values(), ids=CASES)
def test_limits_are_compared_with_what_is_required(
    limits: Mapping[str, Any], required: Mapping[str, Any], says: tuple[str, ...]
) -> None:
    assert reasons_of(an_access(limits=limits), require={"limits": required}) == says


def test_without_limits_each_required_one_is_named() -> None:
    assert len(reasons_of(an_access(), require={"limits": ALL})) == 3


def test_a_key_cannot_be_limited() -> None:
    says = reasons_of(an_access(**KEY), require={"limits": {"maxBody": "1Mi"}})
    assert says == ("limits are required, which only a gateway enforces: write auth: IdentityToken, and limits",)
