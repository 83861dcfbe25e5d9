"""The service accounts behind a subject: what was last read from Google, and what follows from it.

A workload's rights follow its service account. They are granted to the account of its template. Accounts of revisions
that still serve, or of executions that still run, keep them until these are gone (docs/adr/0015).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from typing import Final

from searchaccess.api.searchcluster import PrincipalClaim
from searchaccess.api.status import AccountStatus, SearchAccessStatus
from searchaccess.api.status import Identity as Recorded
from searchaccess.core.model.identities.workload import (
    Account,
    Found,
    Serving,
    Workload,
    WorkloadKind,
    is_service_account,
    is_unique_id,
)


class State(Enum):
    """How well the accounts are known."""

    RECALLED = auto()
    """From an earlier run of the operator, or not at all; nothing was read from Google yet."""
    RESOLVED = auto()
    MISSING = auto()
    """There is no such workload, or no such account."""
    UNKNOWN = auto()
    """Google was queried, without a result."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known about the accounts behind a subject."""

    accounts: tuple[Account, ...] = ()
    """Those that have the rights: that of the template first. Empty: none."""
    state: State = State.RECALLED
    confirmed: bool = False
    """Whether it was read from Google in this run of the operator."""
    message: str = ""
    """Why it is not known, or what is not known."""
    missing_since: str = ""
    """RFC 3339; empty: it is not missing."""
    latest_ready: str = ""
    serving: tuple[Serving, ...] = ()
    shared_with: tuple[str, ...] = ()
    """Resource names of other workloads that run as the same account."""

    def principals(self, claim: PrincipalClaim) -> tuple[str, ...]:
        """Return the names under which Elasticsearch knows the accounts, without unknown ones."""
        names = (account.email if claim is PrincipalClaim.EMAIL else account.unique_id for account in self.accounts)
        return tuple(dict.fromkeys(name for name in names if name))


UNTRIED: Final = Identity()


def resolved(found: Found | None, accounts: Sequence[Account], shared_with: Iterable[str], message: str) -> Identity:
    """Return an identity that Google confirmed.

    Args:
        found: the workload; None: the subject is an account.
        accounts: that of the template, then those that are still in use.
        shared_with: resource names of other workloads with the same account.
        message: what could not be read.
    """
    return Identity(
        accounts=tuple(accounts),
        state=State.RESOLVED,
        confirmed=True,
        message=message,
        latest_ready=found.latest_ready if found else "",
        serving=found.serving if found else (),
        shared_with=tuple(sorted(shared_with)),
    )


def missing(known: Identity, now: str, *, over: bool) -> Identity:
    """Return an identity after Google reported that there is no such workload.

    Args:
        known: what was known.
        now: RFC 3339.
        over: the grace period is over: nobody has its rights any more.
    """
    return replace(
        known,
        state=State.MISSING,
        confirmed=True,
        accounts=() if over else known.accounts,
        message="",
        missing_since=known.missing_since or now,
        latest_ready="",
        serving=(),
        shared_with=(),
    )


def missing_message(subject: Workload | str, known: Identity) -> str:
    """Return the message about a missing subject: since when, and whether somebody still has its rights."""
    what = f"Cloud Run has no {subject.path}" if isinstance(subject, Workload) else f"there is no account {subject}"
    rest = "its rights are revoked when the grace period is over" if known.accounts else "nobody has its rights"
    return f"{what} (since {known.missing_since}); {rest}"


def unknown_message(subject: Workload | str, known: Identity) -> str:
    """Return the message that the account behind a subject is not known, with the subject and the cause."""
    name = subject.path if isinstance(subject, Workload) else subject
    return known.message if name in known.message else f"{name}: {known.message}"


def missing_for(known: Identity, now: str) -> float:
    """Return the seconds for which a subject has been missing, by the wall clock; never less than none."""
    if not known.missing_since:
        return 0.0
    return max(0.0, (datetime.fromisoformat(now) - datetime.fromisoformat(known.missing_since)).total_seconds())


def grace_left(seen: float, credit: float, grace: float, least: float) -> float:
    """Return the seconds for which the rights of something that is missing stay.

    Rights are revoked only on what this process has observed itself, by the monotonic clock. The status of an earlier
    run shortens the wait, down to ``least``: it is based on the wall clock, which may have jumped (docs/adr/0015).

    Args:
        seen: seconds for which this process has seen it missing.
        credit: seconds for which it was missing before that, as the status says.
        grace: seconds for which the rights stay.
        least: seconds for which this process must have seen it missing, whatever the status says; a shorter grace
            period counts as it is.
    """
    return max(grace - credit, min(grace, least)) - seen


def unknown(known: Identity, message: str) -> Identity:
    """Return an identity after a query to Google without a result: nothing is revoked without proof."""
    return replace(known, state=State.UNKNOWN, message=message)


def is_settled(found: Found) -> bool:
    """Return whether everything that serves runs as the template's account. Of a job it is not known."""
    if found.workload.place.kind is WorkloadKind.JOB:
        return False
    return not found.reconciling and all(serving.revision == found.latest_created for serving in found.serving)


def with_known_ids(accounts: Iterable[Account], known: Mapping[str, Account]) -> tuple[Account, ...]:
    """Return accounts with the unique ids that are known, without repetitions."""
    return tuple(dict.fromkeys(known.get(account.email, account) for account in accounts))


def recall(status: SearchAccessStatus, subject: Workload | str) -> Identity:
    """Return the last known identity of a subject from a status, not confirmed.

    Args:
        status: of a SearchAccess; anybody may have written it.
        subject: the workload, or the e-mail address of the account.
    """
    known = status.identity or Recorded()
    first = _account(known)
    if isinstance(subject, str):
        return Identity((first,)) if first and first.email == subject else UNTRIED
    if known.workload != subject.path:
        return UNTRIED
    rest = [_account(item) for item in known.outgoing or ()]
    return Identity(
        accounts=tuple(account for account in (first, *rest) if account),
        missing_since=known.missing_since or "",
    )


def _account(known: Recorded | AccountStatus) -> Account | None:
    email, unique_id = known.service_account or "", known.unique_id or ""
    return Account(email, unique_id if is_unique_id(unique_id) else "") if is_service_account(email) else None
