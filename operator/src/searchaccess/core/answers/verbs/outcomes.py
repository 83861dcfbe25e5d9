"""What became of a request to the operator, from the status of its SearchAccess."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from searchaccess.api.conditions.docs import REASON_DOCS
from searchaccess.api.conditions.meaning import NOTHING
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.constants import ANNOTATION_ADOPT, ANNOTATION_RECONCILE, ANNOTATION_ROTATE
from searchaccess.api.searchaccess import Mode
from searchaccess.api.status import Condition, SearchAccessStatus, condition_of
from searchaccess.api.stores.credentials import Auth
from searchaccess.core.model.intake.metadata import metadata_of, part

_DOCS: Final = {str(reason): doc for reason, doc in REASON_DOCS.items()}
_SUSPENDED: Final = "Suspended"
_ADOPTABLE: Final = re.compile(r"\[\{name: (\S{1,507}), hash: ([0-9a-f]{16})\}\]")
"""How a message names the content that may be adopted, see ``core/ownership/adoption.py``."""


class Verb(StrEnum):
    """What may be asked."""

    ROTATE = "rotate"
    SUSPEND = "suspend"
    RESUME = "resume"
    REFRESH = "refresh"
    ADOPT = "adopt"
    APPROVE = "approve"
    REJECT = "reject"


class State(StrEnum):
    """How far it is."""

    PENDING = "pending"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it.

    Args:
        state: how far it is.
        text: what was reached, or what is missing.
        next_step: what a person does about it; empty: nothing.
    """

    state: State
    text: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Args:
        verb: what was asked.
        value: of the annotation by which it was asked; the uid of an approval; empty: neither.
        generation: of the object once it was asked.
    """

    verb: Verb
    value: str = ""
    generation: int = 0


def change_for(verb: Verb, value: str, adopted: str = "") -> dict[str, Any]:
    """Return the merge patch by which something is asked.

    Args:
        verb: by annotation or by edit; approvals are objects of their own.
        value: that no earlier request had, such as the time.
        adopted: ``name@hash`` of what may be adopted.
    """
    match verb:
        case Verb.SUSPEND | Verb.RESUME:
            return {"spec": {"suspend": verb is Verb.SUSPEND}}
        case Verb.ROTATE:
            return {"metadata": {"annotations": {ANNOTATION_ROTATE: value}}}
        case Verb.ADOPT:
            return {"metadata": {"annotations": {ANNOTATION_ADOPT: adopted, ANNOTATION_RECONCILE: value}}}
        case _:
            return {"metadata": {"annotations": {ANNOTATION_RECONCILE: value}}}


def obstacle(verb: Verb, raw: Mapping[str, Any]) -> str:
    """Return why it makes no sense to ask, and what to do instead; empty: it does.

    Args:
        verb: what would be asked.
        raw: the SearchAccess.
    """
    if metadata_of(raw).deleted_at and verb is not Verb.REJECT:
        return "it is being deleted"
    spec, status = part(raw, "spec"), SearchAccessStatus.read(raw.get("status"))
    suspended = spec.get("suspend") is True
    writes = verb in {Verb.ROTATE, Verb.ADOPT}
    found = (
        (
            verb is Verb.ROTATE and spec.get("auth", Auth.IDENTITY_TOKEN) == Auth.IDENTITY_TOKEN,
            "it has no credential: it uses identity tokens, which Google rotates",
        ),
        (writes and suspended, "it is suspended: resume it first"),
        (writes and spec.get("mode") == Mode.OBSERVE, "its mode is Observe: nothing is written for it"),
        (verb is Verb.SUSPEND and suspended, "it is suspended already"),
        (verb is Verb.RESUME and not suspended, "it is not suspended"),
        (
            verb is Verb.ADOPT and not adoptable(raw),
            "its status names nothing that may be adopted: it has no conflict, or two controllers manage the role",
        ),
        (
            verb is Verb.APPROVE and not _waits_for_approval(status, condition_of(status, ConditionType.READY)),
            "no policy is waiting for its approval, according to its status",
        ),
    )
    return next((text for applies, text in found if applies), "")


def adoptable(raw: Mapping[str, Any]) -> str:
    """Return ``name@hash`` of what may be adopted for a SearchAccess, as its status says; empty: nothing.

    Args:
        raw: the SearchAccess.
    """
    ready = condition_of(SearchAccessStatus.read(raw.get("status")), ConditionType.READY)
    if ready is None or ready.reason != Reason.OWNERSHIP_CONFLICT:
        return ""
    found = _ADOPTABLE.search(ready.message)
    return f"{found[1]}@{found[2]}" if found else ""


def _waits_for_approval(status: SearchAccessStatus, ready: Condition | None) -> bool:
    waiting = any(policy.outcome == "PendingApproval" for policy in status.effective_policy or ())
    return waiting or (ready is not None and ready.reason == Reason.PENDING_APPROVAL)


def outcome_of(asked: Asked, raw: Mapping[str, Any]) -> Outcome:
    """Return what became of a request.

    Args:
        asked: the request.
        raw: the SearchAccess as it is now.
    """
    status, meta = SearchAccessStatus.read(raw.get("status")), metadata_of(raw)
    ready = condition_of(status, ConditionType.READY)
    if meta.deleted_at and asked.verb is not Verb.REJECT:
        return Outcome(State.REFUSED, "it is being deleted")
    if ready is None or (status.observed_generation or 0) < asked.generation:
        return Outcome(State.PENDING, "the operator has not seen it yet")
    return _BY_VERB.get(asked.verb, _handled)(asked, status, ready)


def _suspended(_: Asked, status: SearchAccessStatus, __: Condition) -> Outcome:
    if status.mode == _SUSPENDED:
        return Outcome(State.DONE, "suspended: its rights stay as they are, and are not observed")
    return Outcome(State.PENDING, "the operator has not suspended it yet")


def _resumed(_: Asked, status: SearchAccessStatus, ready: Condition) -> Outcome:
    if status.mode == _SUSPENDED:
        return Outcome(State.PENDING, "the operator has not resumed it yet")
    return _settled(ready)


def _rejected(_: Asked, status: SearchAccessStatus, ready: Condition) -> Outcome:
    if _waits_for_approval(status, ready) or ready.status != "True":
        return Outcome(State.DONE, f"it has no rights by an approval: {ready.reason}")
    return Outcome(State.PENDING, "its rights are still in force")


def _handled(asked: Asked, status: SearchAccessStatus, ready: Condition) -> Outcome:
    if status.last_handled_reconcile_at != asked.value:
        return Outcome(State.PENDING, "the operator has not handled the request yet")
    if asked.verb is Verb.ADOPT and ready.reason == Reason.PENDING:
        return Outcome(State.PENDING, ready.message)
    return _settled(ready)


def _settled(ready: Condition) -> Outcome:
    """Return what the condition Ready says, once it is about the request."""
    doc = _DOCS.get(ready.reason)
    step = doc.next_step if doc and doc.next_step != NOTHING else ""
    if ready.status == "True" or (doc is not None and doc.intended):
        return Outcome(State.DONE, f"{ready.reason}: {ready.message}".removesuffix(": "), "")
    if ready.status == "Unknown" or (doc is not None and ready.reason == Reason.PENDING):
        return Outcome(State.PENDING, f"{ready.reason}: {ready.message}", step)
    return Outcome(State.REFUSED, f"{ready.reason}: {ready.message}", step)


def _rotated(asked: Asked, status: SearchAccessStatus, ready: Condition) -> Outcome:
    credential = status.credential
    if credential is not None and credential.rotation_request == asked.value:
        name = credential.key_id or credential.username or ""
        until = ", the previous one is valid until the overlap ends" if credential.phase == "Overlap" else ""
        return Outcome(
            State.DONE, f"{credential.store}/{credential.name} has version {credential.version} ({name}){until}"
        )
    doc = _DOCS.get(ready.reason)
    if ready.status != "True" and doc is not None and (doc.terminal or doc.intended):
        return Outcome(State.REFUSED, f"{ready.reason}: {ready.message}", doc.next_step)
    of_key = condition_of(status, ConditionType.CREDENTIAL_READY)
    said = f"{of_key.reason}: {of_key.message}" if of_key and of_key.status != "True" else ""
    return Outcome(State.PENDING, said or "the operator has not replaced it yet")


def _approved(asked: Asked, status: SearchAccessStatus, ready: Condition) -> Outcome:
    if asked.value in (status.premature_approvals or ()):
        text = "the SearchAccess was edited since it was shown, so the approval never counts"
        return Outcome(State.REFUSED, text, "Delete the approval, review the SearchAccess, and approve it again.")
    if _waits_for_approval(status, ready):
        return Outcome(State.PENDING, f"{ready.reason}: {ready.message}")
    return _settled(ready)


_BY_VERB: Final = {
    Verb.ROTATE: _rotated,
    Verb.SUSPEND: _suspended,
    Verb.RESUME: _resumed,
    Verb.APPROVE: _approved,
    Verb.REJECT: _rejected,
}
"""How the outcome of each is found; that of the others by the request that the status has handled."""
