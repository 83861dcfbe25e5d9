"""Computes the parts of a SearchAccess's status that describe its API key or password."""

from dataclasses import dataclass
from datetime import UTC, datetime

from searchaccess.api.conditions.events import EventReason
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import CredentialStatus, SearchAccessStatus
from searchaccess.api.stores.credentials import Auth
from searchaccess.core.credentials.credential import Key, Seen
from searchaccess.core.credentials.rotation import Decision, Phase
from searchaccess.core.credentials.steps import Issue, Step, Update
from searchaccess.core.model.access import Access
from searchaccess.core.model.canonical import RoleBody, canonical_json
from searchaccess.core.model.identities.workload import Workload
from searchaccess.core.rights.diff import Difference, shown
from searchaccess.core.rights.plan import Finding
from searchaccess.core.status.conditions import FALSE, TRUE, UNKNOWN, Conditions
from searchaccess.core.status.events import Note, note


@dataclass(frozen=True, slots=True)
class CredentialFacts:
    """What a reconcile of a credential found."""

    decision: Decision
    """What is to be done next, after the steps that were done."""
    seen: Seen
    done: tuple[Step, ...] = ()


def rfc3339(seconds: float) -> str:
    """Return a time as RFC 3339, UTC, whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch(text: str) -> float:
    """Return the seconds since the epoch of a time in RFC 3339."""
    return datetime.fromisoformat(text).timestamp()


def build_credential(
    access: Access, facts: CredentialFacts | None, before: CredentialStatus | None, *, withdrawn: bool
) -> CredentialStatus | None:
    """Return the credential part of a status; None: there is none.

    Args:
        access: the SearchAccess.
        facts: what was found; None: it was not read, or could not be.
        before: the part as it was.
        withdrawn: whether it was withdrawn.
    """
    if withdrawn:
        return None
    current = facts.decision.current if facts else None
    if facts is None or current is None or access.credential is None:
        return before
    next_rotation = facts.decision.next_rotation
    return CredentialStatus(
        store=access.credential.store,
        name=access.credential.name,
        version=current.slot.number,
        key_id=current.id if current.auth is Auth.API_KEY else None,
        username=current.id if current.auth is Auth.PASSWORD else None,
        phase=facts.decision.phase,
        issued=rfc3339(current.created),
        expires=rfc3339(current.expires) if current.expires else None,
        next_rotation=rfc3339(next_rotation) if next_rotation else None,
        rotation_request=current.requested or None,
    )


def mark_credential(
    conditions: Conditions,
    access: Access,
    facts: CredentialFacts | None,
    failure: tuple[Reason, str] | None,
    known: CredentialStatus | None,
) -> None:
    """Set the condition that says whether consumers can read a valid key.

    Args:
        conditions: of the status under construction.
        access: the SearchAccess.
        facts: what was found; None: it could not be read.
        failure: why something could not be done, as reason and message.
        known: the credential part of the status, see ``build_credential``.
    """
    kind = ConditionType.CREDENTIAL_READY
    if not access.has_credential:
        return
    if failure and facts is None:
        unknown = failure[0] in {Reason.STORE_UNAVAILABLE, Reason.CLUSTER_UNREACHABLE}
        conditions.mark(kind, UNKNOWN if unknown else FALSE, failure[0], f"{failure[1]}{_not_rotated(known)}")
    elif facts is None:
        conditions.keep(kind)
    elif facts.decision.conflict:
        conditions.mark(kind, FALSE, Reason.OWNERSHIP_CONFLICT, conflict_message(access))
    elif facts.decision.current is None:
        conditions.mark(kind, FALSE, Reason.PENDING, facts.decision.waits or "no credential was issued yet")
    elif facts.decision.not_rolled:
        workload = access.subject.path if isinstance(access.subject, Workload) else "the workload"
        text = f"{_where(access, facts.decision.current)}; {workload} does not use it: {facts.decision.not_rolled}"
        old = f"; the previous one stays ({facts.decision.deferred})" if facts.decision.deferred else ""
        conditions.mark(kind, TRUE, Reason.ROLLOUT_FAILED, text + old)
    elif facts.decision.deferred:
        waits = f"; {facts.decision.waits}" if facts.decision.waits else ""
        text = f"the overlap is over, but the previous one is still in use: {facts.decision.deferred}{waits}"
        conditions.mark(kind, TRUE, Reason.REVOKE_DEFERRED, text)
    elif facts.decision.phase is Phase.OVERLAP:
        waits = f"; {facts.decision.waits}" if facts.decision.waits else ""
        end = facts.decision.overlap_until
        until = f" until {rfc3339(end)}" if end else ""
        conditions.mark(kind, TRUE, Reason.CREDENTIAL_OVERLAP, f"the previous one is valid too{until}{waits}")
    else:
        conditions.mark(kind, TRUE, Reason.CREDENTIAL_ACTIVE, _where(access, facts.decision.current))


def _not_rotated(known: CredentialStatus | None) -> str:
    """Return the part of a message that says what is not rotated, and the consequence; empty: consumers have nothing.

    The text does not change when these times pass: nothing else may happen then that would publish it.
    """
    if known is None:
        return ""
    what = f"user {known.username}" if known.username else f"key {known.key_id or ''}".strip()
    due = f", although it is due at {known.next_rotation}" if known.next_rotation else ""
    end = f"; it expires at {known.expires}" if known.expires else ""
    return f"; {what} is not rotated meanwhile{due}{end}"


def _where(access: Access, key: Key) -> str:
    name = access.credential.name if access.credential else ""
    return f"{key.shown} is version {key.slot.number} of {name}"


def conflict_message(access: Access) -> str:
    """Return the message that somebody else has a secret of this name."""
    name, store = (access.credential.name, access.credential.store) if access.credential else ("", "")
    return (
        f"the secret {name} in the store {store} exists and does not belong to this SearchAccess; it is not touched. "
        "Delete it, or choose another name"
    )


def finding_of(
    access: Access, facts: CredentialFacts, before: CredentialStatus | None, *, same_rights: bool
) -> Finding:
    """Return what differed, as drift where somebody else changed it.

    Args:
        access: the SearchAccess.
        facts: what was found.
        before: the credential part of the status as it was.
        same_rights: whether an earlier reconcile had applied the declared rights.
    """
    drift: list[Difference] = []
    pending: list[Difference] = []
    for step in (*facts.done, *facts.decision.steps):
        match step:
            case Update(keys):
                where = drift if same_rights else pending
                # A key whose marks are only renewed has the declared rights.
                where += [_changed_rights(access, key) for key in keys if not key.rights.same_as(access.share.body)]
            case Issue(why=why) if before and step.lost:
                name = access.credential.name if access.credential else ""
                drift.append(Difference(f"secret/{name}", "newest version", _shown_in(before), why))
            case Issue(why=why):
                pending.append(Difference("user" if access.auth is Auth.PASSWORD else "api_key", ".", "one", why))
            case _:
                pass
    return Finding(pending=bool(pending), drift=tuple(drift), differences=(*drift, *pending), owned=before is not None)


def _shown_in(credential: CredentialStatus) -> str:
    """Return what consumers read according to a status, in words."""
    return f"user {credential.username}" if credential.username else f"key {credential.key_id or ''}"


def _changed_rights(access: Access, key: Key) -> Difference:
    if key.auth is Auth.PASSWORD:
        return Difference(f"user/{key.id}", "roles", _shown(access.share.body), _shown(key.rights))
    return Difference(f"api_key/{key.id}", "role_descriptors", _shown(access.share.body), _shown(key.rights))


def _shown(rights: RoleBody) -> str:
    entries = [shown(entry) for entry in rights.sorted().entries]
    return canonical_json({"cluster": list(rights.cluster), "indices": entries})


def credential_notes(previous: SearchAccessStatus, status: SearchAccessStatus) -> list[Note]:
    """Return the event for another key.

    Args:
        previous: the status as it is in Kubernetes.
        status: the new one.
    """
    before, after = previous.credential, status.credential
    if after is None or (before and _shown_in(before) == _shown_in(after)):
        return []
    text = f"{_shown_in(after)} is version {after.version} of {after.name}"
    if before:
        text += f"; {_shown_in(before)} is valid until the overlap is over"
    return [note(EventReason.CREDENTIAL_ISSUED, text)]
