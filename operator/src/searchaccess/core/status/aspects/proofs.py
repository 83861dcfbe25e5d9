"""Reports tested queries in a SearchAccess's status, and in Ready (docs/adr/0038)."""

from typing import Final, TypeAlias

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import SearchAccessStatus, Truth, condition_of
from searchaccess.core.model.access import Access
from searchaccess.core.policy.proofs import Verdict, questions_of
from searchaccess.core.status.conditions import FALSE, TRUE, Conditions

ReadyParts: TypeAlias = tuple[Truth, Reason, str]
"""Status, reason and message of a condition."""

_LASTING: Final = {
    str(reason): reason
    for reason in (
        Reason.QUERIES_PROVEN,
        Reason.QUERY_FAILS,
        Reason.CANNOT_BE_TRIED,
        Reason.LOGIN_CANNOT_PROVE,
        Reason.NO_INDEX_YET,
    )
}
"""Results that are worth keeping. That a query could not be tested is not."""


def recalled_proof(status: SearchAccessStatus, access: Access, uuid: str) -> Verdict | None:
    """Return the status's result for the queries that a SearchAccess declares now; None: there is none.

    With it, nothing is tested again when the operator starts.

    Args:
        status: as an earlier run of the operator wrote it.
        access: the SearchAccess.
        uuid: of the Elasticsearch cluster.
    """
    condition, objects = condition_of(status, ConditionType.QUERIES_PROVEN), status.elasticsearch
    if condition is None or condition.observed_generation != access.generation:
        return None
    reason = _LASTING.get(condition.reason)
    if reason is None or (objects is not None and objects.cluster_uuid != uuid):
        return None
    return Verdict(condition.status, reason, condition.message)


def ready_with(ready: ReadyParts, proof: Verdict | None, *, was_ready: bool) -> ReadyParts:
    """Return status, reason and message of Ready.

    Args:
        ready: the same, without regard to queries.
        proof: what is known of the queries; None: there are none.
        was_ready: whether it was Ready, with the same spec. It stays Ready while queries are being tested.
    """
    if proof is None or ready[0] != TRUE:
        return ready
    if proof.status == FALSE or (proof.reason is Reason.PENDING and not was_ready):
        return FALSE, proof.reason, proof.message
    return ready


def mark_proof(conditions: Conditions, access: Access, proof: Verdict | None) -> None:
    """Set the condition about tested queries; absent where there are none.

    Args:
        conditions: of the new status.
        access: the SearchAccess.
        proof: what is known; None: nothing was examined, so the condition stays.
    """
    if not questions_of(access.share):
        return
    if proof is None:
        conditions.keep(ConditionType.QUERIES_PROVEN)
    else:
        conditions.mark(ConditionType.QUERIES_PROVEN, proof.status, proof.reason, proof.message)
