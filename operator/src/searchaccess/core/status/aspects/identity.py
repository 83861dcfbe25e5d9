"""Computes the identity part of a SearchAccess's status: the service account behind the subject."""

from datetime import datetime, timedelta
from typing import Final

from searchaccess.api.conditions.events import EventReason
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import (
    REVISIONS_LIMIT,
    SHARED_LIMIT,
    AccountChange,
    AccountStatus,
    Identity,
    RevisionStatus,
    SearchAccessStatus,
    condition_of,
)
from searchaccess.core.model.access import Access, Subject
from searchaccess.core.model.identities.identity import Identity as Known
from searchaccess.core.model.identities.identity import State, missing_message, unknown_message
from searchaccess.core.model.identities.workload import Account, Workload
from searchaccess.core.model.summaries import shown_subject
from searchaccess.core.status.conditions import FALSE, TRUE, UNKNOWN, Conditions
from searchaccess.core.status.events import Note, note

NEWS_FOR: Final = timedelta(hours=1)
"""How long the condition's reason reports a change of account."""
_NOTHING: Final = Identity()


def build_identity(access: Access, former: SearchAccessStatus, now: str, *, placed: bool = True) -> Identity | None:
    """Return the identity part of a status; None: nothing is known, or nothing may be reported.

    Whoever may write SearchAccesses in one namespace could otherwise learn of a workload of anybody as whom it runs,
    which revisions it has, and what else runs as the same account.

    Args:
        access: the SearchAccess.
        former: the status as it was.
        now: RFC 3339, UTC, whole seconds.
        placed: whether it may have rights: whoever has some is named, also if a policy refuses the subject by now.
    """
    if access.verdict.refuses_subject and not (placed and _was_told(access, former)):
        return None
    known, principal, previous = access.identity, access.principal or None, former.identity
    if known is None:
        return Identity(principal=principal) if principal else None
    path = access.subject.path if isinstance(access.subject, Workload) else None
    before = previous if previous and previous.workload == path else _NOTHING
    if not known.confirmed and before != _NOTHING:
        # Only the accounts were restored from the status.
        return before.model_copy(update={"principal": principal})
    first = known.accounts[0] if known.accounts else Account("")
    serving = sorted(known.serving, key=lambda item: (-item.percent, item.revision))
    return Identity(
        principal=principal,
        workload=path,
        service_account=first.email or None,
        unique_id=first.unique_id or None,
        latest_ready_revision=known.latest_ready or None,
        revisions=[
            RevisionStatus(name=item.revision, percent=item.percent, tag=item.tag or None)
            for item in serving[:REVISIONS_LIMIT]
        ]
        or None,
        outgoing=[
            AccountStatus(service_account=account.email, unique_id=account.unique_id or None)
            for account in known.accounts[1 : 1 + REVISIONS_LIMIT]
        ]
        or None,
        shared_with=list(known.shared_with[:SHARED_LIMIT]) or None,
        changed=_changed(first, before, now),
        missing_since=known.missing_since or None,
    )


def _was_told(access: Access, former: SearchAccessStatus) -> bool:
    """Return whether a status names who is behind the subject already."""
    path = access.subject.path if isinstance(access.subject, Workload) else None
    same = former.subject in {None, shown_subject(access.subject)}
    return same and former.identity is not None and former.identity.workload == path


def is_own_account(status: SearchAccessStatus, subject: Subject | None, principal: str) -> bool:
    """Return whether, by its status, a principal is or was the account behind a subject itself."""
    known = status.identity or _NOTHING
    same = known.workload == subject.path if isinstance(subject, Workload) else known.service_account == subject
    accounts = (known, *(known.outgoing or ()))
    return same and principal in {name for item in accounts for name in (item.service_account, item.unique_id)}


def _changed(account: Account, before: Identity, now: str) -> AccountChange | None:
    email, unique_id = before.service_account, before.unique_id
    another = account.email != email or (account.unique_id and unique_id and account.unique_id != unique_id)
    if email and account.email and another:
        return AccountChange(service_account=email, unique_id=unique_id, at=now)
    return before.changed


