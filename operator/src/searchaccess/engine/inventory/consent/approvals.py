"""The SearchAccessApprovals as last seen, by the SearchAccess that they are about."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import structlog

from searchaccess.core.model.intake.metadata import metadata_of, part, text_in
from searchaccess.core.policy.consent.approval import Approval, approval_from_object
from searchaccess.core.policy.consent.vouching import NOT_READ, Vouching
from searchaccess.engine.barrier import caught
from searchaccess.engine.inventory.newest import Newest
from searchaccess.ports.meter import Meter

log = structlog.get_logger(__name__)


class Approvals:
    """All SearchAccessApprovals.

    Args:
        meter: counts approvals at which an internal error occurred.
        changed: called with the uid of a SearchAccess whose approvals changed.
    """

    def __init__(self, meter: Meter, changed: Callable[[str], None]) -> None:
        self._meter = meter
        self._changed = changed
        self._newest: Newest[Approval] = Newest()
        self._of: dict[str, dict[str, Approval]] = {}
        """By the uid of a SearchAccess: its approvals, by their own uids."""
        self._unlisted: Collection[str] | None = None
        """Namespaces of which they were never listed; None: those of no namespace were."""
        self.vouching: Vouching = NOT_READ
        """Whether the API server checks who approves, as last read."""

    def uids(self) -> frozenset[str]:
        """Return the uids of the approvals that are known."""
        return self._newest.uids()

    def of(self, access: str) -> tuple[Approval, ...]:
        """Return the approvals that name the uid of a SearchAccess."""
        return tuple(self._of.get(access, {}).values())

    def listed_in(self, namespace: str) -> bool:
        """Return whether all of a namespace were listed."""
        return self._unlisted is not None and namespace not in self._unlisted

    def see(self, raw: Mapping[str, Any]) -> None:
        """Take in an approval from an event or a list; an older version than the known one is ignored. Never raises."""
        meta = metadata_of(raw)
        if not self._newest.expects(meta):
            return
        try:
            approval = approval_from_object(raw)
        except Exception as error:  # noqa: BLE001 - the barrier between one approval and all others
            invalid = caught(self._meter, "", "intake", error).message
            access = text_in(part(raw, "spec"), "uid")
            approval = Approval(
                meta.uid, meta.namespace, meta.name, meta.resource_version, access, None, None, invalid=invalid
            )
        self._unlink(self._newest.get(meta.uid))
        self._newest.put(meta.uid, approval)
        self._of.setdefault(approval.access_uid, {})[meta.uid] = approval
        self._changed(approval.access_uid)

    def forget(self, uid: str) -> None:
        """Take in that an approval is gone."""
        self._unlink(self._newest.remove(uid))

    def _unlink(self, known: Approval | None) -> None:
        if known is None:
            return
        others = self._of[known.access_uid]
        del others[known.uid]
        if not others:
            del self._of[known.access_uid]
        self._changed(known.access_uid)

    def keep(self, present: set[str], known_before: frozenset[str], unlisted: Collection[str] = ()) -> bool:
        """Take in the end of a full list: what was known before it was asked for and is not in it is gone.

        Args:
            present: the uids that are in the list.
            known_before: the uids that were known when it started.
            unlisted: namespaces that could not be listed: what is known of them stays.

        Returns:
            Whether some namespace was listed for the first time.
        """
        for uid in known_before - present:
            if (known := self._newest.get(uid)) and known.namespace not in unlisted:
                self.forget(uid)
        self._newest.forget_gone(present)
        before = self._unlisted
        self._unlisted = frozenset(unlisted if before is None else set(before).intersection(unlisted))
        return before != self._unlisted
