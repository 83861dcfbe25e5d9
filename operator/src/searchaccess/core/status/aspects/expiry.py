"""When a SearchAccess whose rights have ended is deleted itself."""

from typing import Final, Protocol

from searchaccess.api.conditions.events import EventReason
from searchaccess.api.conditions.reasons import Reason
from searchaccess.core.model.access import Access
from searchaccess.core.model.timeboxes.timebox import shown_time
from searchaccess.core.policy.decision import AccessDecision, Do
from searchaccess.core.policy.timebox import keeps_itself
from searchaccess.core.status.events import Note, note

_ENDED: Final = frozenset({Reason.EXPIRED, Reason.PENDING_APPROVAL})
"""Reasons of what has ended: by its time, or by that of its approval before."""
UNDELETED: Final = (
    "the operator could not delete it (spec.ttlAfterExpired): {}. Or delete it yourself. It is tried again every ten "
    "minutes"
)


class _Facts(Protocol):
    """What is known about a SearchAccess."""

    @property
    def access(self) -> Access:
        """What is declared."""

    @property
    def decision(self) -> AccessDecision:
        """What is done about it."""


def is_deletable(facts: _Facts, *, is_revoked: bool) -> bool:
    """Return whether a SearchAccess itself is to be deleted now.

    Args:
        facts: about it.
        is_revoked: whether Elasticsearch confirmed that it has no rights left.
    """
    access, decision = facts.access, facts.decision
    ended = decision.do is Do.REMOVE and decision.reason in _ENDED and access.validity.is_removable
    return (
        ended and is_revoked and not (access.deleted_at or access.is_unreadable or access.fault or keeps_itself(access))
    )


def deletion_note(access: Access) -> Note:
    """Return the event before a SearchAccess is deleted."""
    ended = shown_time(access.time_box.ends or 0)
    text = f"its rights ended at {ended}, and spec.ttlAfterExpired is over: the operator deletes it"
    return note(EventReason.EXPIRED_DELETED, text)
