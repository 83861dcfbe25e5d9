"""Says who may approve a SearchAccess, and how."""

import json
import shlex
from typing import Final

from searchaccess.api.constants import API_VERSION
from searchaccess.api.policies.approval import ApprovalRule
from searchaccess.api.times.durations import seconds
from searchaccess.api.times.moments import moment
from searchaccess.core.messages import some_of
from searchaccess.core.model.access import Access
from searchaccess.core.model.intake.metadata import bounded_text
from searchaccess.core.model.timeboxes.timebox import shown_time

_YOU: Final = "YOUR-NAME"
_YOUR_GROUP: Final = "YOUR-GROUP"
_LIMIT: Final = 250
"""Characters of names, so that the command is not cut."""


def whose_request(access: Access) -> str:
    """Return who requests a SearchAccess, or that this must be declared."""
    if access.requested_by:
        return f"{access.requested_by} requests it (searchaccess.dev/requested-by); its status shows who may approve it"
    return (
        "it does not say who requests it: add the annotation searchaccess.dev/requested-by with your own name, as "
        "kubectl auth whoami shows it"
    )


def how_to_approve(access: Access, rule: ApprovalRule) -> str:
    """Return who may approve a SearchAccess, until when, and with which command."""
    who, requester = bounded_text(_who(rule), _LIMIT), bounded_text(access.requested_by, _LIMIT)
    text = f"{who} can approve it{_until(access, rule)}, but not {requester}"
    manifest = json.dumps(_manifest(access, rule), separators=(",", ":"))
    return f"{text}: kubectl create -f - <<< {shlex.quote(manifest)}"


def _who(rule: ApprovalRule) -> str:
    users = [f"user {some_of(rule.by.users)}"] if rule.by.users else []
    groups = [f"a member of {some_of(rule.by.groups)}"] if rule.by.groups else []
    if users and groups:
        groups[0] += " (who adds groups to approvedBy)"
    return " or ".join(users + groups)


def _until(access: Access, rule: ApprovalRule) -> str:
    created = moment(access.created_at)
    if rule.within is None or created is None:
        return ""
    # The time of the approval counts in whole seconds.
    return f" until {shown_time(int(created + seconds(rule.within)))}"


def _manifest(access: Access, rule: ApprovalRule) -> dict[str, object]:
    approver: dict[str, object] = {"username": _YOU}
    if rule.by.groups and not rule.by.users:
        approver["groups"] = rule.by.groups if len(rule.by.groups) == 1 else [_YOUR_GROUP]
    return {
        "apiVersion": API_VERSION,
        "kind": "SearchAccessApproval",
        "metadata": {"generateName": f"{access.name[:200]}-", "namespace": access.namespace},
        "spec": {
            "name": access.name,
            "uid": access.uid,
            "generation": access.generation,
            "approvedBy": approver,
        },
    }
