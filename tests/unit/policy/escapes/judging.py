"""A SearchAccess on its way from Kubernetes to a decision, with one policy in force."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from searchaccess.core.policy.decision import OPEN, AccessDecision, decide
from searchaccess.engine.inventory.inventory import Inventory


def decided(policy: Mapping[str, Any], raw: Mapping[str, Any]) -> AccessDecision:
    """Return what is done about a SearchAccess that the operator reads while a policy is in force."""
    inventory = Inventory()
    metadata = {"name": "sandbox", "uid": "sandbox", "generation": 1, "resourceVersion": "1"}
    inventory.policies.see({"metadata": metadata, "spec": policy})
    inventory.policies.keep({"sandbox"}, frozenset())
    inventory.see_access(raw)
    [record] = inventory.accesses.values()
    return decide(record.access, replace(OPEN, gateway=True))
