"""When a reconciler runs: probe, sweep, check, retry, and how long to let a burst settle."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from searchaccess.ports.clock import Clock
from searchaccess.ports.elasticsearch import Probe

CHECK_EVERY: Final = 600.0
"""Seconds between checks of version, uuid, license and realm while nothing is wrong and nothing indicates a change."""
CHECK_AGAIN: Final = 12.0
"""The same while something is wrong with them, or the license should have expired."""

FINGERPRINT_EVERY: Final = 12.0
"""Seconds between fingerprints, so that a change of license or nodes is found, checked and reported in 15 seconds."""
FINGERPRINT_PROBES: Final = 6.0
"""Probes for each fingerprint at least: whoever configures few probes wants few requests."""
SPACING: Final = 1.125
"""Factor by which probes are further apart than declared: that saves more than half of the fingerprints' requests."""

QUIET_AT_REST: Final = 0.01
QUIET_IN_A_BURST: Final = 0.15
LONGEST_BURST: Final = 1.5
"""Seconds. A single change is served at once; a burst is gathered, so that it takes few requests."""

BURST_AFTER: Final = 2.0
"""Seconds after a reconcile in which the next change counts as part of a burst."""

SEARCHABLE: Final = 2.0
"""Seconds after which a full read, which is a search, certainly returns others' writes: the index is refreshed every
second. The sequence number changes before that, so an immediate read may still return the old state."""

IN_VAIN: Final = 3
"""Full reads in a row without anything to do after which others are assumed to write all the time. One is no sign of
that: each change is read twice."""
DUTY: Final = 5.0
"""Then the pause after each is this many times as long as the read."""
LONGEST_REST: Final = 10.0
"""Seconds of such a pause at most; a read more than twice as late is not in a row with the last."""


