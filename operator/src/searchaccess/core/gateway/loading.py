"""Which callers' limits have reached all pods of a gateway: nobody gets new rights before (docs/adr/0074).

The limits of callers are numbered in the order in which they were declared, and each written version of the
configuration with them. A pod says which version it has loaded. A pod that says nothing certainly has a version after
``GRACE``, when it cannot be asked at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from searchaccess.core.gateway.facts import GRACE, Pods
from searchaccess.core.gateway.limits import strictest
from searchaccess.core.gateway.settings import CallerLimits

WAITS: Final = "its limits are not in all pods of the gateway yet, which takes up to two minutes"
_REMEMBERED: Final = 100
"""Versions; a pod that has an older one counts as one that has none."""
_NONE: Final = -1


@dataclass(frozen=True, slots=True)
class _Written:
    number: int
    """Of the limits in it."""
    at: float


@dataclass(slots=True)
class Loading:
    """Compares declared limits with what pods have loaded."""

    _limits: Mapping[str, CallerLimits] = field(default_factory=dict)
    _number: int = 0
    _since: dict[str, int] = field(default_factory=dict)
    """By caller with limits stricter than the default, the number of the first ones with these."""
    _written: dict[str, _Written] = field(default_factory=dict)
    """By version, oldest first."""

    def declare(self, limits: Mapping[str, CallerLimits], default: CallerLimits) -> int:
        """Note the limits of all callers that differ from the default; return their number.

        Args:
            limits: by e-mail address; the same object means that nothing changed.
            default: of all other callers.
        """
        if limits is self._limits:
            return self._number
        before, self._limits = self._limits, limits
        self._number += 1
        self._since = {
            email: self._since[email] if before.get(email) == each and email in self._since else self._number
            for email, each in limits.items()
            if strictest(default, each) != default
        }
        return self._number

    def wrote(self, version: str, number: int, at: float) -> None:
        """Note that a version of the configuration is in place.

        Args:
            version: of the configuration.
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

    def waiting(self, pods: Pods | None, now: float) -> frozenset[str]:
        """Return the callers whose limits are certainly stricter than those that some pod has for them.

        Args:
            pods: what they say; None: they were not asked yet.
            now: seconds since the epoch.
        """
        if not self._since:
            return frozenset()
        arrived = max((one.number for one in self._written.values() if now - one.at >= GRACE), default=_NONE)
        if pods is None or pods.trouble or not pods.answers:
            lowest = arrived
        else:
            # A version that is not known here was written before this process began.
            lowest = min(
                arrived if one.trouble else self._written[one.version].number if one.version in self._written else _NONE
                for one in pods.answers
            )
        return frozenset(email for email, number in self._since.items() if number > lowest)
