"""Subjects of SearchAccesses in CEL: what is certain without asking Google."""

from collections.abc import Sequence
from typing import Final

from searchaccess.api.policies.match import SubjectPattern
from searchaccess.core.answers.admission.cel import all_of, any_of, matching
from searchaccess.core.policy.guardrails.subjects import APP_ENGINE_SUFFIX, USER_MANAGED

_WORKLOADS: Final = ("cloudRunService", "cloudRunJob", "cloudRunWorkerPool")


def matched(entries: Sequence[SubjectPattern], root: str) -> str:
    """Return whether it is certain that the subject matches one of some entries."""
    return any_of(_entry(entry, root, may_be=False) for entry in entries)


def matchable(entries: Sequence[SubjectPattern], root: str) -> str:
    """Return whether the subject may match one of some entries; false: it is certain that it matches none."""
    return any_of(_entry(entry, root, may_be=True) for entry in entries)


def _entry(entry: SubjectPattern, root: str, *, may_be: bool) -> str:
    subject = f"{root}.spec.subject"
    account = f"{subject}.serviceAccount"
    by_account = []
    if entry.locations is not None:
        by_account.append("false")
    if entry.projects is not None:
        of_users = matching(entry.projects, "[^@]*@", USER_MANAGED.replace(".", "\\."))
        of_app_engine = matching(entry.projects, "", APP_ENGINE_SUFFIX.replace(".", "\\."))
        by_account.append(f"{account}.matches({of_users}) || {account}.matches({of_app_engine})")
    if entry.service_accounts is not None:
        by_account.append(f"{account}.matches({matching(entry.service_accounts)})")
    return f"has({account}) ? ({all_of(by_account)}) : ({_workload(entry, root, may_be=may_be)})"


def _workload(entry: SubjectPattern, root: str, *, may_be: bool) -> str:
    """Return whether a workload matches. Its account is only known later, or with a credential never."""
    token = f"{root}.spec.?auth.orValue('IdentityToken') == 'IdentityToken'"
    parts = []
    if entry.locations is not None:
        parts.append(_any_workload(root, "location", matching(entry.locations)))
    if entry.projects is not None:
        parts.append(_any_workload(root, "project", matching(entry.projects)))
        parts += [] if may_be else [f"!({token})"]
    if entry.service_accounts is not None:
        parts.append(token if may_be else f"!({token})")
    return all_of(parts)


def _any_workload(root: str, field: str, expression: str) -> str:
    subject = f"{root}.spec.subject"
    return any_of(f"has({subject}.{kind}) && {subject}.{kind}.{field}.matches({expression})" for kind in _WORKLOADS)
