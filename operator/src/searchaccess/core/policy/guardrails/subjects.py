"""Whether a subject matches what a policy says of subjects."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from searchaccess.api.policies.match import NAMESPACE, SubjectPattern
from searchaccess.core.model.access import Access
from searchaccess.core.model.identities.workload import Workload
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


class Who(NamedTuple):
    """What policies look at of a subject.

    Args:
        namespace: of the SearchAccess.
        given: whether there is a subject that can be read.
        project: of the Cloud Run workload; None: the subject is none.
        location: the same.
        accounts: e-mail addresses of the accounts that get the rights; None: they are not known.
        projects: those that the accounts name; an empty one where an account names none.
        has_credential: whether the rights belong to its own API key or user.
    """

    namespace: str
    given: bool
    project: str | None
    location: str | None
    accounts: tuple[str, ...] | None
    projects: tuple[str, ...]
    has_credential: bool

    @property
    def without_accounts(self) -> "Who":
        """The same for policies that name no accounts."""
        return Who(self.namespace, self.given, self.project, self.location, None, self.projects, self.has_credential)


def who_of(access: Access) -> Who:
    """Return what policies look at of the subject of a SearchAccess."""
    workload = access.subject if isinstance(access.subject, Workload) else None
    accounts = accounts_of(access)
    return Who(
        access.namespace,
        access.subject is not None,
        workload.place.project if workload else None,
        workload.place.location if workload else None,
        accounts,
        tuple([project_of(account) for account in accounts or ()]),
        access.has_credential,
    )


def subject_matches(pattern: SubjectPattern, who: Who, *, unknown: bool) -> bool:
    """Return whether the subject of a SearchAccess matches.

    Args:
        pattern: what is wanted; all of it must hold.
        who: the subject.
        unknown: the answer where it depends on an account that is not known.
    """
    namespace = who.namespace
    if not who.given:
        return unknown
    if pattern.locations is not None and (who.location is None or not _any(pattern.locations, namespace, who.location)):
        return False
    if pattern.projects is not None:
        # The default account of a workload names no project, and is of the workload's own.
        projects = who.projects if who.project is None else (who.project, *filter(None, who.projects))
        if not all(project and _any(pattern.projects, namespace, project) for project in projects):
            return False
    if pattern.service_accounts is None:
        return True
    if who.accounts is None:
        return unknown
    return all(_any(pattern.service_accounts, namespace, account) for account in who.accounts)


def matches_any(patterns: Iterable[SubjectPattern], who: Who, *, unknown: bool) -> bool:
    """Return whether the subject matches one of some patterns, see ``subject_matches``."""
    return any(subject_matches(pattern, who, unknown=unknown) for pattern in patterns)


def _any(patterns: Iterable[str], namespace: str, text: str) -> bool:
    return any(matches(pattern, text) for pattern in placed(patterns, namespace))


def placed(patterns: Iterable[str], namespace: str) -> Sequence[str]:
    """Return patterns for SearchAccesses of a namespace."""
    return [pattern.replace(NAMESPACE, namespace) for pattern in patterns]
