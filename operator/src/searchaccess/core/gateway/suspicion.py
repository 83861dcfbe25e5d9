"""Whether somebody may have set the password of a user: Elasticsearch shows no password, nor when it was set.

Every write of a security object moves the sequence number of the index ``.security``. Writes of others that nothing in
roles, role mappings, users and API keys explains may have been of passwords.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from searchaccess.api.constants import MANAGED_BY
from searchaccess.core.model.canonical import stable_json
from searchaccess.core.model.intake.reading import LATEST, mapping, text, whole_number

DOUBT: Final = 60.0
"""Seconds for which a write of ours that was not answered may still be applied, or be counted."""
RESET_EVERY: Final = 600.0
"""Seconds between two resets of all passwords: others may write security objects all the time."""
_ID_LIMIT: Final = 200
_NOT_UPDATED: Final = frozenset({"invalidated", "invalidation"})
"""What an invalidation changes, which is an event of its own."""


def key_events(keys: Iterable[Mapping[str, Any]], since: float) -> frozenset[str]:
    """Return what happened to API keys, each of which was one write of others.

    Keys of an operator are left out: this one's writes are counted anyway, and who invalidates them is suspicious.

    Args:
        keys: as Elasticsearch returns them.
        since: seconds since the epoch; what happened before is left out.
    """
    found = set[str]()
    for raw in keys:
        if mapping(raw.get("metadata")).get("managed_by") == MANAGED_BY:
            continue
        key = text(raw.get("id"), _ID_LIMIT)
        for event in ("creation", "invalidation"):
            when = whole_number(raw.get(event), LATEST)
            if key and when is not None and when >= since * 1000:
                found.add(f"{event} of {key}")
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class KeyState:
    """An API key, as far as it shows what was written."""

    content: int
    """Hash of what an update may change."""
    is_own: bool
    """Whether an operator made it: this one's writes are counted anyway."""
    ends: float
    """When it stops working, or stopped, in seconds since the epoch; infinity: it does not."""


def key_states(keys: Iterable[Mapping[str, Any]]) -> dict[str, KeyState]:
    """Return the states of API keys by their id, as Elasticsearch returns them."""
    found = dict[str, KeyState]()
    for raw in keys:
        if key := text(raw.get("id"), _ID_LIMIT):
            moments = (whole_number(raw.get(name), LATEST) for name in ("expiration", "invalidation"))
            content = {name: value for name, value in raw.items() if name not in _NOT_UPDATED}
            found[key] = KeyState(
                hash(stable_json(content)),
                mapping(raw.get("metadata")).get("managed_by") == MANAGED_BY,
                min((moment / 1000 for moment in moments if moment is not None), default=float("inf")),
            )
    return found


