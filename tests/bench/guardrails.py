"""How long it takes to judge all SearchAccesses: ``python -m tests.bench.guardrails``, and a part of ``make bench``.

No server is needed. Three worlds: each policy applies to the namespace of one team, as in a platform of many teams;
all policies apply to all SearchAccesses, which name the same indices as others; and all policies apply to all
SearchAccesses, and all of them differ: the patterns that the policies allow and deny, and those that are granted.
"""

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Any, Final

from rich.console import Console

from searchaccess.engine.inventory.inventory import Inventory
from searchaccess.operator.garbage import freeze_live_objects
from tests.bench.report import Report
from tests.support.worlds.world import access, grant

ACCESSES: Final = 10_000
POLICIES: Final = 100
GOAL: Final = 1.0
"""Seconds of CPU for all of them."""
Declare = Callable[[int], dict[str, Any]]
LIMITS: Final[dict[str, Any]] = {"privileges": False, "regularExpressions": False, "deletionPolicies": ["Delete"]}


def policy(number: int, version: int, **spec: Any) -> dict[str, Any]:
    """Return a version of a policy."""
    name = f"policy-{number}"
    return {
        "metadata": {"name": name, "uid": name, "generation": version, "resourceVersion": str(version)},
        "spec": spec,
    }


def of_team(number: int, version: int = 1) -> dict[str, Any]:
    """Return a policy that applies to one team."""
    return policy(
        number,
        version,
        match={"namespaces": {"names": [f"team-{number}"]}},
        allow=[{"indices": ["{namespace}-*", f"shared-{version}", "shared-*"], "can": ["read", "write"]}],
        deny=[{"indices": ["secret-*", "audit-*"]}],
        limits=LIMITS,
    )


def of_all(number: int, version: int = 1) -> dict[str, Any]:
    """Return a policy that applies to all, and differs from others in what it denies and requires."""
    return policy(
        number,
        version,
        allow=[{"indices": ["{namespace}-*", "orders-*", f"shared-{version}", "shared-*"], "can": ["read", "write"]}],
        deny=[{"indices": [f"secret-{number}-*", "audit-*"]}, {"indices": ["logs-*"], "can": ["delete"]}],
        subjects=[{"projects": ["acme-*"]}],
        require={"auth": ["IdentityToken"], "hiddenFields": ["*.ssn"] if number % 10 else ["customer.email"]},
        limits=LIMITS | {"patterns": 20 + number, "literalPrefix": 3},
    )


def different(number: int, version: int = 1) -> dict[str, Any]:
    """Return a policy that applies to all, and is like no other in anything that it says."""
    allowed = [
        "{namespace}-*",
        f"*-logs-{number}-*",
        f"o*-{number}-*",
        "*-logs-*",
        "orders-*",
        f"shared-{version}",
        "shared-*",
    ]
    return policy(
        number,
        version,
        allow=[{"indices": allowed, "can": ["read", "write"]}],
        deny=[{"indices": [f"secret-{number}-*", f"secret-*-{number}", f"orders-private-{number}-*"]}],
        subjects=[{"projects": [f"other-{number}-*", "acme-*"]}],
        require={"auth": ["IdentityToken"], "hiddenFields": [f"field-{number}.ssn"]},
        limits=LIMITS | {"patterns": 20 + number, "literalPrefix": 3},
    )


def strict(number: int, version: int = 1) -> dict[str, Any]:
    """Return a policy that applies to all and refuses them."""
    return policy(number, version, allow=[{"indices": [f"orders-{number}-x-*", f"shared-{version}"], "can": ["read"]}])


def denying(number: int, version: int = 1) -> dict[str, Any]:
    """Return a policy that applies to all and refuses them by what it denies: each is asked alone."""
    return policy(number, version, deny=[{"indices": [f"*-{number}x", "orders-*", f"shared-{version}"]}])


def some_strict(number: int, version: int = 1) -> dict[str, Any]:
    """Return a policy that applies to all, one of which refuses some."""
    raw = of_all(number, version)
    if number == 1:
        raw["spec"]["deny"].append({"indices": ["orders-3-*", "team-7-x"]})
    return raw


