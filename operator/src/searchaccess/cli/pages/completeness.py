"""Finds reasons, condition types and events without documentation, for ``make generate`` to report."""

from collections.abc import Container, Iterable
from typing import Final

from searchaccess.api.conditions.docs import REASON_DOCS
from searchaccess.api.conditions.events import EVENT_DOCS, EventReason
from searchaccess.api.conditions.reasons import Reason
from searchaccess.api.conditions.types import CONDITION_DOCS, ConditionType

Part = tuple[str, Iterable[str], Container[str], str]

PARTS: Final[tuple[Part, ...]] = (
    ("reason", Reason, REASON_DOCS, "REASON_DOCS in api/conditions/docs.py"),
    ("condition type", ConditionType, CONDITION_DOCS, "CONDITION_DOCS in api/conditions/types.py"),
    ("event", EventReason, EVENT_DOCS, "EVENT_DOCS in api/conditions/events.py"),
)
"""Name of each kind, its members, their documentation, and where that is."""


def missing_parts(parts: Iterable[Part] = PARTS) -> list[str]:
    """Return one line for each missing entry; empty: nothing is missing."""
    return [
        f"the {kind} {name} has no entry in {where}: add its meaning and the next step"
        for kind, names, documented, where in parts
        for name in names
        if name not in documented
    ]
