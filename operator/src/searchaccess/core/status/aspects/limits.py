"""Reports the limits of a caller in a SearchAccess's status."""

from collections.abc import Sequence

from searchaccess.api.accesses.limitsstatus import LIMITING_LIMIT, LimitsStatus
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.vocabulary.apigroups import ApiGroup
from searchaccess.core.gateway.settings import CallerLimits
from searchaccess.core.gateway.sharing import InForce
from searchaccess.core.messages import some_of
from searchaccess.core.model.access import Access
from searchaccess.core.model.limits import shown_bytes
from searchaccess.core.status.conditions import TRUE, Conditions


def build_limits(found: InForce | None, previous: LimitsStatus | None) -> LimitsStatus | None:
    """Return the limits in force; None: nothing limits the caller.

    Args:
        found: what was found out; None: nothing was, so that what is known stays.
        previous: as the status has them.
    """
    if found is None:
        return previous
    limits = found.limits
    if limits is None:
        return None
    return LimitsStatus(
        requests_per_second=limits.rate.per_second if limits.rate else None,
        burst=limits.rate.burst if limits.rate else None,
        max_body=shown_bytes(limits.max_body),
        apis=_names(limits),
        limited_by=_refs(found.limited_by),
        limits=_refs(found.limiting),
    )


def mark_limits(conditions: Conditions, access: Access, found: InForce | None) -> None:
    """Set the condition that names who limits the caller more than this SearchAccess does; absent if nobody does."""
    if found is None:
        conditions.keep(ConditionType.LIMITED_ELSEWHERE)
    elif found.limits is not None and found.limited_by:
        others = some_of(list(found.limited_by))
        text = f"{others} limits {access.principal} more than this object does: {described(found.limits)}"
        conditions.mark(ConditionType.LIMITED_ELSEWHERE, TRUE, Reason.LIMITED_ELSEWHERE, text)


def described(limits: CallerLimits) -> str:
    """Return limits in words."""
    rate = f"{limits.rate.per_second} requests in a second, {limits.rate.burst} at once" if limits.rate else ""
    names = _names(limits)
    apis = "" if names is None else f"apis {', '.join(names)}" if names else "no part of the API, so nothing at all"
    return "; ".join(part for part in (rate, f"bodies up to {shown_bytes(limits.max_body)}", apis) if part)


def _names(limits: CallerLimits) -> list[str] | None:
    return None if limits.groups is None else [str(group) for group in ApiGroup if group in limits.groups]


def _refs(others: Sequence[str]) -> list[str] | None:
    return list(others[:LIMITING_LIMIT]) or None
