"""Which SearchAccess of a principal limits the others, for their statuses."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from searchaccess.api.vocabulary.apigroups import ApiGroup
from searchaccess.core.gateway.limits import apis_of_agents, limits_of, own_limits, strictest, takes_part
from searchaccess.core.gateway.settings import CallerLimits
from searchaccess.core.model.access import Access

_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class InForce:
    """What limits the caller of one SearchAccess."""

    limits: CallerLimits | None
    """None: no gateway does, or it has no rights."""
    limited_by: tuple[str, ...] = ()
    """Other SearchAccesses that limit the caller more than this one does, as ``namespace/name``."""
    limiting: tuple[str, ...] = ()
    """Other SearchAccesses whose caller this one limits more than they do, as ``namespace/name``; not all of many."""


UNLIMITED: Final = InForce(None)


@dataclass(frozen=True, slots=True)
class _Own:
    ref: str
    limits: CallerLimits


class Sharing:
    """The SearchAccesses that share a caller. It takes no longer with many of them than to read each once.

    Args:
        members: all SearchAccesses of a principal on the cluster.
        default: as for ``limits_of``.
    """

    def __init__(self, members: Iterable[Access], default: CallerLimits) -> None:
        taking_part = sorted(filter(takes_part, members), key=lambda access: access.seniority)
        agents = apis_of_agents(taking_part)
        self._own = {access.uid: _Own(access.ref, own_limits(access, default, agents)) for access in taking_part}
        self._limits = limits_of(taking_part, default)
        self._is_known = not any(access.limits.unreadable for access in taking_part)
        self._causes = _causes([*self._own.values()], self._limits)

    def about(self, access: Access) -> InForce | None:
        """Return what limits the caller of a SearchAccess; None: the limits of one of them cannot be read."""
        own = self._own.get(access.uid)
        if own is None:
            return UNLIMITED
        if not self._is_known:
            return None
        # At most a dozen of them compare themselves with all others.
        others = self._own.values() if own in self._causes else ()
        limiting = [each.ref for each in others if _tightens(own, each)]
        return InForce(
            self._limits,
            limited_by=tuple(cause.ref for cause in self._causes if _tightens(cause, own)),
            limiting=tuple(limiting[:_NAMED]),
        )


def _tightens(one: _Own, other: _Own) -> bool:
    return strictest(one.limits, other.limits) != other.limits


def _causes(members: list[_Own], limits: CallerLimits) -> list[_Own]:
    """Return, for each part of the limits, the first SearchAccess from which it comes."""
    found: list[_Own | None] = [next((each for each in members if each.limits.max_body == limits.max_body), None)]
    rate = limits.rate
    if rate is not None:
        rated = [(each, each.limits.rate) for each in members if each.limits.rate]
        found.append(next((each for each, its in rated if its.per_second == rate.per_second), None))
        found.append(next((each for each, its in rated if its.burst == rate.burst), None))
    if limits.groups is not None:
        grouped = [(each, each.limits.groups) for each in members if each.limits.groups is not None]
        missing = [group for group in ApiGroup if group not in limits.groups]
        found += [next((each for each, groups in grouped if group not in groups), None) for group in missing]
        if not missing:
            # All parts are named: only odd spellings are refused.
            found.append(grouped[0][0])
    return list(dict.fromkeys(each for each in found if each is not None))
