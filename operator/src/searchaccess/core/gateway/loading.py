"""Which callers' limits have reached all pods of a gateway: nobody gets new rights before (docs/adr/0074).

The limits of callers are numbered in the order in which they were declared, and each written version of the
configuration with them. A pod says which version it has loaded. A pod that cannot be asked certainly has a version
``GRACE`` after it was written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

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


@dataclass(frozen=True, slots=True)
class _Written:
    number: int
    """Of the limits in it."""
    at: float
    former: int
    """Of the limits in it when it was written before, if others were written in between: until ``GRACE`` is over, a pod
    that has it may still get one of those."""

    def number_in(self, now: float) -> int:
        """Return the number of the limits that a pod with this version has, and keeps."""
        return self.number if now - self.at >= GRACE else self.former


@dataclass(slots=True)
class Loading:
    """Compares declared limits with what pods have loaded."""

    _limits: Mapping[str, CallerLimits] = field(default_factory=dict)
    _default: CallerLimits | None = None
    """None: nothing was declared yet."""
    _number: int = 0
    _default_since: int = 0
    """The number since which the default is no looser than now."""
    _since: dict[str, int] = field(default_factory=dict)
    """By caller whose limits became stricter, the number since which they are no looser than now."""
    _written: dict[str, _Written] = field(default_factory=dict)
    """By version, oldest first."""

    def declare(self, limits: Mapping[str, CallerLimits], default: CallerLimits) -> int:
        """Note the limits of all callers that differ from the default; return their number.

        Args:
            limits: by e-mail address; the same object means that nothing changed.
            default: of all other callers.
        """
        if limits is self._limits and default == self._default:
            return self._number
        before, former = self._limits, self._default
        self._limits, self._default = limits, default
        self._number += 1
        if former is None:
            # What pods had before is not known.
            self._since = dict.fromkeys(limits, self._number)
            return self._number
        if _is_stricter(default, former):
            self._default_since = self._number
        for email in {*before, *limits}:
            if _is_stricter(limits.get(email, default), before.get(email, former)):
                self._since[email] = self._number
            elif email not in before and self._default_since:
                self._since.setdefault(email, self._default_since)
        recent = self._number - _REMEMBERED
        self._since = {email: since for email, since in self._since.items() if email in limits or since > recent}
        return self._number

    def wrote(self, version: str, number: int, at: float) -> None:
        """Note that a version of the configuration is in place.

        Args:
            version: of the configuration.
            number: of the limits in it, see ``declare``.
            at: when it was written, in seconds since the epoch.
        """
        newest = next(reversed(self._written), "")
        known = self._written.pop(version, None)
        former = number
        if known is not None:
            number = max(number, known.number)
            former = known.number_in(at)
            if version == newest and known.former == known.number:
                former = number
        self._written[version] = _Written(number, at, former)
        for old in list(self._written)[:-_REMEMBERED]:
            del self._written[old]

    def forget_written(self) -> None:
        """Forget all versions: the gateway has other pods now."""
        self._written.clear()

    def waiting(self, pods: Pods | None, now: float) -> frozenset[str]:
        """Return the callers for whom some pod may have looser limits than they declare now.

        Args:
            pods: what they say; None: they were not asked yet.
            now: seconds since the epoch.
        """
        if not self._since:
            return frozenset()
        arrived = max((one.number for one in self._written.values() if now - one.at >= GRACE), default=_NONE)
        if pods is None or pods.former:
            lowest = _NONE
        elif pods.trouble or not pods.answers:
            lowest = arrived
        else:
            lowest = min(arrived if one.trouble else self._number_in(one.version, now) for one in pods.answers)
        return frozenset(email for email, number in self._since.items() if number > lowest)

    def _number_in(self, version: str, now: float) -> int:
        """Return the number of the limits in a version; one that is not known was written before this process began."""
        known = self._written.get(version)
        return known.number_in(now) if known else _NONE


def _is_stricter(one: CallerLimits, other: CallerLimits) -> bool:
    """Return whether limits refuse anything that others allow."""
    return one != other and strictest(one, other) != other
