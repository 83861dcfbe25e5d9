"""Marks in a SearchAccess's status what is declared and gives nothing: hints, not errors."""

from searchaccess.api.conditiontypes import ConditionType
from searchaccess.api.reasons import Reason
from searchaccess.core.model.access import Access
from searchaccess.core.patterns.restricted import restricted_among
from searchaccess.core.status.conditions import TRUE, Conditions


def mark_hints(conditions: Conditions, access: Access) -> None:
    """Set the condition that says what of an access gives nothing; absent where nothing is known to."""
    if access.deleted_at:
        return
    found = restricted_among(name for entry in access.share.on_indices for name in entry.names)
    if found:
        shown = "; ".join(f"{pattern} gives nothing on {name}" for pattern, name in found)
        message = f"Elasticsearch keeps its own indices from every access: {shown}"
        conditions.mark(ConditionType.INEFFECTIVE, TRUE, Reason.RESTRICTED_INDICES, message)
