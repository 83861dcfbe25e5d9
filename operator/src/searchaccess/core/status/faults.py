"""The status of a SearchAccess of which no status can be computed."""

from typing import Final

from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import SearchAccessStatus
from searchaccess.core.status.access import Failure
from searchaccess.core.status.conditions import FALSE, Conditions

_CHANGED: Final = frozenset(
    {ConditionType.READY, ConditionType.SYNCED, ConditionType.STALLED, ConditionType.RECONCILING}
)


def with_fault(previous: SearchAccessStatus, generation: int, failure: Failure, now: str) -> SearchAccessStatus:
    """Return the previous status, except that it is not Ready: everything else in it may be outdated.

    Args:
        previous: the status as it is in Kubernetes.
        generation: of the SearchAccess.
        failure: the internal error.
        now: RFC 3339, UTC, whole seconds.
    """
    conditions = Conditions(previous, generation, now)
    for kind in ConditionType:
        if kind not in _CHANGED:
            conditions.keep(kind)
    conditions.progress(ready=FALSE, reason=failure.reason, message=failure.message)
    conditions.mark(ConditionType.SYNCED, FALSE, failure.reason, failure.message)
    return previous.model_copy(
        update={
            "observed_generation": generation,
            "conditions": conditions.build(),
            "reason": conditions.ready_reason,
        }
    )
