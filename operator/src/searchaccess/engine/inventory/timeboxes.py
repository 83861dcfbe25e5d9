"""When the rights of each SearchAccess begin and end: compared with the clock at those times, and not in between."""

import asyncio
import heapq
from contextlib import suppress
from dataclasses import replace
from typing import Final

import structlog

from searchaccess.api.times.moments import LAST, moment
from searchaccess.core.model.access import Access
from searchaccess.core.model.timeboxes.timebox import ALWAYS, TimeBox, Validity, validity_at
from searchaccess.ports.clock import Clock

CHECK_EVERY: Final = 10.0
"""Seconds after which the clock is read again while times are declared: timers stand still while a machine is
suspended, and do not follow a clock that is set."""
CLOSELY: Final = 0.1
"""Seconds between two readings of the clock, which counts whole seconds, when the next time is near."""
STEP_BACK: Final = 300.0
"""Seconds by which the clock may go back without effect: what has ended stays ended while the clock is being adjusted.
A longer step is a correction, which is followed."""
AGAIN_AFTER: Final = 5.0
"""Seconds after which a SearchAccess is due again that could not be judged."""
_SPARE: Final = 64
"""Outdated times that may stay in the queue."""

log = structlog.get_logger(__name__)


class TimeBoxes:
    """When rights begin and end, by SearchAccess.

    Args:
        clock: decides what the time is; None: what ends has ended.
    """

    def __init__(self, clock: Clock | None) -> None:
        self._clock = clock
        self._known: dict[str, tuple[TimeBox, Validity]] = {}
        """By uid, of those whose rights depend on the time."""
        self._queue: list[tuple[float, str]] = []
        """A heap of times at which SearchAccesses may be due; outdated ones are skipped."""
        self._reminders: dict[str, float] = {}
        """By uid, when something else than rights ends."""
        self._requested: dict[str, None] = {}
        """Uids that are to be judged whatever the time is."""
        self._latest = 0.0
        """The latest time that the clock showed."""
        self._changed = asyncio.Event()

    def judge(self, access: Access) -> Access:
        """Return a SearchAccess with what its time box says now, and remember when that changes."""
        box, validity = access.bounded_box, ALWAYS
        if box.is_limited:
            validity = self._validity(access.uid, box)
        else:
            self._known.pop(access.uid, None)
        return access if validity == access.validity else replace(access, validity=validity)

    def compared(self, access: Access) -> Access:
        """Return a SearchAccess with what its time box says now, without remembering it."""
        validity = validity_at(access.bounded_box, self.now())
        return access if validity == access.validity else replace(access, validity=validity)

    def request(self, uid: str) -> None:
        """Have a SearchAccess judged again: what decides about its end changed."""
        self._requested[uid] = None
        self._changed.set()

    def remind(self, uid: str, at: float | None) -> None:
        """Have a SearchAccess judged again at a time, whatever its own time box says; None: at none."""
        if at is None:
            self._reminders.pop(uid, None)
        elif self._reminders.get(uid) != at:
            self._reminders[uid] = at
            self._put(at, uid)
            self._changed.set()

    def forget(self, uid: str) -> None:
        """Forget a SearchAccess that is gone."""
        self._known.pop(uid, None)
        self._reminders.pop(uid, None)

    async def due(self) -> list[str]:
        """Wait until rights begin or end, or the clock was corrected; return the uids that are to be judged again.

        One that is not judged then is due again soon.
        """
        while True:
            self._changed.clear()
            now = self.now()
            if uids := self._take_due(now):
                return uids
            with suppress(TimeoutError):
                async with asyncio.timeout(self._wait(now)):
                    await self._changed.wait()

    def _validity(self, uid: str, box: TimeBox) -> Validity:
        now, known = self.now(), self._known.get(uid)
        if known and known[0] == box and not _is_due(known[1], now):
            return known[1]
        validity = validity_at(box, now)
        self._known[uid] = box, validity
        if validity.due_at is not None:
            self._put(validity.due_at, uid)
        self._changed.set()
        return validity

    def _put(self, at: float, uid: str) -> None:
        if len(self._queue) > 2 * (len(self._known) + len(self._reminders)) + _SPARE:
            times = ((validity.due_at, known) for known, (_, validity) in self._known.items())
            self._queue = [(time, known) for time, known in times if time is not None]
            self._queue += [(time, known) for known, time in self._reminders.items()]
            heapq.heapify(self._queue)
        heapq.heappush(self._queue, (at, uid))

    def _take_due(self, now: float) -> list[str]:
        uids, self._requested = self._requested, {}
        while self._queue and self._queue[0][0] <= now:
            _, uid = heapq.heappop(self._queue)
            if uid in self._known and _is_due(self._known[uid][1], now):
                uids[uid] = None
            if uid in self._reminders and self._reminders[uid] <= now:
                del self._reminders[uid]
                uids[uid] = None
        for uid in uids.keys() & self._known.keys():
            self._put(now + AGAIN_AFTER, uid)
        return list(uids)

    def _wait(self, now: float) -> float | None:
        """Return the seconds until the clock is to be read again; None: nothing depends on it."""
        if not self._known and not self._reminders:
            return None
        ahead = self._queue[0][0] - now if self._queue else CHECK_EVERY
        # The clock may be almost a second further than it shows.
        return min(CHECK_EVERY, max(CLOSELY, ahead - 1))

    def now(self) -> float:
        """Return the time in seconds since the epoch; it goes back only by a correction of the clock."""
        found = moment(self._clock.now()) if self._clock else None
        now = float(LAST) if found is None else found
        if now < self._latest - STEP_BACK:
            log.warning("the clock was set back: all times are compared again", seconds=self._latest - now)
            self._latest = now
            self._known = {uid: (box, replace(known, changes_at=0)) for uid, (box, known) in self._known.items()}
            self._queue = [(0.0, uid) for uid in sorted(self._known)]
            self._queue += sorted((time, uid) for uid, time in self._reminders.items())
            self._changed.set()
        self._latest = max(self._latest, now)
        return self._latest


def _is_due(validity: Validity, now: float) -> bool:
    return validity.due_at is not None and validity.due_at <= now
