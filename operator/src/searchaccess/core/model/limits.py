"""The limits of callers that a SearchAccess declares."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from searchaccess.api.clusters.gateway import BODY_PATTERN
from searchaccess.api.vocabulary.apigroups import ApiGroup

_UNITS: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_MOST_REQUESTS: Final = 100_000
_FIELDS: Final = frozenset({"requestsPerSecond", "burst", "maxBody", "apis"})
BURST: Final = 2
"""Seconds' worth of requests that a caller may send at once, unless declared."""


@dataclass(frozen=True, slots=True)
class DeclaredLimits:
    """What a SearchAccess declares. None: it does not declare it."""

    per_second: int | None = None
    """Requests in a second."""
    burst: int | None = None
    """Requests at once; declared, or derived from ``per_second``."""
    max_body: int | None = None
    """Bytes."""
    apis: frozenset[ApiGroup] | None = None
    unreadable: bool = False
    """Something of it cannot be read."""

    @property
    def are_declared(self) -> bool:
        """Whether any limit is declared."""
        return self != NO_LIMITS

    @property
    def problem(self) -> str:
        """What cannot be read of it; empty: nothing."""
        if not self.unreadable:
            return ""
        return f"spec.limits: write requestsPerSecond and burst as numbers, {SIZE}, and apis by their names"


SIZE: Final = "maxBody as a size such as 512Ki, 100Mi or 1Gi"
NO_LIMITS: Final = DeclaredLimits()


def bytes_of(size: str) -> int:
    """Return the bytes of a size such as ``512Ki``, ``100Mi`` or ``1Gi``.

    Raises:
        ValueError: it is none.
    """
    if not is_size(size):
        raise ValueError(size)
    return int(size[:-2]) * _UNITS[size[-2:]]


def is_size(size: str) -> bool:
    """Return whether ``bytes_of`` can read a size: the models leave that to the API server."""
    return re.fullmatch(BODY_PATTERN, size) is not None


def shown_bytes(number: int) -> str:
    """Return bytes as a size."""
    unit = next((unit for unit in ("Gi", "Mi", "Ki") if number % _UNITS[unit] == 0), "")
    return f"{number // _UNITS[unit]}{unit}" if unit and number else str(number)


def limits_in(spec: Mapping[str, Any]) -> DeclaredLimits:
    """Read the limits of a spec, which need not be valid otherwise: an error elsewhere must not lift them.

    Never raises. Limits that cannot be read are never taken for absent.
    """
    if "limits" not in spec:
        return NO_LIMITS
    given = spec["limits"]
    if not isinstance(given, Mapping) or not given:
        return DeclaredLimits(unreadable=True)
    rate, burst = _requests(given.get("requestsPerSecond")), _requests(given.get("burst"))
    if rate is not None and "burst" not in given:
        burst = min(rate * BURST, _MOST_REQUESTS)
    if rate is None or burst is None or burst < rate:
        rate = burst = None
    body, apis = _body(given.get("maxBody")), _apis(given.get("apis"))
    missing = {"requestsPerSecond": rate, "burst": burst, "maxBody": body, "apis": apis}
    unreadable = any(key not in _FIELDS or missing[key] is None for key in given)
    return DeclaredLimits(rate, burst, body, apis, unreadable)


def _requests(given: object) -> int | None:
    return given if type(given) is int and 1 <= given <= _MOST_REQUESTS else None


def _body(given: object) -> int | None:
    try:
        return bytes_of(given) if isinstance(given, str) else None
    except ValueError:
        return None


def _apis(given: object) -> frozenset[ApiGroup] | None:
    if not isinstance(given, list) or not given:
        return None
    known = {str(group): group for group in ApiGroup}
    found = [known.get(name) for name in given if isinstance(name, str)]
    return frozenset(group for group in found if group) if len(found) == len(given) and None not in found else None


def is_within(new: DeclaredLimits, old: DeclaredLimits) -> bool:
    """Return whether limits are at least as strict as others in each part."""
    if new.unreadable or old.unreadable:
        return new == old
    numbers = ((new.per_second, old.per_second), (new.burst, old.burst), (new.max_body, old.max_body))
    if any(was is not None and (now is None or now > was) for now, was in numbers):
        return False
    return old.apis is None or (new.apis is not None and new.apis <= old.apis)
