"""The SearchAccessApprovals as last seen, by the SearchAccess that they are about."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

import structlog

from searchaccess.api.status import SearchAccessStatus
from searchaccess.core.model.intake.metadata import metadata_of, part, text_in
from searchaccess.core.policy.consent.approval import Approval, approval_from_object
from searchaccess.core.policy.consent.vouching import NOT_READ, Vouching
from searchaccess.engine.barrier import caught
from searchaccess.engine.inventory.policy.newest import Latest, Newest
from searchaccess.ports.meter import Meter

_PREMATURE: Final = '"prematureApprovals"'

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
        self._premature: dict[str, set[str]] = {}
        """By the uid of a SearchAccess: uids of its approvals that were given in advance."""
        self.suspects: dict[str, str] = {}
        """Uids of approvals that may have been given in advance, each with that of its SearchAccess."""
        self._went_back = False
        """Whether the API server's history went back, and SearchAccesses were not listed since."""
        self.vouching: Vouching = NOT_READ
        """Whether the API server checks who approves, as last read."""

    def uids(self) -> frozenset[str]:
        """Return the uids of the approvals that are known."""
        return self._newest.uids()

    def latest(self) -> Latest:
        """Return which versions are known now."""
        return self._newest.latest()

    def begin_anew(self) -> None:
        """Take the next version of each, whichever it is: the API server's history went back.

        Those that come back do not count before their SearchAccess did: its status says which of them never do.
        """
        self._newest.begin_anew()
        self._went_back = True

    def of(self, access: str) -> tuple[Approval, ...]:
        """Return the approvals that name the uid of a SearchAccess."""
        return tuple(self._of.get(access, {}).values())

    def premature(self, access_uid: str) -> tuple[str, ...]:
        """Return the uids of approvals that never count: they approve an edit that their author did not see."""
        return tuple(sorted(self._premature.get(access_uid, ())))

    def suspect(self, access_uid: str, ahead: Iterable[Approval]) -> bool:
        """Note approvals of a generation that is not known; return whether any was not noted before.

        Either it does not exist yet, or the event about it has not arrived: the next list shows which.
        """
        new = {each.uid: access_uid for each in ahead if each.uid not in self._premature.get(access_uid, ())}
        known = new.keys() <= self.suspects.keys()
        self.suspects |= new
        return not known

    def settle(self, suspects: Mapping[str, str], generations: Callable[[str], int | None]) -> None:
        """Decide about approvals of generations that were not known, after a list of SearchAccesses.

        Args:
            suspects: those that were noted before the list began.
            generations: returns the generation of a SearchAccess; None: it is gone.
        """
        self._went_back = False
        for uid, access_uid in suspects.items():
            self.suspects.pop(uid, None)
            approval, generation = self._newest.get(uid), generations(access_uid)
            if approval and approval.spec and generation is not None and generation < approval.spec.generation:
                self._recall(access_uid, [uid])
                log.warning(
                    "an approval was given in advance and never counts",
                    approval=approval.name,
                    access=approval.spec.name,
                )
            self._changed(access_uid)

    def recall_from(self, access_uid: str, status_json: str) -> None:
        """Take in which approvals never count, from the status that an earlier run of the operator wrote."""
        if _PREMATURE in status_json:
            self._recall(access_uid, SearchAccessStatus.parse(status_json).premature_approvals or ())

    def _recall(self, access_uid: str, premature: Collection[str]) -> None:
        if premature:
            self._premature.setdefault(access_uid, set()).update(premature)

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
        known = self._newest.get(meta.uid)
        # An approval cannot be changed: what never counts stays so.
        premature = known is not None and known.uid in self._premature.get(known.access_uid, ())
        self._unlink(known)
        self._newest.put(meta.uid, approval)
        if premature:
            self._recall(approval.access_uid, [meta.uid])
        if known is None and self._went_back:
            self.suspects[meta.uid] = approval.access_uid
        self._of.setdefault(approval.access_uid, {})[meta.uid] = approval
        self._changed(approval.access_uid)

    def forget(self, uid: str) -> None:
        """Take in that an approval is gone."""
        self._unlink(self._newest.remove(uid))

    def _unlink(self, known: Approval | None) -> None:
        if known is None:
            return
        self._drop_premature(known.access_uid, {known.uid})
        others = self._of[known.access_uid]
        del others[known.uid]
        if not others:
            del self._of[known.access_uid]
        self._changed(known.access_uid)

    def _drop_premature(self, access: str, uids: Collection[str]) -> None:
        if left := self._premature.pop(access, set()).difference(uids):
            self._premature[access] = left

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
        if not unlisted:
            for access, premature in list(self._premature.items()):
                if gone := {uid for uid in premature if uid not in present and self._newest.get(uid) is None}:
                    # The status recalled them, and they were deleted while no operator was running.
                    self._drop_premature(access, gone)
                    self._changed(access)
        before = self._unlisted
        self._unlisted = frozenset(unlisted if before is None else set(before).intersection(unlisted))
        return before != self._unlisted