@dataclass(slots=True)
class Suspicion:
    """Accounts for the writes of others."""

    unexplained: int = 0
    """Writes of others that nothing explained yet."""
    pending: bool = True
    """Whether passwords are to be reset. Nobody watched before the first read."""
    is_loud: bool = False
    """Whether that is certainly because of others: writes of ours that were not answered do not explain it."""
    _again_loud: bool = False
    """The same of another suspicion meanwhile."""
    _doubts: dict[str, float] = field(default_factory=dict)
    """By object, a write of ours that was not answered, and may be one that is not explained; until when it counts."""
    _known: dict[str, int] | None = None
    """By object, a hash of its content."""
    _events: frozenset[str] | None = None
    """What was known of API keys; None: they were not read completely, so that none of them explains anything."""
    _keys: dict[str, KeyState] | None = None
    """By id, API keys as they were last seen; None: not all of them were ever read, so that no update explains."""
    _underway: bool = False
    """Whether a reset of all passwords began, and is not complete."""
    _again: bool = False
    """Whether there was another suspicion meanwhile."""
    _reset_at: float = field(default=float("-inf"))

    @property
    def needs_keys(self) -> bool:
        """Whether API keys are to be read before this concludes: they may explain something, or were never read."""
        return bool(self.unexplained) or self._events is None

    def doubt(self, objects: Iterable[str], now: float) -> None:
        """Note writes of ours that were not answered. They may have been applied, and were not counted as ours.

        One that shows in its object explains itself, as those of others do. As long as others may explain what is left
        over, passwords are reset all the same, but nobody is said to have set one.

        Args:
            objects: one for each write, as ``account`` names them, or any other name.
            now: seconds of a monotonic clock.
        """
        self._doubts |= dict.fromkeys(objects, now + DOUBT)

    def account(
        self, writes: int, now: Mapping[str, int], own: Collection[str], unchanged: Collection[str] = ()
    ) -> None:
        """Compare a full read with the last one.

        A write changes one object, so others wrote at least as many times as there are changed objects. If they wrote
        no more often, nothing else was written.

        Args:
            writes: of others, since the last call.
            now: by object that was read, a hash of its content.
            own: objects that this operator certainly changed since the last call.
            unchanged: objects that it wrote, and that were so already. They say nothing about others: a search may
                have shown one that was deleted before. Only a write in doubt may have been the one that made them so.
        """
        self.unexplained += writes
        if self._known is not None:
            before = self._known
            changed = {name for name in {*before, *now} if before.get(name) != now.get(name)}
            shown = changed.difference(own, [name for name in unchanged if name not in self._doubts])
            self.unexplained = max(0, self.unexplained - len(shown))
            self._doubts = {name: until for name, until in self._doubts.items() if name not in shown}
        self._known = dict(now)

    def explain(self, events: frozenset[str] | None) -> None:
        """Account for API keys that others created or invalidated: each event explains one write, once.

        Args:
            events: all since a time before the last call, see ``key_events``; None: they cannot be read completely.
        """
        if events is not None and self._events is not None:
            self.unexplained = max(0, self.unexplained - len(events - self._events))
        self._events = events

    @property
    def needs_all_keys(self) -> bool:
        """Whether all API keys are to be read: an update or a removal of one may explain the rest, or none was read."""
        return bool(self.unexplained) or self._keys is None

    def see_keys(self, keys: Mapping[str, KeyState]) -> None:
        """Account for some API keys, such as those that are new.

        Args:
            keys: by id. Each of others that was updated since it was seen last explains one write.
        """
        if self._keys is None:
            return
        known = self._keys
        updated = [
            key for key, now in keys.items() if key in known and known[key].content != now.content and not now.is_own
        ]
        self.unexplained = max(0, self.unexplained - len(updated))
        self._keys = {**known, **keys}

    def see_all_keys(self, keys: Mapping[str, KeyState] | None, now: float) -> None:
        """Account for all API keys: Elasticsearch itself removes those that ended, some days later.

        Args:
            keys: by id; None: they cannot be read completely, so that no update or removal explains anything later.
            now: seconds since the epoch.
        """
        if keys is None:
            self._keys = None
            return
        before = self._keys or {}
        self.see_keys(keys)
        # Only what had ended: nobody removes others.
        removed = [key for key, was in before.items() if key not in keys and was.ends <= now]
        self.unexplained = max(0, self.unexplained - len(removed))
        self._keys = dict(keys)

    def conclude(self, now: float) -> None:
        """Suspect that a password was set, if anything is not explained. All reads must have been certain.

        Args:
            now: seconds of a monotonic clock.
        """
        doubts = {name: until for name, until in self._doubts.items() if now < until}
        left = self.unexplained
        self._doubts = dict(list(doubts.items())[left:])
        if not left:
            return
        self.pending, self.unexplained, self._again = True, 0, self._underway
        if self._underway:
            self._again_loud = self._again_loud or left > len(doubts)
        else:
            self.is_loud = self.is_loud or left > len(doubts)

    def is_due(self, now: float) -> bool:
        """Return whether passwords are to be reset now, in seconds of a monotonic clock."""
        return self.pending and (self._underway or now - self._reset_at >= RESET_EVERY)

    def begin(self) -> bool:
        """Begin to reset passwords, or go on with it.

        A suspicion that comes up meanwhile waits for the next time: otherwise whoever writes all the time would have
        the same passwords reset again and again.

        Returns:
            Whether it begins: no password was reset since the suspicion.
        """
        begins, self._underway = not self._underway, True
        return begins

    def was_reset(self, now: float) -> None:
        """Record that all passwords were reset."""
        self.pending, self._again, self._underway, self._reset_at = self._again, False, False, now
        self.is_loud, self._again_loud = self._again_loud, False
