"""Reports declared rights that have no effect in a SearchAccess's status: hints, not errors."""

from collections.abc import Sequence
from typing import Final

from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import ConditionType
from searchaccess.api.status import Condition
from searchaccess.core.messages import some_of
from searchaccess.core.model.access import Access
from searchaccess.core.patterns.restricted import restricted_among
from searchaccess.core.status.conditions import TRUE, Conditions

_CREATES: Final = frozenset({"all", "auto_configure", "create_index", "manage"})
"""Privileges with which a first write creates its target."""


def mark_hints(conditions: Conditions, access: Access, absent: Sequence[str] | None, known: Condition | None) -> None:
    """Set the condition that names the parts of an access without effect; absent if none is known.

    Args:
        conditions: of the new status.
        access: the SearchAccess.
        absent: which of its patterns match no index, alias or data stream; None: not known yet, so the condition stays.
        known: the condition as it is in the status.
    """
    if access.deleted_at:
        return
    if absent is None and known is not None and known.observed_generation == access.generation:
        conditions.keep(ConditionType.INEFFECTIVE)
        return
    found = restricted_among(name for entry in access.share.on_indices for name in entry.names)
    messages = []
    if found:
        shown = "; ".join(f"{pattern} grants nothing on {name}" for pattern, name in found)
        messages.append(f"Elasticsearch denies every access to its own indices: {shown}")
    if absent:
        messages += _about_absent(access, absent)
    if messages:
        reason = Reason.RESTRICTED_INDICES if found else Reason.NO_INDEX_YET
        conditions.mark(ConditionType.INEFFECTIVE, TRUE, reason, "; ".join(messages))


def _about_absent(access: Access, absent: Sequence[str]) -> list[str]:
    creating = {name for entry in access.share.local if _CREATES & set(entry.privileges) for name in entry.names}
    made = tuple(name for name in absent if name in creating)
    others = tuple(name for name in absent if name not in creating)
    return [
        f"no index, alias or data stream matches {some_of(names)} now: check the spelling, or {then}"
        for names, then in ((others, "wait for the first write"), (made, "let the caller's first write create one"))
        if names
    ]