def mark_identity(conditions: Conditions, access: Access, identity: Identity | None, now: str) -> None:
    """Set the condition that says how well the subject's account is known.

    Args:
        conditions: of the status under construction.
        access: the SearchAccess.
        identity: its identity part, see ``build_identity``.
        now: RFC 3339, UTC, whole seconds.
    """
    known, kind = access.identity, ConditionType.IDENTITY_RESOLVED
    if known is None or identity is None:
        return
    match known.state:
        case State.RECALLED:
            conditions.keep(kind)
        case State.UNKNOWN:
            last = f"; {identity.service_account} keeps its rights" if identity.service_account else ""
            message = unknown_message(access.subject or "", known) + last
            conditions.mark(kind, UNKNOWN, Reason.IDENTITY_UNKNOWN, message)
        case State.MISSING:
            message = missing_message(access.subject or "", known)
            conditions.mark(kind, FALSE, Reason.SERVICE_NOT_FOUND, message)
        case State.RESOLVED:
            reason, message = _noteworthy(known, identity, now)
            conditions.mark(kind, TRUE, reason, message)


def _noteworthy(known: Known, identity: Identity, now: str) -> tuple[Reason, str]:
    """Return the most important reason, and one message with everything noteworthy."""
    email = identity.service_account or ""
    found: list[tuple[Reason, str]] = []
    changed = identity.changed
    if identity.outgoing:
        others = ", ".join(account.service_account for account in identity.outgoing)
        text = f"{email} has the rights now; accounts that are still in use keep them: {others}"
        found.append((Reason.SERVICE_ACCOUNT_CHANGED, text))
    elif changed and datetime.fromisoformat(now) - datetime.fromisoformat(changed.at) < NEWS_FOR:
        recreated = _is_recreated(changed, email)
        kind = Reason.SERVICE_ACCOUNT_RECREATED if recreated else Reason.SERVICE_ACCOUNT_CHANGED
        found.append((kind, _described(changed, email)))
    if known.accounts and known.accounts[0].is_default_compute:
        text = f"{email} is the default service account of its project: give the workload its own"
        found.append((Reason.DEFAULT_SERVICE_ACCOUNT, text))
    if known.shared_with:
        named = identity.shared_with or []
        more = len(known.shared_with) - len(named)
        text = f"{', '.join(named)}{f' and {more} more' if more else ''} also run as {email}"
        found.append((Reason.SHARED_IDENTITY, text))
    if not found:
        found.append((Reason.IDENTITY_RESOLVED, email))
    return found[0][0], "; ".join([text for _, text in found] + ([known.message] if known.message else []))


def _is_recreated(changed: AccountChange, email: str) -> bool:
    return changed.service_account == email


def _described(changed: AccountChange, email: str) -> str:
    if _is_recreated(changed, email):
        return f"{email} was recreated at or before {changed.at}; its previous unique id was {changed.unique_id}"
    return f"runs as {email}; before {changed.at}, it ran as {changed.service_account}"


def identity_notes(previous: SearchAccessStatus, status: SearchAccessStatus) -> list[Note]:
    """Return the events about the subject: it does not exist, or has another account.

    Args:
        previous: the status as it is in Kubernetes.
        status: the new one.
    """
    identity, before = status.identity or _NOTHING, previous.identity or _NOTHING
    notes = []
    missing = _missing(status)
    # An earlier version, or a CRD of one, keeps no short form of the subject.
    same = identity.workload == before.workload and previous.subject in {None, status.subject}
    if missing and not (_missing(previous) and same):
        notes.append(note(EventReason.SERVICE_NOT_FOUND, missing))
    changed, email = identity.changed, identity.service_account or ""
    if changed is not None and changed != before.changed:
        recreated = _is_recreated(changed, email)
        reason = EventReason.SERVICE_ACCOUNT_RECREATED if recreated else EventReason.SERVICE_ACCOUNT_CHANGED
        notes.append(note(reason, _described(changed, email)))
    return notes


def _missing(status: SearchAccessStatus) -> str:
    """Return a status's message about a missing subject; empty: it exists, or its state is not known."""
    condition = condition_of(status, ConditionType.IDENTITY_RESOLVED)
    return condition.message if condition and condition.reason == Reason.SERVICE_NOT_FOUND else ""