def declared(number: int, *indices: str, namespace: str = "") -> dict[str, Any]:
    """Return a SearchAccess with a subject of its own."""
    team = namespace or f"team-{number % POLICIES}"
    fields = {"exclude": ["*.ssn", "customer.email"]}
    grants = [grant(*indices, fields=fields), grant(f"shared-{number % 7}-*", can=["write"])]
    raw = access(f"a-{number}", *grants, namespace=team)
    raw["metadata"] |= {"uid": f"a-{number}", "generation": 1, "resourceVersion": "1"}
    workload = {"project": "acme-shop", "location": "europe-west1", "name": f"service-{number}"}
    raw["spec"]["subject"] = {"cloudRunService": workload}
    return raw


def owned(number: int) -> dict[str, Any]:
    """Return a SearchAccess of a team's own indices."""
    return declared(number, f"team-{number % POLICIES}-orders-{number}")


def alike(number: int) -> dict[str, Any]:
    """Return a SearchAccess that names the same indices as others."""
    return declared(number, f"orders-{number % 10}-*", f"team-{number % POLICIES}-x")


def unlike(number: int) -> dict[str, Any]:
    """Return a SearchAccess that names indices that no other one names."""
    return declared(number, f"orders-{number}-*", f"eu-logs-{number}-*")


def measure(report: Report) -> None:
    """Add the figures to a report."""
    asyncio.run(_measure(report))


async def _measure(report: Report) -> None:
    await _world(report, "each by one of", of_team, owned)
    await _world(report, "alike, all by", of_all, alike)
    await _world(report, "all different, by different", different, unlike)
    await _world(report, "alike, one in a hundred refused by one of", some_strict, alike, refused=None)
    await _world(report, "all different, refused by", strict, unlike, refused=True)
    await _world(report, "all different, denied by", denying, unlike, ACCESSES // 100, refused=True)


async def _world(
    report: Report,
    title: str,
    policies: Callable[[int, int], dict[str, Any]],
    accesses: Declare,
    number: int = ACCESSES,
    *,
    refused: bool | None = False,
) -> None:
    inventory = Inventory()
    for each in range(number):
        inventory.see_access(accesses(each))
    for each in range(POLICIES):
        inventory.policies.see(policies(each, 1))
    inventory.policies.keep({f"policy-{each}" for each in range(POLICIES)}, frozenset())
    # As the operator does once all are listed: Python would traverse all of them in between.
    thresholds = gc.get_threshold()
    freeze_live_objects()
    took = await _judging(inventory)
    found = [record.access.verdict for record in inventory.accesses.values()]
    assert all(verdict.refused is refused for verdict in found) or refused is None, title
    assert not any(verdict.unknown for verdict in found), title
    pairs = sum(len(verdict.outcomes) for verdict in found)
    what = f"{number} accesses {title} {POLICIES} policies"
    report.add(
        what,
        took,
        "s of CPU",
        GOAL if number == ACCESSES else None,
        f"{took / pairs * 1e6:.2f} us for each of {pairs} pairs",
    )
    inventory.policies.see(policies(7, 2))
    again = await _judging(inventory)
    report.add("… again after one policy changed", again / took * 100, "% of that", None, f"{again * 1000:.0f} ms")
    began = time.process_time()
    for each in range(100):
        raw = accesses(each)
        raw["metadata"] |= {"generation": 2, "resourceVersion": "2"}
        raw["spec"]["grants"][0]["indices"][0] += "b-*"
        inventory.see_access(raw)
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    report.add("… one changed access", (time.process_time() - began) * 10, "ms", None, "read, judged and indexed")


async def _judging(inventory: Inventory) -> float:
    began = time.process_time()
    later = asyncio.create_task(inventory.finish_judgments())
    await inventory.judge_all()
    while inventory.policies.judgments.is_open:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0)
    later.cancel()
    return time.process_time() - began


def main() -> None:
    """Measure this alone."""
    report = Report(ACCESSES)
    measure(report)
    report.print(Console(width=160))


if __name__ == "__main__":
    main()
