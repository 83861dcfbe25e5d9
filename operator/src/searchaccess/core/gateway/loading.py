"""Which callers' limits have reached all pods of a gateway: nobody gets new rights before (docs/adr/0074).

The limits of callers are numbered in the order in which they were declared, and each written version of the
configuration with them. A pod says which version it has loaded. A pod that cannot be asked certainly has a version
``GRACE`` after it was written.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from searchaccess.core.gateway.facts import GRACE, Pods
from searchaccess.core.gateway.limits import strictest
from searchaccess.core.gateway.settings import CallerLimits

WAITS: Final = (
    "its limits are not in all pods of the gateway yet, which takes up to two minutes; if it takes longer, see the "
    "conditions Ready and GatewayInSync of the SearchCluster"
)
_REMEMBERED: Final = 1_000
"""Versions, and declarations after which a caller without limits of its own is forgotten; a pod that has an older
version counts as one that has none. Even if one is written each second, all of the last ``GRACE`` seconds are here."""
_NONE: Final = -1

_Changes: TypeAlias = list[tuple[int, CallerLimits | None]]
"""The number of each declaration that changed something, oldest first, and what has been declared since. None: the
default."""


@dataclass(frozen=True, slots=True)
class _Written:
    number: int
    """Of the limits in it."""
    at: float


@dataclass(slots=True)
class Loading:
    """Compares declared limits with what pods have loaded."""

    _limits: Mapping[str, CallerLimits] = field(default_factory=dict)
    _default: CallerLimits | None = None
    """None: nothing was declared yet."""
    _number: int = 0
    _defaults: list[tuple[int, CallerLimits]] = field(default_factory=list)
    """The default since each declaration that changed it, oldest first."""
    _changes: dict[str, _Changes] = field(default_factory=dict)
    """By caller, its own limits."""
    _unknown: set[str] = field(default_factory=set)
    """Callers of whose limits before the first of these changes nothing is known."""
    _since: dict[str, int] = field(default_factory=dict)
    """By caller, the number since which its limits were never looser than now; it is missing if they never were."""
    _written: dict[str, _Written] = field(default_factory=dict)
    """By version, oldest first."""
    _past: bool = True
    """Whether pods may have limits of before this process, of any caller."""

    def declare(self, limits: Mapping[str, CallerLimits], default: CallerLimits) -> int:
        """Note the limits of all callers that differ from the default; return their number.

        Args:
            limits: by e-mail address; the same object means that nothing changed.
            default: of all other callers.
        """
        if limits is self._limits and default == self._default:
            return self._number
        before, is_first, is_same = self._limits, self._default is None, default == self._default
        self._limits, self._default = limits, default
        self._number += 1
        if not is_same:
            self._defaults = [*self._defaults[1 - _REMEMBERED :], (self._number, default)]
        if is_first:
            # What pods had before is not known.
            self._unknown.update(limits)
        changed = {email for email in {*before, *limits} if before.get(email) != limits.get(email)}
        for email in changed:
            self._changes.setdefault(email, []).append((self._number, limits.get(email)))
            self._shorten(email)
        for email in changed if is_same else {*limits, *self._changes}:
            self._find_since(email)
        self._forget()
        return self._number

    def _shorten(self, email: str) -> None:
        """Forget changes that are older than all versions that are remembered, except the last of them."""
        changes = self._changes[email]
        old = sum(number <= self._number - _REMEMBERED for number, _ in changes)
        if old > 1:
            del changes[: old - 1]
            self._unknown.add(email)

    def _find_since(self, email: str) -> None:
        """Find out since when a caller's limits were never looser than now."""
        own, defaults = self._changes.get(email, []), self._defaults
        now, since = self._limits.get(email, self._default), 0
        numbers = sorted({number for number, _ in (*own, *defaults)}, reverse=True)
        for number in numbers:
            if email in self._unknown and number < own[0][0]:
                break
            then = _in_force(own, number) or _in_force(defaults, number)
            if now is None or then is None or _is_stricter(now, then):
                break
            since = number
        else:
            since = since if email in self._unknown else 0
        if since:
            self._since[email] = since
        else:
            self._since.pop(email, None)

    def _forget(self) -> None:
        """Forget callers that have had no limits of their own for long."""
        recent = self._number - _REMEMBERED
        gone = [email for email, own in self._changes.items() if email not in self._limits and own[-1][0] <= recent]
        for email in gone:
            del self._changes[email]
            self._unknown.discard(email)
            self._since.pop(email, None)

    def wrote(self, version: str, number: int, at: float) -> None:
        """Note that a version of the configuration is in place.

        Args:
            version: of the configuration. What was written before, and was replaced since, has another one even if it
                is the same.
            number: of the limits in it, see ``declare``.
            at: when it was written, in seconds since the epoch.
        """
        known = self._written.pop(version, None)
        self._written[version] = _Written(max(number, known.number) if known else number, at)
        for old in list(self._written)[:-_REMEMBERED]:
            del self._written[old]

    def forget_written(self) -> None:
        """Forget all versions: the gateway has other pods now."""
        self._written.clear()

    def look_back(self, *, found: bool, first: bool) -> None:
        """Note whether there was a configuration before this process wrote one.

        Args:
            found: whether there was: pods may have it, or an earlier one.
            first: whether the gateway has had no other place in this process. Otherwise the pods there still matter.
        """
        if found or first:
            self._past = found

    def everyone_waits(self, pods: Pods | None, now: float) -> bool:
        """Return whether some pod may have limits of before this process, which may be looser than any caller's now.

        A caller without limits of its own may have had looser ones, and nothing says which callers had any. A pod that
        has a version of this process, or the one that was found in place unchanged, has nothing older.

        Args:
            pods: what they say; None: they were not asked yet.
            now: seconds since the epoch.
        """
        if not self._number:
            return False
        if self._lowest(pods, now) > _NONE:
            self._past = False
        others = (one.version for one in (*pods.answers, *pods.ending)) if pods else ()
        return self._past or any(version and version not in self._written for version in others)

    def waiting(self, pods: Pods | None, now: float) -> frozenset[str]:
        """Return the callers for whom some pod may have looser limits than they declare now.

        Args:
            pods: what they say; None: they were not asked yet.
            now: seconds since the epoch.
        """
        if not self._since:
            return frozenset()
        lowest = self._lowest(pods, now)
        return frozenset(email for email, number in self._since.items() if number > lowest)

    def _lowest(self, pods: Pods | None, now: float) -> int:
        """Return the number of the oldest limits that a pod may have."""
        arrived = max((one.number for one in self._written.values() if now - one.at >= GRACE), default=_NONE)
        if pods is None or pods.former:
            return _NONE
        running = arrived
        if pods.answers and not pods.trouble:
            running = min(arrived if one.trouble else self._number_in(one.version) for one in pods.answers)
        # Nothing certainly arrives in those that end: a kubelet writes no files into them.
        return min([running, *(self._number_in(one.version) for one in pods.ending)])

    def _number_in(self, version: str) -> int:
        """Return the number of the limits in a version; one that is not known was written before this process began."""
        known = self._written.get(version)
        return known.number if known else _NONE


def _in_force(changes: Sequence[tuple[int, CallerLimits | None]], number: int) -> CallerLimits | None:
    """Return what was declared at a number; None: nothing, or the default."""
    position = bisect_right(changes, number, key=lambda change: change[0])
    return changes[position - 1][1] if position else None


def _is_stricter(one: CallerLimits, other: CallerLimits) -> bool:
    """Return whether limits refuse anything that others allow."""
    return one != other and strictest(one, other) != other
