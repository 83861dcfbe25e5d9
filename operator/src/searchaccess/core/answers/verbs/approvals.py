"""The approval that a person gives to a SearchAccess as it is now."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from searchaccess.api.constants import API_VERSION
from searchaccess.api.status import SearchAccessStatus
from searchaccess.core.model.intake.metadata import metadata_of
from searchaccess.core.policy.guardrails.policy import policy_from_object


def groups_that_count(
    access: Mapping[str, Any], policies: Iterable[Mapping[str, Any]], groups: Collection[str]
) -> tuple[str, ...]:
    """Return those of a person's groups that the policies name which wait for an approval.

    Args:
        access: the SearchAccess, with its status.
        policies: SearchAccessPolicies, as the API server has them.
        groups: of the person.
    """
    status = SearchAccessStatus.read(access.get("status"))
    waiting = {each.name for each in status.effective_policy or () if each.outcome == "PendingApproval"}
    named: set[str] = set()
    for raw in policies:
        policy = policy_from_object(raw)
        rule = policy.spec.require.approval if policy.spec and policy.spec.require else None
        if policy.name in waiting and rule:
            named |= set(rule.by.groups or ())
    return tuple(group for group in groups if group in named)


def approval_body(access: Mapping[str, Any], username: str, groups: Collection[str], reason: str) -> dict[str, Any]:
    """Return the SearchAccessApproval of the present generation of a SearchAccess.

    Args:
        access: the SearchAccess that the person has seen.
        username: of the person.
        groups: of the person; only those that a policy names.
        reason: why, for those who review it; empty: none is given.
    """
    meta = metadata_of(access)
    by: dict[str, Any] = {"username": username} | ({"groups": list(groups)} if groups else {})
    spec = {"name": meta.name, "uid": meta.uid, "generation": meta.generation, "approvedBy": by}
    return {
        "apiVersion": API_VERSION,
        "kind": "SearchAccessApproval",
        "metadata": {"generateName": f"{meta.name[:200]}-", "namespace": meta.namespace},
        "spec": spec | ({"reason": reason} if reason else {}),
    }
