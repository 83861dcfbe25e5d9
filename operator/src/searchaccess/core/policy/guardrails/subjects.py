"""Whether a subject matches what a policy says of subjects."""

from collections.abc import Iterable, Sequence
from typing import Final

from searchaccess.api.policies.match import NAMESPACE, SubjectPattern
from searchaccess.core.model.access import Access
from searchaccess.core.model.workload import Workload
from searchaccess.core.patterns.wildcards import matches

USER_MANAGED: Final = ".iam.gserviceaccount.com"
APP_ENGINE_SUFFIX: Final = "@appspot.gserviceaccount.com"


def project_of(account: str) -> str:
    """Return the project that a service account's e-mail address names; empty: it names none.

    https://cloud.google.com/iam/docs/service-account-types
    """
    if account.endswith(APP_ENGINE_SUFFIX):
        return account.removesuffix(APP_ENGINE_SUFFIX)
    return account.partition("@")[2].removesuffix(USER_MANAGED) if account.endswith(USER_MANAGED) else ""


def accounts_of(access: Access) -> tuple[str, ...] | None:
    """Return the e-mail addresses of the accounts that get the rights; None: they are not known."""
    if isinstance(access.subject, str):
        return (access.subject,)
    if access.has_credential or access.identity is None:
        return None
    return tuple(dict.fromkeys(account.email for account in access.identity.accounts)) or None


def subject_matches(pattern: SubjectPattern, access: Access, *, unknown: bool) -> bool:
    """Return whether the subject of a SearchAccess matches.

    Args:
        pattern: what is wanted; all of it must hold.
        access: the SearchAccess.
        unknown: the answer where it depends on an account that is not known.
    """
    namespace, workload = access.namespace, access.subject if isinstance(access.subject, Workload) else None
    if access.subject is None:
        return unknown
    if pattern.locations is not None and not (workload and _any(pattern.locations, namespace, workload.place.location)):
        return False
    accounts = accounts_of(access)
    if pattern.projects is not None:
        projects = [project_of(account) for account in accounts or ()]
        if workload:
            # Its default account names none, and is of its own project.
            projects = [workload.place.project, *filter(None, projects)]
        if not all(project and _any(pattern.projects, namespace, project) for project in projects):
            return False
    if pattern.service_accounts is None:
        return True
    if accounts is None:
        return unknown
    return all(_any(pattern.service_accounts, namespace, account) for account in accounts)


def _any(patterns: Iterable[str], namespace: str, text: str) -> bool:
    return any(matches(pattern, text) for pattern in placed(patterns, namespace))


def placed(patterns: Iterable[str], namespace: str) -> Sequence[str]:
    """Return patterns for SearchAccesses of a namespace."""
    return [pattern.replace(NAMESPACE, namespace) for pattern in patterns]
