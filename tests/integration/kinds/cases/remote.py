"""What the API server takes and refuses of grants on remote clusters."""

from typing import Any

from tests.integration.kinds.cases.common import Cases, numbered


def reject_remote(cases: Cases) -> None:
    cases.grant("no remote cluster", {"remoteClusters": []}, "should have at least 1 items")
    cases.grant("21 remote clusters", {"remoteClusters": numbered(21)}, "at most 20 items")
    cases.grant("a remote cluster twice", {"remoteClusters": ["eu", "eu"]}, 'Duplicate value: "eu"')
    cases.grant("an empty remote cluster", {"remoteClusters": [""]}, "should be at least 1 chars long")
    cases.grant("a remote cluster of 101 characters", {"remoteClusters": ["a" * 101]}, "may not be more than 100")
    for cluster in ("eu:logs", "-eu", "e*u", "**", "eu?", "/eu/", "e u", "größe", "eu,us"):
        cases.grant(
            f"the remote cluster {cluster}", {"remoteClusters": [cluster]}, "write the name of a remote cluster"
        )
    wrong: list[dict[str, Any]] = [
        {"can": ["write"]}, {"can": ["read", "monitor"]}, {"privileges": ["read"]}, {"can": [], "privileges": ["read"]},
    ]  # fmt: skip
    for more in wrong:
        name = f"a remote cluster with {next(iter(more.items()))}"
        cases.grant(name, {"remoteClusters": ["eu"]} | more, "remote clusters can only be read")


def accept_remote(cases: Cases) -> None:
    restricted = {"where": {"term": {"region": "eu"}}, "fields": {"exclude": ["customer.ssn"]}}
    cases.grant("remote clusters", {"remoteClusters": ["eu", "EU_1", "eu-*", "*", "a" * 100]} | restricted)
