"""What the API server takes and refuses of limits of callers."""

from typing import Any

from searchaccess.api.vocabulary.apigroups import ApiGroup
from tests.integration.kinds.cases.common import Cases

SLOW: dict[str, Any] = {"requestsPerSecond": 5, "burst": 10, "maxBody": "1Mi", "apis": ["Documents", "Search"]}
_BURST = "burst belongs to requestsPerSecond: write both, and burst not below it"
_SIZE = "write a size such as 512Ki, 100Mi or 1Gi"


def reject_limits(cases: Cases) -> None:
    cases.access("limits that limit nothing", {"limits": {}}, "should have at least 1 properties")
    for field in ("requestsPerSecond", "burst"):
        for number, says in ((0, "greater than or equal to 1"), (-1, "greater than or equal to 1")):
            cases.access(f"{field}: {number}", {"limits": SLOW | {field: number}}, says)
        cases.access(f"{field}: too many", {"limits": SLOW | {field: 100_001}}, "less than or equal to 100000")
        cases.access(f"{field}: text", {"limits": SLOW | {field: "5"}}, "must be of type integer")
    cases.access("a burst alone", {"limits": {"burst": 5}}, _BURST)
    cases.access("a burst below the rate", {"limits": {"requestsPerSecond": 5, "burst": 4}}, _BURST)
    for size in ("", "0", "0Mi", "1M", "1Ti", "01Mi", "+1Mi", "1.5Gi", "1Mi\n", "1 Mi"):
        cases.access(f"the body {size!r}", {"limits": {"maxBody": size}}, _SIZE)
    cases.access("a body of many digits", {"limits": {"maxBody": "1234567Mi"}}, "may not be more than 8")
    cases.access("no part of the API", {"limits": {"apis": []}}, "should have at least 1 items")
    every = [*map(str, ApiGroup), "Sql"]
    cases.access("more parts of the API than there are", {"limits": {"apis": every}}, f"at most {len(ApiGroup)} items")
    cases.access("a part of the API twice", {"limits": {"apis": ["Sql", "Sql"]}}, 'Duplicate value: "Sql"')
    for group in ("sql", "*", "All", ""):
        cases.access(f"the part {group!r} of the API", {"limits": {"apis": [group]}}, "Unsupported value")
    key = {"auth": "ApiKey", "credential": {"store": "main", "name": "orders"}}
    cases.access("limits with a key", {"limits": SLOW} | key, "only a gateway limits requests")
    cases.access("limits of rights that stay", {"limits": SLOW, "deletionPolicy": "Orphan"}, "nobody would limit orph")
    for size in ("0Mi", "1M"):
        cases.policy(f"a policy with the body {size}", {"require": {"limits": {"maxBody": size}}}, _SIZE)


def accept_limits(cases: Cases) -> None:
    cases.access("limits", {"limits": SLOW})
    cases.access("every limit as high as it can be", {
        "limits": {
            "requestsPerSecond": 100_000, "burst": 100_000, "maxBody": "999999Gi",
            "apis": [str(group) for group in ApiGroup],
        },
    })  # fmt: skip
    for field in ("requestsPerSecond", "maxBody", "apis"):
        cases.access(f"{field} alone", {"limits": {field: SLOW[field]}})
