"""How long it takes to judge all SearchAccesses: ``python -m tests.bench.guardrails``, and a part of ``make bench``.

No server is needed. Each of the policies applies to the namespace of one team, as in a platform of many teams.
"""

import asyncio
import time
from typing import Any, Final

from rich.console import Console

from searchaccess.engine.inventory.inventory import Inventory
from tests.bench.report import Report
from tests.support.world import access, grant

ACCESSES: Final = 10_000
POLICIES: Final = 100
GOAL: Final = 1.0
"""Seconds of CPU for all of them."""


def policy(number: int, version: int) -> dict[str, Any]:
    team = f"team-{number}"
    metadata = {"name": team, "uid": team, "generation": version, "resourceVersion": str(version)}
    spec = {
        "match": {"namespaces": {"names": [team]}},
        "allow": [{"indices": ["{namespace}-*", f"shared-{version}", "shared-*"], "can": ["read", "write"]}],
        "deny": [{"indices": ["secret-*", "audit-*"]}],
        "limits": {"privileges": False, "regularExpressions": False, "deletionPolicies": ["Delete"]},
    }
    return {"metadata": metadata, "spec": spec}


def declared(number: int) -> dict[str, Any]:
    team = f"team-{number % POLICIES}"
    grants = [grant(f"{team}-orders-{number}"), grant(f"shared-{number % 7}-*", can=["read", "write"])]
    raw = access(f"a-{number}", *grants, namespace=team)
    raw["metadata"] |= {"uid": f"a-{number}", "generation": 1, "resourceVersion": "1"}
    return raw


def measure(report: Report) -> None:
    """Add the figures to a report."""
    asyncio.run(_measure(report))


async def _measure(report: Report) -> None:
    inventory = Inventory()
    for number in range(ACCESSES):
        inventory.see_access(declared(number))
    for number in range(POLICIES):
        inventory.policies.see(policy(number, 1))
    inventory.policies.keep({f"team-{number}" for number in range(POLICIES)}, frozenset())
    took = await _judging(inventory)
    assert not any(record.access.verdict.refused for record in inventory.accesses.values())
    report.add(f"{ACCESSES} accesses judged by {POLICIES} policies", took, "s of CPU", GOAL)
    inventory.policies.see(policy(7, 2))
    again = await _judging(inventory)
    report.add("judged again after one policy changed", again / took * 100, "% of that", 5, f"{again * 1000:.0f} ms")


async def _judging(inventory: Inventory) -> float:
    began = time.process_time()
    await inventory.judge_all()
    return time.process_time() - began


def main() -> None:
    """Measure this alone."""
    report = Report(ACCESSES)
    measure(report)
    report.print(Console(width=160))


if __name__ == "__main__":
    main()