class Schedule:
    """What is due when. Times are the clock's monotonic seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._probe_every = 2.0
        self._fingerprint_every = FINGERPRINT_EVERY
        self._sweep_every = 300.0
        self._next_probe = 0.0
        self._next_sweep = 0.0
        self._next_check = 0.0
        self._next_fingerprint = float("inf")
        self._retry_at: float | None = None
        self._last_pass = float("-inf")
        self._last_took = 0.0
        self._last_read = float("-inf")
        self._in_vain = 0
        self._known: Probe | None = None
        self._must_reread = True
        self._read_again_at: float | None = None
        self._foreign_writes = 0
        self.probe_state: Literal["Active", "Unavailable"] | None = None

    def configure(self, probe_every: float, sweep_every: float) -> None:
        """Set the intervals, in seconds."""
        self._probe_every = probe_every * SPACING
        self._fingerprint_every = max(FINGERPRINT_EVERY, FINGERPRINT_PROBES * probe_every)
        self._sweep_every = sweep_every
        self._next_sweep = min(self._next_sweep, self._clock.monotonic() + sweep_every)

    def delay(self) -> float:
        """Return the seconds until something is due."""
        usual = min(self._next_probe, self._next_sweep, self._next_fingerprint)
        due = self._retry_at if self._retry_at is not None else usual
        return max(0.0, due - self._clock.monotonic())

    def begin(self) -> None:
        """Record that a reconcile begins: the retry that was due is being done."""
        self._retry_at = None

    def retry_in(self, delay: float) -> None:
        """Schedule a retry after a failure: nothing else is due before it."""
        self._retry_at = self._clock.monotonic() + delay

    def wait_for_probe(self) -> None:
        """Let nothing be due before the next probe."""
        self._next_probe = self._clock.monotonic() + self._probe_every
        self._next_sweep = max(self._next_sweep, self._next_probe)
        self._next_fingerprint = max(self._next_fingerprint, self._next_probe)

    def check_due(self) -> bool:
        """Return whether the cluster is to be checked."""
        return self._clock.monotonic() >= self._next_check

    def checked(self, *, well: bool, lasts: float = float("inf")) -> None:
        """Record a check.

        Args:
            well: whether all was well. Otherwise the next check comes before any fingerprint.
            lasts: seconds until the license expires, which no fingerprint shows.
        """
        now = self._clock.monotonic()
        self._next_check = now + (min(CHECK_EVERY, max(CHECK_AGAIN, lasts)) if well else CHECK_AGAIN)
        self._next_fingerprint = now + self._fingerprint_every if well else float("inf")

    def check_again(self) -> None:
        """Schedule the next check soon: no probe shows when the problem is over."""
        self._next_check = min(self._next_check, self._clock.monotonic() + CHECK_AGAIN)

    def fingerprint_due(self) -> bool:
        """Return whether the fingerprint is to be read."""
        return self._clock.monotonic() >= self._next_fingerprint

    def fingerprint_read(self) -> None:
        """Record that the fingerprint was read."""
        self._next_fingerprint = self._clock.monotonic() + self._fingerprint_every

    def sweep_due(self) -> bool:
        """Return whether a full read is due, changed or not."""
        return self._clock.monotonic() >= self._next_sweep

    def probe_due(self) -> bool:
        """Return whether the security index's position is to be read."""
        return self._clock.monotonic() >= self._next_probe

    def probed(self, probe: Probe | None, own_operations: int) -> bool:
        """Record a probe; return whether a full read is needed, because somebody else changed something.

        It is read at once, and again when the change is certainly searchable.

        Args:
            probe: what was read; None: it cannot be read, so only sweeps find changes.
            own_operations: our writes since the last probe; each increased the sequence number by one.
        """
        now = self._clock.monotonic()
        self._next_probe = now + self._probe_every
        known, self._known = self._known, probe
        if known is not None and (probe is None or known.index_uuid != probe.index_uuid):
            # Another security index, or none: perhaps another cluster.
            self._next_check = now
        if probe is None:
            self.probe_state = "Unavailable"
            # Without the probe, our own writes are read again soon.
            return own_operations > 0
        self.probe_state = "Active"
        if known is None:
            return True
        if probe != Probe(known.index_uuid, known.sequence_number + own_operations):
            # Fewer than our own are an error of ours: then it is not known how many there were.
            self._foreign_writes += max(1, probe.sequence_number - known.sequence_number - own_operations)
            self._read_again_at = now + SEARCHABLE
            self._next_probe = min(self._next_probe, self._read_again_at)
            return True
        return self._must_reread or (self._read_again_at is not None and now >= self._read_again_at)

    def take_foreign_writes(self) -> int:
        """Return how many writes of others probes found since the last call, at least."""
        taken, self._foreign_writes = self._foreign_writes, 0
        return taken

    @property
    def is_settled(self) -> bool:
        """Return whether a read that begins now certainly returns all writes of others that probes found."""
        return self._read_again_at is None or self._clock.monotonic() >= self._read_again_at

    @contextmanager
    def reread_on_error(self) -> Iterator[None]:
        """Request a full read if the work in this context fails: it is uncertain what was written."""
        try:
            yield
        except BaseException:  # raised again: earlier writes may have been applied
            self._must_reread = True
            raise

    def reconciled(self, *, full: bool, started: float, changed: bool) -> None:
        """Record a reconcile that completed."""
        now = self._clock.monotonic()
        self._last_pass = now
        self._last_took = now - started
        if not full:
            return
        self._must_reread = False
        if self._read_again_at is not None and started >= self._read_again_at:
            self._read_again_at = None
        self._next_sweep = now + self._sweep_every
        in_a_row = now - self._last_read <= 2 * LONGEST_REST
        self._in_vain = 0 if changed else (self._in_vain if in_a_row else 0) + 1
        self._last_read = now
        if self._in_vain > IN_VAIN:
            # If others write security objects all the time, full reads must stay a small part of the load.
            self._next_probe = max(self._next_probe, now + min(LONGEST_REST, DUTY * (now - started)))

    def settling(self) -> tuple[float, float]:
        """Return how long it must be quiet for a burst to be over, and how long to wait at most (seconds).

        In a burst that is at least as long as the last reconcile took: where all is slow, changes have longer gaps, and
        each gap would cause a reconcile.
        """
        if self._clock.monotonic() - self._last_pass >= BURST_AFTER:
            return QUIET_AT_REST, LONGEST_BURST
        return min(LONGEST_BURST, max(QUIET_IN_A_BURST, self._last_took)), LONGEST_BURST
