"""Marks in a SearchAccess's status what policies say of it."""

from typing import Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import POLICIES_LIMIT, POLICY_REASONS_LIMIT, EffectivePolicy
from searchaccess.core.messages import some_of
from searchaccess.core.model.access import Access
from searchaccess.core.model.verdict import Outcome
from searchaccess.core.policy.guardrails.messages import described, refusal_message
from searchaccess.core.status.conditions import FALSE, TRUE, UNKNOWN, Conditions, shorten

_ORDER: Final = (
    Outcome.DENIED,
    Outcome.PENDING_APPROVAL,
    Outcome.WOULD_DENY,
    Outcome.EXEMPT,
    Outcome.ACCEPTED,
)
_REASON_LIMIT: Final = 500
_BY_NAME: Final = (
    "what is denied was compared with names alone: it cannot be read where aliases lead that {} matches, as the "
    "operator's login lacks view_index_metadata on it, or Elasticsearch did not answer"
)


def mark_policy(conditions: Conditions, access: Access) -> None:
    """Set the condition that says whether policies accept an access; absent where none applies."""
    verdict = access.verdict
    by_name = _BY_NAME.format(some_of(verdict.by_name)) if verdict.by_name else ""
    audited = [each for each in verdict.outcomes if each.outcome is Outcome.WOULD_DENY]
    if verdict.unknown:
        conditions.mark(ConditionType.POLICY_ACCEPTED, UNKNOWN, Reason.PENDING, verdict.unknown)
    elif verdict.refused:
        conditions.mark(ConditionType.POLICY_ACCEPTED, FALSE, Reason.POLICY_VIOLATION, refusal_message(access))
    elif waiting := [each.policy for each in verdict.outcomes if each.outcome is Outcome.PENDING_APPROVAL]:
        text = f"{some_of(waiting)}: the approval is missing; the message of Ready says who may give it"
        conditions.mark(ConditionType.POLICY_ACCEPTED, FALSE, Reason.PENDING_APPROVAL, text)
    elif audited:
        text = "; ".join([*map(described, audited), *filter(None, [by_name])])
        conditions.mark(ConditionType.POLICY_ACCEPTED, TRUE, Reason.POLICY_WOULD_DENY, text)
    elif verdict.outcomes:
        conditions.mark(ConditionType.POLICY_ACCEPTED, TRUE, Reason.POLICIES_ACCEPT, by_name)


def build_effective_policy(access: Access) -> list[EffectivePolicy] | None:
    """Return what each policy says that applies to an access; None: none does."""
    outcomes = sorted(access.verdict.outcomes, key=lambda each: (_ORDER.index(each.outcome), each.policy))
    return [
        EffectivePolicy(
            name=each.policy,
            outcome=each.outcome,
            reasons=[shorten(reason, _REASON_LIMIT) for reason in each.reasons[:POLICY_REASONS_LIMIT]],
        )
        for each in outcomes[:POLICIES_LIMIT]
    ] or None
