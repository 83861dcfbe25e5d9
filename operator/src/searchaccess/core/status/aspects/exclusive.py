"""Reports who else gives a SearchAccess's principal more than it declares (docs/adr/0052)."""

from collections.abc import Iterator
from typing import Final

from searchaccess.api.accesses.exclusivestatus import ExclusiveSource, ExclusiveStatus
from searchaccess.api.conditions.events import EventReason
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import SearchAccessStatus, Truth, condition_of
from searchaccess.core.model.access import Access
from searchaccess.core.rights.foreign.exclusive import Exclusivity
from searchaccess.core.rights.foreign.givers import ACCESS, FILE, ORDER, Giver, listed
from searchaccess.core.rights.foreign.shadows import Shadow
from searchaccess.core.rights.widened import Widened
from searchaccess.core.status.conditions import FALSE, TRUE, UNKNOWN, Conditions, shorten
from searchaccess.core.status.events import Note, note

_STATUS: Final[dict[Reason, Truth]] = {
    Reason.SHADOWED: FALSE,
    Reason.NOT_BROADER: TRUE,
    Reason.BROADER_THAN_DECLARED: FALSE,
    Reason.WIDENED_BY: FALSE,
    Reason.ROLE_GIVEN_TO_OTHERS: FALSE,
    Reason.CANNOT_BE_SEEN: UNKNOWN,
}
TEXT_LIMIT: Final = 512
"""Characters of the text about each of them."""
_EVENTS: Final = (EventReason.SHADOWED, EventReason.BROADER_THAN_DECLARED, EventReason.ROLE_GIVEN_TO_OTHERS)


def mark_exclusive(
    conditions: Conditions,
    access: Access,
    found: Exclusivity | None,
    widened: Widened | None,
    previous: SearchAccessStatus,
) -> None:
    """Set the condition that says who else gives a principal rights; absent if nobody is known.

    Args:
        conditions: of the new status.
        access: the SearchAccess. With a credential of its own, it has no principal to whom others could give rights.
        found: what others in Elasticsearch give; None: nothing was examined.
        widened: which SearchAccesses of its principal show what others hide; None: its role was not planned.
        previous: the status as it is in Kubernetes.
    """
    if not _has_principal(access) or (_is_unknown(found, widened) and conditions.keep(ConditionType.EXCLUSIVE)):
        return
    parts = [
        *((Reason.SHADOWED, each.text) for each in _shadows(found, previous)),
        *([(found.reason, found.message)] if found and found.reason else []),
        *(_of_widened(widened) if widened else ()),
    ]
    if parts:
        parts.sort(key=lambda part: ORDER.index(part[0]))
        reason = parts[0][0]
        # What adds nothing is left out beside what adds something.
        messages = [message for each, message in parts if each is reason or each is not Reason.NOT_BROADER]
        conditions.mark(ConditionType.EXCLUSIVE, _STATUS[reason], reason, "; ".join(messages))


def build_exclusive(
    access: Access, found: Exclusivity | None, widened: Widened | None, previous: SearchAccessStatus
) -> ExclusiveStatus | None:
    """Return who else gives the principal rights, one by one; None: nobody who adds anything.

    Args:
        access: the SearchAccess.
        found: see ``mark_exclusive``.
        widened: see ``mark_exclusive``.
        previous: the status as it is in Kubernetes.
    """
    if not _has_principal(access):
        return None
    if _is_unknown(found, widened) and condition_of(previous, ConditionType.EXCLUSIVE):
        return previous.exclusive
    shadows = [Giver(Reason.SHADOWED, FILE, each.role, each.role, each.text) for each in _shadows(found, previous)]
    givers, unlisted = listed([*shadows, *(found.givers if found else ()), *(_givers_in(widened) if widened else ())])
    sources = [
        ExclusiveSource(
            reason=each.reason,
            kind=each.kind,
            name=each.name,
            role=each.role or None,
            message=shorten(each.text, TEXT_LIMIT),
        )
        for each in givers
    ]
    unlisted += found.unlisted if found else 0
    return ExclusiveStatus(sources=sources, unlisted=unlisted) if sources else None


def _has_principal(access: Access) -> bool:
    return not (access.has_credential or access.deleted_at)


def _is_unknown(found: Exclusivity | None, widened: Widened | None) -> bool:
    return found is None or widened is None


def recalled_shadows(status: SearchAccessStatus) -> tuple[Shadow, ...]:
    """Return the roles in files that a status says are in force instead of the principal's."""
    sources = status.exclusive.sources if status.exclusive else ()
    return tuple(Shadow(each.role or each.name, each.message) for each in sources if each.reason == Reason.SHADOWED)


def _shadows(found: Exclusivity | None, previous: SearchAccessStatus) -> tuple[Shadow, ...]:
    """Return the roles in files that are in force; those that are known from before until Elasticsearch is asked."""
    if found is None:
        return ()
    return recalled_shadows(previous) if found.shadows is None else found.shadows


def _givers_in(widened: Widened) -> Iterator[Giver]:
    """Yield the other SearchAccesses; rights that were released have no name of their own."""
    for each in widened.by:
        text = f"{each.shows} shows {each.what} that this one hides"
        yield Giver(Reason.WIDENED_BY, ACCESS, _name_in(each.shows), "", text)
    for each in widened.others:
        text = f"this one shows {each.what} that {each.hides} hides"
        yield Giver(Reason.WIDENED_BY, ACCESS, _name_in(each.hides), "", text)


def _name_in(label: str) -> str:
    """Return whom a label names: ``SearchAccess namespace/name (pattern)``, or released rights."""
    return label.partition(" (")[0].removeprefix(f"{ACCESS} ")


def _of_widened(widened: Widened) -> Iterator[tuple[Reason, str]]:
    if widened:
        known = widened.by or widened.others
        yield Reason.WIDENED_BY if known else Reason.CANNOT_BE_SEEN, widened.message


def exclusive_notes(previous: SearchAccessStatus, status: SearchAccessStatus) -> list[Note]:
    """Return the event about somebody who gives the principal more, or its role to others: once for each message."""
    found, before = (condition_of(each, ConditionType.EXCLUSIVE) for each in (status, previous))
    if found is None or (before is not None and (before.reason, before.message) == (found.reason, found.message)):
        return []
    return [note(kind, found.message) for kind in _EVENTS if kind == found.reason]
